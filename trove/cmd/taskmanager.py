# SPDX-License-Identifier: Apache-2.0
"""``trove-taskmanager``: runs workflows. Start as many as you like; they share the work and take over from each
other."""

from trove.common.threads import use_native_threads

use_native_threads()

from trove.cmd import startup  # noqa: E402
from trove.cmd.presence import Presence  # noqa: E402
from trove.common import service  # noqa: E402
from trove.datastores import registry as datastores  # noqa: E402
from trove.objectstore.registry import open_store  # noqa: E402
from trove.providers import registry as providers  # noqa: E402
from trove.rpc.conductor import ConductorClient  # noqa: E402
from trove.taskmanager.environment import Environment  # noqa: E402
from trove.taskmanager.service import TaskManager  # noqa: E402


def main() -> int:
    """Run until a signal arrives."""
    conf = startup.configure("trove-taskmanager")
    startup.install_key(conf)
    startup.require_guest_endpoint(conf)
    bus = startup.open_bus(conf)
    db = startup.open_database(conf)
    with startup.explained():
        env = Environment(
            conf=conf,
            db=db,
            providers=providers.load_enabled(conf),
            plugins=datastores.load_plugins(),
            conductor=ConductorClient(conf, bus),
            objects=open_store(conf),
        )
    presence = Presence(conf, db, "trove-taskmanager")
    service.Process([presence, TaskManager(env, bus)], reload=presence.reload).run()
    return 0
