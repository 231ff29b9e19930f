# SPDX-License-Identifier: Apache-2.0
"""Samples of the logs of an instance."""

from trove.tests.functional.api.logs import PlayedLogs
from trove.tests.functional.samples import base
from trove.tests.functional.samples.base import documents


class LogSamples(base.SampleTestCase):
    def with_log(self) -> str:
        """Return the id of an instance with something in its log, whose guest answers at once."""
        instance_id = self.instance()
        self.played = PlayedLogs(self, instance_id)
        self.played.write("general", "LOG:  statement: SELECT 1\nLOG:  statement: SELECT 2\n")
        self.played.enabled = True
        self.played.tell()
        self.hints.wake = lambda _workflow_id: self.settle(0.05)  # type: ignore[method-assign]
        return instance_id

    @documents("logs:index")
    def test_list(self) -> None:
        self.record(f"/instances/{self.with_log()}/log")

    @documents("logs:change")
    def test_publish(self) -> None:
        self.record(f"/instances/{self.with_log()}/log", {"name": "general", "publish": True})

    @documents("logs:content")
    def test_read(self) -> None:
        instance_id = self.with_log()
        self.call("POST", f"/instances/{instance_id}/log", {"name": "general", "publish": 1}, status=200)
        self.record(f"/instances/{instance_id}/log/general/content")
