# SPDX-License-Identifier: Apache-2.0
# covers: trove/objectstore/swift.py
"""The Swift store keeps the contract against a real Swift, and its failures are told apart."""

import requests
from keystoneauth1 import session as ka_session
from swiftclient import authv1

from trove.common import clock
from trove.objectstore import base as objectstore
from trove.objectstore.swift import SwiftStore
from trove.tests import base
from trove.tests.contract.objectstore import suite
from trove.tests.fixtures import server_process, swift


class SwiftTest(suite.StoreSuite, base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        try:
            self.swift = swift.start()
        except server_process.ServerUnavailable as err:
            self.skipTest(str(err))
        self.store = self.open(self.swift.service)

    def open(self, user: tuple[str, str], **options: str) -> SwiftStore:
        """Return a store that works as ``user``."""
        auth = authv1.PasswordPlugin(options.get("auth_url", self.swift.auth_url), *user)
        return SwiftStore(ka_session.Session(auth=auth), options={}, timeout=30.0)

    def pass_expiry(self, name: str) -> None:
        """Nobody wants to wait: look at what Swift keeps, then let it expire in a second."""
        answer = self.raw("HEAD", name)
        left = int(answer.headers["X-Delete-At"]) - clock.timestamp()
        self.assertTrue(3000 < left <= 3600, left)
        self.store.put(suite.PROJECT, suite.CONTAINER, name, [b"x"], expire_after=1)
        for _ in range(300):
            try:
                self.store.head(suite.PROJECT, suite.CONTAINER, name)
            except objectstore.ObjectNotFound:
                return
            clock.sleep(0.1)

    def raw(self, method: str, name: str, **options: object) -> requests.Response:
        """Ask Swift itself, as the service's user."""
        user, key = self.swift.service
        login = requests.get(self.swift.auth_url, headers={"X-Auth-User": user, "X-Auth-Key": key}, timeout=30)
        above = login.headers["X-Storage-Url"].rpartition("/")[0]
        url = f"{above}/AUTH_{suite.PROJECT}/{suite.CONTAINER}/{name}"
        answer = requests.request(method, url, headers={"X-Auth-Token": login.headers["X-Auth-Token"]}, timeout=30)
        answer.raise_for_status()
        return answer

    def test_headers_that_clients_read(self) -> None:
        name = f"{self.unique()}object"
        self.store.put(suite.PROJECT, suite.CONTAINER, name, [b"a\nb\n"], metadata={"Lines": "2"})
        self.assertEqual("2", self.raw("GET", name).headers["X-Object-Meta-Lines"])

    def test_a_user_without_the_role_is_refused(self) -> None:
        store = self.open(self.swift.tenant)
        for call in (
            lambda: store.put(suite.PROJECT, suite.CONTAINER, "x", [b"x"]),
            lambda: store.head(suite.PROJECT, suite.CONTAINER, "x"),
            lambda: list(store.find(suite.PROJECT, suite.CONTAINER)),
        ):
            err = self.assertRaises(objectstore.StoreRefused, call)
            self.assertIn("reseller_admin_role", str(err))

    def test_wrong_password(self) -> None:
        store = self.open((self.swift.service[0], "hunter2"))
        err = self.assertRaises(objectstore.StoreRefused, store.head, suite.PROJECT, suite.CONTAINER, "x")
        self.assertNotIn("hunter2", str(err))

    def test_nobody_there(self) -> None:
        port = server_process.free_port()
        store = self.open(self.swift.service, auth_url=f"http://127.0.0.1:{port}/auth/v1.0")
        self.assertRaises(objectstore.StoreUnavailable, store.head, suite.PROJECT, suite.CONTAINER, "x")

    def test_a_token_that_has_expired_is_renewed(self) -> None:
        """The container is asked for first, so nothing of the content is lost to a refused request."""
        name = f"{self.unique()}object"
        self.store.put(suite.PROJECT, suite.CONTAINER, name, [b"1"])
        plugin = self.store._session.auth
        plugin.auth_ref = None
        original, used = plugin.get_token, []

        def stale(*args: object, **kwargs: object) -> str:
            used.append(1)
            return "AUTH_tkstale" if len(used) == 1 else str(original(*args, **kwargs))

        plugin.get_token = stale
        self.store.put(suite.PROJECT, suite.CONTAINER, name, iter([b"2"]))
        self.assertEqual(b"2", self.content(name))
        self.assertGreater(len(used), 1)
