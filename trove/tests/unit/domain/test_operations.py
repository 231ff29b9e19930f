# SPDX-License-Identifier: Apache-2.0
"""The kinds of long work, and the quota they move."""

from trove.domain import operations
from trove.tests import base


def _resize(old: int, new: int) -> dict[str, dict[str, int]]:
    return {"old": {"ram_mib": old}, "new": {"ram_mib": new}}


class TestKinds(base.UnitTestCase):
    def test_the_table_has_every_kind_once(self) -> None:
        kinds = [kind for kind in vars(operations).values() if isinstance(kind, operations.Kind)]
        self.assertCountEqual(kinds, operations.KINDS.values())
        for name, kind in operations.KINDS.items():
            self.assertEqual(name, kind.name)
            self.assertRegex(name, r"^[a-z]+\.[a-z_]+$")
            self.assertGreater(kind.timeout, 0)
            self.assertEqual(name.startswith("instance."), kind.exclusive)

    def test_edits_are_those_that_share_the_instance(self) -> None:
        beside = ("configuration.", "log.", "module.")
        others = {kind for name, kind in operations.KINDS.items() if name.startswith(beside)}
        shared = {kind for kind in operations.KINDS.values() if not kind.exclusive}
        self.assertEqual(shared - others, set(operations.EDITS))

    def test_names_fit_their_columns(self) -> None:
        self.assertLessEqual(len(operations.instance_claim("x" * 36)), 128)
        self.assertLessEqual(len(operations.command_signal("x" * 36)), 128)


class TestQuota(base.UnitTestCase):
    def test_a_larger_shape_takes_and_a_smaller_one_frees(self) -> None:
        kind = operations.INSTANCE_RESIZE_FLAVOR.name
        for old, new, taken, freed in ((1, 3, {"ram": 2}, {}), (3, 1, {}, {"ram": 2}), (2, 2, {}, {})):
            self.assertEqual(taken, operations.quota_taken(kind, _resize(old, new)))
            self.assertEqual(freed, operations.quota_freed(kind, _resize(old, new)))

    def test_a_volume_takes_the_difference(self) -> None:
        kind = operations.INSTANCE_RESIZE_VOLUME.name
        self.assertEqual({"volumes": 3}, operations.quota_taken(kind, {"size_gib": 5, "old_size_gib": 2}))
        self.assertEqual({}, operations.quota_freed(kind, {"size_gib": 5, "old_size_gib": 2}))

    def test_nothing_else_moves_quota_by_itself(self) -> None:
        resizes = {operations.INSTANCE_RESIZE_FLAVOR.name, operations.INSTANCE_RESIZE_VOLUME.name}
        for name in set(operations.KINDS) - resizes:
            self.assertEqual(({}, {}), (operations.quota_taken(name, {}), operations.quota_freed(name, {})))


class TestInputs(base.UnitTestCase):
    kind = operations.Kind(
        "sample.kind", 1, 60.0, False, inputs={"host": "string|null", "size": "integer", "was?": "boolean"}
    )

    def test_what_the_kind_states_is_accepted(self) -> None:
        operations.check_inputs(self.kind, {"host": None, "size": 1})
        operations.check_inputs(self.kind, {"host": "h", "size": 1, "was": False, "notices": []})
        operations.check_inputs(self.kind, {"was": True}, whole=False)
        operations.check_inputs(operations.Kind("sample.any", 1, 60.0, False), {"x": object()})

    def test_everything_wrong_is_named_at_once(self) -> None:
        given = {"size": True, "other": 1, "was": None}
        error = self.assertRaises(ValueError, operations.check_inputs, self.kind, given)
        for text in ("sample.kind", "other is not one", "host is missing", "size is bool, not integer", "was is None"):
            self.assertIn(text, str(error))

    def test_a_part_may_add_nothing_unknown(self) -> None:
        self.assertRaises(ValueError, operations.check_inputs, self.kind, {"other": 1}, whole=False)

    def test_every_kind_uses_known_words(self) -> None:
        for kind in operations.KINDS.values():
            for name, words in (kind.inputs or {}).items():
                self.assertTrue(set(words.split("|")) <= set(operations._TYPES), f"{kind.name}: {name}")


class GuestCommandsTest(base.UnitTestCase):
    def test_what_an_operation_needs_follows_from_what_was_asked(self) -> None:
        configure, change, publish = (
            kind.name for kind in (operations.INSTANCE_CONFIGURE, operations.LOG_CHANGE, operations.LOG_PUBLISH)
        )
        for kind, inputs, expected in (
            (operations.INSTANCE_RESTART.name, {}, ("restart",)),
            (operations.INSTANCE_DELETE.name, {}, ()),
            (operations.DATABASE_CREATE.name, {}, ()),  # who asks knows its command
            (configure, {"configuration_id": None}, ("configure",)),
            (configure, {"was": "ACTIVE"}, ()),
            (change, {"enabled": None}, ()),
            (change, {"enabled": False}, ("set_log",)),
            (publish, {"enabled": None}, ("publish_log",)),
            (publish, {"enabled": True}, ("set_log", "publish_log")),
        ):
            self.assertEqual(expected, operations.guest_commands(kind, inputs), (kind, inputs))
