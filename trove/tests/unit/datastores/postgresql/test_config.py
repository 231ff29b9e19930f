# SPDX-License-Identifier: Apache-2.0

import dataclasses
from pathlib import Path

import yaml

from trove.datastores import postgresql
from trove.datastores.postgresql import config, sizing
from trove.tests import base

#: Units as multiples of the smallest of their kind.
_IN = {
    "": 1,
    "B": 1,
    "kB": 2**10,
    "8kB": 2**13,
    "MB": 2**20,
    "16MB": 2**24,
    "ms": 1,
    "s": 1000,
    "min": 60000,
    "d": 86400000,
}


def settings(
    *, ram: int = 1024, volume: int = 10, socket_dir: str = "/run/x", log_dir: str = "/log"
) -> config.Settings:
    return config.Settings(
        sizing=sizing.compute(2, ram, volume),
        address="127.1.2.3",
        port=5432,
        socket_dir=Path(socket_dir),
        log_dir=Path(log_dir),
    )


class TestRender(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        path = Path(postgresql.__file__).parent / "parameters.yaml"
        self.known = yaml.safe_load(path.read_text())

    def test_every_parameter_is_one_that_can_be_set(self) -> None:
        self.assertEqual(set(), set(config.parameters(settings())) - set(self.known))

    def test_values_are_within_their_ranges_at_both_extremes(self) -> None:
        for ram, volume in ((256, 1), (256, 0), (524288, 100000)):
            for name, value in config.parameters(settings(ram=ram, volume=volume)).items():
                known = self.known[name]
                if known["type"] == "enum":
                    self.assertIn(value, known["values"], name)
                digits = value.rstrip("kMGBTmsdhin")
                if known["type"] == "integer" and not value.startswith("0"):
                    factor = _IN[value[len(digits) :]] / _IN[known.get("unit", "")]
                    self.assertTrue(known["min"] <= int(digits) * factor <= known["max"], f"{name} = {value}")

    def test_a_promoted_standby_does_not_sleep_five_seconds(self) -> None:
        self.assertEqual("200ms", config.parameters(settings())["wal_retrieve_retry_interval"])

    def test_quoting_survives_a_round_trip(self) -> None:
        odd = settings(socket_dir="/a b,c'd\\e", log_dir="/it's")
        text = config.render(odd)
        self.assertEqual(config.parameters(odd), config.parse(text))
        self.assertIn("""unix_socket_directories = '"/a b,c''d\\\\e"'""", text)

    def test_a_line_break_cannot_smuggle_a_parameter(self) -> None:
        self.assertRaises(ValueError, config.render, settings(log_dir="/x'\nlog_statement = 'all"))


class TestHba(base.UnitTestCase):
    def _rules(self, text: str) -> list[list[str]]:
        return [line.split() for line in text.splitlines() if not line.startswith("#")]

    def test_closed_lets_only_the_administrator_in_by_the_socket(self) -> None:
        self.assertEqual(
            [["local", "all", "os_admin", "scram-sha-256"]], self._rules(config.render_hba(open_to_clients=False))
        )

    def test_open_asks_everybody_for_a_password_and_keeps_the_administrator_off_the_network(self) -> None:
        rules = self._rules(config.render_hba(open_to_clients=True))
        self.assertEqual({"scram-sha-256", "reject"}, {rule[-1] for rule in rules})
        hosts = [rule for rule in rules if rule[0] == "host"]
        self.assertEqual(["host", "all", "os_admin", "all", "reject"], hosts[0])
        self.assertEqual(["0.0.0.0/0", "::/0"], [rule[3] for rule in hosts[1:]])
        self.assertEqual([], [rule for rule in rules if "replication" in rule])

    def test_a_configuration_group_has_a_part_of_its_own_and_wins(self) -> None:
        text = config.render(settings(), {"work_mem": "1GB", "application_name": "it's \\ # '"})
        template, _, group = text.partition("# Of the configuration group.\n")
        self.assertEqual("application_name = 'it''s \\\\ # '''\nwork_mem = '1GB'\n", group)
        self.assertNotIn("\nwork_mem = ", template)
        self.assertEqual("1GB", config.parse(text)["work_mem"])
        self.assertEqual(config.render(settings()), config.render(settings(), {}))

    def test_the_switch_of_the_log_wins_over_the_group(self) -> None:
        on = dataclasses.replace(settings(), log_statements=True)
        self.assertEqual("all", config.parse(config.render(on, {"log_statement": "ddl"}))["log_statement"])
        self.assertEqual("ddl", config.parse(config.render(settings(), {"log_statement": "ddl"}))["log_statement"])

    def test_values_that_the_file_cannot_hold(self) -> None:
        self.assertEqual(["on", "off", "7", "0.5", "x"], [config.spell(value) for value in (True, False, 7, 0.5, "x")])
        for value in ("a\nb", "a\rb", "a\0b"):
            self.assertRaises(ValueError, config.spell, value)
