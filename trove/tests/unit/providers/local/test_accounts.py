# SPDX-License-Identifier: Apache-2.0
"""Which user id an instance gets; the contract suite tries out what its account can do."""

import os
from pathlib import Path
from unittest import mock

from trove.providers import base
from trove.providers.local import accounts
from trove.providers.local.privileges import Account
from trove.tests import base as tests

SHARED = Account("nobody", 65534, 65533)
IDS = range(700_001, 700_004)


class AccountsTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.registry = self.tempdir() / "registry"
        self.enterContext(mock.patch.object(accounts, "REGISTRY", self.registry))
        self.enterContext(mock.patch.object(accounts, "PUBLIC_DIRECTORIES", (self.tempdir(),)))
        self.running = self.enterContext(mock.patch.object(accounts, "running", autospec=True, return_value={0}))
        self.known: set[int] = set()
        self.enterContext(mock.patch.object(accounts, "_is_known", self.known.__contains__))
        self.base_dir = self.tempdir()
        self.accounts = accounts.Accounts(SHARED, IDS)

    def directory(self, name: str, base_dir: Path | None = None) -> Path:
        return (base_dir or self.base_dir) / "volumes" / name

    def take(self, name: str, base_dir: Path | None = None) -> int:
        directory = self.directory(name, base_dir)
        with self.accounts.taken(directory) as account:
            directory.mkdir(parents=True)
        self.assertIsNotNone(account)
        self.assertEqual((account.uid, (SHARED.gid,)), (account.gid, account.groups))
        self.assertTrue(accounts.holds(account.uid, directory))
        return account.uid

    def test_every_instance_has_another_one_until_there_is_none(self) -> None:
        other = self.tempdir()  # another service of the same host
        self.assertEqual(set(IDS), {self.take("a"), self.take("b"), self.take("a", other)})
        err = self.assertRaises(base.QuotaError, self.take, "c")
        self.assertIn("all 3 user ids from [local] uid_range_start 700001 are taken", str(err))
        self.assertFalse(self.directory("c").exists())

    def test_what_others_have_is_left_out(self) -> None:
        self.running.return_value = {0, IDS[0]}
        self.known.add(IDS[1])
        self.assertEqual(IDS[2], self.take("a"))

    def test_files_in_public_directories_keep_an_id(self) -> None:
        (accounts.PUBLIC_DIRECTORIES[0] / "socket").touch()
        owner = accounts.Accounts(SHARED, range(os.getuid(), os.getuid() + 1))
        with self.assertRaises(base.QuotaError), owner.taken(self.directory("a")):
            self.fail("an id was taken")

    def test_an_id_is_free_again_when_its_files_are_gone(self) -> None:
        taken = [self.take(name) for name in "abc"]
        item = self.base_dir / "trash" / "gone-1"
        item.parent.mkdir()
        self.directory("a").rename(item)
        with mock.patch.object(accounts, "_owners_in_trash", autospec=True, return_value={taken[0]}) as owners:
            self.assertRaises(base.QuotaError, self.take, "d")
        owners.assert_called_once_with(Path(os.path.realpath(self.base_dir)) / "trash")
        item.rmdir()
        self.assertEqual(taken[0], self.take("d"))

    def test_owners_in_the_trash(self) -> None:
        (self.base_dir / "gone-1" / "state").mkdir(parents=True)
        self.assertEqual({os.getuid()}, accounts._owners_in_trash(self.base_dir))
        self.assertEqual(set(), accounts._owners_in_trash(self.base_dir / "absent"))

    def test_crash_between_the_id_and_the_volume_takes_nothing(self) -> None:
        owner = accounts.Accounts(SHARED, IDS[:1])
        with self.assertRaises(KeyboardInterrupt), owner.taken(self.directory("a")):
            raise KeyboardInterrupt
        with owner.taken(self.directory("b")) as account:
            self.assertEqual(IDS[0], account.uid)

    def test_volume_of_before_keeps_the_shared_account(self) -> None:
        self.assertEqual(SHARED, self.accounts.of({"tag": "t"}))
        self.assertEqual(SHARED, self.accounts.of({"tag": "t", "uid": None}))
        self.assertEqual(IDS[0], self.accounts.of({"tag": "t", "uid": IDS[0]}).uid)
        self.assertFalse(accounts.holds(None, self.directory("a")))

    def test_ordinary_user_gives_nobody_an_account(self) -> None:
        ordinary = accounts.Accounts(None)
        with ordinary.taken(self.directory("a")) as account:
            self.assertIsNone(account)
        self.assertIsNone(ordinary.of({"tag": "t", "uid": IDS[0]}))
        self.assertFalse(self.registry.exists())

    def test_registry_that_was_lost_or_a_volume_that_was_moved(self) -> None:
        uid = self.take("a")
        (self.registry / str(uid)).unlink()
        self.accounts.retake(uid, self.directory("a"))
        self.assertTrue(accounts.holds(uid, self.directory("a")))
        self.directory("a").rename(self.directory("b"))
        self.accounts.retake(uid, self.directory("b"))
        self.assertTrue(accounts.holds(uid, self.directory("b")))

    def test_id_that_another_volume_has_by_now(self) -> None:
        uid = self.take("a")
        self.directory("copy").mkdir()
        err = self.assertRaises(base.ConflictError, self.accounts.retake, uid, self.directory("copy"))
        self.assertIn(str(self.directory("a")), str(err))
        self.assertTrue(accounts.holds(uid, self.directory("a")))

    def test_id_outside_of_the_user_namespace(self) -> None:
        proc = self.tempdir()
        (proc / "self").mkdir()
        (proc / "self" / "uid_map").write_text("         0     100000      65536\n")
        with mock.patch.object(accounts, "_PROC", proc):
            err = self.assertRaises(base.FatalError, self.take, "a")
        self.assertIn("uid_range_start", str(err))
