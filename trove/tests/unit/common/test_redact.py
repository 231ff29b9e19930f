# SPDX-License-Identifier: Apache-2.0
"""What is masked in structures, texts and log lines; and that nobody but us makes log lines."""

import io
import json
import logging
import unicodedata
from typing import Any

import hypothesis
from hypothesis import strategies as st
from oslo_config import cfg
from oslo_log import formatters
from oslo_log import log as oslo_log

from trove.common import redact
from trove.common.context import RequestContext
from trove.tests import base
from trove.tests.unit.common.test_printable import HOSTILE

FORGED = "2026-01-01 00:00:00.000 1 INFO trove.api [-] forged"
_WORDS = ("password", "passwd", "secret", "token", "authorization", "identified by", "mysql://u:", "hunter2", "@", " ",
          "=", ":", "'", '"', "\\", "\n", "a", "_")  # fmt: skip


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

    def test_a_deep_structure_is_cut(self) -> None:
        deep: Any = "hunter2"
        for _ in range(5000):
            deep = [deep]
        self.assertNotIn("hunter2", str(redact.mask(deep)))
        self.assertEqual([[["…"]]], redact.mask([[[["x"]]]], depth=3))

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

    def test_what_closes_the_sentence_stays(self) -> None:
        for text, masked in (
            ("Access denied for 'x' (using password: YES)", "Access denied for 'x' (using password: ***)"),
            ("(using password: NO). Try again.", "(using password: ***). Try again."),
            ("password=hunter2.", "password=***"),
            ("password=f(hunter2)", "password=***"),
            ("password=)).", "password=***"),
            ("password=hun)ter2", "password=***"),
        ):
            self.assertEqual(masked, redact.mask_text(text))

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

    @hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])  # of a busy machine
    @hypothesis.given(st.lists(st.sampled_from(_WORDS)).map("".join))
    def test_any_mixture(self, text: str) -> None:
        masked = redact.mask_text(text)
        # Of a text that is masked twice, as a log's may be, the second time shows nothing more: it leaves out, at most.
        rest = iter(masked)
        self.assertTrue(all(char in rest for char in redact.mask_text(masked).replace(redact.MASK, "")), masked)
        for secret in ("password=hunter2", "token: 'hunter2'", "Authorization: Basic hunter2", "x://u:hunter2@host"):
            self.assertNotIn("hunter2", redact.mask_text(f"{text.replace('hunter2', '')}\n{secret} end"))

    def test_a_word_as_long_as_a_book(self) -> None:
        # 8,000 letters took 15 seconds, and four times as many sixteen times that.
        for word in ("A" * 80_000, "passw" * 16_000, "a://" * 20_000, "x" * 70_000 + "=hunter2"):
            self.assertEqual(word, redact.mask_text(word))
        self.assertEqual(f"{'x' * 70_000}password=***", redact.mask_text(f"{'x' * 70_000}password=hunter2"))
        self.assertLess(len(redact.mask_text("A" * 10_000_000)), redact.MAX_TEXT + 100)


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

    def test_a_record_is_a_line(self) -> None:
        self.log.warning("name %s", f"x\n{FORGED}")
        self.log.warning("%s", f"x\r\n{FORGED}")
        self.log.warning("many %s", HOSTILE)
        text = self.out.getvalue()
        self.assertEqual(3, len(text.splitlines()))
        self.assertEqual(f"name x\\n{FORGED}", text.splitlines()[0])
        harmful = {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
        self.assertEqual({"\n"}, harmful)

    def test_lines_of_a_traceback_are_no_records(self) -> None:
        try:
            raise ValueError(f"of the guest\n{FORGED}\n\x1b[2Jgone\r{FORGED}")
        except ValueError:
            self.log.exception("failed", stack_info=True)
        first, *more = self.out.getvalue().splitlines()
        self.assertEqual("failed", first)
        self.assertEqual({redact.CONTINUATION}, {line[: len(redact.CONTINUATION)] for line in more})
        self.assertEqual("  | Traceback (most recent call last):", more[0])
        self.assertIn(f"  | {FORGED}", more)
        self.assertIn(f"  | \\x1b[2Jgone\\r{FORGED}", more)
        self.assertIn("  | Stack (most recent call last):", more)

    def test_length(self) -> None:
        self.log.warning("%s", "x" * 10_000_000)
        line = self.out.getvalue()
        self.assertLess(len(line), redact.MAX_MESSAGE + 100)
        self.assertIn("characters left out", line)
        try:
            raise ValueError("y" * 10_000_000 + "\nlast words")
        except ValueError:
            self.log.exception("failed")
        self.assertLess(len(self.out.getvalue()), redact.MAX_MESSAGE + redact.MAX_TRACEBACK + 1000)
        self.assertIn("  | last words", self.out.getvalue())


class TestFormatters(base.UnitTestCase):
    """Those of oslo.log, with what clients and tenants put into them."""

    def setUp(self) -> None:
        super().setUp()
        conf = cfg.ConfigOpts()
        oslo_log.register_options(conf)
        conf([])
        self.conf = conf
        self.context = RequestContext(
            user_id=f"u\n{FORGED}", project_id="p\x1b[0m", request_id=f"req-\r{FORGED}", overwrite=False
        )

    def formatted(self, inner: logging.Formatter, handler: logging.Handler | None = None, **extra: Any) -> Any:
        handler = handler or logging.StreamHandler(io.StringIO())
        handler.setFormatter(inner)
        redact.protect(handler)
        try:
            raise ValueError(f"password=hunter2\n{FORGED}")
        except ValueError as err:
            info = (ValueError, err, err.__traceback__)
        record = logging.LogRecord("trove.x", logging.ERROR, "p", 1, "of %s", (f"t\n{FORGED}",), info)
        record.__dict__.update(extra)
        handler.filter(record)
        return handler.format(record)

    def test_with_context(self) -> None:
        inner = formatters.ContextFormatter(config=self.conf, datefmt="%Y")
        first, *more = self.formatted(inner, context=self.context).splitlines()
        for harmful in ("\x1b", "\r"):
            self.assertNotIn(harmful, first)
        self.assertIn(f"of t\\n{FORGED}", first)
        self.assertIn("req-\\r", first)
        self.assertEqual({redact.CONTINUATION}, {line[: len(redact.CONTINUATION)] for line in more})
        self.assertTrue(any(line.endswith(FORGED) for line in more), more)
        self.assertNotIn("hunter2", "".join(more))

    def test_json(self) -> None:
        line = self.formatted(formatters.JSONFormatter(), context=self.context)
        self.assertEqual(1, len(line.splitlines()))
        self.assertEqual("***", json.loads(line)["context"]["auth_token"])
        self.assertEqual(f"of t\\n{FORGED}", json.loads(line)["message"])
        self.assertNotIn("hunter2", line)

    def test_what_a_journal_gets_besides(self) -> None:
        seen = []

        class Journal(logging.Handler):
            """As oslo.log's, which sends the traceback once more."""

            def emit(self, record: logging.LogRecord) -> None:
                self.format(record)
                assert self.formatter is not None and record.exc_info
                seen.append(record.exc_text or self.formatter.formatException(record.exc_info))

        for inner in (formatters.ContextFormatter(config=self.conf), formatters.JSONFormatter()):
            handler = Journal()
            handler.setFormatter(inner)
            redact.protect(handler)
            try:
                raise ValueError("password=hunter2 \x1b[2J")
            except ValueError as err:
                info = (ValueError, err, err.__traceback__)
            handler.handle(logging.LogRecord("trove.x", logging.ERROR, "p", 1, "x", (), info))
        for text in seen:
            self.assertNotIn("hunter2", text)
            self.assertIn("password=*** \\x1b[2J", text)

    def test_structures(self) -> None:
        made = self.formatted(formatters.FluentFormatter())
        self.assertEqual(f"of t\\n{FORGED}", made["message"])
        self.assertNotIn("hunter2", str(made))
        self.assertNotIn("\n", str(made["traceback"]))

    def test_colours_of_a_terminal_stay(self) -> None:
        first = self.formatted(logging.Formatter("%(color)s%(message)s"), color="\x1b[00;31m").splitlines()[0]
        self.assertEqual(f"\x1b[00;31mof t\\n{FORGED}", first)
