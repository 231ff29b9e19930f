# SPDX-License-Identifier: Apache-2.0
"""The superuser: the caller waits for the guest, because it wants to log in with the answer."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import fixtures

from trove.api import waiting
from trove.common import clock
from trove.db import models
from trove.tests.functional.api import world


class RootTest(world.InstanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance_id = self.active()
        self.path = f"/instances/{self.instance_id}/root"

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Let the world go on meanwhile, in a thread of its own."""
        over = threading.Event()

        def run() -> None:
            while not over.is_set():
                self.settle()
                clock.wait(over, 0.02)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(30)

    def enable(self, body: Any = None, *, status: int = 200) -> Any:
        """Enable root while the guest answers; return the document."""
        with self.going_on():
            response = self.call("POST", self.path, body, status=status)
        return response.json["user"] if status == 200 else self.fault(response)

    def enabled(self) -> bool:
        """Return what is told of it."""
        return bool(self.call("GET", self.path, status=200).json["rootEnabled"])

    def test_life(self) -> None:
        self.assertFalse(self.enabled())
        self.refused("DELETE", self.path, status=404)
        first = self.enable()
        self.assertEqual("root", first["name"])
        self.assertGreaterEqual(len(first["password"]), 16)
        self.assertEqual(first["password"], self.guests.engines[self.instance_id].root_password)
        self.assertTrue(self.enabled())
        self.assertEqual({"name": "root", "password": "mine"}, self.enable({"password": "mine"}))
        self.assertEqual("mine", self.guests.engines[self.instance_id].root_password)
        for _ in range(2):
            with self.going_on():
                self.assertEqual("", self.call("DELETE", self.path, status=204).text)
                self.assertFalse(self.enabled())
                self.assertIsNone(self.guests.engines[self.instance_id].root_password)
        (history,) = self.rows(models.RootHistory)
        self.assertEqual((False, "noauth"), (history["enabled"], history["first_enabled_by"]))

    def test_forms_of_clients(self) -> None:
        passwords = {self.enable(body)["password"] for body in (None, {}, {"password": ""}, {"password": None})}
        self.assertEqual(4, len(passwords))

    def test_wrong_bodies(self) -> None:
        for body in ([], {"password": 7}, {"password": "x" * 256}, b"null", b"{", {"password": ["s3cret"]}):
            self.assertNotIn("s3cret", self.refused("POST", self.path, body or b"[]", status=400))
        self.refused("POST", self.path, {"user": 1}, status=400, version="1.1")

    def test_a_failing_guest(self) -> None:
        self.guests.failures["enable_root"] = ("root.policy", "The engine refuses this password.")
        fault = self.enable({"password": "s3cret"}, status=422)
        self.assertEqual("The engine refuses this password.", fault["message"])
        self.assertFalse(self.enabled())
        self.assertIn("fault", self.show(self.instance_id))

    def test_a_slow_guest_is_not_an_error(self) -> None:
        """The change is on its way, and the password could never be told again."""
        self.useFixture(fixtures.MonkeyPatch("trove.api.waiting.SECONDS", 0.1))
        user = self.call("POST", self.path, status=200).json["user"]
        self.assertFalse(self.enabled())
        self.settle()
        self.assertTrue(self.enabled())
        self.assertEqual(user["password"], self.guests.engines[self.instance_id].root_password)

    def test_root_is_not_called_disabled_before_it_is(self) -> None:
        self.enable()
        self.useFixture(fixtures.MonkeyPatch("trove.api.waiting.SECONDS", 0.1))
        self.assertEqual("", self.call("DELETE", self.path, status=202).text)
        self.assertTrue(self.enabled())
        self.settle()
        self.assertFalse(self.enabled())

    def test_root_that_cannot_be_disabled(self) -> None:
        self.enable()
        self.guests.failures["disable_root"] = ("engine.busy", "The engine has no connection to spare.")
        with self.going_on():
            fault = self.fault(self.call("DELETE", self.path, status=422))
        self.assertEqual("The engine has no connection to spare.", fault["message"])
        self.assertTrue(self.enabled())

    def test_a_newer_client_gets_the_operation(self) -> None:
        self.enable()
        (began,) = self.call("DELETE", self.path, status=202, version="1.3").json["operations"]
        path = f"/instances/{self.instance_id}/operations/{began['id']}"
        self.assertEqual(("root.disable", "QUEUED"), (began["kind"], began["state"]))
        self.settle()
        self.assertEqual("SUCCEEDED", self.call("GET", path, status=200, version="1.3").json["operation"]["state"])

    def test_with_too_many_who_wait_it_is_accepted(self) -> None:
        self.enable()

        def full(_req: Any) -> Any:
            raise waiting.TooManyWaiting

        self.useFixture(fixtures.MonkeyPatch("trove.api.waiting.place", full))
        self.call("DELETE", self.path, status=202)
        self.settle()
        self.assertFalse(self.enabled())

    def test_the_password_stands_nowhere(self) -> None:
        self.enable({"password": "s3cret-Pa55word"})
        self.assertNotIn("s3cret-Pa55word", str(self.everything()))
        self.assertNotIn("s3cret-Pa55word", self.logs.text())
