# SPDX-License-Identifier: Apache-2.0
"""Values of a configuration group in a real engine: taken over, kept through everything, refused, taken away."""

import os
import signal

from trove.datastores import spi
from trove.tests.contract.datastores import configurations, engines
from trove.wire import command
from trove.wire.command import ConfigValue


class Configuration(engines.EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.case = configurations.CASES[self.manager]

    def configure(self, one: engines.Instance, values: dict[str, ConfigValue], *, apply: bool = True) -> list[str]:
        result = one.do(command.Configure(values=values, apply=apply))
        assert result is not None
        waiting: list[str] = result["restart_required"]
        return waiting

    def assert_runs_with(self, one: engines.Instance, wanted: dict[str, str], where: str) -> None:
        self.assertEqual(wanted, {name: self.case.read(one, name) for name in wanted}, where)

    def test_configuration(self) -> None:
        case = self.case
        templated, first, second = case.templated
        plain, text, restart = case.plain[0], case.text[0], case.restart[0]
        one = self.instance(templates=self.tempdir())
        host, port = one.address
        one.do(
            command.Prepare(
                shape=one.small, address=host, port=port, admin_password=engines.ADMIN_PASSWORD,
                configuration={templated: first[0], restart: case.restart[1][0]},
            )
        )  # fmt: skip
        one.admit("ann", "secret")
        self.assert_runs_with(one, {templated: first[1], restart: case.restart[1][1]}, "created with a group")

        self.assertEqual([restart], self.configure(one, {}))
        one.do(command.Restart())
        defaults = {name: case.read(one, name) for name in (templated, plain, text, restart)}
        self.assertNotIn(defaults[templated], (first[1], second[1]))
        self.assertNotEqual(defaults[restart], case.restart[1][1])

        for same in ({restart: int(defaults[restart])}, {}):
            self.assertEqual([], self.configure(one, same), "what it has needs no restart")

        (engine,) = one.pids()
        values = {templated: second[0], plain: case.plain[1][0], text: case.text[1][0], restart: case.restart[1][0]}
        self.assertEqual(sorted(values), self.configure(one, values, apply=False))
        self.assert_runs_with(one, defaults, "written only")
        self.assertEqual([restart], self.configure(one, values))
        now = {templated: second[1], plain: case.plain[1][1], text: case.text[1][1], restart: defaults[restart]}
        self.assert_runs_with(one, now, "configure")
        self.assertEqual([engine], one.pids())
        self.refusals(one, values, now)

        os.kill(engine, signal.SIGKILL)
        one.await_end(engine)
        one.agent_restarts()
        one.await_status("healthy")
        self.assert_runs_with(one, now, "kill -9 of engine and agent")
        one.do(command.Restart())
        now[restart] = case.restart[1][1]
        self.assert_runs_with(one, now, "restart")
        self.assertEqual([], self.configure(one, values))
        one.do(command.Reconfigure(shape=engines.LARGE))
        self.assert_runs_with(one, now, "reconfigure")
        if case.unstartable is not None:
            self.unstartable(one, values, now)

        one.do(command.Reconfigure(shape=one.small))
        self.assertEqual([restart], self.configure(one, {}))
        self.assert_runs_with(one, {**defaults, restart: now[restart]}, "detached")
        one.do(command.StopEngine())
        self.assertEqual([], self.configure(one, {plain: case.plain[1][0]}))
        one.do(command.StartEngine())
        self.assert_runs_with(one, {**defaults, plain: case.plain[1][1]}, "configured while it was stopped")

    def refusals(self, one: engines.Instance, values: dict[str, ConfigValue], now: dict[str, str]) -> None:
        """Nothing of a refused group counts, not even what is right in it, and not at a start either."""
        files = {path: path.read_bytes() for path in one.environment.state_dir.rglob("state.json")}
        for name, value in self.case.refused:
            error = self.assert_refused(
                "configuration.refused", self.configure, one, {self.case.plain[0]: 1, name: value}
            )
            if name.isprintable():
                self.assertIn(name, error.message)
            self.assertNotIn("Aborting", error.message)
        for name in self.case.protected:
            error = self.assert_refused("configuration.refused", self.configure, one, {name: "x"})
            self.assertIn("managed by the service", error.message)
        self.assert_runs_with(one, now, "refused")
        self.assertEqual(files, {path: path.read_bytes() for path in files})
        self.assertEqual([self.case.restart[0]], self.configure(one, values))

    def unstartable(self, one: engines.Instance, values: dict[str, ConfigValue], now: dict[str, str]) -> None:
        """A value that shows itself at a start only: the engine runs afterwards, with what it had."""
        assert self.case.unstartable is not None
        name, value = self.case.unstartable
        self.assertEqual([name], self.configure(one, {**values, name: value}))
        self.assertIn(name, self.assert_refused("configuration.refused", one.do, command.Restart()).message)
        self.assertEqual("healthy", one.handler.status().status)
        self.assert_runs_with(one, now, "it did not start")
        self.assertEqual([], self.configure(one, values))


engines.for_each_engine(
    globals(), Configuration, needs=spi.Capability.CONFIGURATION, managers=tuple(configurations.CASES)
)
