# SPDX-License-Identifier: Apache-2.0
"""Filling in what only the provider knows."""

import json

from trove.tests import base as tests
from trove.wire import base, bootstrap

DOCUMENT = {
    "instance_id": "0d6d1e7e-0000-4000-8000-000000000001",
    "datastore_manager": "postgresql",
    "datastore_version": "15",
    "transport": "gateway",
    "endpoint": "http://127.0.0.1:8778",
    "one_time_key": "5a" * 32,
    "data_dir": "",
    "state_dir": "",
    "options": {"volume_gib": 1, "colour": "red"},
    "from_the_future": 1,
}
DIRECTORIES = {"data_dir": "/d", "state_dir": "/s"}


class FillTest(tests.UnitTestCase):
    def fill(self, values: dict[str, object], **changes: object) -> dict[str, object]:
        return json.loads(bootstrap.fill(json.dumps({**DOCUMENT, **changes}).encode(), values))

    def test_given_fields_are_set_and_all_others_kept(self) -> None:
        filled = self.fill({**DIRECTORIES, "options": {"volume_gib": 2}})
        expected = {**DOCUMENT, **DIRECTORIES, "options": {"volume_gib": 2, "colour": "red"}}
        self.assertEqual(expected, filled)

    def test_directories_must_not_stay_empty(self) -> None:
        for values in ({}, {"data_dir": "/d"}, {"state_dir": "/s"}):
            self.assertRaises(base.MalformedMessage, self.fill, values)

    def test_error_names_the_field_and_not_the_key(self) -> None:
        err = self.assertRaises(base.MalformedMessage, self.fill, DIRECTORIES, one_time_key="5a5a")
        self.assertIn("one_time_key", str(err))
        self.assertNotIn("5a5a", str(err))

    def test_not_a_document(self) -> None:
        for document in (b"", b"[]", b"{", b"\xff"):
            self.assertRaises(base.MalformedMessage, bootstrap.fill, document, DIRECTORIES)

    def test_socket_of_the_gateway(self) -> None:
        for endpoint, expected in (
            ("unix:///run/trove/gateway/socket", "/run/trove/gateway/socket"),
            ("http://127.0.0.1:8778", None),
            ("unix://relative/socket", None),
        ):
            document = json.dumps({**DOCUMENT, "endpoint": endpoint}).encode()
            self.assertEqual(expected, bootstrap.local_socket(document))
