# SPDX-License-Identifier: Apache-2.0
"""What the documentation says of the code, collected from the code: nothing here knows of Sphinx.

A *symbol* names an error for programs. Three kinds of code bring one into the world: classes that become answers of
the API, classes of a provider's errors, and calls with a literal symbol (``Failed("guest.timeout", …)``), which become
faults of instances and errors of operations.
"""

import ast
import importlib
import inspect
import pathlib
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import trove
from trove.common import threads
from trove.domain import operations

_PACKAGE = pathlib.Path(trove.__file__).parent
#: Not part of the service.
_SKIP = (
    "trove.tests",
    "trove.hacking",
    "trove.standalone",
    "trove.db.migrations",
    "trove.workflow.testing",
    "trove.wsgi",  # makes the application when it is loaded
)
#: What a symbol of a fault looks like.
_SYMBOL = re.compile(r"(command|configuration|database|datastore|engine|guest|provider|user|workflow)\.[a-z_]+")
#: Looks like one and is the beginning of one.
_BEGINNINGS = {"workflow.cancel"}
#: Not about faults; requests and schemas have names of the same form.
_ELSEWHERE = ("trove.api.", "trove.objects.")
#: Where a call has a symbol: name of the function, position of the symbol, position of the sentence.
_CALLS = {"Failed": (0, 1), "EngineError": (0, 1), "abandon": (2, 3), "_failed": (1, 2)}
#: What symbols mean whose sentence is not written beside them; a test finds those that are missing or gone.
_WORDS = {
    "command.expired": "The guest could not begin the command in time; it was not carried out and never will be.",
    "guest.outcome_unknown": "The guest is silent and has not said what has become of this; it does when it is back.",
    "engine.unavailable": "The database server was away, or was stopped, and did not come back in time.",
    "engine.disk_full": "The volume is full; the database takes no changes until there is space again.",
    "configuration.refused": "The engine refused a value of the configuration group; it runs with the values before.",
    "configuration.unknown": "A change of the configuration was given up; the engine may have other values.",
    "guest.failed": "The guest could not do what was asked, and gave no reason.",
    "guest.internal_error": "The agent failed unexpectedly; its log says how.",
    "guest.malformed_command": "The agent could not read the command.",
    "guest.protocol": "The agent and the service have no version of the protocol in common.",
    "guest.report": "The service refused a report of the agent for good.",
    "guest.revoked": "An operator has revoked the keys of the guest before it said what has become of this.",
    "guest.stale_epoch": "The command came from a worker that had lost its lease; the agent refused it.",
    "guest.stale_term": "The roles in the set have changed since the command was made; the agent refused it.",
    "guest.unknown_command": "The agent is too old, or lacks the capability, for this command.",
    "provider.error": "The provider failed.",
    "command.too_large": "The command is too large to be sent to the guest.",
    "guest.too_old": "The agent is too old for this command; it must be upgraded.",
    "workflow.step_error": "A step failed unexpectedly, every time it was tried.",
    "workflow.member_failed": "The work on one of several members failed; the operation on that member has the reason.",
    "workflow.too_many_members": "The operation concerns more members than one can change.",
    "workflow.reset": "An operator has reset the status of the instance.",
    "workflow.superseded": "A later request has taken the operation's place.",
}


@dataclass(frozen=True)
class Symbol:
    """One symbol: its HTTP status, if the API answers with it, and what it means."""

    name: str
    status: int | None
    meaning: str


def modules() -> Iterator[str]:
    """Yield the names of all modules of the service."""
    for info in pkgutil.walk_packages([str(_PACKAGE)], "trove.", onerror=lambda name: None):
        if not info.name.startswith(_SKIP):
            yield info.name


def _subclasses(base: type) -> Iterator[type]:
    yield base
    for child in base.__subclasses__():
        if child.__module__.startswith("trove.") and not child.__module__.startswith(_SKIP):
            yield from _subclasses(child)


def _first_sentence(text: str) -> str:
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())


def _meaning(error: type) -> str:
    own = error.__dict__.get("default") or _constructed(error)
    if own:
        return str(own)
    return _first_sentence(error.__doc__) if error.__doc__ else str(getattr(error, "default", ""))


def _constructed(error: type) -> str:
    """Return the sentence that the class makes itself, ``super().__init__(f"…")``, with an ellipsis for its parts."""
    if "__init__" not in error.__dict__:
        return ""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(error)))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__":
            return _sentence(node.args[0]) if node.args else ""
    return ""


def answers() -> list[Symbol]:
    """Return the symbols of the API's answers, sorted."""
    threads.use_native_threads()
    for name in modules():
        importlib.import_module(name)
    from trove.api import errors
    from trove.common import exception

    found = {errors.UNCAUGHT_SYMBOL: Symbol(errors.UNCAUGHT_SYMBOL, 500, "The service failed; the message has an id.")}
    for error in _subclasses(exception.TroveError):
        symbol, code = str(getattr(error, "symbol")), int(getattr(error, "code"))  # noqa: B009  # not on type
        found.setdefault(symbol, Symbol(symbol, code, _meaning(error)))
    return [found[name] for name in sorted(found)]


def faults() -> list[Symbol]:
    """Return the symbols of faults and failed operations, sorted."""
    from trove.providers import base

    found: dict[str, Symbol] = {}
    for error in _subclasses(base.ProviderError):
        symbol = str(getattr(error, "symbol"))  # noqa: B009  # not an attribute of type
        found[symbol] = Symbol(symbol, None, _meaning(error))
    for name in modules():
        if name.startswith(_ELSEWHERE):
            continue
        for symbol, meaning in _literals(ast.parse(_source(name))):
            if meaning or symbol not in found:
                found[symbol] = Symbol(symbol, None, meaning)
    words = {name: Symbol(name, None, _WORDS[name]) for name in found.keys() & _WORDS.keys()}
    return [{**found, **words}[name] for name in sorted(found)]


def _source(module: str) -> str:
    path = _PACKAGE.parent / pathlib.Path(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8")


def _literals(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each symbol with the sentence beside it, if there is one."""
    for node in ast.walk(tree):
        text = _constant(node)
        if _SYMBOL.fullmatch(text) and text not in operations.KINDS and text not in _BEGINNINGS:
            yield text, ""
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at, after = _CALLS.get(called, (0, len(node.args)))
            if after < len(node.args) and _SYMBOL.fullmatch(_constant(node.args[at])):
                yield _constant(node.args[at]), _sentence(node.args[after])


def _constant(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _sentence(node: ast.AST) -> str:
    """Return a sentence whose variable parts are an ellipsis."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_constant(part) or "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _sentence(node.left) + (_sentence(node.right) or "…")
    return _constant(node)
