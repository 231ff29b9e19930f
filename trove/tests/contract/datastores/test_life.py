# SPDX-License-Identifier: Apache-2.0
"""The life of an instance on a real engine: made, used, restarted, resized, killed, adopted, stopped, started."""

import os
import signal

from trove.datastores import spi
from trove.tests.contract.datastores import clients, engines
from trove.wire import command


class Lifecycle(engines.EngineTestCase):
    def test_life(self) -> None:
        one = self.prepared()
        self.assertEqual("healthy", one.handler.status().status)
        one.admit("ann", "secret")
        client = one.connect("ann", "secret", "shop")
        client.put(42)
        client.close()

        def check(where: str) -> None:
            self.assertEqual("healthy", one.handler.status().status, where)
            reader = one.connect("ann", "secret", "shop")
            if not getattr(reader, "durable", True):
                reader.put(42)
            self.assertEqual([42], reader.numbers(), where)
            reader.close()

        one.do(command.Restart())
        check("restart")
        for shape in (engines.LARGE, one.small):
            one.do(command.Reconfigure(shape=shape))
            check(f"reconfigure {shape}")
        if one.can(spi.Capability.VOLUME):
            one.do(command.GrowVolume(volume_gib=5))
            check("grow_volume")

        (engine,) = one.pids()
        os.kill(engine, signal.SIGKILL)
        # A large process takes a moment to be gone; until then it is there and does not answer.
        one.await_end(engine)
        self.assertEqual("crashed", one.handler.status().status)
        one.await_status("healthy")
        check("kill -9 of the engine")

        (engine,) = one.pids()
        one.agent_restarts()
        one.handler.supervise()
        check("kill -9 of the agent")
        self.assertEqual([engine], one.pids())

        one.do(command.StopEngine())
        self.assertEqual([], one.pids())
        self.assertEqual("shutdown", one.handler.status().status)
        one.agent_restarts()
        one.handler.supervise()
        self.assertEqual("shutdown", one.handler.status().status)
        self.assertEqual([], one.pids())
        one.do(command.StartEngine())
        check("start")

        one.prepare()
        check("a repeated prepare")
        self.assertNotIn("secret", one.log())
        self.assertNotIn(engines.ADMIN_PASSWORD, one.log())

    def test_two_instances_side_by_side_with_the_standard_port(self) -> None:
        templates = self.tempdir()
        first, second = self.prepared(templates=templates), self.prepared(templates=templates)
        for number, one in enumerate((first, second)):
            one.admit("ann", f"p{number}")
        first.connect("ann", "p0", "shop").close()
        second.connect("ann", "p1", "shop").close()
        if first.can(spi.Capability.USERS):
            self.assertRaises(clients.Refused, second.connect, "ann", "p0", "shop")
        first.do(command.StopEngine())
        self.assertEqual("healthy", second.handler.status().status)


engines.for_each_engine(globals(), Lifecycle)
