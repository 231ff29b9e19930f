# SPDX-License-Identifier: Apache-2.0
"""The logs of a played guest: real files, the agent's own code for finding and publishing them, and the conductor's
for taking them; only HTTP is left out."""

import io
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from trove.conductor.budgets import Budgets
from trove.conductor.uploads import Uploads
from trove.datastores import spi
from trove.guestagent.log_watch import LogWatch
from trove.guestagent.publishing import Publisher
from trove.guestbus import upload_client
from trove.wire import command


class DirectClient:
    """An upload client without HTTP.

    :ivar answers: what it said, in order.
    """

    def __init__(self, uploads: Uploads, instance_id: str) -> None:
        self._uploads = uploads
        self._instance_id = instance_id
        self.answers: list[int] = []

    def put(
        self, ticket_id: str, headers: Mapping[str, str], content: Iterator[bytes], size: int
    ) -> upload_client.Answer:
        """See :class:`trove.guestbus.upload_client.UploadClient`."""
        sent = {**headers, "Content-Length": str(size)}
        status, found = self._uploads.put(self._instance_id, ticket_id, sent, io.BytesIO(b"".join(content)))
        self.answers.append(status)
        return upload_client.Answer(status, dict(found).get(upload_client.POSITION) or None, None)


class PlayedLogs:
    """The logs ``general`` (USER), ``error`` (SYS) and ``guest`` of one instance.

    :param test: the test, an :class:`~trove.tests.functional.api.world.InstanceTestCase`.
    """

    def __init__(self, test: Any, instance_id: str) -> None:
        self._test = test
        self._id = instance_id
        self.directory: Path = test.tempdir()
        self.enabled = False
        self.uploads = Uploads(test.conf, test.db, test.objects, budgets=Budgets(test.conf), slots=1)
        self.client = DirectClient(self.uploads, instance_id)
        self._settings: dict[str, Any] = {}
        handler: Any = SimpleNamespace(commands=lambda: {"set_log": None}, logs=self._engine_logs)
        journal: Any = SimpleNamespace(setting=self._settings.get)
        self._watch = LogWatch(handler, journal, self.directory / "agent.log")
        test.guests.effects[instance_id, "set_log"] = self._set_log
        test.guests.effects[instance_id, "publish_log"] = self._publish
        self.write("error", "started\n")
        self.write("agent", "agent starts\n")
        self.tell()

    def write(self, name: str, text: str) -> None:
        """Append to a log."""
        with open(self.directory / f"{name}.log", "a", encoding="utf-8") as stream:
            stream.write(text)

    def rotate(self, name: str) -> None:
        """Copy and truncate a log, as engines' logs are rotated."""
        path = self.directory / f"{name}.log"
        (self.directory / f"{name}.log.1").write_bytes(path.read_bytes())
        path.write_bytes(b"")

    def tell(self) -> None:
        """Report what there is."""
        for message in self._watch.after_command():
            self._test.guests.report(self._id, message)

    def _engine_logs(self) -> list[spi.EngineLog]:
        def paths(name: str) -> list[Path]:
            found = (self.directory / f"{name}.log.1", self.directory / f"{name}.log")
            return [path for path in found if path.exists()]

        return [
            spi.EngineLog(name="general", type="USER", paths=paths("general"), enabled=self.enabled),
            spi.EngineLog(name="error", type="SYS", paths=paths("error")),
        ]

    def _set_log(self, order: command.SetLog) -> None:
        self.enabled = order.enabled
        self.tell()

    def _publish(self, order: command.PublishLog) -> dict[str, Any]:
        never = threading.Event()
        connect: Any = lambda _url, _ca: self.client  # noqa: E731
        result = Publisher(self._watch.logs, connect, lambda _seconds: never.is_set()).publish(order)
        self._settings[f"log:{order.log}"] = result["position"]
        self.tell()
        return dict(result)
