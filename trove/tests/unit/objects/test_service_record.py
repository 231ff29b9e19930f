# SPDX-License-Identifier: Apache-2.0
"""Which versions the living processes can read."""

import datetime

from trove.objects import service_record
from trove.tests import base

NOW = datetime.datetime(2026, 1, 1)


def record(versions: dict[str, str], *, silent: float = 0.0) -> service_record.ServiceRecord:
    seen = NOW - datetime.timedelta(seconds=silent)
    return service_record.ServiceRecord("id", "trove-api", "host", 1, "1.0", versions, seen, seen)


class PinsTest(base.UnitTestCase):
    def test_lowest_of_each(self) -> None:
        found = service_record.pins([record({"A": "1.10", "B": "1.0"}), record({"A": "1.9", "B": "1.2"})], NOW)
        self.assertEqual({"A": "1.9", "B": "1.0"}, found)

    def test_who_has_gone_does_not_count(self) -> None:
        gone = record({"A": "1.0"}, silent=service_record.LIFE)
        late = record({"A": "1.1"}, silent=service_record.LIFE - 1)
        self.assertEqual({"A": "1.1"}, service_record.pins([gone, late, record({"A": "1.2"})], NOW))

    def test_who_does_not_know_a_thing_does_not_read_it(self) -> None:
        found = service_record.pins([record({"B": "1.0"}), record({"A": "1.2"})], NOW)
        self.assertEqual({"A": "1.2", "B": "1.0"}, found)

    def test_nobody(self) -> None:
        self.assertEqual({}, service_record.pins([], NOW))

    def test_this_release_states_every_object(self) -> None:
        stated = service_record.stated()
        self.assertIn("Instance", stated)
        for name, version in stated.items():
            self.assertRegex(version, r"^\d+\.\d+$", name)
