# SPDX-License-Identifier: Apache-2.0
"""Configuration: one module per option group, each with ``register_opts(conf)`` and ``list_opts()``.

There is no global ``CONF``. A console script makes one with :func:`new` and hands it on; nothing reads an option at
import time.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from oslo_config import cfg

import trove


def option_modules() -> list[ModuleType]:
    """Return every option module of this package, sorted by name."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return [importlib.import_module(f"{__name__}.{name}") for name in names]


def new(
    args: Sequence[str] | None = None, *, prog: str = "trove", files: Sequence[str] | None = None
) -> cfg.ConfigOpts:
    """Return a parsed configuration with all options registered.

    :param args: command line; ``None`` means an empty one.
    :param files: configuration files; ``None`` means oslo.config's search path (``/etc/trove/trove.conf``, …).
    """
    conf = cfg.ConfigOpts()
    register_all(conf)
    version = getattr(trove, "__version__", "")
    conf(
        list(args or []),
        project="trove",
        prog=prog,
        version=version,
        default_config_files=None if files is None else list(files),
    )
    return conf


def register_all(conf: cfg.ConfigOpts) -> None:
    """Register the options of every group on ``conf``."""
    for module in option_modules():
        module.register_opts(conf)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Entry point ``oslo.config.opts``: all of Trove's own options, for the sample file."""
    return [item for module in option_modules() for item in module.list_opts()]
