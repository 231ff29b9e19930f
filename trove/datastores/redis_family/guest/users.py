# SPDX-License-Identifier: Apache-2.0
"""Create, change and drop users, and the ``root`` account.

The access list is in the server's memory and in a file. Each change is one transaction in memory, followed by writing
the file (``ACL SAVE``, which replaces it as a whole); when that fails, what was changed is put back, so memory and file
stay equal and the owner is told that nothing happened. Repeating a command after a crash between the two saves what
the first attempt made. Passwords are hashed here: the server never gets one in clear.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from trove.datastores import spi
from trove.datastores.redis_family import acl, facts
from trove.datastores.redis_family.guest import resp
from trove.wire import command

Session = Callable[[], AbstractContextManager[resp.Connection]]


class Users:
    """Accounts of the instance's owner."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(self, specs: Sequence[command.UserSpec]) -> None:
        """Create all users or none. One that exists with the same password counts as created.

        :raises EngineError: ``user.exists``, ``user.reserved``, ``user.name``, ``user.databases``; the text names the
            user.
        """
        for spec in specs:
            _check_name(spec.name)
            if spec.databases:
                raise spi.EngineError("user.databases", f"The user '{spec.name}' cannot be given databases here.")
        with self._session() as connection:
            known = _list(connection)
            for spec in specs:
                present = known.get(spec.name)
                if present is not None and acl.password_hash(spec.password) not in present.hashes:
                    raise spi.EngineError("user.exists", f"The user '{spec.name}' exists already.")
            self._change(
                connection,
                known,
                [acl.set_user(spec.name, acl.USER_RULES, {acl.password_hash(spec.password)}) for spec in specs],
                [spec.name for spec in specs],
            )

    def alter(self, change: command.AlterUser) -> None:
        """Change password and name; a new name keeps the password and ends the open connections. A host has no meaning.

        :raises EngineError: ``user.not_found``, ``user.exists``, ``user.reserved``, ``user.name``.
        """
        old, new = change.user.name, change.new_name or change.user.name
        _refuse_reserved(old)
        _check_name(new)
        hashes = None if change.new_password is None else frozenset({acl.password_hash(change.new_password)})
        with self._session() as connection:
            known = _list(connection)
            present = known.get(old)
            if present is None:
                renamed = known.get(new)
                if new == old or renamed is None or (hashes is not None and renamed.hashes != hashes):
                    raise spi.EngineError("user.not_found", f"The user '{old}' does not exist.")
                self._change(connection, known, [], [])
                return
            if new != old and new in known:
                raise spi.EngineError("user.exists", f"The user '{new}' exists already.")
            commands = [acl.set_user(new, acl.USER_RULES, present.hashes if hashes is None else hashes)]
            if new != old:
                commands.append(("ACL", "DELUSER", old))
            self._change(connection, known, commands, [old, new])

    def drop(self, name: str) -> None:
        """Drop a user and end its connections. One that is gone counts as dropped.

        :raises EngineError: ``user.reserved``.
        """
        _refuse_reserved(name)
        self._delete(name)

    def enable_root(self, password: str) -> None:
        """Make ``root`` and let it in with ``password``, and with no other."""
        with self._session() as connection:
            wanted = acl.set_user(facts.ROOT, acl.ROOT_RULES, {acl.password_hash(password)})
            self._change(connection, _list(connection), [wanted], [facts.ROOT])

    def disable_root(self) -> None:
        """Remove ``root``, its password and its connections."""
        self._delete(facts.ROOT)

    # -- details -------------------------------------------------------------------------------------------------------

    def _delete(self, name: str) -> None:
        with self._session() as connection:
            self._change(connection, _list(connection), [("ACL", "DELUSER", name)], [name])

    @staticmethod
    def _change(
        connection: resp.Connection,
        known: dict[str, acl.Entry],
        commands: Sequence[Sequence[str]],
        names: Iterable[str],
    ) -> None:
        """Carry out ``commands`` and write the file, or neither.

        :param names: the users that are changed, to put them back.
        """
        if commands:
            connection.transaction(commands)
        answer = connection.ask("ACL", "SAVE")
        if isinstance(answer, resp.ReplyError):
            undo = [
                acl.restore_user(known[name]) if name in known else ("ACL", "DELUSER", name)
                for name in dict.fromkeys(names)
            ]
            if undo:
                connection.transaction(undo)
            raise spi.EngineError(
                "engine.users_not_saved",
                "The list of users could not be written to the volume, so nothing was changed; the volume may be full.",
            ) from answer


def _list(connection: resp.Connection) -> dict[str, acl.Entry]:
    return dict(acl.parse(connection.call("ACL", "LIST")))


def _check_name(name: str) -> None:
    """Refuse what the control plane should have refused: the server would store some of it in a file of lines."""
    _refuse_reserved(name)
    problem = facts.name_problem(name)
    if problem:
        raise spi.EngineError("user.name", problem[0].upper() + problem[1:] + ".")


def _refuse_reserved(name: str) -> None:
    if facts.is_reserved_user(name):
        raise spi.EngineError("user.reserved", f"The user name '{name}' is reserved.")
