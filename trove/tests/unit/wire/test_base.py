# SPDX-License-Identifier: Apache-2.0
"""What a peer is told, and what is logged, of a message that is none: the place and the expectation, never a value."""

from typing import Any

import hypothesis
import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from trove.guestbus import envelope
from trove.tests import base as tests
from trove.wire import base, command, report

SECRET = "hunter2"
HEARTBEAT = {"report_id": "r", "service_status": "healthy", "agent_version": "1", "handler_version": "1"}
#: Whose pattern has a length of its own.
_BOUNDED_BY_PATTERN = {"enrol.public_key"}


def refusal(name: str, body: Any) -> str:
    """Return why a report cannot be read, after a look at what else the error carries."""
    try:
        base.decode(report.TO_CONTROL, name, 1, body)
    except base.MalformedMessage as err:
        assert err.__cause__ is None and err.__context__ is None, "a traceback would show the library's own error"
        return str(err)
    return ""


class DecodeTest(tests.UnitTestCase):
    def test_the_place_and_the_expectation(self) -> None:
        no_word = "heartbeat: Expected `str` matching regex '^[A-Za-z][A-Za-z0-9_]*\\\\Z' - at `$"
        for changes, expected in (
            ({"service_status": f"{SECRET}!"}, f"{no_word}.service_status`"),
            ({"service_status": f"{SECRET} - at `$.x`"}, f"{no_word}.service_status`"),
            ({"agent_version": "x" * 256}, "heartbeat: Expected `str` of length <= 255 - at `$.agent_version`"),
            ({"agent_version": 7}, "heartbeat: Expected `str`, got `int` - at `$.agent_version`"),
            ({"wal_bytes": -1}, "heartbeat: Expected `int` >= 0 - at `$.wal_bytes`"),
        ):  # fmt: skip
            self.assertEqual(expected, refusal("heartbeat", {**HEARTBEAT, **changes}))
        self.assertEqual("heartbeat: Object missing required field `report_id` - at `$`", refusal("heartbeat", {}))
        self.assertEqual("heartbeat: Expected `object`, got `array` - at `$`", refusal("heartbeat", []))
        self.assertEqual("no message 'nonsense' version 1 is known here", refusal("nonsense", {}))

    def test_a_long_value_makes_no_long_error(self) -> None:
        for name, cls in ((key[0], cls) for key, cls in report.TO_CONTROL.items()):
            for field in cls.__struct_fields__:
                self.assertLess(len(refusal(name, {**HEARTBEAT, field: SECRET * 100_000})), 300, field)
        self.assertLess(len(refusal("x" * 1_000_000, {})), 300)

    @hypothesis.given(
        st.sampled_from(sorted(name for name, _ in report.TO_CONTROL)),
        st.recursive(st.just(SECRET), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from([SECRET, "name", "logs", "databases", "users", "state", "commands"]), inner, max_size=3)),
    )  # fmt: skip
    def test_no_value_is_in_any_error(self, name: str, value: Any) -> None:
        fields = report.TO_CONTROL[name, 1].__struct_fields__
        self.assertNotIn(SECRET, refusal(name, dict.fromkeys(fields, value)))
        for field in fields:
            self.assertNotIn(SECRET, refusal(name, {**HEARTBEAT, field: value}))


class DecodeJSONTest(tests.UnitTestCase):
    def refusal(self, name: str, data: bytes) -> str:
        err = self.assertRaises(base.MalformedMessage, base.decode_json, report.TO_CONTROL, name, 1, data)
        self.assertEqual((None, None), (err.__cause__, err.__context__))
        return str(err)

    def test_the_same_as_from_plain_types(self) -> None:
        body = {**HEARTBEAT, "wal_bytes": 7, "of_the_future": [{}]}
        expected = base.decode(report.TO_CONTROL, "heartbeat", 1, body)
        self.assertEqual(expected, base.decode_json(report.TO_CONTROL, "heartbeat", 1, msgspec.json.encode(body)))
        for changes in ({"service_status": f"{SECRET}!"}, {"agent_version": "x" * 256}, {"wal_bytes": -1}):
            data = msgspec.json.encode({**HEARTBEAT, **changes})
            self.assertEqual(refusal("heartbeat", {**HEARTBEAT, **changes}), self.refusal("heartbeat", data))
        self.assertEqual("no message 'nonsense' version 1 is known here", self.refusal("nonsense", b"{}"))

    def test_what_is_not_json(self) -> None:
        for data in (b"", b"{", b"\xff", b'{"report_id": "\xff"}', b"[" * 100_000, b'{"x":' * 100_000):
            self.assertIn("heartbeat: Expected ", self.refusal("heartbeat", data))

    def test_only_an_inventory_may_be_as_large_as_an_envelope(self) -> None:
        for name, version in report.TO_CONTROL:
            data = b" " * (report.TO_CONTROL[name, version].max_bytes + 1)
            self.assertIn("Expected at most ", self.refusal(name, data))
        self.assertEqual(envelope.MAX_BYTES, report.Inventory.max_bytes)
        others = {cls.max_bytes for cls in report.TO_CONTROL.values() if cls is not report.Inventory}
        self.assertEqual({256 * 1024}, others)


class BoundsTest(tests.UnitTestCase):
    def test_every_text_of_a_guest_has_a_bound(self) -> None:
        found = {
            name for (name, _), cls in report.TO_CONTROL.items() for name in _unbounded(inspect.type_info(cls), name)
        }
        self.assertEqual(_BOUNDED_BY_PATTERN | {"command_result.result"}, found)

    def test_a_result_has_one_too(self) -> None:
        body = {"report_id": "r", "command_id": "c", "state": "DONE"}
        self.assertEqual("", refusal("command_result", {**body, "result": {"x": "y" * 60_000}}))
        error = refusal("command_result", {**body, "result": {"x": "y" * report.MAX_RESULT_BYTES}})
        self.assertEqual("command_result: Expected `object` of at most 65536 bytes for `result` - at `$`", error)

    def test_commands_that_nobody_has(self) -> None:
        body = {"report_id": "r", "agent_version": "1", "handler_version": "1", "protocol_min": 1, "protocol_max": 1}
        known = {name: [version] for name, version in command.COMMANDS}
        self.assertEqual("", refusal("hello", {**body, "commands": known}))
        for commands in ({"x" * 65: [1]}, {"x": [1] * 101}, {str(number): [1] for number in range(501)}):
            self.assertIn("$.commands", refusal("hello", {**body, "commands": commands}))


def _unbounded(kind: Any, path: str) -> set[str]:
    """Return the places in a message where a text, a list or an object may have any length."""
    if isinstance(kind, inspect.StrType):
        return set() if kind.max_length is not None else {path}
    if isinstance(kind, inspect.UnionType):
        return set().union(*(_unbounded(item, path) for item in kind.types))
    if isinstance(kind, inspect.ListType):
        return _unbounded(kind.item_type, path) | (set() if kind.max_length is not None else {path})
    if isinstance(kind, inspect.DictType):
        inner = _unbounded(kind.key_type, path) | _unbounded(kind.value_type, path)
        return inner | (set() if kind.max_length is not None else {path})
    if isinstance(kind, inspect.StructType):
        return set().union(*(_unbounded(field.type, f"{path}.{field.encode_name}") for field in kind.fields))
    return set()


class ExplainTest(tests.UnitTestCase):
    def test_words_of_the_library_that_quote(self) -> None:
        for text in (f"Invalid value '{SECRET}'", f"Object contains unknown field `{SECRET}`", SECRET):
            self.assertNotIn(SECRET, base.explain(msgspec.ValidationError(f"{text} - at `$.x`")))
