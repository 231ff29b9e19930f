# SPDX-License-Identifier: Apache-2.0
"""Which bootstrap documents let an agent do without TLS. What that saves is measured where real agents run."""

import json
import sys
from pathlib import Path

from trove.guestagent import slim
from trove.tests.base import UnitTestCase


class TestForBootstrap(UnitTestCase):
    def document(self, content: object) -> Path:
        path = self.tempdir() / "bootstrap.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def test_plain_gateway(self) -> None:
        for endpoint in ("http://127.0.0.1:8780", "HTTP://localhost:1", "unix:///run/trove/gateway/socket"):
            self.assertTrue(slim.for_bootstrap(self.document({"transport": "gateway", "endpoint": endpoint})))

    def test_tls_and_messaging_keep_everything(self) -> None:
        for transport, endpoint in (
            ("gateway", "https://trove.example:8780"),
            ("messaging", "rabbit://guest@broker/guests"),
            ("messaging", "http://strange"),
        ):
            document = self.document({"transport": transport, "endpoint": endpoint})
            self.assertFalse(slim.for_bootstrap(document), endpoint)

    def test_what_is_no_document_is_left_to_others(self) -> None:
        for content in ("", "{", "[]", "7", "{}", {"transport": "gateway", "endpoint": None}, {"endpoint": "http://x"}):
            self.assertFalse(slim.for_bootstrap(self.document(content)), content)
        self.assertFalse(slim.for_bootstrap(self.tempdir() / "absent"))
        self.assertFalse(slim.for_bootstrap(self.tempdir()))

    def test_nothing_stays_hidden(self) -> None:
        before = {name for name, module in sys.modules.items() if module is None}
        slim.at_start()
        slim.for_bootstrap(self.document({"transport": "gateway", "endpoint": "http://127.0.0.1:1"}))
        self.assertEqual(before, {name for name, module in sys.modules.items() if module is None})
