# SPDX-License-Identifier: Apache-2.0
"""Let a server of MariaDB or MySQL take the values of a configuration group.

The server is the judge. Its program reads an option file and ends (``check_argv`` of the dialect): what it refuses
would not have started. The running server takes or refuses ``SET GLOBAL``, or says that a variable is read only: such
a value waits for a start. ``SET GLOBAL … = DEFAULT`` is how a variable that no template sets gets back what it was; of
one that is read only, what it was is noted in the state.
"""

import contextlib
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec
import pymysql
from pymysql.constants import ER

from trove.datastores import spi
from trove.datastores.enginelib import files
from trove.datastores.enginelib.configuration import refused
from trove.datastores.enginelib.lifecycle import NoAnswer
from trove.datastores.enginelib.state import State, StateFile, Values
from trove.datastores.mysql_family.guest.connection import Session, code, execute, is_away, reason
from trove.wire import command

#: The variable cannot be set while the server runs, or not for all sessions, or has no value to go back to.
_LATER = (
    ER.INCORRECT_GLOBAL_LOCAL_VAR,
    ER.GLOBAL_VARIABLE,
    ER.LOCAL_VARIABLE,
    ER.NO_DEFAULT,
    ER.OPTION_PREVENTS_STATEMENT,
)
_SUFFIXED = re.compile(r"([0-9]+)([KMG])", re.ASCII)
_SCALE = {"K": 2**10, "M": 2**20, "G": 2**30}
#: What a failed program's message has in front of what the server said; all it says may be that it gives up.
_SAID = re.compile(
    r"^.* ended with status \d+: (?:.*\[ERROR\] )?(?:\[MY-\d+\] \[\w+\] )?(?:Buffered error: )?(?:[^\s/]*+/\S+: )?"
)
_GIVES_UP = "Aborting"
#: Sessions that may be tried to take values back.
_ATTEMPTS = 3
_TRUTH = {"1": True, "ON": True, "TRUE": True, "0": False, "OFF": False, "FALSE": False}
#: ``DEFAULT`` of these is not what is compiled in, but what the server was started with.
_DEFAULTS = {"time_zone": "SYSTEM"}
#: In place of a value: what the server has compiled in.
_DEFAULT = object()


class Tuning:
    """Implements :class:`trove.datastores.enginelib.configuration.Adapter`.

    :param check: lets the server's program read an option file; raises :class:`spi.EngineError` as ``process.run`` does
        when it refuses.
    :param render: returns the text of ``my.cnf`` with these values.
    :param probe: asks the server in a session of its own; raises :class:`.lifecycle.NoAnswer`.
    :param template: returns the variables that ``my.cnf`` sets without a configuration group.
    """

    def __init__(
        self,
        own_dir: Path,
        session: Session,
        states: StateFile[State],
        *,
        check: Callable[[Path], None],
        probe: Callable[[], None],
        render: Callable[[Values], str],
        template: Callable[[], Mapping[str, str]],
    ) -> None:
        self._own_dir = own_dir
        self._session = session
        self._states = states
        self._check = check
        self._probe = probe
        self._render = render
        self._template = template

    def examine(self, values: Values) -> None:
        """See :meth:`trove.datastores.enginelib.configuration.Adapter.examine`."""
        problem = self._problem(values)
        if problem is None:
            return
        for name, value in values.items():
            if found := self._problem({name: value}):
                raise refused(name, found)
        raise refused(", ".join(values), problem)

    def apply(self, values: Values, names: Collection[str]) -> Collection[str]:
        """See :meth:`trove.datastores.enginelib.configuration.Adapter.apply`."""
        later: list[str] = []
        done: list[tuple[str, object]] = []
        originals: dict[str, str] = {}
        with self._session() as connection:
            try:
                for name, wanted in self._wanted(values, names).items():
                    before: object = None
                    try:
                        ((before,),) = execute(connection, "SELECT @@GLOBAL.{}", name)
                        done.append((name, before))
                        _set(connection, name, wanted)
                    except pymysql.Error as err:
                        if is_away(err):  # whether it took the value over, nobody knows
                            raise
                        done = [item for item in done if item[0] != name]
                        if code(err) not in _LATER:
                            raise _refusal(name, err) from err
                        if self._is_original(name, before, wanted):
                            continue
                        originals[name] = str(before)
                        if not _same(before, wanted):
                            later.append(name)
                self._require_answer(names)
            except BaseException:
                self._take_back(connection, done)
                raise
        self._note(originals)
        return later

    def _wanted(self, values: Values, names: Collection[str]) -> Mapping[str, object]:
        template = {**_DEFAULTS, **self._template()}
        return {
            name: values[name] if name in values else _typed(template[name]) if name in template else _DEFAULT
            for name in names
        }

    def _require_answer(self, names: Collection[str]) -> None:
        """Refuse values that keep the service out: they could never be taken off."""
        try:
            self._probe()
        except NoAnswer as err:
            raise refused(", ".join(names), f"with it the service itself is kept out: {err}") from err

    def _take_back(self, connection: object, done: list[tuple[str, object]]) -> None:
        """Set variables to what they were, the last one first; in another session when ``connection`` is gone."""
        with contextlib.suppress(pymysql.Error):
            _restore(connection, done)
        for _ in range(_ATTEMPTS):
            if done:
                with contextlib.suppress(pymysql.Error), self._session() as fresh:
                    _restore(fresh, done)

    def _is_original(self, name: str, running: object, wanted: object) -> bool:
        """Tell whether a variable that is to be what it was, is."""
        known = self._states.get()
        return wanted is _DEFAULT and known is not None and known.originals.get(name) == str(running)

    def _note(self, found: Mapping[str, str]) -> None:
        """Remember what variables were before they were set for the first time."""
        known = self._states.get()
        assert known is not None, "a prepared engine has a state"
        fresh = {name: value for name, value in found.items() if name not in known.in_force}
        if fresh:
            self._states.put(msgspec.structs.replace(known, originals={**fresh, **known.originals}))

    def _problem(self, values: Values) -> str | None:
        """Return what the program says against an option file with these values; ``None`` when nothing."""
        path = self._own_dir / "check.cnf"
        files.write_private(path, self._render(values))
        try:
            self._check(path)
        except spi.EngineError as err:
            said = _SAID.sub("", err.message)
            return "the server would not start with this value" if said.startswith(_GIVES_UP) else said
        finally:
            path.unlink(missing_ok=True)
        return None


def _set(connection: object, name: str, value: object) -> None:
    if value is _DEFAULT:
        execute(connection, "SET GLOBAL {} = DEFAULT", name)
    else:
        execute(connection, "SET GLOBAL {} = %s", name, values=(value,))


def _restore(connection: object, done: list[tuple[str, object]]) -> None:
    """Set variables to what they were, the last one first, and take each from the list that is."""
    while done:
        name, before = done[-1]
        try:
            _set(connection, name, _DEFAULT if before is None else before)
        except pymysql.Error as err:
            if is_away(err):
                raise
        done.pop()


def _same(found: object, wanted: object) -> bool:
    """Tell whether the running server already has what it cannot be told; it reports truth as a number or a word."""
    if isinstance(wanted, bool) or str(wanted).upper() in _TRUTH:
        return _TRUTH.get(str(found).upper()) == _TRUTH.get(str(wanted).upper())
    return str(found) == str(wanted)


def _typed(text: str) -> command.ConfigValue:
    """Return a value of the template as ``SET`` takes it."""
    suffixed = _SUFFIXED.fullmatch(text)
    if suffixed is not None:
        return int(suffixed[1]) * _SCALE[suffixed[2]]
    return int(text) if text.isdigit() else text


def _refusal(name: str, err: pymysql.Error) -> spi.EngineError:
    if code(err) == ER.UNKNOWN_SYSTEM_VARIABLE:
        return refused(name, "it has no such parameter")
    return refused(name, reason(err))
