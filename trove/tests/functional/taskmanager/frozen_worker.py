# SPDX-License-Identifier: Apache-2.0
"""A taskmanager's worker with the local provider, for a test that stops the whole process inside a call.

Arguments: URL of the database, directory of the provider, the method, id of the workflow. It says ``in METHOD`` and
waits for a line before the call goes on, without a transaction of its own meanwhile, in which it must not be stopped:
nobody else could write then, on SQLite. Then it says ``after METHOD`` for each call that changes something, this one
included. It ends with its standard input.
"""

import sys
import threading
from pathlib import Path
from typing import Any

from trove.common.threads import use_native_threads

use_native_threads()

import trove.conf  # noqa: E402
from trove.datastores.postgresql.plugin import PostgreSQL  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.providers import base  # noqa: E402
from trove.providers.local.provider import LocalProvider  # noqa: E402
from trove.providers.registry import Providers  # noqa: E402
from trove.taskmanager import flows  # noqa: E402
from trove.taskmanager.environment import Environment  # noqa: E402
from trove.tests.functional.taskmanager.scenarios import Hints  # noqa: E402
from trove.workflow.registry import Registry  # noqa: E402
from trove.workflow.store import Store  # noqa: E402
from trove.workflow.worker import Worker  # noqa: E402

#: Held while leases are renewed, and while the call waits.
_QUIET = threading.Lock()


class QuietStore(Store):
    """Renews nothing while the call waits."""

    def renew(self, *args: Any) -> set[str]:
        with _QUIET:
            return super().renew(*args)


class Stopping:
    """The provider, which waits inside ``method``."""

    def __init__(self, provider: LocalProvider, method: str, gone_on: threading.Event) -> None:
        self._provider = provider
        self._method = method
        self._gone_on = gone_on

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._provider, name)
        if not callable(real) or name in base.LOOKING:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if name == self._method and not self._gone_on.is_set():
                with _QUIET:
                    print(f"in {name}", flush=True)
                    sys.stdin.readline()
                self._gone_on.set()
            if self._gone_on.is_set():
                print(f"after {name}", flush=True)
            return real(*args, **kwargs)

        return call


def main() -> None:
    """Run until standard input ends."""
    url, directory, method, workflow_id = sys.argv[1:]
    db, gone_on = Database(url), threading.Event()
    provider: Any = Stopping(LocalProvider(Path(directory)), method, gone_on)
    env = Environment(
        conf=trove.conf.new(files=[]),
        db=db,
        providers=Providers.only(provider),
        plugins={"postgresql": PostgreSQL()},
        conductor=Hints(),
    )
    registry = flows.register_all(Registry())
    worker = Worker(db, QuietStore(db), registry, env, owner="frozen", threads=1, lease_ttl=1.0, poll_interval=0.1)
    worker.start()
    worker.wake(workflow_id)
    gone_on.wait()
    sys.stdin.read()
    worker.stop(60.0)


if __name__ == "__main__":
    main()
