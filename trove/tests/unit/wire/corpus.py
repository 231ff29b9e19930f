# SPDX-License-Identifier: Apache-2.0
"""Messages as each release encodes them, kept in ``corpus/NNNN.json`` and replayed for ever.

A file is never changed once its release is out. To add a release, when the wire has changed since the last one::

    python -m trove.tests.unit.wire.corpus 3

Until a release is out, its file follows the code: the same command with ``--replace``. Every message is there twice,
with nothing but what it must have and with all it can have; the values are made from the types.
"""

import argparse
import json
import pathlib
import re
from typing import Any

import msgspec
from msgspec import inspect

from trove.wire import base, bootstrap, command, report

DIRECTORY = pathlib.Path(__file__).parent / "corpus"
#: The registries that messages are read with.
REGISTRIES: dict[str, dict[tuple[str, int], type[Any]]] = {
    "to_control": dict(report.TO_CONTROL),
    "to_guest": dict(command.TO_GUEST),
    "commands": dict(command.COMMANDS),
    "bootstrap": {(bootstrap.Bootstrap.name, bootstrap.Bootstrap.version): bootstrap.Bootstrap},
}
#: Texts, one of which every pattern of ours accepts.
_TEXTS = ("text", "5a" * 32)
_WORD = inspect.type_info(base.Word)
#: Words from a list that may grow, by the name of their field.
WORDS = {"service_status": "healthy", "state": "DONE", "type": "USER"}


def files() -> list[pathlib.Path]:
    """Return the files, the oldest release first."""
    return sorted(DIRECTORY.glob("[0-9]*.json"))


def made() -> dict[str, list[dict[str, Any]]]:
    """Return what this code encodes: for each registry a list of ``{name, version, body}``."""
    return {
        registry: [
            {"name": name, "version": version, "body": sample(cls, whole=whole)}
            for (name, version), cls in sorted(classes.items())
            for whole in (False, True)
        ]
        for registry, classes in REGISTRIES.items()
    }


def sample(cls: type[base.Message], *, whole: bool) -> dict[str, Any]:
    """Return a message as it is encoded.

    :param whole: with a value in every field; else the optional ones have their defaults, which are encoded too.
    """
    kind = inspect.type_info(cls)
    assert isinstance(kind, inspect.StructType)
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.convert(_fields(kind, whole), cls))
    return plain


def _fields(kind: inspect.StructType, whole: bool) -> dict[str, Any]:
    return {
        item.encode_name: WORDS[item.encode_name] if is_word(item.type) else _value(item.type, whole)
        for item in kind.fields
        if item.required or whole
    }


def is_word(kind: Any) -> bool:
    """Tell whether a type is :data:`trove.wire.base.Word`."""
    return isinstance(kind, inspect.StrType) and kind == _WORD


def _value(kind: Any, whole: bool) -> Any:
    if isinstance(kind, inspect.StructType):
        return _fields(kind, whole)
    if isinstance(kind, inspect.UnionType):
        return _value(next(item for item in kind.types if not isinstance(item, inspect.NoneType)), whole)
    if isinstance(kind, inspect.ListType):
        return [_value(kind.item_type, whole)]
    if isinstance(kind, inspect.DictType):
        return {_value(kind.key_type, whole): _value(kind.value_type, whole)}
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.StrType):
        return _text(kind)
    if isinstance(kind, inspect.BoolType):
        return True
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        return kind.ge or 1
    assert isinstance(kind, inspect.AnyType), kind
    return "anything"


def _text(kind: inspect.StrType) -> str:
    fits = [text for text in _TEXTS if kind.pattern is None or re.search(kind.pattern, text)]
    return next(text for text in fits if kind.max_length is None or len(text) <= kind.max_length)


def main() -> None:
    """Write the file of a release."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("number", type=int, help="number of the release, one more than the last file's")
    parser.add_argument("--replace", action="store_true", help="write the file of a release that is not out anew")
    arguments = parser.parse_args()
    path = DIRECTORY / f"{arguments.number:04}.json"
    if path.exists() and not arguments.replace:
        parser.error(f"{path.name} exists; --replace is for a release that is not out")
    DIRECTORY.mkdir(exist_ok=True)
    path.write_text(json.dumps(made(), indent=1, sort_keys=True) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
