# SPDX-License-Identifier: Apache-2.0
"""Make a data directory, and keep ``my.cnf`` and the statements of the first start beside the agent's state.

A new directory is initialised, or copied from a template: 0.6 to 14 s against 0.1 s. Initialising leaves the engine's
own accounts in it (a ``root`` without a password among them), but nobody can reach it: the first start carries out
``init.sql``, which leaves one account, before the server lets anybody connect.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from trove.datastores import spi
from trove.datastores.enginelib import files, templates
from trove.datastores.enginelib.data import DataDirectory
from trove.datastores.mysql_family import installations
from trove.datastores.mysql_family.guest.dialect import Dialect

#: Seconds that initialising may take; a busy disk makes of two seconds a quarter of a minute.
_INITIALISE_TIMEOUT = 600.0


class DataDir:
    """The data directory below one volume and the files of the server outside it.

    :param home: directory with the engine's programs, :param server: its server, both as the engine sees them.
    """

    def __init__(
        self, environment: spi.GuestEnvironment, dialect: Dialect, own_dir: Path, home: Path, server: Path
    ) -> None:
        self._environment = environment
        self._dialect = dialect
        self._home = home
        self._server = server
        self._directory = DataDirectory(environment.data_dir, dialect.family.name)
        self.path = self._directory.path
        self.tmp_dir = environment.data_dir / "tmp"
        self.init_file = own_dir / "init.sql"
        self._config = own_dir / "my.cnf"

    def create(self) -> None:
        """Make the directory; whatever an interrupted attempt left is removed. :meth:`finish` completes it.

        :raises EngineError: ``engine.data_exists`` when a finished directory is there; ``engine.program`` when it
            cannot be initialised.
        """
        path = self._directory.begin()
        files.private_directory(self.tmp_dir)
        shared = templates.Templates(self._environment.template_dir)
        shared.provide(self.template_name(), path, self._initialise)

    def finish(self) -> None:
        """Declare the directory complete: from now on it is never removed."""
        self.init_file.unlink(missing_ok=True)
        self._directory.finish()

    def template_name(self) -> str:
        """Return the name of the template for this engine and today's way of initialising."""
        outside = self._environment.on_host(self._server)
        version = installations.read_version(self._dialect.family, outside) or self._environment.engine_version
        argv = self._dialect.initialise_argv(self._home, self._server, Path("/target"))
        return templates.name(self._dialect.family.name, version, outside, tuple(argv))

    def write_first_statements(self, statements: Sequence[str]) -> None:
        """Write what the first start carries out; it holds a verifier, so it is private."""
        files.write_private(self.init_file, "".join(f"{statement};\n" for statement in statements))

    def write_config(self, text: str) -> None:
        """Replace ``my.cnf``."""
        files.write_private(self._config, text)

    def read_config(self) -> str:
        """Return the text of ``my.cnf``."""
        return self._config.read_text(encoding="utf-8")

    def _initialise(self, target: Path) -> str:
        target.mkdir(mode=0o700)
        # A server that starts removes every temporary table of its user from its temporary directory. In a shared one
        # two that initialise at once take each other's away. Not --tmpdir: mariadb-install-db splits it at spaces.
        temporary = target.with_name(f"{target.name}.tmp")
        temporary.mkdir(mode=0o700)
        argv = self._dialect.initialise_argv(self._home, self._server, target)
        environment = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "TMPDIR": str(temporary)}
        self._environment.process.run(argv, env=environment, timeout=_INITIALISE_TIMEOUT)
        shutil.rmtree(temporary)
        self._dialect.forget_identity(target)
        return ""
