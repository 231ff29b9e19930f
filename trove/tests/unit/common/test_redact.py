# SPDX-License-Identifier: Apache-2.0
"""What is masked in structures, texts and log lines."""

import io
import logging

from trove.common import redact
from trove.tests import base


class TestMask(base.UnitTestCase):
    def test_structures(self) -> None:
        secret = {
            "password": "hunter2", "new_passwd": "hunter2", "users": [{"name": "u", "adminPassword": "hunter2"}],
            "one_time_key": "hunter2", "X-Auth-Token": "hunter2", "nested": ({"client_secret": "hunter2"},), 1: "one",
        }  # fmt: skip
        masked = redact.mask(secret)
        self.assertNotIn("hunter2", str(masked))
        self.assertEqual(("u", "one"), (masked["users"][0]["name"], masked[1]))
        self.assertEqual("hunter2", secret["password"])

    def test_text(self) -> None:
        for text in (
            "password=hunter2", "password: hunter2,", '{"password": "hunter2"}', "{'password': 'hun ter2'}",
            '"adminPassword": "has \\"hunter2\\" inside"', "passwd = 'hunter2", "X-Auth-Token: hunter2",
            "token=hunter2&limit=1", "Authorization: Basic hunter2", "authorization: hunter2",
            "mysql+pymysql://trove:hunter2@db/trove", "redis://:hunter2@host", "ALTER USER u PASSWORD 'hunter2'",
            "CREATE USER u IDENTIFIED BY 'hun''ter2'", "create role u password 'hunter2", "one_time_key='hunter2'",
            '"client_secret":"hunter2"',
        ):  # fmt: skip
            masked = redact.mask_text(text)
            self.assertNotIn("ter2", masked, text)
            self.assertIn(redact.MASK, masked)

    def test_what_is_no_secret_stays(self) -> None:
        for text in (
            "limit=20 marker=abc", "http://host:8779/v1.0/p", "the password was changed", "user@host", "12:30:00 ok",
            "PASSWORD", "tokens are 3", "postgresql://host/db",
        ):  # fmt: skip
            self.assertEqual(text, redact.mask_text(text))

    def test_the_rest_of_a_line_stays(self) -> None:
        self.assertEqual('{"password": "***", "name": "u"}', redact.mask_text('{"password": "hunter2", "name": "u"}'))
        self.assertEqual("a password=*** b", redact.mask_text("a password=hunter2 b"))
        self.assertEqual("http://u:***@h/x y", redact.mask_text("http://u:hunter2@h/x y"))


class TestLogging(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.out = io.StringIO()
        self.handler = logging.StreamHandler(self.out)
        self.log = logging.getLogger(f"test.{self.id()}")
        self.log.propagate = False
        self.log.addHandler(self.handler)
        redact.protect(self.handler)

    def test_arguments_and_messages(self) -> None:
        self.log.warning("body %s", {"password": "hunter2", "name": "u"})
        self.log.warning("%(password)s of %(name)s", {"password": "hunter2", "name": "u"})
        self.log.warning("password=%s", "hunter2")
        self.log.warning("one %s two %s", ["x", {"token": "hunter2"}], 2)
        text = self.out.getvalue()
        self.assertNotIn("hunter2", text)
        for kept in ("'name': 'u'", "of u", "two 2"):
            self.assertIn(kept, text)

    def test_tracebacks(self) -> None:
        try:
            raise ValueError("could not connect to mysql://u:hunter2@db")
        except ValueError:
            self.log.exception("failed")
        self.assertNotIn("hunter2", self.out.getvalue())
        self.assertIn("ValueError: could not connect to mysql://u:***@db", self.out.getvalue())

    def test_protecting_twice_masks_once(self) -> None:
        formatter = self.handler.formatter
        redact.protect(self.handler)
        self.assertIs(formatter, self.handler.formatter)
        self.assertEqual(1, len(self.handler.filters))

    def test_arguments_that_do_not_match_are_left_to_the_handler(self) -> None:
        record = logging.LogRecord("x", logging.INFO, "p", 1, "%s %s", ("one",), None)
        self.assertTrue(redact.RedactingFilter().filter(record))
        self.assertEqual(("one",), record.args)
