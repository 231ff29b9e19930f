# SPDX-License-Identifier: Apache-2.0
"""A real agent agrees on new keys over a real gateway, is killed meanwhile, and is not heard after a revocation."""

import signal

from trove.conductor import renewal, revocation
from trove.objects.guest_identity import REVOKED
from trove.tests.functional.guestagent.control import wait_for
from trove.tests.functional.guestagent.test_agent_process import AgentCase, create


class KeyRotationTest(AgentCase):
    def begin(self) -> str:
        """Ask the guest for its half of an exchange, as ``trove-manage guest rotate-keys`` does."""
        db = self.control.world.db
        with db.writer() as session:
            command_id = renewal.begin(session, self.agent.instance_id, db.now(session), 600)
        assert command_id is not None
        self.control.gateway.deliver(self.agent.instance_id)
        return command_id

    def rotated(self, generation: int) -> None:
        """Wait until the guest has used a generation and the one before is erased."""

        def used() -> bool:
            found = self.control.world.identity(self.agent.instance_id)
            return (found.generation, set(found.keys)) == (generation, {"master"})

        wait_for(used, what=f"generation {generation}")

    def test_the_agent_goes_over_by_itself_and_goes_on(self) -> None:
        self.prepared()
        for generation in (2, 3):
            before = self.control.world.identity(self.agent.instance_id).keys["master"]
            self.assertEqual("DONE", self.control.finished(self.begin()).state)
            self.rotated(generation)
            self.assertNotEqual(before, self.control.world.identity(self.agent.instance_id).keys["master"])
            self.assertEqual("DONE", self.carry_out(create(f"d{generation}")))
        self.assertEqual(["d2", "d3"], self.control.databases(self.agent.instance_id))

    def test_it_is_killed_while_keys_are_exchanged(self) -> None:
        self.prepared()
        for generation in range(2, 7):
            command_id = self.begin()
            if generation % 2:
                self.control.finished(command_id)
            self.agent.signal(signal.SIGKILL)
            self.agent.wait()
            self.control.stop_gateway()
            self.control.start_gateway()
            self.agent.start()
            self.assertEqual("DONE", self.control.finished(command_id).state)
            self.rotated(generation)
        self.assertEqual("DONE", self.carry_out(create("a")))

    def test_a_revoked_guest_is_not_heard_and_its_poll_ends(self) -> None:
        self.prepared()
        wait_for(lambda: self.control.gateway.held, what="a held poll")
        db = self.control.world.db
        with db.writer() as session:
            revocation.revoke(session, self.control.world.store, self.agent.instance_id, db.now(session))
        wait_for(lambda: not self.control.gateway.held, what="the end of the poll")
        before = self.control.heartbeat(self.agent.instance_id)
        wait_for(lambda: "refused" in self.agent.log(), 120, what="a refusal")
        self.assertEqual(before, self.control.heartbeat(self.agent.instance_id))
        self.assertEqual(REVOKED, self.control.state(self.agent.instance_id))
