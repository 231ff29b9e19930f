# SPDX-License-Identifier: Apache-2.0
import base64
import os
import pathlib
import stat
from concurrent.futures import Future
from typing import Any
from unittest import mock

import bcrypt
import yaml

from trove.api import authn
from trove.api.identity import Identity
from trove.common import exception
from trove.tests import base

ALICE = {"name": "alice", "password": "wonder land:ä", "project_id": "p1", "roles": ["member"]}
BOB = {"name": "bob", "password": "builder", "project_id": "p2", "roles": ["admin", "member"]}


def header(name: str, password: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


class UsersFileCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        # Real hashes with the smallest cost: these tests are about everything else.
        self.useFixture(_Cheap())
        self.path: pathlib.Path = self.tempdir() / "users.yaml"


class _Cheap(base.fixtures.Fixture):  # type: ignore[misc]
    def _setUp(self) -> None:
        self.useFixture(base.fixtures.MonkeyPatch("trove.api.authn._ROUNDS", 4))


class WriteTest(UsersFileCase):
    def test_only_the_owner_may_read_it_and_no_password_stands_in_it(self) -> None:
        previous = os.umask(0)
        try:
            authn.write_users_file(self.path, [ALICE, BOB])
        finally:
            os.umask(previous)
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))
        self.assertNotIn("wonder", self.path.read_text())
        self.assertEqual({"alice", "bob"}, set(authn.read_users_file(self.path)))
        self.assertEqual([self.path.name], os.listdir(self.path.parent))

    def test_it_replaces(self) -> None:
        authn.write_users_file(self.path, [ALICE])
        authn.write_users_file(self.path, [BOB])
        self.assertEqual({"bob"}, set(authn.read_users_file(self.path)))

    def test_what_cannot_work_is_refused(self) -> None:
        for user in (
            {**ALICE, "name": "a:b"},
            {**ALICE, "name": ""},
            {**ALICE, "password": ""},
            {**ALICE, "password": "x" * 73},
            {**ALICE, "password": "a\0b"},
        ):
            self.assertRaises(ValueError, authn.write_users_file, self.path, [user])
        self.assertEqual([], os.listdir(self.path.parent))


class ReadTest(UsersFileCase):
    def write(self, content: Any) -> None:
        self.path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        self.path.chmod(0o600)

    def test_a_file_that_others_may_read_is_refused(self) -> None:
        authn.write_users_file(self.path, [ALICE])
        for mode in (0o640, 0o604, 0o620):
            self.path.chmod(mode)
            error = self.assertRaises(ValueError, authn.read_users_file, self.path)
            self.assertIn("chmod 600", str(error))

    def test_broken_files(self) -> None:
        good = {
            "name": "a",
            "password_hash": bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode(),
            "project_id": "p",
            "roles": ["member"],
        }
        self.write([good])
        authn.read_users_file(self.path)
        for content in (
            "[",
            "x: y",
            "text",
            "",
            [1],
            [{}],
            [good, good],
            [{**good, "password_hash": "plain"}],
            [{**good, "roles": "member"}],
            [{**good, "roles": [1]}],
            [{**good, "project_id": 7}],
            [{**good, "name": "a:b"}],
            [{**good, "password_hash": good["password_hash"][:-1]}],
            [{**good, "password_hash": good["password_hash"].replace("$04$", "$31$")}],
            [{**good, "password_hash": good["password_hash"].replace("$04$", "$03$")}],
            [{**good, "password_hash": good["password_hash"] + "\n"}],
            "[" * 5000,
            "- created: 2026-02-31",
            "!!python/object:os.system []",
        ):
            self.write(content)
            with self.subTest(content):
                self.assertRaises(authn.UsersFileError, authn.read_users_file, self.path)

    def test_reading_does_not_pay_the_cost_of_every_hash(self) -> None:
        hashed = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode().replace("$04$", "$16$")
        self.write([{"name": f"u{n}", "password_hash": hashed, "project_id": "p", "roles": []} for n in range(50)])
        with mock.patch.object(bcrypt, "checkpw", autospec=True, side_effect=bcrypt.checkpw) as check:
            self.assertEqual(50, len(authn.read_users_file(self.path)))
        self.assertEqual({b"$04$"}, {call.args[1][3:7] for call in check.call_args_list})

    def test_a_missing_file_stops_the_service(self) -> None:
        conf = self.new_conf(http_basic_auth_user_file=str(self.path))
        error = self.assertRaises(authn.UsersFileError, authn.make_strategy, conf)
        self.assertIn(f"http_basic_auth_user_file: {self.path} cannot be read (No such file", str(error))


class HttpBasicTest(UsersFileCase):
    def setUp(self) -> None:
        super().setUp()
        authn.write_users_file(self.path, [ALICE, BOB])
        self.strategy = authn.make_strategy(self.new_conf(http_basic_auth_user_file=str(self.path)))

    def test_right(self) -> None:
        proof = header("alice", ALICE["password"])  # type: ignore[arg-type]
        self.assertEqual(Identity("alice", "p1", ("member", "reader")), self.strategy.authenticate(proof))

    def test_wrong(self) -> None:
        for given in (
            header("alice", "x"),
            header("nobody", "builder"),
            header("alice", "builder"),
            header("alice", ""),
            {},
            header("bob", "builder\0"),
            header("bob", "x" * 100),
            {"HTTP_AUTHORIZATION": "Basic"},
            {"HTTP_AUTHORIZATION": "Basic ä"},
            {"HTTP_AUTHORIZATION": "Basic /w=="},
            {"HTTP_AUTHORIZATION": "Bearer x"},
            {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"bob").decode()},
        ):
            with self.subTest(given):
                self.assertRaises(exception.Unauthorized, self.strategy.authenticate, given)

    def test_after_too_many_wrong_ones_not_even_a_known_password_is_compared(self) -> None:
        here, there = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.2"}
        right, wrong = header("bob", "builder"), header("bob", "guess")
        self.strategy.authenticate({**right, **here})
        for _ in range(10):
            error = self.assertRaises(exception.Unauthorized, self.strategy.authenticate, {**wrong, **here})
            self.assertEqual(401, error.code)
        for proof in (right, wrong):
            self.assertRaises(exception.AuthenticationThrottled, self.strategy.authenticate, {**proof, **here})
        self.assertEqual("bob", self.strategy.authenticate({**right, **there}).user_id)

    def test_users_who_do_not_exist_are_throttled_alike(self) -> None:
        for _ in range(10):
            self.assertRaises(exception.Unauthorized, self.strategy.authenticate, header("nobody", "x"))
        self.assertRaises(exception.AuthenticationThrottled, self.strategy.authenticate, header("nobody", "x"))

    def test_what_holds_no_password_is_no_guess(self) -> None:
        for _ in range(200):
            self.assertRaises(exception.Unauthorized, self.strategy.authenticate, {"HTTP_AUTHORIZATION": "Bearer x"})
        self.strategy.authenticate(header("bob", "builder"))

    def test_bcrypt_runs_once_per_user(self) -> None:
        self.strategy.authenticate(header("bob", "builder"))
        with mock.patch.object(bcrypt, "checkpw", autospec=True, side_effect=AssertionError("slow again")):
            self.assertEqual("bob", self.strategy.authenticate(header("bob", "builder")).user_id)
            self.assertRaises(AssertionError, self.strategy.authenticate, header("bob", "guess"))

    def test_guesses_leave_threads_to_those_who_have_logged_in(self) -> None:
        alice, bob = header("alice", "wonder land:ä"), header("bob", "builder")
        self.strategy.authenticate(alice)
        checks = self.strategy._checks  # type: ignore[attr-defined]
        checks._running.update((number, Future()) for number in range(8))
        self.assertRaises(exception.ServiceUnavailable, self.strategy.authenticate, bob)
        self.assertEqual("alice", self.strategy.authenticate(alice).user_id)
        checks._running.clear()
        self.assertEqual("bob", self.strategy.authenticate(bob).user_id)

    def test_a_password_changed_in_the_file_counts_at_once(self) -> None:
        self.strategy.authenticate(header("bob", "builder"))
        authn.write_users_file(self.path, [{**BOB, "password": "fixer", "roles": []}])
        self.assertRaises(exception.Unauthorized, self.strategy.authenticate, header("bob", "builder"))
        self.assertRaises(exception.Unauthorized, self.strategy.authenticate, header("alice", ALICE["password"]))  # type: ignore[arg-type]
        self.assertEqual((), self.strategy.authenticate(header("bob", "fixer")).roles)

    def test_a_file_that_broke_leaves_the_old_users(self) -> None:
        self.path.write_text("[")
        self.assertEqual("bob", self.strategy.authenticate(header("bob", "builder")).user_id)
        self.assertIn("stay in force", self.logs.text())

    def test_nothing_shows_a_password_or_hash(self) -> None:
        self.strategy.authenticate(header("bob", "builder"))
        self.assertRaises(exception.Unauthorized, self.strategy.authenticate, header("bob", "hunter2"))
        users = authn.read_users_file(self.path)
        text = self.logs.text() + repr(users) + repr(vars(self.strategy).get("_verified"))
        for secret in ("builder", "hunter2", "$2b$"):
            self.assertNotIn(secret, text if secret != "$2b$" else self.logs.text() + repr(users))


class NoAuthTest(base.UnitTestCase):
    def test_roles_come_from_options(self) -> None:
        strategy = authn.make_strategy(self.new_conf(auth_strategy="noauth"))
        self.assertEqual(("member", "reader"), strategy.authenticate({}).roles)
        self.assertIsNone(strategy.authenticate({}).project_id)
        admin = authn.make_strategy(self.new_conf(auth_strategy="noauth", noauth_admin=True, noauth_roles=["x"]))
        self.assertEqual(("x", "admin", "manager", "member", "reader"), admin.authenticate({}).roles)
