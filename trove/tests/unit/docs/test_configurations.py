# SPDX-License-Identifier: Apache-2.0
# covers: doc/source/admin/deployment.rst
"""The configurations that the README and the deployment page tell operators to write."""

import pathlib
import re
import textwrap

import trove.conf
from trove.conf import _review
from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[4]
#: File, and what precedes its configuration.
_PAGES = {"README.rst": "Run it as separate processes", "doc/source/admin/deployment.rst": "\nConfiguration\n===="}


class ConfigurationsTest(base.UnitTestCase):
    def test_a_service_has_nothing_to_say_against_them(self) -> None:
        for name, heading in _PAGES.items():
            text = (_ROOT / name).read_text(encoding="utf-8").partition(heading)[2]
            block = re.search(r"\.\. code-block:: ini\n\n((?: {3}.*\n|\n)+)", text)
            assert block is not None, name
            path = self.tempdir() / "trove.conf"
            path.write_text(textwrap.dedent(block[1]))
            self.assertEqual([], _review.review_files(trove.conf.new(files=[str(path)])), name)
