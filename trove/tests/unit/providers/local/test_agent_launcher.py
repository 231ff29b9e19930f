# SPDX-License-Identifier: Apache-2.0
"""What the launcher is told about an agent; the contract suite has it carried out."""

import pathlib
from unittest import mock

from trove.providers import base
from trove.providers.local import agent_launcher, privileges, processes
from trove.providers.local.accounts import Accounts
from trove.providers.local.agent_launcher import AgentLauncher
from trove.providers.local.privileges import Account
from trove.providers.local.records import Record, Store
from trove.providers.local.volumes import Volumes
from trove.tests import base as tests

SHARED = Account("nobody", 65534, 65533)
OWN = Account("trove-61200", 61200, 61200, (65533,))


class WordsTest(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(privileges, "precompile", autospec=True))
        code = mock.patch.object(privileges, "code_paths", autospec=True, return_value=("/usr/lib/python3",))
        self.enterContext(code)
        self.store = Store(self.tempdir())
        self.store.accounts = Accounts(SHARED)
        self.directory = self.store.directory("server", "s")
        (self.directory / "state").mkdir(parents=True)
        volumes = Volumes(self.store)
        self.launcher = AgentLauncher(self.store, volumes, processes.Spawner(), ["/usr/bin/agent"], None)
        self.data = str(volumes.data_dir("v"))

    def words(self, account: Account, tier: int = 1, **changes: str) -> list[str]:
        record: Record = {"tag": "s", "volume_tag": "v", "engine_home": "/usr/bin", "tier": tier, **changes}
        confined = ["netns=/run/netns/x"] if tier == 2 else []
        return self.launcher._words(account, record, str(self.directory / "state"), confined)

    def test_account_of_its_own_is_in_the_user_database_that_it_sees(self) -> None:
        words = self.words(OWN)
        self.assertEqual(["uid=61200", "gid=61200", "groups=65533"], words[:3])
        file = self.directory / "passwd"
        self.assertIn(f"passwd={file}", words)
        self.assertEqual(0o644, file.stat().st_mode & 0o777)
        host = pathlib.Path("/etc/passwd").read_text().rstrip("\n")
        self.assertEqual(f"{host}\ntrove-61200:x:61200:61200::/nonexistent:/usr/sbin/nologin\n", file.read_text())

    def test_templates_are_for_those_who_share_an_account(self) -> None:
        templates = str(self.store.base_dir / "templates")
        for account, shared in ((OWN, False), (SHARED, True)):
            words = self.words(account, 2)
            self.assertEqual(shared, f"own={templates}" in words)
            self.assertEqual(not shared, any(word.startswith("passwd=") for word in words))

    def test_public_directories_are_replaced_unless_the_instance_lives_there(self) -> None:
        above = self.store.base_dir.parents[-2]
        with mock.patch.object(agent_launcher, "SHARED_DIRECTORIES", (str(above), "/elsewhere/tmp")):
            for account in (OWN, SHARED):
                private = [word for word in self.words(account, 2) if word.startswith("private=")]
                self.assertEqual(["private=/elsewhere/tmp"], private)
                self.assertEqual([], [word for word in self.words(account) if word.startswith("private=")])

    def test_what_lacks_its_surroundings_is_not_started(self) -> None:
        record: Record = {"tag": "s", "tier": 2}
        self.assertRaises(base.RetryableError, self.launcher._confine, record)
        self.assertTrue(self.launcher.leave(record))
        self.assertEqual([], self.launcher._confine({"tag": "s"}))
