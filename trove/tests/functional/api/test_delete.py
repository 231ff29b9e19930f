# SPDX-License-Identifier: Apache-2.0
"""Deletion is accepted at any time, once or often, and gives everything back exactly once."""

import fixtures
import sqlalchemy as sa
from sqlalchemy.orm import Session

from trove.common import ids
from trove.db import models
from trove.providers import base as providers
from trove.tests.functional.api import base, world
from trove.workflow.store import Store


class DeleteTest(world.InstanceTestCase):
    def delete(self, instance_id: str) -> None:
        self.assertEqual("", self.call("DELETE", f"/instances/{instance_id}", status=202).text)

    def gone(self, instance_id: str) -> None:
        """Check that nothing is left of an instance, and that the quota was returned."""
        self.settle()
        self.call("GET", f"/instances/{instance_id}", status=404)
        self.refused("DELETE", f"/instances/{instance_id}", status=404)
        self.assertEqual([], self.call("GET", "/instances", status=200).json["instances"])
        self.assertEqual({"port": {}, "volume": {}, "server": {}}, self.cloud.resources())
        self.assertEqual((0, 0, 0), self.usages())
        for model in (models.Secret, models.GuestIdentity, models.GuestCommand, models.Heartbeat, models.InventoryUser,
                      models.InventoryDatabase, models.InstanceFault):  # fmt: skip
            self.assertEqual([], self.rows(model))

    def test_an_idle_instance(self) -> None:
        instance_id = self.active(users=[{"name": "u", "password": "p"}], databases=[{"name": "d"}])
        self.delete(instance_id)
        self.assertEqual(("SHUTDOWN", ""), self.status(instance_id))
        self.assertEqual((1, 512, 2), self.usages())
        self.assertEqual(1, len(self.call("GET", "/instances", status=200).json["instances"]))
        self.gone(instance_id)
        self.assertIn("stop", [name for name, _ in self.guests.seen])

    def test_repeated(self) -> None:
        others = self.create(volume={"size": 1})["id"]
        instance_id = self.active()
        for _ in range(3):
            self.delete(instance_id)
        self.assertEqual(1, [w["kind"] for w in self.workflows(instance_id)].count("instance.delete"))
        self.settle()
        self.assertEqual((1, 512, 1), self.usages())
        self.delete(others)
        self.gone(others)

    def test_while_it_is_created(self) -> None:
        for silent in (False, True):
            for rounds in range(4):
                self.guests.silent = silent
                instance_id = str(self.create(users=[{"name": "u", "password": "p"}])["id"])
                for _ in range(rounds):
                    self.worker.drain()
                    self.guests.act()
                self.delete(instance_id)
                self.delete(instance_id)
                self.guests.silent = False
                self.assertEqual("SHUTDOWN", self.show(instance_id)["status"])
                self.gone(instance_id)

    def test_while_something_else_is_in_progress(self) -> None:
        for body in ({"restart": {}}, {"resize": {"flavorRef": "medium"}}, {"resize": {"volume": 5}}):
            for begun in (False, True):
                instance_id = self.active()
                self.action(instance_id, body)
                if begun:
                    self.worker.drain()
                self.delete(instance_id)
                self.gone(instance_id)

    def test_what_runs_is_cancelled(self) -> None:
        """The guest is silent, so none of these would end by itself for minutes."""
        for body in ({"restart": {}}, {"resize": {"flavorRef": "medium"}}):
            instance_id = self.active()
            self.guests.silent = True
            self.action(instance_id, body)
            self.worker.drain()
            self.delete(instance_id)
            running, deletion = self.workflows(instance_id)[-2:]
            self.assertIsNotNone(running["cancel_requested_at"], body)
            self.assertIn(running["id"], self.hints.woken)
            self.assertEqual((running["id"], "QUEUED"), (deletion["after_id"], deletion["state"]))
            self.worker.drain()
            running, deletion = self.workflows(instance_id)[-2:]
            self.assertEqual(("REVERTED", "workflow.cancelled"), (running["state"], running["error_symbol"]), body)
            self.assertNotEqual("QUEUED", deletion["state"])
            self.guests.silent = False
            self.gone(instance_id)

    def test_what_waits_never_begins(self) -> None:
        """What existing clients cannot see is waited for; a deletion is not one of several that wait."""
        instance_id = self.active()
        self.call("PUT", f"/instances/{instance_id}", {"instance": {"access": {"is_public": True}}}, status=202)
        self.action(instance_id, {"resize": {"volume": 5}})
        self.assertEqual((1, 512, 5), self.usages())
        self.delete(instance_id)
        resize = self.workflows(instance_id)[-2]
        self.assertEqual(("REVERTED", "workflow.superseded"), (resize["state"], resize["error_symbol"]))
        self.assertEqual((1, 512, 2), self.usages())
        self.gone(instance_id)

    def test_with_a_change_inside_in_progress(self) -> None:
        instance_id = self.active()
        self.guests.silent = True
        self.call("POST", f"/instances/{instance_id}/databases", {"databases": [{"name": "x"}]}, status=202)
        self.delete(instance_id)
        self.guests.silent = False
        self.gone(instance_id)

    def test_after_a_failed_creation(self) -> None:
        self.cloud.fail_next("ensure_server", providers.QuotaError("no room"))
        instance_id = str(self.create()["id"])
        self.settle()
        shown = self.show(instance_id)
        self.assertEqual(("ERROR", ""), (shown["status"], shown["operating_status"]))
        self.assertIn("server", shown["fault"]["message"])
        self.assertEqual((1, 512, 2), self.usages())
        self.delete(instance_id)
        self.gone(instance_id)

    def test_of_what_is_parked(self) -> None:
        """The undo of a creation fails for good; a deletion takes its place, and finds what is left by its tag."""
        instance_id = str(self.create()["id"])
        self.guests.failures["prepare"] = ("engine.init", "It failed.")
        self.cloud.fail_next("remove_server", RuntimeError("broken"), times=10)  # type: ignore[arg-type]
        self.settle()
        (creation,) = self.workflows(instance_id)
        self.assertEqual(("PARKED", "BUILD"), (creation["state"], self.show(instance_id)["status"]))
        self.assertIn("fault", self.show(instance_id))
        self.delete(instance_id)
        self.delete(instance_id)
        self.assertEqual(["REVERTED", "QUEUED"], [w["state"] for w in self.workflows(instance_id)])
        self.gone(instance_id)

    def test_that_waits_for_what_is_then_parked(self) -> None:
        instance_id = str(self.create()["id"])
        self.guests.silent = True
        self.worker.drain()
        self.cloud.fail_next("remove_server", RuntimeError("broken"), times=15)  # type: ignore[arg-type]
        self.delete(instance_id)
        self.guests.silent = False
        self.gone(instance_id)

    def test_of_what_is_parked_in_the_same_moment(self) -> None:
        """Its worker has looked for a deletion that waits before there was one, and parks it before it can be asked to
        cancel."""
        instance_id = str(self.create()["id"])
        ask = Store.request_cancel

        def parked_first(store: Store, session: Session, workflow_id: str) -> bool:
            row = models.Workflow
            session.execute(sa.update(row).where(row.id == workflow_id).values(state="PARKED", wake_at=None))
            return ask(store, session, workflow_id)

        self.useFixture(fixtures.MonkeyPatch("trove.workflow.store.Store.request_cancel", parked_first))
        self.delete(instance_id)
        creation, deletion = self.workflows(instance_id)
        self.assertEqual(("REVERTED", "workflow.superseded"), (creation["state"], creation["error_symbol"]))
        self.assertIsNotNone(deletion["wake_at"])
        self.gone(instance_id)

    def test_of_what_was_parked_while_a_deletion_waited(self) -> None:
        """What an older release may have left behind: repeating the deletion sets the one that waits free."""
        instance_id = str(self.create()["id"])
        self.delete(instance_id)
        with self.db.writer() as session:
            parked = {"state": "PARKED", "wake_at": None}
            session.execute(sa.update(models.Workflow).where(models.Workflow.kind == "instance.create").values(parked))
        self.settle()
        deletion = self.workflows(instance_id)[-1]
        self.assertEqual(("QUEUED", "SHUTDOWN"), (deletion["state"], self.show(instance_id)["status"]))
        self.delete(instance_id)
        self.assertEqual([deletion["id"]], self.hints.woken[-1:])
        self.assertEqual(2, len(self.workflows(instance_id)))
        self.gone(instance_id)

    def test_of_a_parked_deletion(self) -> None:
        instance_id = self.active()
        self.cloud.fail_next("remove_volume", RuntimeError("broken"), times=100)  # type: ignore[arg-type]
        self.delete(instance_id)
        self.settle()
        self.assertEqual("PARKED", self.workflows(instance_id)[-1]["state"])
        shown = self.show(instance_id)
        self.assertEqual("SHUTDOWN", shown["status"])
        self.assertIn("fault", shown)
        self.assertEqual((1, 512, 2), self.usages())
        self.cloud._failures.clear()
        self.delete(instance_id)
        self.gone(instance_id)

    def test_by_whom(self) -> None:
        instance_id = str(self.create(project=base.OTHER_PROJECT)["id"])
        self.refused("DELETE", f"/instances/{instance_id}", status=404)
        self.refused("DELETE", f"/instances/{ids.new_id()}", status=404)
        self.call("DELETE", f"/instances/{instance_id}", status=202, app=self.admin)
        self.settle()
        self.assertEqual((0, 0, 0), self.usages(base.OTHER_PROJECT))
