# SPDX-License-Identifier: Apache-2.0
"""``trove-api``: serves the REST API. Another WSGI server may serve :mod:`trove.wsgi` instead."""

from trove.common.threads import use_native_threads

use_native_threads()

from oslo_config import cfg  # noqa: E402

from trove.api.app import make_app  # noqa: E402
from trove.api.authn import UsersFileError  # noqa: E402
from trove.api.middleware import WSGIApp  # noqa: E402
from trove.api.server import ApiServer  # noqa: E402
from trove.api.services import Services, make_services  # noqa: E402
from trove.cmd import startup  # noqa: E402
from trove.cmd.presence import Presence  # noqa: E402
from trove.common import service  # noqa: E402
from trove.datastores import registry as datastores  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.providers import registry as providers  # noqa: E402
from trove.rpc.conductor import ConductorClient  # noqa: E402
from trove.rpc.taskmanager import TaskManagerClient  # noqa: E402


def _services(conf: cfg.ConfigOpts, db: Database) -> Services:
    bus = startup.open_bus(conf)
    with startup.explained():
        plugins = datastores.load_plugins()
        described = providers.describe(conf)
    return make_services(
        conf,
        db=db,
        plugins=plugins,
        taskmanager=TaskManagerClient(conf, bus),
        conductor=ConductorClient(conf, bus),
        providers=described,
    )


def load(conf: cfg.ConfigOpts) -> tuple[WSGIApp, Presence]:
    """Return the WSGI application, and what says that its process runs, which is to be started before it serves.

    :raises StartupError: when the configuration does not let it work, with the remedy.
    """
    startup.install_key(conf)
    db = startup.open_database(conf)
    services = _services(conf, db)
    with startup.explained(UsersFileError):
        return make_app(services, conf), Presence(conf, db, "trove-api")


def main() -> int:
    """Run until a signal arrives."""
    conf = startup.configure("trove-api")
    application, presence = load(conf)
    with startup.explained():
        service.Process([presence, ApiServer(conf, application)], reload=presence.reload).run()
    return 0
