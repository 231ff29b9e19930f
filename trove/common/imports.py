# SPDX-License-Identifier: Apache-2.0
"""Import a library without something it would load but can do without; a guest pays for every module it loads."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Let ``import`` of each of ``names`` that is not loaded yet raise :class:`ImportError` until the end of the block.

    Afterwards whoever wants them can import them as ever. ``None`` in :data:`sys.modules` does that (`module cache`_).
    Not for several threads at once.

    .. _module cache: https://docs.python.org/3/reference/import.html#the-module-cache
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name, name) is None:
                del sys.modules[name]
