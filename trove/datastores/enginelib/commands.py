# SPDX-License-Identifier: Apache-2.0
"""The commands that every engine carries out by its parts, and the one error that all of them raise."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from trove.datastores import spi
from trove.datastores.enginelib.configuration import Configurator
from trove.datastores.enginelib.lifecycle import Lifecycle
from trove.datastores.enginelib.state import StateT
from trove.datastores.enginelib.switches import Switches

Method = Callable[[Any], Mapping[str, Any] | None]


def common(
    lifecycle: Lifecycle[StateT], configurator: Configurator[StateT], switches: Switches[StateT]
) -> dict[str, Method]:
    """Return the methods of the commands that are the same for all engines; an engine adds its own and may replace
    these."""
    return {
        "start": lambda _asked: lifecycle.start(),
        "stop": lambda _asked: lifecycle.stop(),
        "restart": lambda _asked: lifecycle.restart(),
        "reconfigure": lifecycle.reconfigure,
        "configure": configurator.configure,
        "set_log": switches.set,
    }


def translated(methods: Mapping[str, Method], told: Callable[[Exception], spi.EngineError | None]) -> dict[str, Method]:
    """Return ``methods`` with what a driver raises turned into the one error of the interface.

    :param told: the error that stands for an exception; ``None``: it is a mistake of ours and goes on as it is.
    """

    def wrap(method: Method) -> Method:
        @functools.wraps(method)
        def run(asked: Any) -> Mapping[str, Any] | None:
            try:
                return method(asked)
            except spi.EngineError:
                raise
            except Exception as err:
                error = told(err)
                if error is None:
                    raise
                raise error from err

        return run

    return {name: wrap(method) for name, method in methods.items()}


def refused(reason: str) -> spi.EngineError:
    """Return the error of a server that says no."""
    return spi.EngineError("engine.refused", f"The database server refused: {reason}")
