# SPDX-License-Identifier: Apache-2.0
# covers: trove/wire
"""What other releases have encoded, and might, can be read."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from trove.tests import base as tests
from trove.tests.unit.wire import corpus
from trove.wire import base

#: Lists of words that may not grow, and why: see :mod:`trove.wire.base`.
CLOSED = {"bootstrap.transport"}
_UNKNOWN = "of_the_future"


def read(registry: str, item: dict[str, Any]) -> base.Message:
    """Return the message of an entry of the corpus."""
    return base.decode(corpus.REGISTRIES[registry], item["name"], item["version"], item["body"])


def entries() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield file, registry and entry of all releases."""
    for path in corpus.files():
        for registry, items in json.loads(path.read_text(encoding="ascii")).items():
            for item in items:
                yield path.name, registry, item


class ReplayTest(tests.UnitTestCase):
    def test_every_message_of_every_release_says_the_same(self) -> None:
        count = 0
        for file, registry, item in entries():
            plain = read(registry, item).to_wire()
            self.assertEqual(plain, self.read_json(registry, item).to_wire())
            self.assertEqual(set(), set(item["body"]) - set(plain), f"a field of {file} {item['name']} is gone")
            self.assertEqual(item["body"], {key: plain[key] for key in item["body"]}, f"{file} {item['name']}")
            count += 1
        self.assertGreater(count, 100)

    @staticmethod
    def read_json(registry: str, item: dict[str, Any]) -> base.Message:
        """Read it the other way that there is."""
        body = msgspec.json.encode(item["body"])
        return base.decode_json(corpus.REGISTRIES[registry], item["name"], item["version"], body)

    def test_the_last_file_is_what_this_code_encodes(self) -> None:
        last = corpus.files()[-1]
        self.assertEqual(
            json.loads(last.read_text(encoding="ascii")), corpus.made(),
            f"the wire has changed: write the file of the next release, or, while {last.name} is not out, that one "
            "anew; see trove/tests/unit/wire/corpus.py",
        )  # fmt: skip

    def test_a_message_that_changed_would_be_seen(self) -> None:
        """A field that has another type, or is gone, makes the replay fail."""
        for cls in (
            msgspec.defstruct("Other", [("database", int)], bases=(base.Message,), namespace={"name": "x"},
                              kw_only=True, frozen=True),
            msgspec.defstruct("Less", [], bases=(base.Message,), namespace={"name": "x"}, kw_only=True, frozen=True),
        ):  # fmt: skip
            body = {"database": "text"}
            try:
                plain = base.decode({("x", 1): cls}, "x", 1, body).to_wire()
            except base.MalformedMessage:
                continue
            self.assertNotEqual(set(), set(body) - set(plain))


class GrowthTest(tests.UnitTestCase):
    """What a later release may add is no reason to drop a message."""

    def test_unknown_fields_at_every_depth(self) -> None:
        for file, registry, item in entries():
            cls = corpus.REGISTRIES[registry][item["name"], item["version"]]
            grown = _with_unknown_fields(inspect.type_info(cls), item["body"])
            self.assertNotEqual(item["body"], grown)
            self.assertEqual(read(registry, item), read(registry, {**item, "body": grown}), f"{file} {item['name']}")

    def test_unknown_words(self) -> None:
        found = set()
        for _file, registry, item in entries():
            cls = corpus.REGISTRIES[registry][item["name"], item["version"]]
            body, words = _with_unknown_words(inspect.type_info(cls), item["body"], item["name"])
            read(registry, {**item, "body": body})
            found |= words
        self.assertEqual(
            {"heartbeat.service_status", "poll.heartbeat.service_status", "command_result.state", "logs.logs.type"},
            found,
        )

    def test_no_list_of_words_is_closed(self) -> None:
        closed = {
            path
            for classes in corpus.REGISTRIES.values()
            for (name, _), cls in classes.items()
            for path in _closed(inspect.type_info(cls), name)
        }
        self.assertEqual(CLOSED, closed)

    def test_words_are_bounded(self) -> None:
        for word in ("", "x" * 33, "two words", "nul\x00", "é", "-", 7, None):
            self.assertRaises(msgspec.ValidationError, msgspec.convert, word, base.Word)


def _with_unknown_fields(kind: Any, value: Any) -> Any:
    if isinstance(kind, inspect.UnionType):
        kind = next((item for item in kind.types if isinstance(item, inspect.StructType | inspect.ListType)), None)
    if isinstance(kind, inspect.StructType) and value is not None:
        types = {item.encode_name: item.type for item in kind.fields}
        inner = {name: _with_unknown_fields(types[name], item) for name, item in value.items()}
        return {**inner, _UNKNOWN: {"nested": [1, None]}}
    if isinstance(kind, inspect.ListType):
        return [_with_unknown_fields(kind.item_type, item) for item in value]
    return value


def _with_unknown_words(kind: Any, value: Any, path: str) -> tuple[Any, set[str]]:
    """Return the value with a word of a later release for each word, and where those are."""
    if corpus.is_word(kind):
        return _UNKNOWN, {path}
    if isinstance(kind, inspect.UnionType):
        kind = next(item for item in kind.types if not isinstance(item, inspect.NoneType))
    if isinstance(kind, inspect.StructType):
        inner = {
            item.encode_name: _with_unknown_words(item.type, value[item.encode_name], f"{path}.{item.encode_name}")
            for item in kind.fields
            if value.get(item.encode_name) is not None
        }
        return {**value, **{name: item for name, (item, _) in inner.items()}}, set().union(
            *(found for _, found in inner.values())
        )
    if isinstance(kind, inspect.ListType):
        items = [_with_unknown_words(kind.item_type, item, path) for item in value]
        return [item for item, _ in items], set().union(*(found for _, found in items))
    return value, set()


def _closed(kind: Any, path: str) -> set[str]:
    """Return where a word must be one of a list, or a field one that is known."""
    if isinstance(kind, inspect.LiteralType | inspect.EnumType):
        return {path}
    if isinstance(kind, inspect.UnionType):
        return set().union(*(_closed(item, path) for item in kind.types))
    if isinstance(kind, inspect.ListType):
        return _closed(kind.item_type, path)
    if isinstance(kind, inspect.DictType):
        return _closed(kind.key_type, path) | _closed(kind.value_type, path)
    if isinstance(kind, inspect.StructType):
        strict = {path} if kind.forbid_unknown_fields else set()
        return strict.union(*(_closed(item.type, f"{path}.{item.encode_name}") for item in kind.fields))
    return set()
