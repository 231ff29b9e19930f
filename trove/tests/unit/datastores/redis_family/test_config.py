# SPDX-License-Identifier: Apache-2.0

import pathlib

import yaml

from trove.datastores.redis_family import config, sizing
from trove.tests import base

_DATASTORES = pathlib.Path(config.__file__).resolve().parents[1]


def settings(ram_mib: int = 512, vcpus: int = 1, volume_gib: int = 1) -> config.Settings:
    return config.Settings(
        sizing=sizing.compute(vcpus, ram_mib, volume_gib),
        address="127.1.2.3",
        port=6379,
        socket_dir=pathlib.Path("/run/x y"),
        acl_file=pathlib.Path('/data/"a"/users.acl'),
        pid_file=pathlib.Path("/run/pid"),
    )


class TestConfig(base.UnitTestCase):
    def test_every_parameter_and_value_is_known_to_every_engine(self) -> None:
        for name in ("redis", "valkey"):
            known = yaml.safe_load((_DATASTORES / name / "parameters.yaml").read_text("utf-8"))
            for ram_mib in (256, 512, 4096, 512 * 1024):
                for parameter, value in config.parameters(settings(ram_mib, 64, 1000)).items():
                    if (name, parameter) == ("valkey", "sanitize-dump-payload"):
                        continue  # gone in 9.1, taken in silence; 7 and 8 need it
                    rule = known[parameter]
                    if rule["type"] == "enum":
                        self.assertIn(value, rule["values"], parameter)
                    elif rule["type"] == "boolean":
                        self.assertIn(value, ("yes", "no"), parameter)
                    elif rule["type"] == "integer":
                        self.assertTrue(rule["min"] <= int(value) <= rule["max"], parameter)

    def test_addresses(self) -> None:
        found = config.parameters(settings())
        for name in ("bind", "bind-source-addr", "replica-announce-ip"):
            self.assertEqual("127.1.2.3", found[name])

    def test_values_are_quoted(self) -> None:
        text = config.render(settings())
        self.assertIn('unixsocket "/run/x y/server.sock"\n', text)
        self.assertIn('aclfile "/data/\\"a\\"/users.acl"\n', text)
        self.assertRaises(ValueError, config.quote, "a\nrequirepass x")

    def test_nothing_secret_is_configuration(self) -> None:
        self.assertEqual(set(), {"requirepass", "masterauth", "user"} & set(config.parameters(settings())))


class TestParameters(base.UnitTestCase):
    def test_the_lists_are_whole_and_typed(self) -> None:
        types = {"integer", "float", "string", "boolean", "enum", "octal", "size", "size-or-percent"}
        for name in ("redis", "valkey"):
            known = yaml.safe_load((_DATASTORES / name / "parameters.yaml").read_text("utf-8"))
            self.assertTrue(len(known) > 150, name)
            for parameter, rule in known.items():
                self.assertIn(rule["type"], types, parameter)
                self.assertIsInstance(rule["restart"], bool, parameter)
                self.assertIsInstance(rule["default"], str, parameter)
            self.assertEqual(
                {"type": "integer", "min": 0, "max": 65535}, {k: known["port"][k] for k in ("type", "min", "max")}
            )
            self.assertTrue(known["databases"]["restart"])
            self.assertFalse(known["maxmemory"]["restart"])

    def test_a_configuration_group_has_a_part_of_its_own_and_wins(self) -> None:
        text = config.render(settings(), {"save": "900 1 300 10", "timeout": "5", "proc": 'a "b" \\'})
        template, _, group = text.partition("# Of the configuration group.\n")
        self.assertEqual('proc "a \\"b\\" \\\\"\nsave "900" "1" "300" "10"\ntimeout "5"\n', group)
        self.assertNotIn("\nsave ", template)
        self.assertEqual(config.render(settings()), config.render(settings(), {}))

    def test_values_of_a_group_that_the_file_cannot_hold(self) -> None:
        self.assertEqual(["yes", "no", "7", "0.5"], [config.spell(value) for value in (True, False, 7, 0.5)])
        for value in ("a\nb", "a\rb", "a\0b"):
            self.assertRaises(ValueError, config.spell, value)
