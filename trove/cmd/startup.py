# SPDX-License-Identifier: Apache-2.0
"""What every control-plane script does first: configuration, logging, key, database, bus.

Whatever an operator can get wrong ends in one line that says why and what to do, without a traceback:
:class:`StartupError`.
"""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import oslo_messaging as messaging
import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_exception
from oslo_log import log

import trove.conf
from trove.common import redact
from trove.conf import _review
from trove.datastores.registry import PluginError
from trove.db import crypto, key_source, rotation
from trove.db.api import Database
from trove.db.migration import MigrationRefused, check
from trove.objectstore.base import StoreError
from trove.providers.base import ProviderError
from trove.rpc.transport import control_transport

LOG = logging.getLogger(__name__)

#: Programs that say at their start what is wrong with the configuration; at a terminal, trove-status does.
_SERVICES = ("trove-api", "trove-conductor", "trove-taskmanager")

#: Errors whose text says what the operator must change.
_EXPLAINED = (
    cfg.Error,
    crypto.DecryptionFailed,
    crypto.KeyUnavailable,
    messaging.InvalidTransportURL,
    messaging.DriverLoadFailure,
    MigrationRefused,
    OSError,
    PluginError,
    ProviderError,
    StoreError,
)
_DATABASE = (db_exception.DBError, db_exception.CantStartEngineError, sa.exc.SQLAlchemyError, ImportError)


class StartupError(SystemExit):
    """The process cannot start; the message says why and what to do."""

    def __init__(self, reason: str) -> None:
        print(f"error: {reason}", file=sys.stderr)
        super().__init__(1)


@contextlib.contextmanager
def explained(*others: type[Exception]) -> Iterator[None]:
    """Turn what an operator can cause, and ``others``, into :class:`StartupError`; a mistake of ours keeps its
    traceback."""
    try:
        yield
    except (*_EXPLAINED, *others) as err:
        raise StartupError(redact.mask_text(str(err))) from err


@contextlib.contextmanager
def database_explained() -> Iterator[None]:
    """Turn what a database refuses into :class:`StartupError`; its first line is enough, the others are SQL."""
    try:
        yield
    except _DATABASE as err:
        reason = getattr(err, "inner_exception", None) or err
        first_line = (str(reason).strip().splitlines() or [type(err).__name__])[0]
        raise StartupError(
            f"the database of [database] connection cannot be used: {redact.mask_text(first_line)}"
        ) from err


def configure(prog: str, args: Sequence[str] | None = None, *, files: Sequence[str] | None = None) -> cfg.ConfigOpts:
    """Parse configuration and command line, and set up logging.

    :param args: command line without the program; ``None`` means this process's own.
    :param files: configuration files; ``None`` means those that the command line names or oslo.config finds.
    :raises StartupError: for a file that is missing or malformed, or an option with an impossible value.
    """
    for name in files or ():  # oslo.config passes over a default file that is not there
        if not Path(name).is_file():
            raise StartupError(f"there is no configuration file {name}")
    with explained():
        conf = trove.conf.new(sys.argv[1:] if args is None else args, prog=prog, files=files)
        setup_logging(conf, prog)
    if prog in _SERVICES:
        warn_of_options(conf)
    return conf


def warn_of_options(conf: cfg.ConfigOpts) -> None:
    """Log everything about the configuration files that an operator should look at, as one warning."""
    found = _review.review_files(conf)
    if found:
        LOG.warning("The configuration has %d flaws: %s", len(found), "; ".join(found))


def setup_logging(conf: cfg.ConfigOpts, prog: str) -> None:
    """Set up oslo.log, keep secrets out of all that is written, and have nothing written past it."""
    log.setup(conf, prog)
    threading.excepthook = _log_end_of_thread
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        redact.protect(handler)


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    # Python's own writes to standard error, which may be the log file, as it finds the text.
    if ended.exc_value is None or issubclass(ended.exc_type, SystemExit):
        return
    name = ended.thread.name if ended.thread is not None else "unknown"
    LOG.critical(
        "thread %s has ended", name, exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback)
    )


def install_key(conf: cfg.ConfigOpts) -> None:
    """Load the key-encryption keys.

    :raises StartupError: when none is configured, or one cannot be used.
    """
    with explained():
        crypto.install(key_source.load(conf))


def connect(conf: cfg.ConfigOpts) -> Database:
    """Open the configured database, whatever its schema.

    :raises StartupError: when none is configured or it does not answer.
    """
    if not conf.database.connection:
        raise StartupError(
            "set [database] connection, for example mysql+pymysql://trove:PASSWORD@HOST/trove?charset=utf8mb4"
        )
    with database_explained():
        db = Database.from_conf(conf)
        with db.engine.connect():
            return db


def require_schema(db: Database) -> Database:
    """Return ``db`` when this release can run on its schema.

    :raises StartupError: otherwise, with the remedy.
    """
    with database_explained():
        reasons = check(db)
    if reasons:
        raise StartupError("; ".join(reasons))
    return db


def open_database(conf: cfg.ConfigOpts) -> Database:
    """Open the configured database and refuse one whose schema is not current, or of which the keys that are installed
    open nothing.

    :raises StartupError: with the remedy.
    """
    return require_keys(require_schema(connect(conf)))


def require_keys(db: Database) -> Database:
    """Return ``db`` when the keys that are installed are those of what is stored in it.

    :raises StartupError: otherwise, with the remedy.
    """
    with database_explained(), db.reader() as session:
        fit = rotation.keys_fit(session)
    if not fit:
        ids = ", ".join(crypto.current().ids)
        raise StartupError(
            f"nothing that is stored in the database opens under the configured keys ({ids}); "
            "set [security] key_encryption_key_file to the key that it was written with, or add that one to "
            "accepted_key_files"
        )
    return db


def require_guest_endpoint(conf: cfg.ConfigOpts) -> None:
    """Refuse a configuration that says nothing of where new guests find the control plane.

    :raises StartupError: naming the option.
    """
    bus = conf.guest_bus
    if bus.transport == "gateway" and not bus.gateway_url:
        raise StartupError("set [guest_bus] gateway_url to the base URL that guests dial")
    if bus.transport == "messaging" and not bus.transport_url:
        raise StartupError("set [guest_bus] transport_url to the guests' own virtual host")
    if bus.gateway_ca_file:
        with explained():
            Path(bus.gateway_ca_file).read_text(encoding="ascii")


def open_bus(conf: cfg.ConfigOpts) -> messaging.transport.RPCTransport:
    """Open the control bus.

    :raises StartupError: when its URL is malformed. A broker that does not answer is no error: hints may be lost.
    """
    with explained():
        try:
            return control_transport(conf)
        except ValueError as err:  # from the libraries that take the URL apart
            raise StartupError(f"[DEFAULT] transport_url is malformed: {redact.mask_text(str(err))}") from err
