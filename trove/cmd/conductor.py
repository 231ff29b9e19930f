# SPDX-License-Identifier: Apache-2.0
"""``trove-conductor``: talks to the guests. Start as many as you like behind one address."""

from trove.common.threads import use_native_threads

use_native_threads()

import os  # noqa: E402

from trove.cmd import startup  # noqa: E402
from trove.common import service  # noqa: E402
from trove.conductor.gateway import InsecureGateway  # noqa: E402
from trove.conductor.service import Conductor, GuestBusMisconfigured  # noqa: E402
from trove.rpc import conductor as rpc  # noqa: E402
from trove.rpc.taskmanager import TaskManagerClient  # noqa: E402
from trove.workflow.store import Store  # noqa: E402


def main() -> int:
    """Run until a signal arrives."""
    conf = startup.configure("trove-conductor")
    startup.install_key(conf)
    bus = startup.open_bus(conf)
    db = startup.open_database(conf)
    name = f"{conf.host}:{os.getpid()}"
    with startup.explained(GuestBusMisconfigured, InsecureGateway):
        conductor = Conductor(conf, db, Store(db), TaskManagerClient(conf, bus).wake, server=name)
        hints = rpc.server(conf, bus, conductor, name)
        service.Process([conductor, hints], reload=conf.mutate_config_files).run()
    return 0
