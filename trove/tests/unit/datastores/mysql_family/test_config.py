# SPDX-License-Identifier: Apache-2.0
# covers: trove/datastores/mariadb/config.py
# covers: trove/datastores/mysql/config.py

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from trove.datastores import mariadb, mysql
from trove.datastores.mariadb import config as mariadb_config
from trove.datastores.mysql import config as mysql_config
from trove.datastores.mysql_family import config, sizing
from trove.tests import base

#: Options that are no variables, so no catalogue has them.
OPTIONS = {"symbolic_links", "skip_log_bin", "mysqlx"}
_SUFFIX = {"M": 2**20, "": 1}


def settings(*, ram: int = 1024, volume: int = 10, directory: str = "/d", init: str | None = None) -> config.Settings:
    return config.Settings(
        sizing=sizing.compute(2, ram, volume),
        address="127.1.2.3",
        port=3306,
        socket=Path(directory, "s"),
        pid_file=Path(directory, "p"),
        tmp_dir=Path(directory, "t"),
        log_dir=Path(directory),
        init_file=Path(init) if init else None,
    )


def both(made: config.Settings) -> list[tuple[Mapping[str, Any], Mapping[str, str]]]:
    """Return (known parameters, values) for each sister."""
    answers = []
    for package, values in ((mariadb, mariadb_config.variables(made)), (mysql, mysql_config.variables(made, "9.7.4"))):
        answers.append((yaml.safe_load((Path(package.__path__[0]) / "parameters.yaml").read_text()), values))
    return answers


class TestRender(base.UnitTestCase):
    def test_every_variable_is_one_that_can_be_set(self) -> None:
        for known, values in both(settings(init="/i")):
            self.assertEqual(set(), set(values) - set(known) - OPTIONS)

    def test_values_are_within_their_ranges_at_both_extremes(self) -> None:
        for ram, volume in ((256, 1), (512, 0), (524288, 100000)):
            for known, values in both(settings(ram=ram, volume=volume)):
                for name, value in values.items():
                    described = known.get(name, {"type": "string"})
                    if described["type"] == "boolean":
                        self.assertIn(value, ("ON", "OFF"), name)
                    if described["type"] == "integer":
                        number = int(value.rstrip("M")) * _SUFFIX[value.lstrip("0123456789")]
                        self.assertTrue(described["min"] <= number <= described["max"], f"{name} = {value}")

    def test_the_catalogues_are_whole(self) -> None:
        for known, _values in both(settings()):
            self.assertGreater(len(known), 400)
            for name, described in known.items():
                self.assertIn(described["type"], ("integer", "float", "string", "boolean", "enum", "time-zone"), name)
                self.assertIsInstance(described["restart"], bool, name)

    def test_the_option_of_a_variable(self) -> None:
        text = config.render({}, {"time_zone": "+05:30", "wait_timeout": "5"})
        self.assertIn('default_time_zone = "+05:30"\nwait_timeout = "5"\n', text)
        self.assertNotIn("\ntime_zone", text)

    def test_a_round_trip(self) -> None:
        for _known, values in both(settings(directory="/a b#c;d'e\\f", init="/i")):
            text = config.render(values)
            self.assertEqual(values, config.parse(text))
            self.assertIn('socket = "/a b#c;d\'e\\\\f/s"', text)

    def test_a_line_break_cannot_smuggle_a_variable(self) -> None:
        self.assertRaises(ValueError, config.render, mariadb_config.variables(settings(directory="/x\ngeneral_log=1")))

    def test_statements_of_the_first_start_are_not_there_later(self) -> None:
        for _known, values in both(settings()):
            self.assertNotIn("init_file", values)


class TestVersions(base.UnitTestCase):
    def test_the_redo_log_of_each_version(self) -> None:
        for version, name in (
            ("9.7.4", "innodb_redo_log_capacity"),
            ("8.4.3", "innodb_redo_log_capacity"),
            ("8.0", "innodb_redo_log_capacity"),
            ("8.0.30", "innodb_redo_log_capacity"),
            ("8.0.29", "innodb_log_file_size"),
        ):
            self.assertIn(name, mysql_config.variables(settings(), version), version)
            self.assertEqual(
                name == "innodb_redo_log_capacity", bool(mysql_config.dynamic(settings(), version)), version
            )
        self.assertEqual({}, mariadb_config.dynamic(settings(), "10.6.19"))
        self.assertEqual({"innodb_log_file_size": 640 * 2**20}, mariadb_config.dynamic(settings(), "10.11.19"))

    def test_a_configuration_group_has_a_part_of_its_own_and_wins(self) -> None:
        values = mariadb_config.variables(settings())
        text = config.render(values, {"max_connections": "7", "init_connect": "SET @a = '\" # \\'"})
        template, _, group = text.partition("# Of the configuration group.\n")
        self.assertEqual('init_connect = "SET @a = \'\\" # \\\\\'"\nmax_connections = "7"\n', group)
        self.assertNotIn("max_connections", template)
        self.assertEqual("SET @a = '\" # \\'", config.parse(text)["init_connect"])
        self.assertEqual(config.render(values), config.render(values, {}))

    def test_values_that_the_file_cannot_hold(self) -> None:
        self.assertEqual(["ON", "OFF", "7", "0.5"], [config.spell(value) for value in (True, False, 7, 0.5)])
        # The servers take what is behind 4095 bytes for another line.
        for value in ("a\nb", "a\rb", "a\0b", "a" * 2001, "\u00e4" * 1001):
            self.assertRaises(ValueError, config.spell, value)
        longest = config.render({}, {"init_connect": '"' * 2000}).splitlines()[-1]
        self.assertTrue(len(longest) < 4095)

    def test_logs_of_the_owner(self) -> None:
        made = mysql_config.variables(dataclasses.replace(settings(), logs=("general",)), "9.7.4")
        self.assertEqual(("ON", "OFF", "FILE"), (made["general_log"], made["slow_query_log"], made["log_output"]))
        self.assertEqual("/d/slow_query.log", made["slow_query_log_file"])
