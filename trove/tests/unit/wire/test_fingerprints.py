# SPDX-License-Identifier: Apache-2.0
# covers: trove/wire
"""What guests in the field can read.

When a fingerprint changes, a message has changed that guests of earlier releases send or get. A new *optional* field
keeps the version (add it, and put the new fingerprint here); anything else needs a new class with a higher version
beside the old one, see :mod:`trove.wire.base`.
"""

import hashlib
import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec

from trove import wire
from trove.tests import base as tests
from trove.wire import base, bootstrap, command, report

MESSAGES = {
    "Acknowledge": "1-f1c1a7e46ab0941d",
    "AlterUser": "1-16feca1e36a7054b",
    "ApplyModules": "1-7905e1aac86944c5",
    "Bootstrap": "1-5476c858d4274f5b",
    "CommandFrame": "1-f4ed2678cc2fdc68",
    "CommandResult": "1-ff192303e43e1ed0",
    "Configure": "1-1b305ad850be4373",
    "CreateDatabases": "1-6beca9fb61496b72",
    "CreateUsers": "1-427ac4193af545f1",
    "DisableRoot": "1-4f53cda18c2baa0c",
    "DropDatabase": "1-e814cab0c3558d4f",
    "DropUser": "1-b6e35781200fc711",
    "EnableRoot": "1-2cf7a62cf22a106b",
    "Enrol": "1-3beef5ba04f13b45",
    "Enrolled": "1-eb707196e8c00c8f",
    "GrantAccess": "1-1fbef9eaf90d7a01",
    "GrowVolume": "1-afe87a4ed7a205c9",
    "Heartbeat": "1-51ca503e38b5c9a0",
    "Hello": "1-62c4344bb48a11f9",
    "Inventory": "1-ffcdd4b410a07336",
    "Logs": "1-c7417899755c7410",
    "Poll": "1-56bc62d3a7ff1682",
    "Prepare": "1-fa60b4097476c691",
    "PublishLog": "1-e0332788e45a56b9",
    "Reconfigure": "1-a8daf0c2e53fd787",
    "Refused": "1-bba77c4c4cd765ab",
    "RemoveModule": "1-413aaf43742861e5",
    "Restart": "1-4f53cda18c2baa0c",
    "RevokeAccess": "1-a5b2851581fb4130",
    "RotateKeys": "1-1cbe29c48d6c3578",
    "SetLog": "1-d0dd5c94277f5148",
    "StartEngine": "1-4f53cda18c2baa0c",
    "StopEngine": "1-4f53cda18c2baa0c",
}

#: The parts of messages, which have no version of their own: a change here is a change of every message with it.
PARTS = {
    "DatabaseSpec": "15b50a15c78e10c9",
    "InventoryDatabase": "15b50a15c78e10c9",
    "InventoryUser": "ece5d04bc5cf9bb3",
    "LogFact": "2ae9178a91d611ae",
    "ModuleSpec": "c9692a90755b8c44",
    "RotatedKeys": "0d1b06a89275478f",
    "ShapeSpec": "1acfc1cbc26a7829",
    "UserKey": "37b55b041cb2c033",
    "UserSpec": "f2ffb6a43f782e29",
}

_BASES = {base.Message, command.Command, report.Report}


def _structs() -> Iterator[type[msgspec.Struct]]:
    for module in pkgutil.iter_modules(wire.__path__):
        for _, cls in inspect.getmembers(import_module(f"trove.wire.{module.name}"), inspect.isclass):
            if issubclass(cls, msgspec.Struct) and cls.__module__.startswith("trove.wire.") and cls not in _BASES:
                yield cls


def _part(cls: type[msgspec.Struct]) -> str:
    fields = [(f.encode_name, str(f.type), repr(f.default)) for f in msgspec.structs.fields(cls)]
    return hashlib.sha256(repr(sorted(fields)).encode()).hexdigest()[:16]


class TestFingerprints(tests.UnitTestCase):
    def test_messages(self) -> None:
        found = {cls.__name__: base.fingerprint(cls) for cls in _structs() if issubclass(cls, base.Message)}
        self.assertEqual(MESSAGES, found)

    def test_parts(self) -> None:
        found = {cls.__name__: _part(cls) for cls in _structs() if not issubclass(cls, base.Message)}
        self.assertEqual(PARTS, found)

    def test_every_message_is_registered_where_it_can_be_read(self) -> None:
        registered = [command.COMMANDS, command.TO_GUEST, report.TO_CONTROL]
        known: list[type[Any]] = [cls for registry in registered for cls in registry.values()]
        messages = {cls for cls in _structs() if issubclass(cls, base.Message)}
        self.assertEqual(messages - {bootstrap.Bootstrap}, set(known))
        self.assertEqual(len(known), len(set(known)))
        for registry in registered:
            for (name, version), cls in registry.items():
                self.assertEqual((name, version), (cls.name, cls.version))


class TestDecoding(tests.UnitTestCase):
    def test_unknown_fields_of_a_newer_peer_are_ignored(self) -> None:
        read = base.decode(command.COMMANDS, "drop_database", 1, {"database": "d", "of_the_future": 1})
        self.assertEqual(command.DropDatabase(database="d"), read)

    def test_what_is_unknown_or_malformed_is_refused_without_its_value(self) -> None:
        for name, version, body in (
            ("execute", 1, {}),
            ("drop_database", 2, {"database": "d"}),
            ("drop_database", 1, {}),
            ("drop_database", 1, {"database": 7}),
            ("drop_database", 1, ["hunter2"]),
            ("enable_root", 1, {"password": "hunter2" * 1000}),
        ):
            err = self.assertRaises(base.MalformedMessage, base.decode, command.COMMANDS, name, version, body)
            self.assertNotIn("hunter2", str(err))

    def test_passwords_do_not_show(self) -> None:
        for message in (
            command.EnableRoot(password="hunter2"),
            command.CreateUsers(users=[command.UserSpec(name="u", password="hunter2")]),
            command.AlterUser(user=command.UserKey(name="u"), new_password="hunter2"),
        ):
            self.assertNotIn("hunter2", f"{message!r} {message}")
            self.assertIn("hunter2", str(message.to_wire()))
