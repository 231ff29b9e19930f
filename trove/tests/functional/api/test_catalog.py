# SPDX-License-Identifier: Apache-2.0
"""Datastores, versions, flavors and limits, through the whole application."""

from typing import Any

from trove.common import ids
from trove.objects import catalog, quota
from trove.tests.functional.api import base


class DatastoresTest(base.ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.version = self.seed()
        self.old = self.seed(name="15", active=False, default=False)
        self.seed(datastore="retired", name="1", active=False, default=False)

    def admin(self) -> Any:
        return self.make_app(self.new_conf(auth_strategy="noauth", noauth_admin=True))

    def test_list_shows_what_can_be_ordered(self) -> None:
        (store,) = self.call("GET", "/datastores", status=200).json["datastores"]
        self.assertEqual("postgresql", store["name"])
        self.assertEqual(self.version.id, store["default_version"])
        self.assertEqual([self.version.id], [version["id"] for version in store["versions"]])
        self.assertNotIn("datastore", store["versions"][0])
        self.assertNotIn("active", store["versions"][0])
        self.assertEqual(
            [
                {"href": f"http://localhost:80/v1.0/{base.PROJECT}/datastores/{store['id']}", "rel": "self"},
                {"href": f"http://localhost:80/datastores/{store['id']}", "rel": "bookmark"},
            ],
            store["links"],
        )

    def test_administrators_see_everything(self) -> None:
        stores = self.call("GET", "/datastores", status=200, app=self.admin()).json["datastores"]
        self.assertEqual(["postgresql", "retired"], [store["name"] for store in stores])
        self.assertEqual({"15": False, "16": True}, {v["name"]: v["active"] for v in stores[0]["versions"]})

    def test_show_by_id_and_by_name(self) -> None:
        by_name = self.call("GET", "/datastores/postgresql", status=200).json
        by_id = self.call("GET", f"/datastores/{by_name['datastore']['id'].upper()}", status=200).json
        self.assertEqual(by_name, by_id)

    def test_show_lists_active_versions_only_for_administrators_too(self) -> None:
        store = self.call("GET", "/datastores/retired", status=200, app=self.admin()).json["datastore"]
        self.assertEqual([], store["versions"])

    def test_a_default_that_is_not_listed_is_not_named(self) -> None:
        self.seed(name="15", active=False, default=True)
        self.assertNotIn("default_version", self.call("GET", "/datastores/postgresql", status=200).json["datastore"])

    def test_unknown_datastore_is_404(self) -> None:
        fault = self.fault(self.call("GET", "/datastores/nope", status=404, version="1.1"))
        self.assertEqual("datastore.not_found", fault["symbol"])
        self.call("GET", f"/datastores/{ids.new_id()}", status=404)

    def test_versions(self) -> None:
        shown = self.call("GET", "/datastores/postgresql/versions", status=200).json["versions"]
        self.assertEqual(["16"], [version["name"] for version in shown])
        self.assertEqual(self.version.datastore_id, shown[0]["datastore"])
        all_of_them = self.call("GET", "/datastores/postgresql/versions", status=200, app=self.admin()).json["versions"]
        self.assertEqual(["15", "16"], [version["name"] for version in all_of_them])

    def test_version_by_name_by_id_and_by_id_alone(self) -> None:
        one = self.call("GET", "/datastores/postgresql/versions/16", status=200).json
        self.assertEqual(one, self.call("GET", f"/datastores/postgresql/versions/{self.version.id}", status=200).json)
        self.assertEqual(one, self.call("GET", f"/datastores/versions/{self.version.id}", status=200).json)

    def test_an_inactive_version_can_be_shown(self) -> None:
        self.call("GET", "/datastores/postgresql/versions/15", status=200)

    def test_version_errors(self) -> None:
        self.seed(name="16", version="16.2", default=False)
        for path, status in (
            ("/datastores/postgresql/versions/17", 400),
            ("/datastores/postgresql/versions/16", 400),
            (f"/datastores/postgresql/versions/{ids.new_id()}", 404),
            (f"/datastores/versions/{ids.new_id()}", 404),
            ("/datastores/versions/16", 400),
            ("/datastores/nope/versions", 404),
            ("/datastores/nope/versions/16", 404),
        ):
            with self.subTest(path):
                self.call("GET", path, status=status)

    def test_flavors_and_volume_types_of_a_version(self) -> None:
        self.seed_flavor()
        flavors = self.call("GET", "/datastores/postgresql/versions/16/flavors", status=200).json["flavors"]
        self.assertEqual(["small"], [flavor["str_id"] for flavor in flavors])
        self.call("GET", "/datastores/postgresql/versions/17/flavors", status=400)
        types = self.call("GET", f"/datastores/postgresql/versions/{self.version.id}/volume-types", status=200)
        self.assertEqual({"volume_types": []}, types.json)
        self.call("GET", "/datastores/nope/versions/16/volume-types", status=404)


class FlavorsTest(base.ApiTestCase):
    def test_ids_that_are_numbers_and_others(self) -> None:
        for flavor_id in ("7", "007", "small", "a/b c"):
            self.seed_flavor(id=flavor_id, name=flavor_id)
        flavors = {flavor["str_id"]: flavor for flavor in self.call("GET", "/flavors", status=200).json["flavors"]}
        self.assertEqual(
            {"7": 7, "007": None, "small": None, "a/b c": None}, {key: f["id"] for key, f in flavors.items()}
        )
        self.assertEqual((512, 1, 5, 0), tuple(flavors["7"][key] for key in ("ram", "vcpus", "disk", "ephemeral")))
        href = flavors["a/b c"]["links"][0]["href"]
        self.assertTrue(href.endswith("/flavors/a%2Fb%20c"), href)
        self.assertEqual(flavors["a/b c"], self.call("GET", "/flavors/a%2Fb%20c", status=200).json["flavor"])

    def test_unknown_flavor_is_404(self) -> None:
        self.call("GET", "/flavors/nope", status=404)


class LimitsTest(base.ApiTestCase):
    def test_absolute_limits_come_first(self) -> None:
        with self.db.writer() as session:
            quota.set_limit(session, base.PROJECT, "instances", 3)
        (absolute,) = self.call("GET", "/limits", status=200).json["limits"]
        expected = {"verb": "ABSOLUTE", "max_instances": 3, "max_ram": -1, "max_volumes": 40, "max_backups": 50}
        self.assertEqual(expected, absolute)

    def test_rates_follow_in_their_order(self) -> None:
        rates = {f"http_{verb}_rate": 10 for verb in ("get", "post", "put", "delete", "mgmt_post")}
        client = self.make_app(self.new_conf(auth_strategy="noauth", **rates))
        _, *rules = self.call("GET", "/limits", status=200, app=client).json["limits"]
        self.assertEqual(
            [("POST", "*"), ("PUT", "*"), ("DELETE", "*"), ("GET", "*"), ("POST", "*/mgmt")],
            [(rule["verb"], rule["uri"]) for rule in rules],
        )
        self.assertEqual([10, 10, 10, 9, 10], [rule["remaining"] for rule in rules])

    def test_too_many_requests(self) -> None:
        client = self.make_app(self.new_conf(auth_strategy="noauth", http_get_rate=2))
        for _ in range(2):
            self.call("GET", "/limits", status=200, app=client)
        response = self.call("GET", "/limits", status=413, app=client)
        fault = response.json["overLimit"]
        self.assertEqual(fault["retryAfter"], response.headers["Retry-After"])
        self.assertIn("2 GET requests", fault["details"])
        self.call("GET", "/limits", status=200, app=client, project=base.OTHER_PROJECT)


class SeededTwiceTest(base.ApiTestCase):
    def test_registering_again_changes_nothing(self) -> None:
        self.seed()
        before = self.call("GET", "/datastores", status=200).json
        self.seed()
        self.assertEqual(before, self.call("GET", "/datastores", status=200).json)
        with self.db.reader() as session:
            self.assertEqual(1, len(catalog.DatastoreVersion.list(session)))
