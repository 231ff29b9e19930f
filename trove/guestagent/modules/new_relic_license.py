# SPDX-License-Identifier: Apache-2.0
"""The licence key of a monitoring agent, as a file that only the owner of the guest agent can read.

Each module is a file of its own, ``<id of the module>.license``, so that two of them do not take turns and one that is
removed is removed exactly. Who uses the key reads the newest file of the directory; nothing is started or restarted
here.
"""

from pathlib import Path

from trove.datastores.enginelib import files
from trove.domain import modules


class NewRelicLicense:
    """See :class:`trove.guestagent.modules.driver.Driver`."""

    type = modules.NEW_RELIC_LICENSE

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def validate(self, contents: str) -> list[str]:
        """Return what is wrong with ``contents``."""
        return modules.reasons(self.type, contents)

    def apply(self, module_id: str, contents: str) -> str:
        """Write the file, whole or not at all."""
        key = modules.settings(contents)[modules.LICENSE_KEY]
        files.private_directory(self._directory)
        files.write_private(self._path(module_id), f"license_key={key}\n")
        return "The license key is installed."

    def remove(self, module_id: str) -> None:
        """Remove the file."""
        self._path(module_id).unlink(missing_ok=True)

    def _path(self, module_id: str) -> Path:
        return self._directory / f"{module_id}.license"
