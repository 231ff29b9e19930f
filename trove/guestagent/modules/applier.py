# SPDX-License-Identifier: Apache-2.0
"""Carries out what the control plane asks about modules.

A module that cannot be applied says so in its own result and keeps no other from being applied. Contents never get into
a result or a log, except the message of a ping, which is meant to be seen.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trove.common import redact
from trove.datastores import spi
from trove.domain import modules
from trove.guestagent.modules import driver
from trove.wire import command

LOG = logging.getLogger(__name__)

_LONGEST = 255


class Applier:
    """Applies and removes modules.

    :param modules_dir: below it every type of modules has its directory.
    """

    def __init__(self, modules_dir: Path) -> None:
        self._modules_dir = modules_dir

    def apply(self, order: command.ApplyModules) -> Mapping[str, Any]:
        """Apply the modules in order; the result is described at the command."""
        return {"modules": [self._apply(module) for module in order.modules]}

    def remove(self, order: command.RemoveModule) -> Mapping[str, Any]:
        """Remove a module.

        :raises EngineError: when its driver does not.
        """
        _, reason = self._guarded(order.type, lambda found: self._remove(found, order.id))
        if reason is not None:
            LOG.warning("module %s of type %s was not removed: %s", order.id, order.type, reason)
            raise spi.EngineError("module.not_removed", f"The module could not be removed: {reason}.")
        LOG.info("module %s of type %s is removed", order.id, order.type)
        return {}

    def _apply(self, module: command.ModuleSpec) -> dict[str, str]:
        def act(found: driver.Driver) -> str:
            reasons = found.validate(module.contents)
            if reasons:
                raise driver.Refused("; ".join(reasons))
            return found.apply(module.id, module.contents)

        message, reason = self._guarded(module.type, act)
        if reason is not None:
            LOG.warning("module %s of type %s was not applied: %s", module.id, module.type, reason)
            return _result(module, modules.ERROR, f"The module could not be applied: {reason}.")
        LOG.info("module %s of type %s is applied", module.id, module.type)
        return _result(module, modules.OK, message)

    def _guarded(self, module_type: str, act: Callable[[driver.Driver], str]) -> tuple[str, str | None]:
        """Return what the driver said, or why it did not do it."""
        try:
            return act(driver.load(module_type, self._modules_dir)), None
        except driver.Refused as err:
            return "", redact.mask_text(str(err))
        except OSError as err:
            return "", f"the file system answered '{err.strerror or type(err).__name__}'"
        except Exception as err:  # boundary: a driver may be anybody's, and its text may hold the contents
            LOG.error("the driver of modules of type %s broke: %s", module_type, type(err).__name__)
            return "", f"its driver met an unexpected error ({type(err).__name__})"

    @staticmethod
    def _remove(found: driver.Driver, module_id: str) -> str:
        found.remove(module_id)
        return ""


def _result(module: command.ModuleSpec, status: str, message: str) -> dict[str, str]:
    md5 = hashlib.md5(module.contents.encode(), usedforsecurity=False).hexdigest()
    return {"id": module.id, "status": status, "message": message[:_LONGEST], "md5": md5}
