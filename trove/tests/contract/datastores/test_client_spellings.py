# SPDX-License-Identifier: Apache-2.0
"""What clients write (sizes with a suffix, time zones, character sets and collations), and what a real server has."""

from trove.datastores import parameter_values
from trove.datastores.mysql_family import collations
from trove.tests.contract.datastores import engines
from trove.wire import command


class Collations(engines.EngineTestCase):
    def test_all_that_the_server_has_is_accepted_and_what_is_offered_is_there(self) -> None:
        one = self.prepared()
        one.admit("ann", "secret")
        client = one.connect("ann", "secret", "shop")
        self.addCleanup(client.close)
        rows = client.execute("SELECT CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLLATIONS")
        for charset, collation in rows:
            for asked in (charset, None):
                self.assertIsNone(collations.problem(self.manager, asked, collation), (asked, collation))
        there = {collation for _charset, collation in rows}
        for charset in {charset for charset, _collation in rows if charset}:
            said = collations.problem(self.manager, charset, "no such thing") or ""
            offered = said.rpartition("possible are ")[2].split(", ")
            self.assertEqual(set(), set(offered) - there, charset)

    def test_the_pair_that_heat_sends(self) -> None:
        one = self.prepared()
        pair = {"character_set": "utf8", "collate": "utf8_general_ci"}
        self.assertEqual([], one.plugin.validate_databases([{"name": "heat", **pair}]))
        for _ in range(2):
            one.do(command.CreateDatabases(databases=[command.DatabaseSpec(name="heat", **pair)]))
        found = one.handler.inventory()
        assert found is not None
        self.assertEqual(["heat"], [database.name for database in found.databases])


class Values(engines.EngineTestCase):
    def test_values_as_clients_of_mysql_write_them(self) -> None:
        self.one = one = self.prepared()
        one.admit("ann", "secret")
        asked = {"max_allowed_packet": "32M", "sort_buffer_size": "512k", "default_time_zone": "+5:30",
                 "long_query_time": "0.5", "Event_Scheduler": "on"}  # fmt: skip
        kept, reasons = parameter_values.judge(one.plugin.parameters(self.installation.version), asked)
        self.assertEqual([], reasons)
        names = sorted(kept)
        before = self.values(names)
        one.do(command.Configure(values=kept))
        wanted = ["ON", "0.500000", str(2**25), str(2**19), "+05:30"]
        self.assertEqual(wanted, self.values(names))
        one.do(command.Restart())
        self.assertEqual(wanted, self.values(names))
        self.assertEqual({"restart_required": []}, one.do(command.Configure(values={})))
        self.assertEqual(before, self.values(names))
        self.assertIn("SYSTEM", before)

    def values(self, names: list[str]) -> list[str]:
        client = self.one.connect("ann", "secret", "shop")
        try:
            return [str(client.execute(f"SHOW GLOBAL VARIABLES LIKE '{name}'")[0][1]) for name in names]
        finally:
            client.close()


class PostgreSQLCollations(engines.EngineTestCase):
    def test_the_pairs_that_clients_of_mysql_send(self) -> None:
        one = self.prepared()
        one.do(command.CreateDatabases(databases=[command.DatabaseSpec(name="plain")]))
        for number, pair in enumerate((("utf8", "utf8_general_ci"), ("utf8mb4", "utf8mb4_0900_ai_ci"))):
            spec = {"name": f"heat{number}", "character_set": pair[0], "collate": pair[1]}
            self.assertEqual([], one.plugin.validate_databases([spec]))
            for _ in range(2):
                one.do(command.CreateDatabases(databases=[command.DatabaseSpec(**spec)]))
        found = one.handler.inventory()
        assert found is not None
        self.assertEqual(3, len(found.databases))
        self.assertEqual(1, len({(database.character_set, database.collate) for database in found.databases}))


engines.for_each_engine(globals(), Collations, managers=("mariadb", "mysql"))
engines.for_each_engine(globals(), Values, managers=("mariadb", "mysql"))
engines.for_each_engine(globals(), PostgreSQLCollations, managers=("postgresql",), newest_only=True)
