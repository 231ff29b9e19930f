# SPDX-License-Identifier: Apache-2.0
"""Every regular expression of the package, and texts that are made to hurt it.

Found in the source: whatever is given to a function of :mod:`re`, ``pattern=`` of a message's field; and in the request
schemas. Which method applies it decides where it may begin: ``search`` tries every place, ``match`` one.
"""

import ast
import itertools
import pathlib
import re
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import trove
from trove.api import schemas

ROOT = pathlib.Path(trove.__file__).parent
_FUNCTIONS = frozenset({"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})
_ANCHORED = frozenset({"match", "fullmatch"})
#: An example of each class of characters.
_CATEGORIES = {"CATEGORY_DIGIT": "7", "CATEGORY_WORD": "w", "CATEGORY_SPACE": " ", "CATEGORY_NOT_SPACE": "n",
               "CATEGORY_NOT_DIGIT": "d", "CATEGORY_NOT_WORD": "-"}  # fmt: skip
_MAX_UNITS = 60


class Pattern(NamedTuple):
    """One regular expression.

    :ivar place: where it stands.
    :ivar anchored: whether it is only ever tried at the beginning of a text.
    """

    place: str
    compiled: Any
    anchored: bool

    def read(self, text: str) -> object:
        """Apply it, as often as it fits."""
        subject = text if isinstance(self.compiled.pattern, str) else text.encode()
        if self.anchored:
            return self.compiled.match(subject) and self.compiled.fullmatch(subject)
        return self.compiled.sub("", subject) if isinstance(subject, str) else self.compiled.sub(b"", subject)


class Unreadable(NamedTuple):
    """An expression that only exists while the program runs.

    :ivar source: how it is written there.
    """

    place: str
    source: str


def sources() -> Iterator[tuple[str, str]]:
    """Yield (path, text) of each module of the package but the tests, and the checks of our own source."""
    for path in sorted(ROOT.rglob("*.py")):
        name = str(path.relative_to(ROOT.parent))
        if not name.startswith(("trove/tests/", "trove/hacking/")):
            yield name, path.read_text(encoding="utf-8")


def of_sources() -> Iterator[Pattern | Unreadable]:
    """Yield the expressions that are given to :mod:`re`, or bound a field of a message."""
    for path, text in sources():
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            found = _call(node)
            if found is None:
                continue
            function, argument = found
            place = f"{path}:{node.lineno}"
            try:
                pattern = _constant(argument, tree)
            except ValueError:
                yield Unreadable(path, ast.unparse(argument))
                continue
            yield Pattern(place, re.compile(pattern, _flags(node)), _is_anchored(function, node, text))


def of_schemas() -> Iterator[Pattern]:
    """Yield the expressions of the request and response schemas."""
    for name, schema in schemas.load().items():
        yield from _walk(name, schema)


def _walk(place: str, schema: Any) -> Iterator[Pattern]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "pattern" and isinstance(value, str):
                yield Pattern(place, re.compile(value), False)
            elif key == "patternProperties":
                yield from (Pattern(place, re.compile(pattern), False) for pattern in value)
            yield from _walk(f"{place}.{key}", value)
    elif isinstance(schema, list | tuple):
        for item in schema:
            yield from _walk(place, item)


def _call(node: ast.Call) -> tuple[str, ast.expr] | None:
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re":
        return (function.attr, node.args[0]) if function.attr in _FUNCTIONS and node.args else None
    for keyword in node.keywords:
        if keyword.arg == "pattern" and ast.unparse(function).endswith("Meta"):
            return "search", keyword.value
    return None


def _constant(node: ast.expr, tree: ast.Module) -> Any:
    """Return the value of an expression of constants, of which some may have names in the module.

    :raises ValueError: for any other.
    """
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _constant(node.left, tree) + _constant(node.right, tree)
    if isinstance(node, ast.Name):
        for item in tree.body:
            if isinstance(item, ast.Assign) and any(ast.unparse(target) == node.id for target in item.targets):
                return _constant(item.value, tree)
    return ast.literal_eval(node)


def _flags(node: ast.Call) -> int:
    expressions = [*node.args[1:], *(keyword.value for keyword in node.keywords if keyword.arg == "flags")]
    names = {name.attr for item in expressions for name in ast.walk(item) if isinstance(name, ast.Attribute)}
    return sum(getattr(re, name) for name in names if isinstance(getattr(re, name, None), re.RegexFlag))


def _is_anchored(function: str, node: ast.Call, text: str) -> bool:
    if function != "compile":
        return function in _ANCHORED
    assigned = re.search(rf"(\w+)(?::[^=\n]+)? = {re.escape(ast.get_source_segment(text, node) or '')}", text)
    used = set(re.findall(rf"\b{assigned[1]}\.(\w+)\(", text)) if assigned else set()
    return bool(used) and used <= _ANCHORED


def attacks(pattern: Pattern) -> tuple[list[str], list[str]]:
    """Return (units to repeat, beginnings) that reach every part of a pattern."""
    tree = _parser.parse(pattern.compiled.pattern, pattern.compiled.flags & ~re.DEBUG)
    characters = list(dict.fromkeys(_characters(tree)))[:16]
    examples = _examples(tree)
    pairs = ["".join(pair) for pair in itertools.permutations(characters[:6], 2)]
    units = [
        *characters,
        *examples,
        *(example[:-1] for example in examples if len(example) > 1),
        *pairs,
        " ",
        "A",
        "\\",
    ]
    return [unit for unit in dict.fromkeys(units) if unit][:_MAX_UNITS], ["", *examples]


def _characters(tree: Any) -> Iterator[str]:
    """Yield an example of each literal and class in a parsed pattern."""
    for operation, argument in tree:
        if operation in (_constants.LITERAL, _constants.NOT_LITERAL):
            yield chr(argument) if operation is _constants.LITERAL else "n"
        elif operation is _constants.ANY:
            yield "a"
        elif operation is _constants.RANGE:
            yield chr(argument[0])
        elif operation is _constants.CATEGORY:
            yield _CATEGORIES.get(str(argument), "w")
        elif operation is _constants.IN:
            yield from _characters(argument)
        else:
            for part in _parts(operation, argument):
                yield from _characters(part)


def _parts(operation: Any, argument: Any) -> list[Any]:
    """Return the patterns within an operation."""
    if operation is _constants.BRANCH:
        return list(argument[1])
    if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT):
        return [argument[2]]
    if operation is _constants.SUBPATTERN:
        return [argument[3]]
    if operation in (_constants.ASSERT, _constants.ASSERT_NOT):
        return [argument[1]]
    if operation is _constants.ATOMIC_GROUP:
        return [argument]
    return []


def _examples(tree: Any) -> list[str]:
    """Return texts that fit the first part of a pattern, the first two, and so on, of each branch."""
    found = [""]
    for branch in _branches(tree):
        text = ""
        for operation, argument in branch:
            text += _example(operation, argument)
            found.append(text)
    return [text for text in dict.fromkeys(found) if text][:12]


def _branches(tree: Any) -> list[Any]:
    if len(tree) == 1 and tree[0][0] is _constants.BRANCH:
        return list(tree[0][1][1])
    return [tree]


def _example(operation: Any, argument: Any) -> str:
    if operation in (_constants.ASSERT, _constants.ASSERT_NOT):
        return ""
    parts = _parts(operation, argument)
    if operation is _constants.BRANCH:
        parts = parts[:1]
    if parts:
        return "".join(_example(*item) for part in parts for item in part)
    return next(_characters([(operation, argument)]), "")
