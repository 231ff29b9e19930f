# SPDX-License-Identifier: Apache-2.0
"""What every plugin must fulfil before any engine is started."""

import pathlib
import subprocess
import sys
from importlib import metadata

from trove.datastores import parameter_values, registry, spi
from trove.tests import base
from trove.tests.contract.datastores import clients, engines
from trove.wire import command


class TestConformance(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.plugins = registry.load_plugins()

    def _commands(self, manager: str) -> set[str]:
        directory = self.tempdir()
        environment = spi.GuestEnvironment(
            engine_home=pathlib.Path("/nonexistent"),
            engine_version="0",
            data_dir=directory / "data",
            state_dir=directory / "state",
            template_dir=None,
            process=engines.process.ChildProcess(),
        )
        return set(engines.make_handler(manager, environment).commands())

    def test_there_are_plugins_and_engines(self) -> None:
        self.assertTrue(self.plugins)
        self.assertTrue(engines.installed(), "no engine is installed here; the rest of this suite would prove nothing")

    def test_every_plugin_has_a_client_in_this_suite(self) -> None:
        self.assertEqual([], [name for name in self.plugins if clients.find(name) is None])

    def test_capabilities_and_commands_imply_each_other(self) -> None:
        for name, plugin in self.plugins.items():
            implied = set(spi.CORE_METHODS)
            for capability in plugin.capabilities:
                implied |= spi.METHODS[capability]
            self.assertEqual(implied, self._commands(name), name)

    def test_whoever_switches_logs_lists_them(self) -> None:
        for name, plugin in self.plugins.items():
            if spi.Capability.LOGS not in plugin.capabilities:
                continue
            directory = self.tempdir()
            environment = spi.GuestEnvironment(
                engine_home=pathlib.Path("/nonexistent"),
                engine_version="0",
                data_dir=directory,
                state_dir=directory,
                template_dir=None,
                process=engines.process.ChildProcess(),
            )
            handler = engines.make_handler(name, environment)
            found = handler.logs()
            self.assertEqual(len(found), len({log.name for log in found}), name)
            for log in found:
                self.assertIn(log.type, ("USER", "SYS"))
                self.assertEqual(log.type == "USER", log.enabled is not None, f"{name}: {log.name}")

    def test_parameters_and_defaults(self) -> None:
        shape = command.ShapeSpec(vcpus=2, ram_mib=2048, volume_gib=10)
        for name, plugin in self.plugins.items():
            if spi.Capability.CONFIGURATION not in plugin.capabilities:
                continue
            for version in plugin.versions:
                known = plugin.parameters(version)
                self.assertTrue(any(not parameter.protected for parameter in known.values()), name)
                for key, parameter in known.items():
                    where = f"{name} {version}: {key}"
                    self.assertEqual(key, parameter.name)
                    self.assertRegex(key, r"^[A-Za-z][A-Za-z0-9_.-]{0,127}$")
                    self.assertTrue(parameter.min is None or parameter.max is None or parameter.min <= parameter.max)
                    if not parameter.protected:
                        self.assertEqual(parameter.type == "enum", bool(parameter.values), where)
                defaults = plugin.default_configuration(version, shape)
                self.assertTrue(defaults, name)
                for key, value in defaults.items():
                    self.assertIsNone(parameter_values.check(known[key], value), f"{name} {version}")

    def test_every_command_is_one_the_control_plane_can_send(self) -> None:
        known = {name for name, _ in command.COMMANDS}
        for name in self.plugins:
            self.assertEqual(set(), self._commands(name) - known, name)

    def test_an_unprepared_engine_is_building_and_has_no_inventory(self) -> None:
        for name in self.plugins:
            directory = self.tempdir()
            environment = spi.GuestEnvironment(
                engine_home=pathlib.Path("/nonexistent"),
                engine_version="0",
                data_dir=directory,
                state_dir=directory,
                template_dir=None,
                process=engines.process.ChildProcess(),
            )
            handler = engines.make_handler(name, environment)
            self.assertEqual("building", handler.status().status)
            self.assertIsNone(handler.inventory())
            handler.supervise()
            self.assertEqual([], list(handler.log_files()))

    def test_the_guest_half_stays_small(self) -> None:
        """It runs beside the engine in every instance: no control plane, no YAML, and never its own other half."""
        unwanted = ("oslo_", "sqlalchemy", "yaml", "jinja2", "webob", "requests", "openstack", "trove.db", "trove.conf")
        for name, plugin in self.plugins.items():
            (entry,) = metadata.entry_points(group="trove.datastores.guest", name=name)
            program = f"import sys, {entry.module}; print(*sys.modules, sep=chr(10))"
            loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
            found = [module for module in loaded.split() if module.startswith((*unwanted, type(plugin).__module__))]
            self.assertEqual([], found, name)

    def test_the_root_account_cannot_be_created_as_a_user(self) -> None:
        for name, plugin in self.plugins.items():
            if spi.Capability.ROOT in plugin.capabilities:
                self.assertTrue(plugin.validate_users([{"name": plugin.root_name, "password": "x"}]), name)

    def test_reasons_never_hold_a_password(self) -> None:
        for plugin in self.plugins.values():
            users = [{"name": "\0", "password": "hunter2\0", "host": "%"}, {"name": "x" * 1000, "password": "hunter2"}]
            self.assertNotIn("hunter2", " ".join(plugin.validate_users(users)))
