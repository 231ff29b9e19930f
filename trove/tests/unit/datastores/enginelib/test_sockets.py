# SPDX-License-Identifier: Apache-2.0

import os
import stat
import tempfile
from pathlib import Path

from trove.common import clock
from trove.datastores.enginelib import sockets
from trove.tests import base

NAME = ".s.PGSQL.5432"


class TestSockets(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.parent = Path(tempfile.gettempdir())
        self.long = self.tempdir() / ("x" * 100)

    def _directory(self, name: str, lock: str | None = None, *, old: bool = True) -> Path:
        made = self.parent / f"trove-socket-{name}"
        made.mkdir()
        if lock is not None:
            (made / ".s.PGSQL.5432.lock").write_text(lock)
        if old:
            os.utime(made, (0, clock.timestamp() - 3600))
        return made

    def test_beside_the_state_where_it_fits(self) -> None:
        preferred = self.tempdir() / "run"
        self.assertEqual(str(preferred), sockets.usable_directory(preferred, None, NAME))
        self.assertEqual(0o700, stat.S_IMODE(preferred.stat().st_mode))

    def test_a_long_path_gets_a_private_directory_and_keeps_it(self) -> None:
        made = sockets.usable_directory(self.long, None, NAME)
        self.assertEqual((self.parent, 0o700), (Path(made).parent, stat.S_IMODE(os.stat(made).st_mode)))
        self.assertEqual(made, sockets.usable_directory(self.long, made, NAME))

    def test_one_that_was_cleaned_away_or_replaced_by_a_link_is_not_used(self) -> None:
        made = Path(sockets.usable_directory(self.long, None, NAME))
        made.rmdir()
        made.symlink_to(self.parent)
        self.assertNotEqual(str(made), sockets.usable_directory(self.long, str(made), NAME))

    def test_only_what_no_server_uses_is_swept(self) -> None:
        ended = self._directory("ended", "4194305\n/data\n")
        empty = self._directory("empty")
        garbled = self._directory("garbled", "")
        alive = self._directory("alive", f"{os.getpid()}\n/data\n")
        fresh = self._directory("fresh", old=False)
        link = self.parent / "trove-socket-link"
        link.symlink_to(self.tempdir())
        sockets.usable_directory(self.long, None, NAME)
        self.assertEqual([False] * 3, [path.exists() for path in (ended, empty, garbled)])
        self.assertEqual([True] * 3, [path.exists() for path in (alive, fresh, link)])

    def test_a_lock_that_we_write_for_an_engine_without_one(self) -> None:
        made = self._directory("written", old=False)
        sockets.write_lock(made, "engine.sock", os.getpid())
        os.utime(made, (0, clock.timestamp() - 3600))
        sockets.sweep(self.parent)
        self.assertTrue(made.exists())

    def test_the_limit(self) -> None:
        """107 bytes is what fits a ``sun_path``; the server's own file name takes 14 of them."""
        self.assertTrue(sockets.path_fits(Path("/" + "x" * 92), NAME))
        self.assertFalse(sockets.path_fits(Path("/" + "x" * 93), NAME))
        self.assertFalse(sockets.path_fits(Path("/" + "ü" * 47), NAME))
