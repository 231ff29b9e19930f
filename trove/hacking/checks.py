# SPDX-License-Identifier: Apache-2.0
"""Trove's own flake8 checks, T301 to T311; ``HACKING.rst`` says what each forbids and what to do instead.

Each check is a generator over one syntax tree that yields ``(line, column, text)``, listed in :data:`CHECKS`. Numbers
are never reused. A finding can be waived on its line with ``# noqa: T3xx`` and the reason.
"""

import ast
import itertools
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Finding = tuple[int, int, str]
_ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One file: ``path`` is relative to the repository, with forward slashes."""

    path: str
    tree: ast.Module
    lines: Sequence[str]

    def under(self, *prefixes: str) -> bool:
        """Tell whether the file lies under one of ``prefixes``."""
        return self.path.startswith(prefixes)


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` for such an expression, with ``?`` for a part that is neither a name nor an attribute."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def at(node: ast.expr | ast.stmt | ast.excepthandler, text: str) -> Finding:
    """Return a finding at the place of ``node``."""
    return node.lineno, node.col_offset, text


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _imported(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Yield every imported name with its statement, ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def _import_time(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that run at import: not the bodies of functions, but their defaults and decorators."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
            pending += [*node.decorator_list, *defaults]
        elif isinstance(node, ast.Lambda):
            pending += node.args.defaults
        else:
            yield node
            pending += ast.iter_child_nodes(node)


def t301_option_at_import_time(source: Source) -> Iterator[Finding]:
    """An option read while a module is imported has its default for ever."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and dotted(node) == "cfg.CONF":
            yield at(node, "T301 there is no global CONF; take the configuration as an argument")
    for node in _import_time(source.tree):
        if isinstance(node, ast.Attribute) and re.match(r"(CONF|conf)\.\w+\.\w+$", dotted(node)):
            yield at(node, "T301 option read at import time; read it where it is needed")


def t302_eventlet(source: Source) -> Iterator[Finding]:
    """Native threads only."""
    for node, name in _imported(source.tree):
        if name.split(".")[0] in {"eventlet", "greenlet"}:
            yield at(node, "T302 no eventlet; Trove runs on native threads")


_CLOCK = re.compile(
    r"time\.(sleep|time|time_ns|monotonic|monotonic_ns|perf_counter)$|(datetime\.)?datetime\.(now|utcnow|today)$"
    r"|datetime\.date\.today$|timeutils\.(utcnow|utcnow_ts|now)$"
)


_HOST_TIME = re.compile(r"(trove\.common\.)?clock\.(utcnow|timestamp)$")
#: Where times are stored, or compared with stored ones: each host's clock would judge differently.
_DATABASE_TIME = tuple(
    f"trove/{name}/" for name in ("api", "operations", "taskmanager", "conductor", "objects", "workflow")
)


def t303_clock(source: Source) -> Iterator[Finding]:
    """Time is read, and slept, in one module, which tests replace; what is stored has the database's time."""
    if source.path == "trove/common/clock.py" or source.under("trove/tests/", "tools/"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and _CLOCK.match(dotted(node)):
            yield at(node, f"T303 {dotted(node)}: time and sleep come from trove.common.clock")
        elif isinstance(node, ast.Attribute) and source.under(*_DATABASE_TIME) and _HOST_TIME.match(dotted(node)):
            yield at(
                node, f"T303 {dotted(node)}: the database's clock decides, not the host's; take trove.db.api.now()"
            )
    for statement, name in _imported(source.tree):
        if name.startswith("time.") and _CLOCK.match(name):
            yield at(statement, f"T303 {name}: time and sleep come from trove.common.clock")
        elif source.under(*_DATABASE_TIME) and name.startswith("trove.common.clock.") and _HOST_TIME.match(name):
            yield at(statement, f"T303 {name}: the database's clock decides, not the host's; take trove.db.api.now()")


def t304_options(source: Source) -> Iterator[Finding]:
    """Options are where an operator's documentation is generated from."""
    if source.under("trove/conf/", "trove/tests/") or re.match(r"trove/datastores/\w+/options\.py$", source.path):
        return
    for call in _calls(source.tree):
        if re.match(r"(\w+\.)?cfg\.\w*Opt$", dotted(call.func)):
            yield at(call, "T304 options are defined under trove/conf/ or in a datastore's options.py only")


def t305_autospec(source: Source) -> Iterator[Finding]:
    """A mock without a specification accepts calls that the real thing would refuse."""
    for call in _calls(source.tree):
        name = dotted(call.func)
        replacement_at = {"patch": 1, "patch.object": 2}.get(name.removeprefix("mock."))
        if replacement_at is None or len(call.args) > replacement_at:
            continue
        if not {keyword.arg for keyword in call.keywords} & {"autospec", "new", "spec_set", "new_callable"}:
            yield at(call, f"T305 {name} needs autospec=True")


def t306_setattr_in_a_loop(source: Source) -> Iterator[Finding]:
    """Received keys must not choose which attributes are written."""
    for loop in ast.walk(source.tree):
        if not isinstance(loop, ast.For):
            continue
        bound = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
        for call in _calls(loop):
            keyed = dotted(call.func) == "setattr" and len(call.args) > 1 and isinstance(call.args[1], ast.Name)
            if keyed and dotted(call.args[1]) in bound:
                yield at(call, "T306 setattr with a key from a loop; name each attribute that may be written")


def t307_broad_except(source: Source) -> Iterator[Finding]:
    """A swallowed failure is reported as success."""
    for handler in ast.walk(source.tree):
        if not isinstance(handler, ast.ExceptHandler):
            continue
        caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        broad = any(item is None or dotted(item) in {"Exception", "BaseException"} for item in caught)
        raises = any(isinstance(node, ast.Raise) for statement in handler.body for node in ast.walk(statement))
        if broad and not raises and "# boundary:" not in source.lines[handler.lineno - 1]:
            yield at(handler, "T307 broad except without raise; catch what you expect, or say '# boundary: why'")


_UNGUARDED = re.compile(r"(.*\.)?env\.(providers?|objects)\.[\w.]+$")
_CHANGE = re.compile(r"(.*\.)?(provider|providers|compute|network|volumes?|cloud)\.(create|delete|boot|attach)\w*$")


def t308_bare_create(source: Source) -> Iterator[Finding]:
    """A step runs again after a crash; only what adopts or ignores what is there is safe to repeat. It may go on after
    its lease; only what is guarded changes nothing then."""
    if not source.under("trove/taskmanager/flows/", "trove/taskmanager/steps/"):
        return
    for call in _calls(source.tree):
        name = dotted(call.func)
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):  # provider(ctx).create()
            name = f"{dotted(call.func.value.func)}.{call.func.attr}"
        if _CHANGE.match(name):
            yield at(call, f"T308 {name}: steps call a provider's ensure_*, remove_* and find_* only")
        elif _UNGUARDED.match(name):
            yield at(call, f"T308 {name}: steps take the provider from Member and the store from outside.objects()")


_PROCESS = re.compile(
    r"os\.(system|popen|fork|forkpty|exec\w+|spawn\w+|posix_spawnp?)$|asyncio\.create_subprocess_\w+$"
)
_PROCESS_ALLOWED = ("trove/guestagent/system/", "trove/providers/local/", "trove/standalone/", "trove/tests/", "tools/")


def t309_subprocess(source: Source) -> Iterator[Finding]:
    """Commands are run in few places, which can be read in one sitting."""
    if source.under(*_PROCESS_ALLOWED):
        return
    text = "T309 processes are started in guestagent/system, providers/local and standalone only"
    for statement, name in _imported(source.tree):
        if name.split(".")[0] in {"subprocess", "pty"}:
            yield at(statement, text)
    for call in _calls(source.tree):
        if _PROCESS.match(dotted(call.func)):
            yield at(call, text)


_LEVELS = {"debug": 0, "info": 0, "warning": 0, "error": 0, "exception": 0, "critical": 0, "log": 1}
_PLACEHOLDER = re.compile(r"%(?:\((?P<key>\w+)\))?[#0\- +]*(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d+))?[a-zA-Z%]")


def t310_log_arguments(source: Source) -> Iterator[Finding]:
    """A log line that cannot be formatted is lost, usually in the path that runs when something else failed."""
    for call in _calls(source.tree):
        owner, _, level = dotted(call.func).rpartition(".")
        if level not in _LEVELS or owner.rpartition(".")[2].lower().lstrip("_") not in {"log", "logger"}:
            continue
        message, *arguments = call.args[_LEVELS[level] :] or [None]
        if isinstance(message, ast.JoinedStr) or (isinstance(message, ast.BinOp) and isinstance(message.op, ast.Mod)):
            yield at(call, "T310 give the log call a constant message and arguments, it formats them itself")
        elif isinstance(message, ast.Constant) and isinstance(message.value, str):
            problem = _mismatch(message.value, arguments)
            if problem:
                yield at(call, f"T310 {problem}")


def _mismatch(message: str, arguments: Sequence[ast.expr]) -> str | None:
    if any(isinstance(argument, ast.Starred) for argument in arguments):
        return None
    found = [match for match in _PLACEHOLDER.finditer(message) if match.group()[-1] != "%"]
    if any(match["key"] for match in found):
        single = len(arguments) == 1 and not isinstance(arguments[0], ast.Constant)
        return None if single else "named placeholders need exactly one dict argument"
    wanted = sum(1 + (match["width"] == "*") + (match["precision"] == "*") for match in found)
    if not arguments and not found:
        return None
    return None if wanted == len(arguments) else f"{wanted} placeholders, {len(arguments)} arguments"


_ISOLATED = frozenset(("-P", "-I"))


def t311_python_child(source: Source) -> Iterator[Finding]:
    """With ``-m`` or ``-c`` a Python looks into the present directory first, where a checkout hides the package."""
    if source.under("trove/tests/") or not source.under("trove/"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.List | ast.Tuple):
            words = node.elts
        elif isinstance(node, ast.Call):
            words = node.args
        else:
            continue
        for word, following in itertools.pairwise(words):
            safe = isinstance(following, ast.Constant) and following.value in _ISOLATED
            if dotted(word) == "sys.executable" and not safe:
                yield at(word, "T311 start a Python with -P or -I, or the present directory may hide the package")


CHECKS: tuple[Callable[[Source], Iterator[Finding]], ...] = (
    t301_option_at_import_time,
    t302_eventlet,
    t303_clock,
    t304_options,
    t305_autospec,
    t306_setattr_in_a_loop,
    t307_broad_except,
    t308_bare_create,
    t309_subprocess,
    t310_log_arguments,
    t311_python_child,
)


class TroveChecks:
    """The flake8 plugin: runs every check on a file."""

    name = "trove-checks"
    version = "1"

    def __init__(self, tree: ast.Module, filename: str, lines: Sequence[str]) -> None:
        # flake8 may be given absolute paths or ./paths; the checks speak of paths within the repository.
        path = pathlib.Path(filename)
        if path.is_absolute() and path.is_relative_to(_ROOT):
            path = path.relative_to(_ROOT)
        self._source = Source(path.as_posix(), tree, lines)

    def run(self) -> Iterator[tuple[int, int, str, type]]:
        """Yield the findings of all checks as flake8 wants them."""
        for check in CHECKS:
            for line, column, text in check(self._source):
                yield line, column, text, type(self)
