# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/requests/creation.py
"""Creating instances: what is accepted, what is refused and why, and that a refusal leaves nothing behind."""

import json
from typing import Any

from trove.db import models
from trove.objects import quota
from trove.tests.functional.api import base, world

PASSWORD = "s3cret-Pa55word"


class AcceptedTest(world.InstanceTestCase):
    def test_the_answer_and_what_is_stored(self) -> None:
        shown = self.create(name="orders")
        self.assertEqual(("BUILD", ""), (shown["status"], shown["operating_status"]))
        self.assertEqual({"size": 2}, shown["volume"])
        self.assertEqual({"type": "postgresql", "version": "16", "version_number": "16"}, shown["datastore"])
        self.assertEqual({"is_public": False}, shown["access"])
        link = f"http://localhost:80/v1.0/{base.PROJECT}/flavors/small"
        self.assertEqual(("small", link), (shown["flavor"]["id"], shown["flavor"]["links"][0]["href"]))
        self.assertFalse({"fault", "ip", "addresses", "tenant_id", "password", "configuration"} & set(shown))
        self.assertEqual((1, 512, 2), self.usages())
        (workflow,) = self.workflows(shown["id"])
        self.assertEqual(("instance.create", "QUEUED"), (workflow["kind"], workflow["state"]))
        self.assertEqual([workflow["id"]], self.hints.woken)
        self.assertEqual(workflow["request_id"][:4], "req-")

    def test_it_becomes_active(self) -> None:
        instance_id = self.active(
            databases=[{"name": "shop", "character_set": "UTF8", "collate": None}],
            users=[{"name": "app", "password": PASSWORD, "host": None, "databases": [{"name": "shop"}]}],
        )
        engine = self.guests.engines[instance_id]
        self.assertEqual(({"shop": ("UTF8", None)}, {("app", "%"): ["shop"]}), (engine.databases, engine.users))
        self.assertEqual(PASSWORD, engine.passwords["app", "%"])
        shown = self.show(instance_id)
        self.assertEqual([item["address"] for item in shown["addresses"]], shown["ip"])
        self.assertEqual([], self.rows(models.Secret))

    def test_passwords_stand_nowhere_in_the_clear(self) -> None:
        shown = self.create(users=[{"name": "app", "password": PASSWORD}])
        self.assertNotIn(PASSWORD, json.dumps(shown))
        (workflow,) = self.workflows(shown["id"])
        self.assertNotIn(PASSWORD, str(workflow))
        with self.db.reader() as session:
            stored = session.connection().exec_driver_sql("SELECT value FROM secrets").scalars().all()
        self.assertEqual(1, len(stored))
        self.assertNotIn(PASSWORD, str(stored))
        self.settle()
        raw = self.database.db.url.database
        with open(raw, "rb") as file:
            self.assertNotIn(PASSWORD.encode(), file.read())
        self.assertNotIn(PASSWORD, self.logs.text())

    def test_ways_to_name_a_flavor(self) -> None:
        for reference in (
            {"flavorRef": "5"},
            {"flavorRef": 5},
            {"flavorRef": "http://nova.example/v2.1/flavors/5"},
            {"flavorRef": "https://nova.example/flavors/5/"},
            {"flavorRef": None, "flavor": "5"},
            {"flavorRef": None, "flavor": 5},
        ):
            with self.subTest(reference):
                self.assertEqual("5", self.create(**reference, volume={"size": 1})["flavor"]["id"])

    def test_limits_of_fields(self) -> None:
        for changes in (
            {"name": "x"},
            {"name": "x" * 255},
            {"name": "ünï-\U0001f418 1\n"},
            *({"name": name} for name in ("база", "数据库", "é", "مخزن", "٣")),
            {"flavorRef": {"id": "small"}},
            {"flavorRef": {"id": "http://h/flavors/small", "links": [{"href": "http://h", "rel": "self"}]}},
            {"volume": {"size": "1"}},
            {"volume": {"size": "0001", "type": None}},
            {"volume": {"size": 10}},
            {"databases": [], "users": []},
            {"datastore": {"type": "postgresql", "version": self.version.id}},
            {"datastore": {"type": "postgresql", "version": "16", "version_number": "16"}},
            {"datastore": {"version": "16"}},
            {"datastore": {}},
            {"access": {"is_public": False, "allowed_cidrs": []}},
            {"nics": [], "modules": [], "replica_count": 1},
            {"availability_zone": None, "region_name": self.conf.region},
        ):
            with self.subTest(changes):
                shown = self.create(**changes)
                self.assertEqual(changes.get("name", "db"), shown["name"])
                self.call("DELETE", f"/instances/{shown['id']}", status=202)
                self.settle()
        self.assertEqual((0, 0, 0), self.usages())

    def test_injection_strings_are_only_names(self) -> None:
        for name in (
            "a'; DROP TABLE instances; --",
            'a" OR 1=1',
            "$(reboot)1",
            "%s%n1",
            "../../etc/passwd",
            "<b>1</b>",
        ):
            shown = self.create(name=name, volume={"size": 1})
            self.assertEqual(name, self.show(shown["id"])["name"])
        self.assertEqual(6, len(self.call("GET", "/instances", status=200).json["instances"]))

    def test_a_datastore_without_volumes(self) -> None:
        shown = self.create(datastore={"type": "tiny"}, volume=None)
        self.assertNotIn("volume", shown)
        self.assertEqual((1, 512, 0), self.usages())


class RefusedTest(world.InstanceTestCase):
    def refuse(self, status: int, **changes: Any) -> str:
        """Refuse a create; nothing may be left behind."""
        return self.refused("POST", "/instances", self.wanted(**changes), status=status)

    def test_bodies_that_are_none(self) -> None:
        for body in (b"", b"{", b"[]", b"null", b"7", b'"x"', b"{}", b'{"instance": null}', b'{"instance": []}',
                     b'{"instances": {}}', b'{"instance": {}}', b"[" * 40 + b"]" * 40, b"\xff"):  # fmt: skip
            with self.subTest(body):
                self.refused("POST", "/instances", body, status=400)
        self.refused("POST", "/instances", b"x" * 2**21, status=413)
        self.refused("POST", "/instances", b"{}", status=415, headers={"Content-Type": "text/plain"})

    def test_wrong_types(self) -> None:
        for member, values in {
            "name": ["", 7, True, [], {}, "x" * 256, "---", "\u2192", "\u0301"],
            "flavorRef": [True, [], {}, 1.5, -1, "", {"id": None}, {"id": {"id": "small"}}, {"name": "small"}],
            "volume": [7, "2", [], {}, {"size": 0}, {"size": -1}, {"size": 1.5}, {"size": True}, {"size": "0"},
                       {"size": "1x"}, {"size": " 1"}, {"size": "٣"}, {"size": None}, {"size": 2**40},
                       {"size": "9" * 41}, {"size": 1, "type": ""}, {"size": 1, "type": 7}],
            "datastore": ["postgresql", [], {"type": ""}, {"type": 7}, {"version": {}}],
            "databases": [{}, "shop", [7], [{}], [{"name": ""}], [{"name": 7}], [{"name": "x", "collate": 7}]],
            "users": [{}, [7], [{}], [{"name": "x"}], [{"password": "x"}], [{"name": "x", "password": ""}],
                      [{"name": "x", "password": 7}], [{"name": "x", "password": "p", "host": "a b"}],
                      [{"name": "x", "password": "p", "databases": "shop"}]],
            "access": [True, {"is_public": "yes"}, {"is_public": 1}, {"allowed_cidrs": "0.0.0.0/0"}],
            "nics": [{}, [7], [{}, {}]],
            "replica_count": ["1", 0, 4],
            "locality": ["near"],
            "configuration": ["x", 7],
        }.items():  # fmt: skip
            for value in values:
                with self.subTest(f"{member}={value!r}"):
                    message = self.refuse(400, **{member: value})
                    self.assertIn(f"instance.{member}", message)

    def test_all_reasons_come_at_once(self) -> None:
        body = {"instance": {"flavorRef": [], "volume": {"size": 0}, "users": [{"host": 7}], "databases": 1}}
        message = self.refused("POST", "/instances", body, status=400)
        self.assertTrue(message.startswith("Validation error: "))
        for reason in ("instance.name is required", "instance.flavorRef must be", "instance.volume.size must be",
                       "instance.users[0].name is required", "instance.users[0].password is required",
                       "instance.users[0].host must be", "instance.databases must be a list"):  # fmt: skip
            self.assertIn(reason, message)
        message = self.refuse(
            400,
            flavorRef=None,
            volume=None,
            databases=[{"name": "postgres"}, {"name": "x"}, {"name": "x"}, {"name": "y", "character_set": "EBCDIC"}],
            users=[{"name": "os_admin", "password": "p"}, {"name": "u", "password": "p", "databases": [{"name": "z"}]}],
        )
        for reason in ("instance.flavorRef is required", "instance.volume is required", "'postgres' is reserved",
                       "'x' is given more than once", "EBCDIC", "'os_admin' is reserved",
                       "users refer to database 'z'"):  # fmt: skip
            self.assertIn(reason, message)

    def test_unknown_members(self) -> None:
        body = self.wanted(surprise=1)
        self.assertIn(
            "instance.surprise is not allowed", self.refused("POST", "/instances", body, status=400, version="1.1")
        )
        self.call("POST", "/instances", body, status=200)

    def test_what_the_request_refers_to(self) -> None:
        self.assertIn("Flavor huge", self.refuse(400, flavorRef="huge"))
        self.refuse(400, flavorRef="x" * 1024)
        self.refuse(400, flavorRef=10**30)
        self.refuse(404, datastore={"type": "oracle"})
        self.refuse(400, datastore={"type": "postgresql", "version": "9"})
        self.refuse(404, datastore={"type": "postgresql", "version": "00000000-0000-0000-0000-000000000000"})
        self.refuse(404, datastore={"type": "postgresql", "version": self.tiny.id})
        self.seed(name="15", active=False, default=False)
        self.assertIn("not active", self.refuse(400, datastore={"type": "postgresql", "version": "15"}))
        self.seed(datastore="gone", name="1", manager="gone")
        self.assertIn("'gone' is not installed", self.refuse(503, datastore={"type": "gone"}))
        self.assertIn("region", self.refuse(400, region_name="Elsewhere"))

    def test_no_datastore_named_and_no_default(self) -> None:
        self.conf.set_override("default_datastore", None)
        self.assertIn("datastore.type", self.refuse(400))

    def test_a_volume_over_the_cap(self) -> None:
        self.assertIn("at most 10 GB", self.refuse(413, volume={"size": 11}))
        self.refuse(413, volume={"size": "999999999"})

    def test_a_volume_where_there_are_none(self) -> None:
        self.assertIn("'volume'", self.refuse(501, datastore={"type": "tiny"}))

    def test_a_flavor_too_small_for_the_engine(self) -> None:
        self.seed_flavor(id="toy", name="toy", ram_mib=16)
        self.assertIn("MiB of memory", self.refuse(400, flavorRef="toy"))

    def test_capabilities_the_service_lacks_are_all_named(self) -> None:
        self.provider_capabilities = frozenset()
        self.app = self.make_app(self.conf)
        some_id = "00000000-0000-0000-0000-000000000000"
        message = self.refuse(
            501, nics=[{"net-id": some_id}], replica_of=some_id, restorePoint={"backupRef": some_id},
            locality="affinity", access={"is_public": True, "allowed_cidrs": ["10.0.0.0/8"]},
            availability_zone="nova",
        )  # fmt: skip
        for capability in (
            "availability-zones",
            "networks",
            "replication",
            "backups",
            "server-groups",
            "public-addresses",
            "access-rules",
        ):
            self.assertIn(f"'{capability}'", message)
        self.assertIn("replica_count", self.refuse(400, replica_count=2))

    def test_capabilities_the_datastore_lacks(self) -> None:
        tiny: dict[str, Any] = {"datastore": {"type": "tiny"}, "volume": None}
        self.assertIn("'databases'", self.refuse(501, databases=[{"name": "x"}], **tiny))
        self.assertIn("'users'", self.refuse(501, users=[{"name": "x", "password": "p"}], **tiny))

    def test_passwords_are_never_echoed(self) -> None:
        for user in (
            {"name": 7, "password": PASSWORD},
            {"name": "os_admin", "password": PASSWORD},
            {"name": "u", "password": [PASSWORD]},
            {"name": "u", "password": PASSWORD * 20},
            {"name": "u", "password": PASSWORD, "host": "a b", "extra": PASSWORD},
            {"name": "u", "password": PASSWORD, "databases": [{"name": "z"}]},
        ):
            self.assertNotIn(PASSWORD, self.refuse(400, users=[user, user]))
        self.refused("POST", "/instances", json.dumps(self.wanted())[:-1].encode() + PASSWORD.encode(), status=400)
        self.assertNotIn(PASSWORD, self.logs.text())

    def test_policy_for_users_and_databases_counts_too(self) -> None:
        policy = self.tempdir() / "policy.yaml"
        policy.write_text(
            '{"instance:extension:user:create": "role:nobody", "instance:extension:database:create": "role:nobody"}'
        )
        app = self.make_app(self.new_conf(auth_strategy="noauth", oslo_policy__policy_file=str(policy)))
        for changes in ({"users": [{"name": "u", "password": "p"}]}, {"databases": [{"name": "x"}]}):
            self.refused("POST", "/instances", self.wanted(**changes), status=403, app=app)


class QuotaTest(world.InstanceTestCase):
    def test_over_quota_names_every_resource_and_leaves_nothing(self) -> None:
        with self.db.writer() as session:
            for resource, limit in (("instances", 1), ("ram", 600), ("volumes", 3)):
                quota.set_limit(session, base.PROJECT, resource, limit)
        self.create()
        message = self.refused("POST", "/instances", self.wanted(), status=413)
        for resource in ("instances", "ram", "volumes"):
            self.assertIn(f"{resource}: requested", message)
        self.create(project=base.OTHER_PROJECT)
        self.assertEqual((1, 512, 2), self.usages(base.OTHER_PROJECT))

    def test_the_symbol_at_1_1(self) -> None:
        with self.db.writer() as session:
            quota.set_limit(session, base.PROJECT, "instances", 0)
        response = self.call("POST", "/instances", self.wanted(), status=413, version="1.1")
        self.assertEqual("quota.exceeded", response.json["overLimit"]["symbol"])
