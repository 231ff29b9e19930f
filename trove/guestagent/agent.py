# SPDX-License-Identifier: Apache-2.0
"""The agent as a process: read the bootstrap document, put the parts together, run until a signal.

Start-up is short, because an owner waits for it: what only some agents need is imported where it is needed.
"""

import contextlib
import importlib
import logging
import signal
import sqlite3
import sys
import threading
from pathlib import Path

from trove.common import clock, imports, watchdog
from trove.datastores import spi
from trove.guestagent import bootstrap as bootstraps
from trove.guestagent import installed, logs
from trove.guestagent.journal import Journal, JournalError, JournalRefused
from trove.guestagent.key_store import JournalKeyStore
from trove.guestagent.service import Files, Service
from trove.guestagent.system.lock import AlreadyLocked, FileLock
from trove.guestagent.system.process import ChildProcess
from trove.guestbus.key_store import KeyStoreError
from trove.guestbus.session import GuestSession, NotEnrolled, Phase, rehearse
from trove.guestbus.transport import GuestTransport
from trove.wire.bootstrap import Bootstrap

LOG = logging.getLogger(__name__)

#: Exit statuses, after sysexits.h; a supervisor should restart only after ``FAILED``.
OK = 0
FAILED = 70
BAD_BOOTSTRAP = 65
NO_HANDLER = 69
BAD_JOURNAL = 74
ALREADY_RUNNING = 75
CANNOT_ENROL = 78

ENTRY_POINTS = "trove.datastores.guest"
#: Drivers of 4 to 6 MiB each that :func:`preload` does without: most agents use one of them or none.
_DRIVERS = ("psycopg2", "pymysql")


class NoHandler(Exception):
    """No installed package brings the guest half of the datastore."""


def run(bootstrap_path: Path, log_file: Path | None = None, *, log_to_stderr: bool = False) -> int:
    """Run the agent until SIGTERM or SIGINT; return its exit status.

    :param log_file: where to log; absent: ``agent.log`` in the state directory.
    """
    try:
        document = bootstraps.load(bootstrap_path)
        state_dir = Path(document.state_dir)
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        logs.set_up(None if log_to_stderr else log_file or state_dir / "agent.log")
    except (bootstraps.BootstrapError, OSError) as err:
        sys.stderr.write(f"trove-guestagent: {err}\n")
        return BAD_BOOTSTRAP
    try:
        with FileLock(state_dir / "agent.lock"):
            own = None if log_to_stderr else log_file or state_dir / "agent.log"
            return _run_locked(document, bootstrap_path, state_dir, own)
    except AlreadyLocked as err:
        return _refuse(ALREADY_RUNNING, f"another agent serves this instance: {err}")


def preload() -> None:
    """Load what agents need, for a process that becomes agents later.

    Handlers are those that come with this package; one that needs a driver of its own is left to its agents, and so is
    what others have installed.
    """
    importlib.import_module("trove.guestbus.gateway_client")
    with imports.without(*_DRIVERS):
        for name in installed.names(ENTRY_POINTS, within="trove."):
            with contextlib.suppress(ImportError):
                installed.load(ENTRY_POINTS, name)
    installed.agent_version()
    rehearse()
    sqlite3.connect(":memory:").close()


def load_handler(document: Bootstrap, process: spi.EngineProcess) -> spi.GuestHandler:
    """Make the handler of the document's datastore.

    :raises NoHandler: when nobody registered one under :data:`ENTRY_POINTS`.
    :raises ImportError: when it cannot be imported.
    """
    try:
        factory: spi.GuestHandlerFactory = installed.load(ENTRY_POINTS, document.datastore_manager)
    except LookupError:
        raise NoHandler(f"no handler of the datastore '{document.datastore_manager}' is installed") from None
    return factory(
        spi.GuestEnvironment(
            engine_home=_path(document.engine_home),
            engine_version=document.datastore_version,
            data_dir=Path(document.data_dir),
            state_dir=Path(document.state_dir),
            template_dir=_path(document.template_dir),
            process=process,
            options=document.options,
            engine_root=_path(document.engine_root),
        )
    )


def make_process(document: Bootstrap) -> ChildProcess:
    """Make what runs the engine's programs: on this machine, or in the root file system that the document names."""
    if document.engine_root is None:
        return ChildProcess()
    from trove.guestagent.system.bubblewrap import BubblewrapProcess

    state_dir = Path(document.state_dir)
    return BubblewrapProcess(Path(document.engine_root), [Path(document.data_dir), state_dir], state_dir)


def make_transport(document: Bootstrap) -> GuestTransport:
    """Make the transport that the document names.

    :raises ValueError: for an endpoint it cannot use.
    """
    if document.transport == "gateway":
        from trove.guestbus.gateway_client import GatewayClient

        return GatewayClient(document.endpoint, document.instance_id, ca=document.ca)
    from trove.guestbus.messaging_guest import MessagingGuest

    return MessagingGuest(document.endpoint, document.instance_id)


def _run_locked(document: Bootstrap, bootstrap_path: Path, state_dir: Path, log_file: Path | None) -> int:
    journal_path = state_dir / "journal.sqlite"
    try:
        journal = Journal.open(journal_path, document.instance_id)
    except (JournalError, OSError) as err:
        return _refuse(
            BAD_JOURNAL,
            f"the journal {journal_path} is refused: {err}. {getattr(err, 'remedy', JournalRefused.remedy)}",
        )
    process = make_process(document)
    try:
        session = GuestSession(document, JournalKeyStore(journal))
        if session.phase is Phase.ENROL and document.one_time_key is None:
            return _refuse(CANNOT_ENROL, f"there are no keys in {journal_path} and no one-time key in {bootstrap_path}")
        handler = load_handler(document, process)
        service = Service(
            document,
            journal,
            session,
            make_transport(document),
            handler,
            files=Files(bootstrap_path, log_file),
        )
        return _serve(service, journal, state_dir / watchdog.FILE)
    except (JournalError, KeyStoreError, OSError) as err:
        return _refuse(BAD_JOURNAL, f"the journal {journal_path} cannot be used: {err}")
    except (NoHandler, ImportError, ValueError) as err:
        return _refuse(NO_HANDLER, f"the agent cannot be put together: {err}")
    finally:
        process.disown()
        journal.close()


def _serve(service: Service, journal: Journal, alive: Path) -> int:
    wanted = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        wanted.set()
        service.finished.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    # A terminal that closes is no reason to stop. Not SIG_IGN: an engine would inherit that, and reload on SIGHUP no
    # more.
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    # Four threads with little to do: who has become ready is not to wait for long for one that computes.
    sys.setswitchinterval(0.0003)
    LOG.info("agent starts, boot %d", journal.boot)
    service.start()
    _beat(service, alive)
    while not clock.wait(service.finished, watchdog.INTERVAL):
        _beat(service, alive)
    LOG.info("agent stops; the engine keeps running")
    service.stop()
    if wanted.is_set() or service.failure is None:
        return OK
    failure = service.failure
    if isinstance(failure, JournalError | KeyStoreError):
        return _refuse(BAD_JOURNAL, f"the journal cannot be used any more: {failure}")
    if isinstance(failure, NotEnrolled):
        return _refuse(CANNOT_ENROL, f"the control plane cannot be spoken to: {failure}")
    return FAILED


def _beat(service: Service, alive: Path) -> None:
    if not service.hangs():
        with contextlib.suppress(OSError):  # whoever is watched by nobody goes on as well
            watchdog.beat(alive)


def _refuse(status: int, why: str) -> int:
    """Say why there will be no agent, in the log and where a supervisor looks."""
    LOG.critical("%s", why)
    sys.stderr.write(f"trove-guestagent: {why}\n")
    return status


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
