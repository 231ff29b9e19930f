# SPDX-License-Identifier: Apache-2.0
"""``trove-conductor``: talks to the guests. Start as many as you like behind one address."""

from trove.common.threads import use_native_threads

use_native_threads()

import gc  # noqa: E402
import os  # noqa: E402

from trove.cmd import startup  # noqa: E402
from trove.cmd.presence import Presence  # noqa: E402
from trove.common import service  # noqa: E402
from trove.conductor.gateway import InsecureGateway  # noqa: E402
from trove.conductor.service import Conductor, GuestBusMisconfigured  # noqa: E402
from trove.rpc import conductor as rpc  # noqa: E402
from trove.rpc.taskmanager import TaskManagerClient  # noqa: E402
from trove.workflow.store import Store  # noqa: E402

#: When the interpreter looks for cycles of garbage. A look at everything visits all objects of all connections, which
#: takes half a second with those of ten thousand guests. With the usual numbers it looked every few seconds: a third of
#: the processor time, and nobody was answered meanwhile. What dies young, as nearly everything here does, is found by
#: the first two of the three kinds of looks.
GC_THRESHOLDS = (50_000, 20, 100)


def main() -> int:
    """Run until a signal arrives."""
    gc.set_threshold(*GC_THRESHOLDS)
    conf = startup.configure("trove-conductor")
    startup.install_key(conf)
    bus = startup.open_bus(conf)
    db = startup.open_database(conf)
    name = f"{conf.host}:{os.getpid()}"
    with startup.explained(GuestBusMisconfigured, InsecureGateway):
        conductor = Conductor(conf, db, Store(db), TaskManagerClient(conf, bus).wake, server=name)
        hints = rpc.server(conf, bus, conductor, name)
        presence = Presence(conf, db, "trove-conductor")
        service.Process([presence, conductor, hints], reload=presence.reload).run()
    return 0
