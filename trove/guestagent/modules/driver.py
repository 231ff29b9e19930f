# SPDX-License-Identifier: Apache-2.0
"""What a driver of modules is, and how the agent finds it: one of its own, or an entry point of an installed package in
the group :data:`ENTRY_POINTS`, named like the type of its modules."""

import importlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from trove.guestagent import installed

LOG = logging.getLogger(__name__)

ENTRY_POINTS = "trove.guest_modules"

#: The agent's own; each is loaded when it is needed, because most guests have no modules.
BUILT_IN = {
    "new_relic_license": "trove.guestagent.modules.new_relic_license:NewRelicLicense",
    "ping": "trove.guestagent.modules.ping:Ping",
}
#: The type of a module names its directory too.
_TYPE = re.compile(r"[a-z0-9_]{1,64}\Z")


class Refused(Exception):
    """A driver did not apply or remove a module; the text is for the user and holds nothing of the contents."""


class Driver(Protocol):
    """Applies the modules of one type. Whatever it does it must be able to do again: a guest may die in between.

    It writes below the directory it was made with, and talks to the engine or to the system through libraries. It runs
    nothing that contents bring or name.

    :ivar type: of the modules it applies.
    """

    type: str

    def validate(self, contents: str) -> list[str]:
        """Return what is wrong with ``contents``, without quoting them."""

    def apply(self, module_id: str, contents: str) -> str:
        """Apply valid ``contents`` and return what the user is to read, at most 255 characters.

        :raises Refused: when it cannot.
        :raises OSError: likewise.
        """

    def remove(self, module_id: str) -> None:
        """Undo :meth:`apply`; absence is success.

        :raises Refused: when it cannot.
        :raises OSError: likewise.
        """


#: Makes a driver; its argument is the directory that is the driver's own, which need not be there yet.
DriverFactory = Callable[[Path], Driver]


def load(module_type: str, modules_dir: Path) -> Driver:
    """Return the driver of a type.

    :raises Refused: when there is none.
    """
    if not _TYPE.match(module_type):
        raise Refused("this guest has no driver for modules of this type")
    try:
        factory = _factory(module_type)
    except (LookupError, ImportError) as err:
        LOG.warning("no driver for modules of type %s: %s", module_type, err)
        raise Refused(f"this guest has no driver for modules of type '{module_type}'") from None
    return factory(modules_dir / module_type)


def _factory(module_type: str) -> DriverFactory:
    target = BUILT_IN.get(module_type)
    if target is None:
        found: Any = installed.load(ENTRY_POINTS, module_type)
    else:
        module, _, name = target.partition(":")
        found = getattr(importlib.import_module(module), name)
    factory: DriverFactory = found
    return factory
