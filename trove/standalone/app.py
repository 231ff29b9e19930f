# SPDX-License-Identifier: Apache-2.0
"""Put the parts together in one process.

They are the same parts that run as processes of their own in a cloud, and they meet only in the database and on the
control bus (:mod:`trove.rpc.inprocess`): nothing here hands one part's object to another.
"""

import errno
import logging
import os
import socket
from pathlib import Path
from typing import Any

from oslo_config import cfg

from trove.api.app import make_app
from trove.api.server import ApiServer
from trove.api.services import make_services
from trove.cmd import startup
from trove.cmd.presence import Presence
from trove.common import listeners, service
from trove.conductor.service import Conductor
from trove.conf.guest import gateway_port
from trove.datastores import registry as datastores
from trove.db import migration
from trove.objectstore.registry import open_store
from trove.providers import registry as providers
from trove.providers.local.images.store import Images
from trove.providers.local.provider import LocalProvider
from trove.rpc import conductor as conductor_rpc
from trove.rpc import inprocess
from trove.rpc.conductor import ConductorClient
from trove.rpc.taskmanager import TaskManagerClient
from trove.standalone import code, control, credentials, running, seed
from trove.standalone.layout import Layout, Settings
from trove.taskmanager.environment import Environment
from trove.taskmanager.service import TaskManager
from trove.workflow.store import Store

LOG = logging.getLogger(__name__)


class PortInUse(Exception):
    """Somebody else listens where this service must."""


def require_port(host: str, port: int, remedy: str) -> None:
    """Refuse an address that cannot be listened on, before anything is written that says where the service is.

    :raises PortInUse: naming the port, who has it, and ``remedy``.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as err:
            held = err.errno == errno.EADDRINUSE
            reason = f"is in use by {listeners.holder(port)}" if held else f"cannot be used ({err.strerror})"
            raise PortInUse(f"port {port} of {host} {reason}; {remedy}") from err


def gateway(conf: cfg.ConfigOpts, provider: Any) -> str:
    """Return the base URL that new guests dial; have the gateway listen there.

    Guests of the local provider reach a UNIX socket whatever network they are in.
    """
    bus = conf.guest_bus
    if not isinstance(provider, LocalProvider):
        return f"http://{bus.gateway_bind_host}:{gateway_port(conf)}"
    conf.set_default("gateway_socket", str(provider.gateway_socket), group="guest_bus")
    return f"unix://{bus.gateway_socket}"


class Standalone(service.Group):
    """All parts of the service; a :class:`trove.common.service.Part`.

    :param conf: from :func:`trove.standalone.configuration.configure`.
    :raises PortInUse: for the API's port or that of the guests' gateway.
    """

    def __init__(self, layout: Layout, settings: Settings, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        require_port(conf.bind_host, conf.bind_port, "choose another one with --port")
        bus_options = conf.guest_bus
        require_port(
            bus_options.gateway_bind_host,
            gateway_port(conf),
            "the databases of this directory know it, so end the process that has it",
        )
        startup.install_key(conf)
        db = startup.connect(conf)
        with startup.explained(), startup.database_explained():
            migration.upgrade(db)
        startup.require_keys(db)
        plugins = datastores.load_plugins()
        with db.writer() as session:
            for line in seed.seed(session, plugins, Images(Path(conf.local.image_dir))):
                LOG.info("%s", line)
        held = providers.load_enabled(conf)
        gateway_url = gateway(conf, held.served.get("local"))
        bus = inprocess.Bus()
        conductor = Conductor(conf, db, Store(db), TaskManagerClient(conf, bus).wake, server="standalone")
        hints = conductor_rpc.server(conf, bus, conductor, "standalone")
        env = Environment(
            conf=conf,
            db=db,
            providers=held,
            plugins=plugins,
            conductor=ConductorClient(conf, bus),
            gateway_url=gateway_url,
            objects=open_store(conf),
        )
        services = make_services(
            conf,
            db=db,
            plugins=plugins,
            taskmanager=TaskManagerClient(conf, bus),
            conductor=ConductorClient(conf, bus),
            # More than what every host can do: this process has the providers that will be asked.
            providers=providers.describe(conf, held.served.values()),
        )
        credentials.write(layout, settings, control.base_url(conf.bind_host, conf.bind_port), conf.auth_strategy)
        self._layout = layout
        self._code = code.digest()
        self._api = ApiServer(conf, make_app(services, conf))
        # The pid file's lock is held: no other process works on this directory under that name.
        presence = Presence(conf, db, "trove-standalone")
        super().__init__([presence, conductor, hints, TaskManager(env, bus, owner="standalone"), self._api])

    def start(self) -> None:
        """Start everything; the API last, so that nobody is answered before the work can be done."""
        super().start()
        running.write(self._layout, running.Running(os.getpid(), self._conf.bind_host, self._api.port, self._code))
        LOG.info("serving on %s", control.base_url(self._conf.bind_host, self._api.port))
