# SPDX-License-Identifier: Apache-2.0
"""Every mistake of an operator ends in one line and exit status 1."""

import contextlib
import io
import threading
from collections.abc import Callable
from typing import Any

import fixtures
from oslo_config import cfg

import trove.conf
from trove.cmd import startup
from trove.db import crypto, migration
from trove.objects import secret
from trove.providers.base import FatalError
from trove.tests import base
from trove.tests.fixtures.databases import DatabaseFixture


class TestThreads(base.UnitTestCase):
    def test_the_end_of_a_thread_is_logged(self) -> None:
        self.addCleanup(setattr, threading, "excepthook", threading.excepthook)
        threading.excepthook = startup._log_end_of_thread

        def end(error: BaseException) -> None:
            raise error

        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            for error in (ValueError("of a guest\nforged"), SystemExit(0)):
                thread = threading.Thread(target=end, args=(error,), name="sweeper")
                thread.start()
                thread.join()
        self.assertEqual("", err.getvalue(), "it is the log, and nothing there is masked")
        self.assertEqual(1, self.logs.text().count("thread sweeper has ended"))
        self.assertIn("ValueError: of a guest", self.logs.text())


class TestStartup(base.UnitTestCase):
    def refusal(self, act: Callable[..., Any], *args: Any, **options: Any) -> str:
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            ended = self.assertRaises(startup.StartupError, act, *args, **options)
        self.assertEqual(1, ended.code)
        text = err.getvalue()
        self.assertEqual(1, text.count("\n"), text)
        self.assertNotIn("hunter2", text)
        return text

    def write(self, text: str) -> str:
        path = self.tempdir() / "trove.conf"
        path.write_text(text)
        return str(path)

    def database(self, url: str, **options: Any) -> cfg.ConfigOpts:
        return self.new_conf(database__connection=url, database__max_retries=0, **options)

    def test_configuration_files(self) -> None:
        self.assertIn("no configuration file", self.refusal(startup.configure, "p", [], files=["/nonexistent"]))
        self.assertIn("/nonexistent", self.refusal(startup.configure, "p", ["--config-file", "/nonexistent"]))
        for text in ("[database\n", "what is this\n"):
            self.assertIn("trove.conf", self.refusal(startup.configure, "p", [], files=[self.write(text)]))

    def test_key(self) -> None:
        self.assertIn("openssl rand", self.refusal(startup.install_key, self.new_conf()))
        for text in ("", "short", "zz" * 32):
            path = self.write(text)
            conf = self.new_conf(security__key_encryption_key_file=path)
            self.assertIn(path, self.refusal(startup.install_key, conf))
        conf = self.new_conf(security__key_encryption_key_file="/nonexistent")
        self.assertIn("/nonexistent", self.refusal(startup.install_key, conf))

    def test_databases_that_cannot_be_used(self) -> None:
        self.assertIn("[database] connection", self.refusal(startup.connect, self.new_conf()))
        junk = self.write("junk " * 1000)
        for url in ("sqlite:////nonexistent/x", "nosuch://u:hunter2@h/x", ":::", "mysql+nosuch://u:hunter2@h/d",
                    f"sqlite:///{junk}"):  # fmt: skip
            self.assertIn("cannot be used", self.refusal(startup.connect, self.database(url)))

    def test_a_schema_is_required_and_the_remedy_named_once(self) -> None:
        conf = self.database(f"sqlite:///{self.tempdir()}/x")
        self.assertEqual(1, self.refusal(startup.open_database, conf).count("trove-manage db_sync"))
        db = startup.connect(conf)
        migration.upgrade(db)
        db.dispose()
        startup.open_database(conf).dispose()

    def test_the_keys_of_another_database(self) -> None:
        db = self.useFixture(DatabaseFixture()).db
        with db.writer() as session:
            secret.put(session, "an instance", "users", ["hunter2"])
        self.assertIs(db, startup.require_keys(db))
        other = crypto.Keyring(crypto.KeyEncryptionKey(b"x" * crypto.KEY_BYTES))
        self.useFixture(fixtures.MonkeyPatch("trove.db.crypto._current", other))
        said = self.refusal(startup.require_keys, db)
        self.assertIn(f"({other.writer.id}); set [security] key_encryption_key_file", said)

    def test_where_guests_find_us(self) -> None:
        refuse = startup.require_guest_endpoint
        self.assertIn("gateway_url", self.refusal(refuse, self.new_conf()))
        self.assertIn("transport_url", self.refusal(refuse, self.new_conf(guest_bus__transport="messaging")))
        options = {"guest_bus__gateway_url": "https://x", "guest_bus__gateway_ca_file": "/nonexistent"}
        self.assertIn("/nonexistent", self.refusal(refuse, self.new_conf(**options)))
        refuse(self.new_conf(guest_bus__gateway_url="https://x"))
        refuse(self.new_conf(guest_bus__transport="messaging", guest_bus__transport_url="rabbit://"))

    def test_bus(self) -> None:
        for url in ("nosuch://u:hunter2@h/", "rabbit://u:hunter2@h:port/"):
            conf = trove.conf.new(files=[self.write(f"[DEFAULT]\ntransport_url = {url}\n")])
            self.refusal(startup.open_bus, conf)

    def test_what_others_explain(self) -> None:
        class Odd(Exception):
            pass

        def fail(err: Exception, *others: type[Exception]) -> None:
            with startup.explained(*others):
                raise err

        for err in (FatalError("no such provider"), OSError(98, "in use"), crypto.KeyUnavailable("no key")):
            self.refusal(fail, err)
        self.refusal(fail, Odd("x"), Odd)
        self.assertRaises(Odd, fail, Odd("x"))
        self.assertIn("rabbit://u:***@h", self.refusal(fail, OSError("rabbit://u:hunter2@h")))


class TestOptionsAtStart(base.UnitTestCase):
    def test_a_service_says_all_that_is_wrong_with_its_configuration_at_once(self) -> None:
        path = self.tempdir() / "trove.conf"
        path.write_text("[DEFAULT]\ntransport_url = rabbit://u:secret@b/\ntrove_api_workers = 4\nbind_prot = 1\n")
        startup.warn_of_options(trove.conf.new(files=[str(path)]))
        (line,) = [line for line in self.logs.text().splitlines() if "flaws" in line]
        self.assertIn("3 flaws: [oslo_policy] enforce_new_defaults is not set", line)
        self.assertIn("[DEFAULT] bind_prot is unknown", line)
        self.assertIn("trove_api_workers has no effect", line)
        self.assertNotIn("secret", line)
