# SPDX-License-Identifier: Apache-2.0
"""Who calls: a small table of strategies.

``http_basic`` checks a name and a password against a file of bcrypt hashes. bcrypt is slow on purpose, so a success
is remembered as an HMAC under a key that only this process has: the next request with the same password costs
microseconds, and neither memory nor a core dump holds the password. Who guesses is slowed down by
:mod:`trove.api.throttle`, and few passwords are checked at a time (:mod:`trove.api.password_checks`). ``keystone`` has
tokens validated; see :mod:`trove.api.authn_keystone`. ``noauth`` believes everybody and takes the project from the
path.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import bcrypt
import yaml
from oslo_config import cfg

from trove.api.identity import Identity, with_implied
from trove.api.password_checks import PasswordChecks
from trove.api.throttle import Throttle
from trove.common import exception

LOG = logging.getLogger(__name__)

#: bcrypt reads no more than this.
MAX_PASSWORD_BYTES = 72
_ROUNDS = 12
_MIN_ROUNDS = 4
#: One password takes four seconds with it, and twice that with each above.
_MAX_ROUNDS = 16
_HASH = re.compile(r"(\$2[abxy]\$)([0-9]{2})(\$[./A-Za-z0-9]{53})")
_MEMBERS = (
    f"a name used only once and without colon, a password_hash (bcrypt, cost {_MIN_ROUNDS} to {_MAX_ROUNDS}), a "
    "project_id and a list of roles"
)


class Strategy(Protocol):
    """How callers prove who they are. Called from several threads."""

    #: Value of the header WWW-Authenticate that goes with a refusal.
    challenge: str
    #: Whether a caller proves a project too, so that the path need not name it.
    proves_project: bool

    def authenticate(self, environ: Mapping[str, Any]) -> Identity:
        """Return the caller of a WSGI request.

        :raises Unauthorized: when the proof is missing or wrong; the two look the same.
        :raises AuthenticationThrottled: when it was wrong too often.
        """


class NoAuth:
    """Everybody is let in; whatever token clients send is ignored."""

    challenge = "Bearer"
    proves_project = False

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        roles = [*conf.noauth_roles, "admin"] if conf.noauth_admin else conf.noauth_roles
        self._identity = Identity("noauth", None, with_implied(roles))

    def authenticate(self, environ: Mapping[str, Any]) -> Identity:
        """Return the one identity there is."""
        return self._identity


@dataclass(frozen=True)
class _User:
    identity: Identity
    password_hash: bytes

    def __repr__(self) -> str:
        return f"_User({self.identity!r})"


class UsersFileError(ValueError):
    """The users file cannot be used; the text says why and what to do, and shows nothing that stands in the file."""


class HttpBasic:
    """A name and a password in each request (RFC 7617), checked against a file that is read again when it changes."""

    challenge = 'Basic realm="trove", charset="UTF-8"'
    proves_project = True

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._path = Path(conf.http_basic_auth_user_file)
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        try:
            self._stamp = self._look()
            self._users = read_users_file(self._path)
        except OSError as error:
            raise UsersFileError(
                f"[DEFAULT] http_basic_auth_user_file: {self._path} cannot be read ({error.strerror}); make it, with "
                "mode 0600, for the account of this service"
            ) from None
        except UsersFileError as error:
            raise UsersFileError(f"[DEFAULT] http_basic_auth_user_file: {error}") from None
        self._verified: dict[str, bytes] = {}
        self._throttle = Throttle(conf)
        # The other threads are for those who have logged in before.
        self._checks = PasswordChecks(max(1, int(conf.api_threads) // 2))
        # Checked in place of an unknown user's hash, so that the answer takes as long.
        self._decoy = bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(_ROUNDS))

    def authenticate(self, environ: Mapping[str, Any]) -> Identity:
        """Return the caller that the header ``Authorization`` proves."""
        self._refresh()
        name, password = _credentials(environ.get("HTTP_AUTHORIZATION", ""))
        address = environ.get("REMOTE_ADDR")
        # Before anything is compared: a password that was checked before is compared fast enough to guess it.
        self._throttle.admit(name, address)
        user = self._verify(name, password)
        if user is None:
            LOG.warning("Refused user %s from %s", ascii(name[:64]), address)
            self._throttle.failed(name, address)
            raise exception.Unauthorized("User name or password is wrong.")
        self._throttle.succeeded(name, address)
        return user.identity

    def _verify(self, name: str, password: bytes) -> _User | None:
        proof = hmac.digest(self._key, password, hashlib.sha256)
        user = self._users.get(name)
        known = self._verified.get(name)
        if user is not None and known is not None and hmac.compare_digest(known, proof + user.password_hash):
            return user
        if len(password) > MAX_PASSWORD_BYTES:
            return None
        hashed = user.password_hash if user else self._decoy
        correct = self._checks.run((name, proof, hashed), lambda: bcrypt.checkpw(password, hashed))
        if user is None or not correct:
            return None
        # The hash is part of the record: a changed password makes the old record worthless.
        self._verified[name] = proof + user.password_hash
        return user

    def _look(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _refresh(self) -> None:
        try:
            stamp = self._look()
        except OSError:
            return  # a file that is being replaced is there again in a moment
        if stamp == self._stamp:
            return
        with self._lock:
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                self._users = read_users_file(self._path)
            except (OSError, ValueError) as error:
                LOG.error("%s; the users known before stay in force", error)


def _keystone(conf: cfg.ConfigOpts) -> Strategy:
    from trove.api.authn_keystone import Keystone  # loads a second of libraries that the other strategies do without

    return Keystone(conf)


#: The strategies by the value of option auth_strategy.
STRATEGIES: Mapping[str, Callable[[cfg.ConfigOpts], Strategy]] = {
    "http_basic": HttpBasic,
    "keystone": _keystone,
    "noauth": NoAuth,
}


def make_strategy(conf: cfg.ConfigOpts) -> Strategy:
    """Return the strategy that option ``auth_strategy`` names.

    :raises UsersFileError: when the users file cannot be used.
    :raises oslo_config.cfg.Error: when group ``[keystone_authtoken]`` cannot be used.
    """
    return STRATEGIES[conf.auth_strategy](conf)


def _credentials(header: str) -> tuple[str, bytes]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise exception.Unauthorized
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        decoded = name.decode()
    except (binascii.Error, ValueError):
        raise exception.Unauthorized("The header Authorization cannot be read.") from None
    if not colon or b"\0" in password:
        raise exception.Unauthorized("The header Authorization cannot be read.")
    return decoded, password


def read_users_file(path: Path) -> dict[str, _User]:
    """Return the users in ``path`` by name.

    :raises OSError: when the file cannot be read.
    :raises UsersFileError: when others may read it, or it does not hold what it should.
    """
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_mode & 0o077:
            raise UsersFileError(f"{path} must not be accessible by group or others; run: chmod 600 {path}")
        try:
            entries = yaml.safe_load(stream)
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: of a date that there is not
            mark = getattr(error, "problem_mark", None)
            where = "" if mark is None else f"; look at line {mark.line + 1}"
            raise UsersFileError(f"{path} is not valid YAML{where}") from None
    if not isinstance(entries, list):
        raise UsersFileError(f"{path} must hold a list of users, each with {_MEMBERS}")
    users: dict[str, _User] = {}
    for number, entry in enumerate(entries, 1):
        user = _user(entry)
        if user is None or user.identity.user_id in users:
            raise UsersFileError(f"{path}: entry {number} must have {_MEMBERS}; correct or remove it")
        users[user.identity.user_id] = user
    return users


def _user(entry: Any) -> _User | None:
    if not isinstance(entry, dict):
        return None
    name, hashed, project, roles = (entry.get(key) for key in ("name", "password_hash", "project_id", "roles"))
    texts = all(isinstance(text, str) and text for text in (name, hashed, project)) and ":" not in str(name)
    if not texts or not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        return None
    if not _is_hash(str(hashed)):
        return None
    return _User(Identity(str(name), str(project), with_implied(roles)), str(hashed).encode())


def _is_hash(text: str) -> bool:
    found = _HASH.fullmatch(text)
    if found is None or not _MIN_ROUNDS <= int(found[2]) <= _MAX_ROUNDS:
        return False
    try:
        # At the least cost: that of the hash itself would be paid for every user of the file.
        bcrypt.checkpw(b"", f"{found[1]}{_MIN_ROUNDS:02}{found[3]}".encode())
    except ValueError:
        return False
    return True


def write_users_file(path: str | os.PathLike[str], users: Iterable[Mapping[str, Any]]) -> None:
    """Write a users file for strategy ``http_basic``, mode 0600, replacing an existing one in one step.

    :param users: mappings with ``name``, ``password`` (in clear, at most 72 bytes of UTF-8), ``project_id`` and
        ``roles``.
    :raises ValueError: when a name is empty or holds a colon, or a password is empty or too long.
    """
    target = Path(path)
    entries = [_entry(user) for user in users]
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write("# Users of the Trove API. Passwords stand here as bcrypt hashes.\n")
            yaml.safe_dump(entries, stream, sort_keys=False)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _entry(user: Mapping[str, Any]) -> dict[str, Any]:
    name, password = user["name"], user["password"].encode()
    roles: Sequence[str] = user["roles"]
    if not name or ":" in name:
        raise ValueError("a user name must not be empty or hold a colon")
    if not 0 < len(password) <= MAX_PASSWORD_BYTES or b"\0" in password:
        raise ValueError(f"a password must have 1 to {MAX_PASSWORD_BYTES} bytes")
    hashed = bcrypt.hashpw(password, bcrypt.gensalt(_ROUNDS)).decode()
    return {"name": name, "password_hash": hashed, "project_id": user["project_id"], "roles": list(roles)}
