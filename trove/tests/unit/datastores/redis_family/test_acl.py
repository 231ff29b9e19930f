# SPDX-License-Identifier: Apache-2.0

import hashlib

from trove.datastores.redis_family import acl
from trove.tests import base

HASH = hashlib.sha256(b"pw").hexdigest()


class TestRules(base.UnitTestCase):
    def test_dangerous_commands_are_taken_away_before_some_are_given(self) -> None:
        for rules in (acl.USER_RULES, acl.ROOT_RULES):
            last_taken = max(rules.index("-@admin"), rules.index("-@dangerous"))
            self.assertTrue(rules.index("+@all") < rules.index("-@admin"))
            given = [rule for rule in rules[last_taken:] if rule.startswith("+")]
            self.assertEqual([], [rule for rule in given if rule.startswith("+@")])

    def test_nothing_that_reaches_the_machine_is_given(self) -> None:
        forbidden = {"module", "debug", "config", "shutdown", "replicaof", "migrate", "sync", "acl", "save", "failover"}
        for rules in (acl.USER_RULES, acl.ROOT_RULES):
            self.assertEqual(set(), {f"+{name}" for name in forbidden} & set(rules))
            self.assertNotIn("+client|pause", rules)
            self.assertNotIn("+module|load", rules)
            self.assertNotIn("nopass", rules)


class TestList(base.UnitTestCase):
    def test_parse(self) -> None:
        found = acl.parse([f"user ann on #{HASH} ~* +@all", "user bob off", "nonsense", "user", ""])
        self.assertEqual({"ann", "bob"}, set(found))
        self.assertEqual((True, frozenset({HASH})), (found["ann"].enabled, found["ann"].hashes))
        self.assertFalse(found["bob"].enabled)

    def test_commands(self) -> None:
        entry = acl.parse([f"user ann on #{HASH} ~a* &* -@all +get"])["ann"]
        self.assertEqual(
            ("ACL", "SETUSER", "ann", "reset", "on", f"#{HASH}", "~a*", "&*", "-@all", "+get"), acl.restore_user(entry)
        )
        self.assertEqual(
            ("ACL", "SETUSER", "ann", "reset", "on", f"#{HASH}", "~*"), acl.set_user("ann", ("~*",), {HASH})
        )


class TestSecured(base.UnitTestCase):
    def test_what_is_complete_stays_as_it_is(self) -> None:
        text = acl.secured("", "pw")
        self.assertEqual(text, acl.secured(text, "pw"))
        more = text + "user ann on nopass\n"
        self.assertEqual(more, acl.secured(more, "pw"))
        saved = f"user default off resetchannels -@all\nuser os_admin on #{HASH} ~* &* +@all\n"
        self.assertEqual(saved, acl.secured(saved, "pw"))

    def test_what_is_missing_or_open_is_mended_and_others_are_kept(self) -> None:
        whole = acl.secured("", "pw")
        kept = f"user ann on #{HASH} ~* +@all"
        for damaged in (
            "",
            kept,
            whole[:-1],
            whole[: len(whole) // 2],
            whole.replace("default off", "default on"),
            whole.replace("user default off", "user default off nopass"),
            whole.replace(HASH, "0" * 64),
            whole + "user default on nopass ~* +@all\n",
            "\0\0\0\0",
        ):
            mended = acl.secured(f"{kept}\n{damaged}", "pw")
            lines = mended.splitlines()
            self.assertEqual(1, sum(line.startswith("user default ") for line in lines), damaged)
            self.assertEqual(1, sum(line.startswith("user os_admin ") for line in lines), damaged)
            self.assertTrue(any(line.startswith("user default off ") for line in lines), damaged)
            self.assertIn(f"#{HASH}", next(line for line in lines if line.startswith("user os_admin on ")))
            self.assertIn(kept, lines)
            self.assertNotIn("nopass", mended)
