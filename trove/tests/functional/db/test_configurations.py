# SPDX-License-Identifier: Apache-2.0
# covers: trove/objects/configuration.py
# covers: trove/objects/parameter_rule.py
"""Configuration groups and the rules of parameters, on every database."""

from typing import Any

from trove.common import clock, exception, ids
from trove.db import models
from trove.domain.parameter_rule import Rule
from trove.objects import catalog, configuration, errors, parameter_rule
from trove.objects.configuration import Configuration
from trove.objects.scope import Scope
from trove.tests.functional.db import case


class Configurations(case.EveryDatabase):
    def setUp(self) -> None:
        super().setUp()
        with self.db.writer() as session:
            self.version = catalog.register_version(session, datastore="d", name="1", manager="postgresql")

    def make(self, project: str = "p", **values: Any) -> str:
        with self.db.writer() as session:
            group = Configuration(
                project_id=project, name="g", description=None, datastore_version_id=self.version.id, values=values
            )
            group.create(session, "me")
        return str(group.id)

    def change(self, group_id: str, **changes: Any) -> bool:
        with self.db.writer() as session:
            return Configuration.get(session, Scope.ALL, group_id, for_update=True).change(session, changes, "you")

    def test_rows(self) -> None:
        made = sorted(self.make(long="x" * 4096, huge=2**64 - 1, low=-(2**63), share=0.25, on=True) for _ in range(3))
        self.make("other")
        with self.db.reader() as session:
            rows = configuration.list_rows(session, Scope.project("p"), limit=2, marker=made[0])
            self.assertEqual(made[1:], [row.id for row in rows])
            self.assertEqual(4, len(configuration.list_rows(session, Scope.ALL, limit=9)))
            row = configuration.get_row(session, Scope.project("p"), made[0].upper())
            self.assertEqual(("d", "1", "1", 0), (row.datastore_name, row.version_name, row.version_number, row[-1]))
            expected = {"long": "x" * 4096, "huge": 2**64 - 1, "low": -(2**63), "share": 0.25, "on": True}
            self.assertEqual(expected, row.values)
            self.assertEqual(expected, configuration.values_of(session, row.id))
            for find in (configuration.get_row, Configuration.get):
                self.assertRaises(errors.ConfigurationNotFound, find, session, Scope.project("q"), row.id)
            self.assertEqual({}, configuration.values_of(session, None))
            self.assertEqual({}, configuration.values_of(session, ids.new_id()))

    def test_only_other_values_are_a_revision(self) -> None:
        group_id = self.make(a=1)
        self.assertIs(False, self.change(group_id, name="n"))
        self.assertIs(False, self.change(group_id, values={"a": 1}))
        self.assertIs(True, self.change(group_id, values={"a": 2}, description="d"))
        with self.db.reader() as session:
            history = configuration.list_history(session, group_id, limit=9)
            self.assertEqual(
                [(2, {"a": 2}, "you"), (1, {"a": 1}, "me")], [(h.revision, h.values, h.user_id) for h in history]
            )
            self.assertEqual(
                [1], [h.revision for h in configuration.list_history(session, group_id, limit=1, before=2)]
            )
            row = configuration.get_row(session, Scope.ALL, group_id)
            self.assertEqual(("n", "d"), (row.name, row.description))

    def test_changes_at_once_lose_nothing(self) -> None:
        group_id = self.make()

        def add(name: str) -> None:
            for _ in range(20):
                try:
                    with self.db.writer() as session:
                        group = Configuration.get(session, Scope.ALL, group_id, for_update=True)
                        group.change(session, {"values": {**group.values, name: 1}}, None)
                    return
                except exception.StaleObject:
                    clock.sleep(0.01)

        results = self.at_once(*[lambda name=name: add(name) for name in "abcd"])
        self.assertEqual([None] * 4, results)
        with self.db.reader() as session:
            self.assertEqual(dict.fromkeys("abcd", 1), configuration.values_of(session, group_id))
            self.assertEqual(5, configuration.list_history(session, group_id, limit=1)[0].revision)

    def test_a_stale_change_is_refused(self) -> None:
        group_id = self.make()
        with self.db.reader() as session:
            stale = Configuration.get(session, Scope.ALL, group_id)
        self.change(group_id, values={"a": 1})
        with self.db.writer() as session:
            self.assertRaises(exception.StaleObject, stale.change, session, {"values": {}}, None)

    def test_instances_keep_their_group(self) -> None:
        group_id = self.make()
        instances = sorted(str(self.make_instance(configuration_id=group_id).id) for _ in range(2))
        self.make_instance()
        gone = self.make_instance(configuration_id=group_id)
        with self.db.writer() as session:
            gone.process_event(session, "delete")
            gone.mark_deleted(session)
        with self.db.writer() as session:
            group = Configuration.get(session, Scope.ALL, group_id, for_update=True)
            self.assertEqual(instances, [item.id for item in group.instances(session, limit=100)])
            self.assertEqual(2, configuration.get_row(session, Scope.ALL, group_id).instance_count)
            listed = configuration.list_instances(session, group_id, limit=9, marker=instances[0])
            self.assertEqual([(instances[1], "db")], listed)
            self.assertRaises(errors.ConfigurationInUse, group.delete, session)

    def test_deletion(self) -> None:
        group_id = self.make(a=1)
        self.change(group_id, values={})
        with self.db.writer() as session:
            Configuration.get(session, Scope.ALL, group_id, for_update=True).delete(session)
        with self.db.reader() as session:
            self.assertEqual([], list(session.query(models.ConfigurationHistory)))
            self.assertRaises(errors.ConfigurationNotFound, Configuration.get, session, Scope.ALL, group_id)

    def test_rules(self) -> None:
        rules = [
            Rule("a", "integer", True, -(2**63), 2**64 - 1),
            Rule("b", "float", False, 0.1, 1e300),
            Rule("c", "string", False, hidden=True),
        ]
        with self.db.writer() as session:
            parameter_rule.put(session, self.version.id, rules)
            parameter_rule.put(session, self.version.id, [])
        changed = Rule("c", "boolean", True)
        with self.db.writer() as session:
            self.assertEqual(rules, parameter_rule.of_version(session, self.version.id))
            parameter_rule.put(session, self.version.id, [changed])
            self.assertEqual([*rules[:2], changed], parameter_rule.of_version(session, self.version.id))
            self.assertEqual(1, parameter_rule.remove(session, self.version.id, "a"))
            self.assertEqual(0, parameter_rule.remove(session, self.version.id, "a"))
            self.assertEqual([], parameter_rule.of_version(session, ids.new_id()))
            self.assertEqual(2, parameter_rule.remove(session, self.version.id))
