# SPDX-License-Identifier: Apache-2.0
"""Let a server of the family take the values of a configuration group.

The server is the judge. A program that is started with a file and then an argument that nobody takes complains of the
first line that it does not take, and ends. The running one takes all values of one ``CONFIG SET`` or none, or says that
a parameter is immutable: such a value waits for a start.

The engine forgets what a parameter was before it was set. So that is noted in the state, before.
"""

import contextlib
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from trove.datastores import spi
from trove.datastores.enginelib import files
from trove.datastores.enginelib.configuration import refused
from trove.datastores.enginelib.state import State, StateFile, Values
from trove.datastores.redis_family import config
from trove.datastores.redis_family.guest import resp

#: No server runs with this, so a check never becomes a server; and what is said of it is said of no other parameter
#: that a group may have.
_STOPPER = ("--port", "65536")
_STOPPED = "between 0 and 65535"
_ACCUSED = re.compile(r"possibly related to argument '([^']+)'\) - (.+)")
_UNKNOWN = "Unknown option"
_LATER = ("immutable", "protected")
#: Sessions that may be tried to take values back.
_ATTEMPTS = 3
_SAID = re.compile(r"^.* ended with status \d+: ")


class Tuning:
    """Implements :class:`trove.datastores.enginelib.configuration.Adapter`.

    :param program: the server.
    :param render: returns the text of the configuration file with these values.
    :param template: returns the parameters that the file sets without a configuration group.
    """

    def __init__(
        self,
        process: spi.EngineProcess,
        program: str,
        own_dir: Path,
        session: Callable[[], AbstractContextManager[resp.Connection]],
        states: StateFile[State],
        *,
        render: Callable[[Values], str],
        template: Callable[[], Mapping[str, str]],
    ) -> None:
        self._process = process
        self._program = program
        self._own_dir = own_dir
        self._session = session
        self._states = states
        self._render = render
        self._template = template

    def examine(self, values: Values) -> None:
        """See :meth:`trove.datastores.enginelib.configuration.Adapter.examine`."""
        if self._problem(values) is None:
            return
        for name, value in values.items():
            if found := self._problem({name: value}):
                raise refused(name, found)
        raise refused(", ".join(values), "the server would not start with these values together")

    def apply(self, values: Values, names: Collection[str]) -> Collection[str]:
        """See :meth:`trove.datastores.enginelib.configuration.Adapter.apply`."""
        try:
            with self._session() as connection:
                return self._apply(connection, values, names)
        except resp.ReplyError as err:
            # Tenants use all connections. What cannot be told now counts from the next start, which needs none.
            if resp.TOO_MANY not in err.text:
                raise
            return names

    def _apply(self, connection: resp.Connection, values: Values, names: Collection[str]) -> Collection[str]:
        wanted = self._wanted(connection, values, names)
        before = {name: found[1] for name in wanted if len(found := connection.call("CONFIG", "GET", name)) == 2}
        later = [name for name in names if name not in wanted]
        try:
            later += _set(connection, wanted)
            self._require_answer(wanted)
        except (resp.Unreachable, resp.ReplyError, spi.EngineError):
            self._take_back(connection, before)
            raise
        return later

    def _require_answer(self, names: Collection[str]) -> None:
        """Refuse values that keep the service out: they could never be taken off."""
        try:
            with self._session() as another:
                another.call("PING")
        except resp.ReplyError as err:
            # Who uses all connections was not helped to by these values.
            if resp.TOO_MANY not in err.text or "maxclients" in names:
                raise refused(", ".join(names), f"with it the service itself is kept out: {err.text}") from err

    def _take_back(self, connection: resp.Connection, before: Mapping[str, str]) -> None:
        """Set parameters to what they were: whether the server took new values over before it hung up, nobody knows."""
        with contextlib.suppress(resp.Unreachable, resp.ReplyError):
            _set(connection, before)
            return
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(resp.Unreachable, resp.ReplyError), self._session() as fresh:
                _set(fresh, before)
                return

    def _wanted(self, connection: resp.Connection, values: Values, names: Collection[str]) -> dict[str, str]:
        """Return what to set; a parameter of whose former value nothing is known is left out."""
        template = self._template()
        known = self._states.get()
        assert known is not None, "a prepared engine has a state"
        originals = dict(known.originals)
        for name in names:
            if name in values and name not in originals and name not in template:
                found = connection.call("CONFIG", "GET", name)
                if len(found) != 2:
                    raise refused(name, "it has no such parameter")
                if name not in known.in_force:
                    originals[name] = found[1]
        if originals != known.originals:
            self._states.put(msgspec.structs.replace(known, originals=originals))
        before = {**originals, **template}
        wanted = {name: config.spell(values[name]) if name in values else before.get(name) for name in names}
        return {name: text for name, text in wanted.items() if text is not None}

    def _problem(self, values: Values) -> str | None:
        """Return what the program says against a file with these values; ``None`` when nothing."""
        path = self._own_dir / "check.conf"
        files.write_private(path, self._render(values))
        try:
            self._process.run([self._program, str(path), *_STOPPER], timeout=20)
        except spi.EngineError as err:
            said = _SAID.sub("", err.message)
            return None if _STOPPED in said else said
        finally:
            path.unlink(missing_ok=True)
        return None


def _set(connection: resp.Connection, asked: Mapping[str, str]) -> list[str]:
    """Set all parameters that the running server takes, or none; return the others.

    :raises EngineError: ``configuration.refused``.
    """
    later: list[str] = []
    wanted = dict(asked)
    while wanted:
        answer = connection.ask("CONFIG", "SET", *(word for item in wanted.items() for word in item))
        if not isinstance(answer, resp.ReplyError):
            break
        accused = _ACCUSED.search(answer.text)
        name = accused[1] if accused and accused[1] in wanted else next(iter(wanted))
        why = accused[2] if accused else answer.text
        if not any(word in why for word in _LATER):
            raise refused(name, why)
        # What it already has needs no restart.
        if connection.call("CONFIG", "GET", name)[1:2] != [wanted[name]]:
            later.append(name)
        del wanted[name]
    return later
