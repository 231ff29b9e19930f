# SPDX-License-Identifier: Apache-2.0
"""Quotas over the API: who sees and sets them, what is refused, and what they make refused."""

import threading
from typing import Any

from trove.api import authn
from trove.objects import quota
from trove.tests.functional.api import base, world

OURS = f"/mgmt/quotas/{base.PROJECT}"
THEIRS = f"/mgmt/quotas/{base.OTHER_PROJECT}"


class QuotaCase(world.InstanceTestCase):
    def limits(self, path: str = OURS, **options: Any) -> dict[str, tuple[int, int]]:
        """Return use and limit of each resource."""
        shown = self.call("GET", path, status=200, **options).json["quotas"]
        self.assertEqual({0}, {item["reserved"] for item in shown})
        return {item["resource"]: (item["in_use"], item["limit"]) for item in shown}

    def set(self, limits: Any, path: str = OURS, status: int = 200, **options: Any) -> Any:
        """Set limits as an administrator."""
        return self.call("PUT", path, {"quotas": limits}, status=status, app=self.admin, **options).json


class ShowTest(QuotaCase):
    def test_use_and_limits(self) -> None:
        self.assertEqual({"instances": (0, 10), "ram": (0, -1), "volumes": (0, 40), "backups": (0, 50)}, self.limits())
        self.create()
        self.assertEqual(
            {"instances": (1, 10), "ram": (512, -1), "volumes": (2, 40), "backups": (0, 50)}, self.limits()
        )

    def test_administrators_see_every_project(self) -> None:
        self.create(project=base.OTHER_PROJECT)
        self.assertEqual((1, 10), self.limits(THEIRS, app=self.admin)["instances"])
        self.assertEqual((0, 10), self.limits("/mgmt/quotas/never-seen", app=self.admin)["instances"])

    def test_others_see_only_their_own(self) -> None:
        # Clients send a name where they could not find an id.
        for path in (THEIRS, "/mgmt/quotas/a%20name", "/mgmt/quotas/" + "p" * 300):
            for version in (None, "1.2"):
                message = self.refused("GET", path, status=403, version=version)
                self.assertIn("mgmt:quota:show", message)


class UpdateTest(QuotaCase):
    def test_only_what_is_named_changes(self) -> None:
        self.assertEqual({"quotas": {"instances": 3, "ram": -1}}, self.set({"instances": 3, "ram": -1}))
        self.assertEqual({"quotas": {"volumes": 0}}, self.set({"volumes": 0, "instances": None}))
        expected = {"instances": (0, 3), "ram": (0, -1), "volumes": (0, 0), "backups": (0, 50)}
        self.assertEqual(expected, self.limits())
        self.assertEqual({"quotas": {}}, self.set({"instances": None}))
        self.assertEqual({"quotas": {}}, self.set({}))
        self.assertEqual(expected, self.limits())
        self.assertEqual((0, 10), self.limits(THEIRS, app=self.admin)["instances"])

    def test_absolute_limits_show_them(self) -> None:
        self.set({"instances": 3, "ram": 7, "volumes": 8, "backups": 9})
        absolute = self.call("GET", "/limits", status=200).json["limits"][0]
        self.assertEqual(
            {"verb": "ABSOLUTE", "max_instances": 3, "max_ram": 7, "max_volumes": 8, "max_backups": 9}, absolute
        )

    def test_they_are_enforced(self) -> None:
        self.set({"instances": 1})
        self.create()
        message = self.refused("POST", "/instances", self.wanted(), status=413)
        self.assertIn("instances: requested 1, in use 1, limit 1", message)
        self.set({"instances": 0})
        self.assertEqual((1, 0), self.limits()["instances"])
        self.set({"instances": -1})
        self.create()

    def test_wrong_values(self) -> None:
        for limits in (
            {"instances": "3"}, {"instances": 1.5}, {"instances": True}, {"instances": -2}, {"ram": 2**31},
            {"ram": []}, [], None, {"instances": 1, "ram": "x"},
        ):  # fmt: skip
            with self.subTest(str(limits)):
                self.refused("PUT", OURS, {"quotas": limits}, status=400, app=self.admin)
        for body in ({}, [], {"quota": {}}, {"quotas": {}, "x": 1}, b"", b"x"):
            self.refused("PUT", OURS, body, status=400, app=self.admin)

    def test_unknown_resources(self) -> None:
        message = self.refused("PUT", OURS, {"quotas": {"instances": 1, "moons": 1, "": 2}}, status=404, app=self.admin)
        self.assertIn("'moons', ''", message)
        self.assertIn("instances, ram, volumes, backups", message)

    def test_a_project_that_cannot_exist(self) -> None:
        self.refused("PUT", "/mgmt/quotas/" + "p" * 256, {"quotas": {"ram": 1}}, status=404, app=self.admin)

    def test_members_may_not(self) -> None:
        for path in (OURS, THEIRS):
            # Nonsense from somebody who is not allowed is not looked at.
            self.refused("PUT", path, b"nonsense", status=401)

    def test_with_a_password(self) -> None:
        path = self.tempdir() / "users.yaml"
        users = [
            {"name": name, "password": "p", "project_id": base.PROJECT, "roles": roles}
            for name, roles in (("me", ["member"]), ("boss", ["admin"]), ("eye", ["reader"]))
        ]
        authn.write_users_file(path, users)
        app = self.make_app(self.new_conf(auth_strategy="http_basic", http_basic_auth_user_file=str(path)))
        as_member, as_admin, as_reader = (
            {"app": app, "headers": {"Authorization": f"Basic {text}"}} for text in ("bWU6cA==", "Ym9zczpw", "ZXllOnA=")
        )
        self.call("GET", OURS, status=200, **as_member)
        self.call("GET", OURS, status=200, **as_reader)
        self.call("GET", THEIRS, status=403, **as_member)
        self.call("GET", THEIRS, status=200, **as_admin)
        self.call("PUT", THEIRS, {"quotas": {"ram": 1}}, status=401, **as_member)
        self.call("PUT", THEIRS, {"quotas": {"ram": 1}}, status=200, **as_admin)


class DatastoreQuotaTest(QuotaCase):
    def test_only_from_1_2(self) -> None:
        limit = {"instances:tiny": 1}
        self.assertIn("'instances:tiny'", self.refused("PUT", OURS, {"quotas": limit}, status=404, app=self.admin))
        self.assertEqual({"quotas": limit}, self.set(limit, version="1.2"))
        self.assertEqual((0, 1), self.limits(version="1.2")["instances:tiny"])
        self.assertNotIn("instances:tiny", self.limits(version="1.1"))
        self.assertNotIn("instances:postgresql", self.limits(version="1.2"))

    def test_unknown_datastores(self) -> None:
        for name in ("instances:", "instances:nothing", "ram:tiny", "instances:tiny:x"):
            self.refused("PUT", OURS, {"quotas": {name: 1}}, status=404, app=self.admin, version="1.2")

    def test_it_is_enforced_and_given_back(self) -> None:
        tiny: dict[str, Any] = {"datastore": {"type": "tiny"}, "volume": None}
        # What was made before there was a limit counts.
        first = self.create(**tiny)["id"]
        self.set({"instances:tiny": 1}, version="1.2")
        message = self.refused("POST", "/instances", self.wanted(**tiny), status=413)
        self.assertIn("instances:tiny: requested 1, in use 1, limit 1", message)
        self.create()
        self.settle()
        self.call("DELETE", f"/instances/{first}", status=202)
        self.call("DELETE", f"/instances/{first}", status=202)
        self.assertEqual((1, 1), self.limits(version="1.2")["instances:tiny"])
        self.settle()
        self.assertEqual((0, 1), self.limits(version="1.2")["instances:tiny"])
        self.create(**tiny)

    def test_by_id(self) -> None:
        self.set({f"instances:{self.tiny.datastore_id}": 2}, version="1.2")
        self.assertEqual((0, 2), self.limits(version="1.2")["instances:tiny"])


class RaceTest(QuotaCase):
    dialect = "postgresql"

    def test_the_last_unit_goes_to_one(self) -> None:
        self.set({"instances:postgresql": 1}, version="1.2")
        ready = threading.Barrier(4)
        found: list[int] = []

        def ask() -> None:
            ready.wait()
            found.append(self.call("POST", "/instances", self.wanted()).status_int)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([200, 413, 413, 413], sorted(found))
        with self.db.reader() as session:
            used = quota.usages(session, base.PROJECT)
        self.assertEqual((1, 1), (used["instances"], used[f"instances:{self.version.datastore_id}"]))
