# SPDX-License-Identifier: Apache-2.0

from trove.datastores.postgresql.guest import pidfile
from trove.tests import base

WHOLE = "4711\n/srv/pgdata\n1790000000\n5432\n/run/x\n127.0.0.1\n  262145    32770\nready   \n"


class TestPidFile(base.UnitTestCase):
    def test_whole(self) -> None:
        found = pidfile.parse(WHOLE)
        self.assertEqual(pidfile.PidFile(4711, "ready"), found)
        assert found is not None
        self.assertTrue(found.accepting)

    def test_every_prefix_is_readable(self) -> None:
        for end in range(len(WHOLE)):
            found = pidfile.parse(WHOLE[:end])
            self.assertFalse(found is not None and found.accepting and end < WHOLE.index("ready") + 5, end)

    def test_words(self) -> None:
        for word, accepting in {"starting": False, "stopping": False, "standby ": True}.items():
            found = pidfile.parse(WHOLE.replace("ready   ", word))
            assert found is not None
            self.assertEqual(accepting, found.accepting, word)

    def test_what_is_no_server(self) -> None:
        for text in ("", "\n", "x\n", "-4711\n", "0\n", "1\n"):
            self.assertIsNone(pidfile.parse(text), repr(text))

    def test_absent(self) -> None:
        self.assertIsNone(pidfile.read(self.tempdir()))
