# SPDX-License-Identifier: Apache-2.0
"""A module that installs nothing and says its message: shows that modules reach the guest."""

from pathlib import Path

from trove.domain import modules


class Ping:
    """See :class:`trove.guestagent.modules.driver.Driver`."""

    type = modules.PING

    def __init__(self, directory: Path) -> None:
        """Take no note of ``directory``: nothing is kept."""

    def validate(self, contents: str) -> list[str]:
        """Return what is wrong with ``contents``."""
        return modules.reasons(self.type, contents)

    def apply(self, module_id: str, contents: str) -> str:
        """Return the message."""
        return modules.settings(contents)[modules.MESSAGE]

    def remove(self, module_id: str) -> None:
        """Do nothing."""
