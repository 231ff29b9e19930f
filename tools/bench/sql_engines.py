# SPDX-License-Identifier: Apache-2.0
"""The bare engines that ``create.py`` measures against: what nobody can avoid to get a first query answered.

Each starts from nothing as the same account and on the same disk as an instance: initialise, start, one query with a
user. An engine of an image is entered with bubblewrap, as its instances are.
"""

import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg2
import pymysql

from trove.common import clock
from trove.providers.local import privileges

PAUSE = 0.005
_NO_WAIT = ["--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0"]


@dataclass(frozen=True)
class Floor:
    """Seconds of one bare start.

    :ivar initialise: making the data directory alone.
    :ivar total: until the first query is answered.
    """

    initialise: float
    total: float


@dataclass(frozen=True)
class Bare:
    """A bare engine: where its programs are, and the root file system they are meant in, if not this host's."""

    home: pathlib.Path
    root: pathlib.Path | None
    directory: pathlib.Path

    def argv(self, words: Sequence[str], work: pathlib.Path) -> list[str]:
        """Return the command line that runs ``words`` as ``nobody`` with ``work`` writable."""
        made = list(words)
        if self.root is not None:
            shown = ["--ro-bind", str(self.root), "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
            made = ["bwrap", "--unshare-user", *shown, "--bind", str(work), str(work), "--", *made]
        if os.geteuid() != 0:
            return made
        needed = [self.home if self.root is None else self.root]
        return privileges.run_unprivileged_argv(made, user="nobody", needed_paths=needed, writable_paths=[work])

    @contextlib.contextmanager
    def workplace(self):  # type: ignore[no-untyped-def]
        """Yield a directory that ``nobody`` may write to."""
        work = pathlib.Path(tempfile.mkdtemp(prefix="floor-", dir=self.directory))
        try:
            if os.geteuid() == 0:
                account = privileges.find_account("nobody")
                os.chown(work, account.uid, account.gid)
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def run(self, work: pathlib.Path, *words: str) -> None:
        """Run a program to its end."""
        argv = self.argv(words, work)
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


def postgresql_answers(host: str, port: int, user: str, password: str, database: str) -> bool:
    """Tell whether one query succeeds."""
    try:
        connection = psycopg2.connect(host=host, port=port, user=user, password=password, dbname=database)
    except psycopg2.OperationalError:
        return False
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    connection.close()
    return True


def mysql_answers(host: str, port: int, user: str, password: str, database: str) -> bool:
    """Tell whether one query succeeds."""
    try:
        with pymysql.connect(host=host, port=port, user=user, password=password, database=database) as connection:
            connection.cursor().execute("select 1")
    except (pymysql.Error, OSError):
        return False
    return True


def _address() -> str:
    return f"127.201.{secrets.randbelow(250)}.{secrets.randbelow(250) + 1}"


def postgresql(bare: Bare) -> Floor:
    """``initdb``, ``pg_ctl start``, one query as a user with a password."""
    with bare.workplace() as work:
        address, data, password = _address(), work / "data", work / "password"
        password.write_text("floor-password")
        if os.geteuid() == 0:
            account = privileges.find_account("nobody")
            os.chown(password, account.uid, account.gid)
        began = clock.monotonic()
        bare.run(
            work, str(bare.home / "bin/initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256",
            f"--pwfile={password}", "-k", "--no-sync",
        )  # fmt: skip
        initialised = clock.monotonic() - began
        options = f"-c listen_addresses={address} -c unix_socket_directories={work}"
        control = str(bare.home / "bin/pg_ctl")
        bare.run(work, control, "-D", str(data), "-W", "-s", "-l", str(work / "log"), "-o", options, "start")
        while not postgresql_answers(address, 5432, "postgres", "floor-password", "postgres"):
            clock.sleep(PAUSE)
        total = clock.monotonic() - began
        bare.run(work, control, "-D", str(data), "-m", "immediate", "-s", "stop")
    return Floor(initialised, total)


def mariadb(bare: Bare) -> Floor:
    """``mariadb-install-db`` without waiting for the disk, ``mariadbd``, one query on the socket."""
    install = [str(bare.home / "bin/mariadb-install-db"), "--no-defaults", f"--basedir={bare.home}"]
    install += ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", *_NO_WAIT]
    return _mysql_family(bare, install, str(bare.home / "sbin/mariadbd"), [])


def mysql(bare: Bare) -> Floor:
    """``mysqld --initialize-insecure`` without waiting for the disk, ``mysqld``, one query on the socket."""
    server = str(bare.home / "sbin/mysqld")
    return _mysql_family(
        bare,
        [server, "--no-defaults", "--initialize-insecure", *_NO_WAIT],
        server,
        ["--mysqlx=OFF", "--performance-schema=OFF"],
    )


def _mysql_family(bare: Bare, initialise: Sequence[str], server: str, options: Sequence[str]) -> Floor:
    with bare.workplace() as work:
        data, place = work / "data", work / "s"
        began = clock.monotonic()
        bare.run(work, *initialise, f"--datadir={data}")
        initialised = clock.monotonic() - began
        words = [server, "--no-defaults", f"--datadir={data}", f"--socket={place}", f"--pid-file={work / 'pid'}"]
        words += [f"--bind-address={_address()}", "--skip-name-resolve", *options]
        argv = bare.argv(words, work)
        running = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        while True:
            with contextlib.suppress(pymysql.Error, OSError):
                with pymysql.connect(unix_socket=str(place), user="root", password="") as connection:
                    connection.cursor().execute("select 1")
                break
            if running.poll() is not None:
                raise SystemExit(f"the bare server ended: {' '.join(words)}")
            clock.sleep(PAUSE)
        total = clock.monotonic() - began
        os.kill(int((work / "pid").read_text()), signal.SIGKILL)
        running.wait()
    return Floor(initialised, total)


#: {datastore: (its bare start, how its user's first query is asked)}
ENGINES: dict[str, tuple[Callable[[Bare], Floor], Callable[[str, int, str, str, str], bool]]] = {
    "postgresql": (postgresql, postgresql_answers),
    "mariadb": (mariadb, mysql_answers),
    "mysql": (mysql, mysql_answers),
}
