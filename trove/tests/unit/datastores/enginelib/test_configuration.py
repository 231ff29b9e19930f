# SPDX-License-Identifier: Apache-2.0
"""What counts now, what waits, and what is as before, with a server that is a dictionary."""

from collections.abc import Collection
from typing import Any

import msgspec

from trove.datastores import spi
from trove.datastores.enginelib import configuration, protection, state
from trove.tests import base
from trove.wire import command

STATE = state.State(
    address="127.0.0.2", port=1, vcpus=1, ram_mib=512, volume_gib=1, admin_password="x", socket_dir="/s", prepared=True
)
PROTECTION = protection.Protection(frozenset({"data_dir"}), ("ssl_",))


class Server:
    """Implements the adapter, and is the server: parameters that begin with ``later`` need a restart."""

    def __init__(self) -> None:
        self.up = True
        self.process = 1
        #: Called when the server is told of values; may raise.
        self.during = lambda: None
        self.runs_with: dict[str, Any] = {}
        self.written: dict[str, Any] = {}
        self.restarts = 0

    def examine(self, values: state.Values) -> None:
        if "bad" in values:
            raise configuration.refused("bad", "No such thing. ")

    def apply(self, values: state.Values, names: Collection[str]) -> Collection[str]:
        self.during()
        now = [name for name in names if not name.startswith("later")]
        for name in now:
            self.runs_with.pop(name, None)
        self.runs_with |= {name: values[name] for name in now if name in values}
        return [name for name in names if name not in now]


def spell(value: command.ConfigValue) -> str:
    if "\n" in str(value):
        raise ValueError("a value cannot hold a line break")
    return str(value)


class TestConfigurator(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.tempdir() / "state.json"
        self.states = state.StateFile(self.path, state.State)
        self.states.put(STATE)
        self.server = Server()
        self.configurator: configuration.Configurator[state.State] = configuration.Configurator(
            self,  # type: ignore[arg-type]  # what it needs of a lifecycle is below
            self.server,
            protection=PROTECTION,
            spell=spell,
        )

    def running(self) -> bool:
        return self.server.up

    def pid(self) -> int:
        return self.server.process

    def require_running(self) -> None:
        if self.known().desired == "running" and not self.server.up:
            raise spi.EngineAway("it is gone")

    def note(self, known: state.State) -> state.State:
        self.server.written = dict(known.in_force)
        return self.states.put(known)

    def known(self) -> state.State:
        known = self.states.get()
        assert known is not None
        return known

    def configure(self, values: dict[str, command.ConfigValue], **options: Any) -> list[str]:
        asked = command.Configure(values=values, **options)
        waiting: list[str] = self.configurator.configure(asked)["restart_required"]
        return waiting

    def test_what_can_be_taken_is_and_the_rest_waits(self) -> None:
        self.assertEqual(["later"], self.configure({"now": 1, "later": 2}))
        self.assertEqual(({"now": 1}, {"now": 1}), (self.server.runs_with, self.server.written))
        self.assertEqual(["later"], self.configure({"now": 1, "later": 2}))
        self.assertEqual({"now": 1, "later": 2}, self.known().configuration)
        self.assertEqual({"now": 1, "later": 2}, state.StateFile(self.path, state.State).get().configuration)  # type: ignore[union-attr]
        self.assertEqual([], self.configure({"now": 1}))

    def test_a_value_that_waits_to_go_stays_in_force(self) -> None:
        self.states.put(msgspec.structs.replace(STATE, configuration={"later": 2}, in_force={"later": 2}))
        self.assertEqual(["later"], self.configure({"later": 3}))
        self.assertEqual({"later": 2}, self.server.written)
        self.assertEqual(["later"], self.configure({}))
        self.assertEqual({"later": 2}, self.server.written)
        self.assertEqual([], self.configure({"later": 2}))

    def test_true_is_not_one(self) -> None:
        self.states.put(msgspec.structs.replace(STATE, configuration={"later": 1}, in_force={"later": 1}))
        self.assertEqual(["later"], self.configure({"later": True}))

    def test_written_only(self) -> None:
        self.assertEqual(["later", "now"], self.configure({"now": 1, "later": 2}, apply=False))
        self.assertEqual(({}, {}), (self.server.runs_with, self.server.written))

    def test_a_stopped_engine(self) -> None:
        self.states.put(msgspec.structs.replace(STATE, desired="stopped"))
        self.server.up = False
        self.assertEqual([], self.configure({"now": 1}))
        self.assertEqual({}, self.server.runs_with)
        self.assertEqual({"now": 1}, self.known().configuration)

    def test_a_crashed_engine_takes_values_when_it_is_back(self) -> None:
        """It would start with what it ran with, and nobody would hear that the values wait."""
        self.server.up = False
        self.assertRaises(spi.EngineAway, self.configure, {"now": 1})
        self.assertEqual(STATE, self.known())
        self.server.up = True
        self.assertEqual([], self.configure({"now": 1}))
        self.assertEqual({"now": 1}, self.server.runs_with)

    def test_an_engine_that_ends_meanwhile_has_refused_nothing(self) -> None:
        def refuse(restarted: int) -> None:
            self.server.process += restarted
            raise configuration.refused("now", "it is kept out")

        self.server.during = lambda: refuse(restarted=1)
        self.assertRaises(spi.EngineAway, self.configure, {"now": 1})
        self.assertEqual(STATE, self.known())
        self.server.during = lambda: refuse(restarted=0)
        error = self.assertRaises(spi.EngineError, self.configure, {"now": 1})
        self.assertEqual("configuration.refused", error.symbol)

    def test_what_cannot_be_remembered_does_not_count(self) -> None:
        self.configure({"now": 1, "also": 1})

        def note(_known: state.State) -> state.State:
            raise OSError(28, "No space left on device")

        self.note = note  # type: ignore[method-assign]
        self.assertRaises(OSError, self.configure, {"now": 2, "more": 3})
        self.assertEqual({"now": 1, "also": 1}, self.server.runs_with)
        self.assertEqual({"now": 1, "also": 1}, self.known().configuration)

    def test_refusals(self) -> None:
        for values, word in (
            ({"bad": 1}, "'bad': No such thing."),
            ({"data-dir": 1}, "'data-dir': it is managed by the service."),
            ({"SSL_CERT": 1}, "managed"),
            ({"fine\nevil": 1}, "no parameter of such a name"),
            ({"fine = 1": 1}, "no parameter of such a name"),
            ({"": 1}, "no parameter of such a name"),
            ({"fine": "a\nb"}, "'fine': a value cannot hold a line break."),
        ):
            error = self.assertRaises(spi.EngineError, self.configure, {"now": 1, **values})
            self.assertEqual("configuration.refused", error.symbol)
            self.assertIn(word, error.message)
            self.assertEqual(({}, {}), (self.server.runs_with, self.server.written))
            self.assertEqual(STATE, self.known())

    def restart(self) -> None:
        self.server.restarts += 1
        known = self.known()
        self.states.put(msgspec.structs.replace(known, in_force=known.configuration))

    def test_a_new_engine_runs_with_all_values(self) -> None:
        self.configurator.settle({}, self.restart)
        self.configurator.settle({"now": 1}, self.restart)
        self.assertEqual(0, self.server.restarts)
        for _ in range(2):
            self.configurator.settle({"later": 1}, self.restart)
            self.assertEqual((1, {"later": 1}), (self.server.restarts, self.known().in_force))
