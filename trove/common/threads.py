# SPDX-License-Identifier: Apache-2.0
"""Choose native threads, before anything else is imported.

Several OpenStack libraries import eventlet when it happens to be installed. Trove must never run on it, so the name
is made unimportable and oslo.service is told to use its threading backend. Every console script calls
:func:`use_native_threads` in its first statement.
"""

import sys


def use_native_threads() -> None:
    """Select oslo.service's threading backend and keep eventlet out of the process.

    :raises RuntimeError: when eventlet was imported before.
    """
    if sys.modules.get("eventlet") is not None:
        raise RuntimeError("eventlet is already imported; Trove runs on native threads only")
    sys.modules["eventlet"] = None  # type: ignore[assignment]  # makes 'import eventlet' raise ImportError
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
