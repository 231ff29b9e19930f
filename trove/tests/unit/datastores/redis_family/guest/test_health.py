# SPDX-License-Identifier: Apache-2.0

from trove.datastores.redis_family.guest import health, resp
from trove.tests import base

WELL = {"loading": "0", "aof_last_write_status": "ok", "maxmemory": "1000", "used_memory": "1000"}


class TestHealth(base.UnitTestCase):
    def test_well(self) -> None:
        self.assertIsNone(health.judge(WELL))
        self.assertIsNone(health.judge({}))
        self.assertIsNone(health.judge({**WELL, "used_memory": "1100", "mem_not_counted_for_evict": "100"}))
        self.assertIsNone(health.judge({**WELL, "used_memory": "9999", "maxmemory": "0"}))
        self.assertIsNone(health.judge({**WELL, "used_memory": "9999", "maxmemory_policy": "allkeys-lru"}))

    def test_ill(self) -> None:
        for change, word in (
            ({"loading": "1"}, "loading"),
            ({"aof_last_write_status": "err"}, "resize the volume"),
            ({"used_memory": "1001"}, "larger flavor"),
        ):
            problem = health.judge({**WELL, **change})
            assert problem is not None
            self.assertIn(word, problem)
            self.assertTrue(len(problem) <= 255)

    def test_refusals(self) -> None:
        self.assertIn("SCRIPT KILL", health.reason(resp.ReplyError("BUSY Redis is busy")))
        self.assertIn("connections", health.reason(resp.ReplyError("ERR max number of clients reached")))
        self.assertEqual("ERR other", health.reason(resp.ReplyError("ERR other")))

    def test_sizes(self) -> None:
        directory = self.tempdir()
        self.assertIsNone(health.log_bytes(directory / "missing"))
        (directory / "a").write_bytes(b"123")
        (directory / "b").write_bytes(b"45")
        self.assertEqual(5, health.log_bytes(directory))
