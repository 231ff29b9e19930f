# SPDX-License-Identifier: Apache-2.0
"""Make a data directory ("cluster" in PostgreSQL's words) and keep its configuration files.

A new one is initialised, or copied from a template (:mod:`trove.datastores.enginelib.templates`), so that a new
instance does not pay for ``initdb`` (0.4 to 1 s, far more on a busy disk). A template has a random password of its own,
which is its note; a copy accepts nobody but Trove's superuser on the private socket until that password is replaced.

Copies of a template share PostgreSQL's *system identifier*. Nothing in a single instance looks at it; whoever keeps
WAL or backups of several instances must file them by instance, never by system identifier.
"""

import os
import shutil
import tempfile
from pathlib import Path

from trove.common import ids
from trove.datastores import spi
from trove.datastores.enginelib import files, templates
from trove.datastores.enginelib.data import DataDirectory
from trove.datastores.postgresql import config, facts, installations

#: Options of initdb, best first: what an operating system without that locale gets is the next.
_LOCALES = (["--locale=C.UTF-8"], ["--locale=C.utf8"], ["--locale=C"])
_BASE_OPTIONS = ["-U", facts.ADMIN, "-A", "scram-sha-256", "-E", "UTF8", "-k", "--no-sync"]
_DATA = "pgdata"


class Cluster:
    """The data directory below one volume."""

    def __init__(self, environment: spi.GuestEnvironment, home: Path) -> None:
        self._environment = environment
        self._home = home
        self._directory = DataDirectory(environment.data_dir, _DATA)
        self.path = self._directory.path

    @property
    def major(self) -> int:
        """The major version that the directory was made for, whatever the datastore version is called; 0 while it
        cannot be read.
        """
        try:
            return facts.major((self.path / "PG_VERSION").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def create(self, admin_password: str) -> str:
        """Make the directory; whatever an interrupted attempt left is removed. :meth:`finish` completes it.

        :returns: the superuser's password in the new directory, which must be replaced unless it is ``admin_password``.
        :raises EngineError: ``engine.data_exists`` when a finished directory is there; ``engine.program`` when initdb
            fails.
        """
        self._directory.begin()
        shared = self._environment.template_dir

        def make(target: Path) -> str:
            password = admin_password if shared is None else ids.new_password()
            initialise(self._environment.process, self._home, target, password)
            return password

        return templates.Templates(shared).provide(template_name(self._environment, self._home), self.path, make)

    def finish(self) -> None:
        """Declare the directory complete: from now on it is never removed."""
        self._directory.finish()

    def write_config(self, text: str) -> None:
        """Replace our configuration file and see that the server includes it."""
        files.write_private(self.path / config.FILE_NAME, text)
        main = self.path / "postgresql.conf"
        present = main.read_text(encoding="utf-8") if main.exists() else ""
        if config.INCLUDE not in present.splitlines():
            files.write_private(main, f"{present.rstrip()}\n{config.INCLUDE}\n")

    def read_config(self) -> str:
        """Return the text of our configuration file."""
        return (self.path / config.FILE_NAME).read_text(encoding="utf-8")

    def write_hba(self, *, open_to_clients: bool) -> None:
        """Replace ``pg_hba.conf``; the server must be told by a reload."""
        files.write_private(self.path / "pg_hba.conf", config.render_hba(open_to_clients=open_to_clients))


def initialise(process: spi.EngineProcess, home: Path, target: Path, password: str) -> None:
    """Run initdb; the password goes through a file of mode 0600, never through arguments.

    :raises EngineError: ``engine.program``, when no locale works or anything else fails.
    """
    descriptor, name = tempfile.mkstemp(prefix=".pw-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(password + "\n")
        failure: spi.EngineError | None = None
        for locale in _LOCALES:
            shutil.rmtree(target, ignore_errors=True)
            arguments = [str(home / "bin" / "initdb"), "-D", str(target), f"--pwfile={name}", *_BASE_OPTIONS, *locale]
            try:
                process.run(arguments, env={"TZ": "UTC"}, timeout=300)
                return
            except spi.EngineError as err:
                failure = failure or err
        raise failure or spi.EngineError("engine.program", "initdb could not be run.")
    finally:
        os.unlink(name)


def template_name(environment: spi.GuestEnvironment, home: Path) -> str:
    """Return the name of the template for this engine and today's options of initdb."""
    outside = environment.on_host(home)
    version = installations.read_version(outside) or environment.engine_version
    return templates.name(facts.NAME, version, outside / "bin" / "postgres", _BASE_OPTIONS, _LOCALES)
