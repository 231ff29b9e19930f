# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/dispatch.py
# covers: trove/api/middleware.py
"""What holds for every request, whatever its resource: order of steps, versions, errors, headers, bodies that are
none."""

import json
from typing import Any
from unittest import mock

from oslo_db import exception as db_exception

from trove.api import authn, microversions, routes
from trove.common import ids
from trove.tests.functional.api import base

#: A route with a body for each method, reachable without anything in the database.
CREATE = ("POST", "/instances")


class DiscoveryTest(base.ApiTestCase):
    options = {"auth_strategy": "http_basic"}

    def setUp(self) -> None:
        self.users = None
        super().setUp()

    def new_conf(self, **overrides: Any) -> Any:
        path = self.tempdir() / "users.yaml"
        authn.write_users_file(path, [])
        return super().new_conf(http_basic_auth_user_file=str(path), **overrides)

    def test_versions_need_no_authentication(self) -> None:
        (entry,) = self.call("GET", "//", status=200).json["versions"]
        self.assertEqual(("v1.0", "CURRENT", "2012-08-01T00:00:00Z"), (entry["id"], entry["status"], entry["updated"]))
        self.assertEqual([{"rel": "self", "href": "http://localhost:80/v1.0/"}], entry["links"])
        self.assertEqual(("1.0", base.LATEST), (entry["min_version"], entry["version"]))
        for path in ("//v1.0", "//v1.0/", "//v1.0//"):
            self.assertEqual({"version": entry}, self.call("GET", path, status=200).json)

    def test_health(self) -> None:
        response = self.app.get("/healthcheck")
        self.assertEqual((200, "OK"), (response.status_int, response.text))

    def test_everything_else_does(self) -> None:
        for route in routes.ROUTES:
            if route.public:
                continue
            path = route.path.replace("{project_id}", base.PROJECT).replace("{", "").replace("}", "")
            version = f"{route.min_version[0]}.{route.min_version[1]}"
            response = self.call(route.method, "/" + path, b"{ nonsense", version=version, status=401)
            self.assertIn("Basic", response.headers["WWW-Authenticate"])


class OwnProjectTest(base.ApiTestCase):
    """A path may leave out the project that the caller proves."""

    options = {"auth_strategy": "http_basic"}

    def new_conf(self, **overrides: Any) -> Any:
        path = self.tempdir() / "users.yaml"
        users = [
            {"name": name, "password": "p", "project_id": project, "roles": ["member"]}
            for name, project in (("u", base.PROJECT), ("v", "instances"))
        ]
        authn.write_users_file(path, users)
        return super().new_conf(http_basic_auth_user_file=str(path), **overrides)

    def ask(self, path: str, status: int, credentials: str = "dTpw") -> Any:
        return self.call("GET", f"/{path}", status=status, headers={"Authorization": f"Basic {credentials}"})

    def test_it_is_the_callers(self) -> None:
        self.seed_flavor()
        shown = self.ask("/v1.0/flavors/small", 200).json["flavor"]
        self.assertIn(f"/v1.0/{base.PROJECT}/flavors/small", shown["links"][0]["href"])
        self.ask("/v1.0/instances", 200)
        self.ask("/v1.0//limits", 200)
        for path in ("/v1.0/nothing", "/v1.0/flavors/small/more", "/flavors"):
            self.ask(path, 404)

    def test_a_project_with_the_name_of_a_collection(self) -> None:
        self.ask("/v1.0/instances/instances/detail", 200, "djpw")

    def test_who_proves_none_has_to_name_one(self) -> None:
        app = self.make_app(self.new_conf(auth_strategy="noauth"))
        self.call("GET", "//v1.0/flavors", app=app, status=404)


class PublicEndpointTest(base.ApiTestCase):
    options = {"auth_strategy": "noauth", "public_endpoint": "https://db.example/"}

    def test_links_begin_with_it(self) -> None:
        (entry,) = self.call("GET", "//", status=200).json["versions"]
        self.assertEqual("https://db.example/v1.0/", entry["links"][0]["href"])


class PathsTest(base.ApiTestCase):
    def test_slashes(self) -> None:
        for path in ("//v1.0//{p}/flavors", "//v1.0/{p}///flavors", "//v1.0/{p}/flavors/", "///v1.0/{p}/flavors//"):
            self.call("GET", path.format(p=base.PROJECT), status=200)

    def test_unknown_paths(self) -> None:
        for path in (
            "//v2.0",
            "//nope",
            "//v1.0/p/nope",
            f"//v1.0/{base.PROJECT}",
            "//v1.0/p/flavors/x/y",
            "//v1.0/p/%ff",
            "//%00",
        ):
            self.call("GET", path, status=404)

    def test_known_path_wrong_method(self) -> None:
        response = self.call("PUT", "/flavors", b"", status=405)
        self.assertIn("badMethod", response.json)
        self.assertEqual("GET", response.headers["Allow"])
        for method in ("HEAD", "OPTIONS", "TRACE", "BREW"):
            self.call(method, "/flavors", status=405)

    def test_what_came_with_1_1_is_unknown_before(self) -> None:
        path = f"/instances/{ids.new_id()}/operations"
        self.call("GET", path, status=404)
        fault = self.fault(self.call("GET", path, status=404, version="1.1"))
        self.assertEqual("instance.not_found", fault["symbol"])


class MicroversionTest(base.ApiTestCase):
    def test_headers_of_answers(self) -> None:
        for asked, answered in ((None, "1.0"), ("1.0", "1.0"), ("1.1", "1.1"), ("latest", base.LATEST)):
            response = self.call("GET", "/flavors", version=asked, status=200)
            self.assertEqual(f"database {answered}", response.headers[microversions.HEADER])
            self.assertIn(microversions.HEADER, response.headers["Vary"])

    def test_out_of_range_and_unreadable(self) -> None:
        self.assertIn("notAcceptable", self.call("GET", "/flavors", version="1.9", status=406).json)
        self.call("GET", "/flavors", version="x", status=400)

    def test_unknown_query_parameters(self) -> None:
        self.call("GET", "/flavors?x=1", status=200)
        self.call("GET", "/flavors?x=1", version="1.1", status=400)


class OrderTest(base.ApiTestCase):
    """Nonsense from who may not call is 401 or 403; the body is never looked at."""

    options = {"auth_strategy": "http_basic"}
    nonsense = b"{ not json"

    def new_conf(self, **overrides: Any) -> Any:
        policy, users = self.tempdir() / "policy.yaml", self.tempdir() / "users.yaml"
        policy.write_text(json.dumps({rule: "role:nobody" for route in routes.ROUTES for rule in route.policies}))
        authn.write_users_file(
            users, [{"name": "u", "password": "p", "project_id": base.PROJECT, "roles": ["member", "admin"]}]
        )
        return super().new_conf(http_basic_auth_user_file=str(users), oslo_policy__policy_file=str(policy), **overrides)

    def test_every_route(self) -> None:
        for route in routes.ROUTES:
            if route.public:
                continue
            path = "/" + route.path.replace("{project_id}", base.PROJECT).replace("{", "").replace("}", "")
            version = f"{route.min_version[0]}.{route.min_version[1]}"
            with self.subTest(f"{route.method} {route.path}"):
                self.call(route.method, path, self.nonsense, version=version, status=401)
                basic = {"Authorization": "Basic dTpw", "Content-Type": "text/plain"}
                status = 401 if route.admin else 403
                response = self.call(route.method, path, self.nonsense, version=version, headers=basic, status=status)
                words = "for administrators" if route.admin else route.policies[0]
                self.assertIn(words, self.fault(response)["message"])

    def test_another_project_is_403_for_administrators_too(self) -> None:
        basic = {"Authorization": "Basic dTpw"}
        response = self.call("GET", "/flavors", project=base.OTHER_PROJECT, headers=basic, status=403)
        self.assertNotIn("Policy", response.text)


class ErrorsTest(base.ApiTestCase):
    def test_request_id_is_on_every_answer(self) -> None:
        seen = {
            self.call(method, path, status=status).headers["x-openstack-request-id"]
            for method, path, status in (
                ("GET", "/flavors", 200),
                ("GET", "/nope", 404),
                ("PUT", "/flavors", 405),
                ("GET", "//", 200),
            )
        }
        self.assertEqual(4, len(seen))
        self.assertTrue(self.app.get("/healthcheck").headers["x-openstack-request-id"].startswith("req-"))

    def test_what_is_away_is_told_once_in_a_while(self) -> None:
        def away() -> Any:
            raise db_exception.DBConnectionError

        with mock.patch.object(self.db, "reader", new=away):
            for _ in range(20):
                self.call("GET", "/flavors", status=503)
        told = [record for record in self.logs.records if "cannot reach its database" in record.getMessage()]
        self.assertEqual(["WARNING"], [record.levelname for record in told])

    def test_what_was_not_foreseen(self) -> None:
        self.database.db.engine.dispose()
        with self.db.writer() as session:
            session.connection().exec_driver_sql("DROP TABLE flavors")
        for version in (None, "1.1"):
            fault = self.call("GET", "/flavors", status=500, version=version).json["instanceFault"]
            self.assertNotIn("flavors", fault["message"])
            error_id = fault["message"].split()[-1].rstrip(".")
            self.assertIn(error_id, self.logs.text())
            self.assertIn("no such table", self.logs.text())


class BodyTest(base.ApiTestCase):
    """Bodies that are none, on every route that takes one."""

    options = {"auth_strategy": "noauth", "noauth_admin": True}

    def setUp(self) -> None:
        super().setUp()
        self.routes = [route for route in routes.ROUTES if route.request]

    def send(self, body: Any, status: int, **more: Any) -> None:
        for route in self.routes:
            path = "/" + route.path.replace("{project_id}", base.PROJECT).replace("{instance_id}", ids.new_id())
            path = path.replace("{", "").replace("}", "")
            with self.subTest(f"{route.method} {route.path}"):
                response = self.call(route.method, path, body, status=status, **more)
                self.assertTrue(response.content_type == "application/json")

    def test_there_are_some(self) -> None:
        self.assertGreater(len(self.routes), 5)

    def test_malformed(self) -> None:
        for body in (
            b"{",
            b"\xff",
            b"NaN",
            b'{"a": NaN}',
            b'{"a":1,"a":2}',
            b'{"a":1,"a":true}',
            b'{"a":[1],"a":[1.0]}',
            b"[" * 60_000,
            b'{"a":' * 15_000 + b"1" + b"}" * 15_000,
            b"null\0",
            b'"\\ud800"',
            b'{"instance": {"name": "\\u0000"}}',
            b"1e999",
            b"9" * 5000,
            b" ",
            b"\n\n",
        ):
            self.send(body, 400)

    def test_wrong_shapes(self) -> None:
        for version in ("1.0", "1.1"):
            for body in ([], "text", 7, True, {"foo": 1} if version == "1.1" else [1], [[]]):
                self.send(body, 400, version=version)

    def test_missing(self) -> None:
        self.routes = [route for route in self.routes if not route.body_optional]
        self.send(b"", 400)

    def test_media_types(self) -> None:
        for content_type in (
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
        ):
            self.send(b"{}", 415, headers={"Content-Type": content_type})

    def test_too_large(self) -> None:
        self.send(b" " * (self.conf.max_request_body_size + 1), 413)

    def test_secrets_are_not_echoed(self) -> None:
        secret = "Hunter2Hunter2"
        for body in (
            {"instance": {"name": "x", "users": [{"name": "u", "password": [secret]}]}},
            {"users": [{"name": "", "password": secret * 100}]},
            {"user": {"password": {"x": secret}}},
            {"password": [secret]},
        ):
            for route in self.routes:
                path = "/" + route.path.replace("{project_id}", base.PROJECT).replace("{", "").replace("}", "")
                response = self.call(route.method, path, body)
                self.assertGreaterEqual(response.status_int, 400)
                self.assertNotIn(secret, response.text)
        self.assertNotIn(secret, self.logs.text())


class AdministratorTest(base.ApiTestCase):
    """Routes marked ``admin`` answer 401, which existing clients expect, unless policy allows the call."""

    def test_401_unless_administrator(self) -> None:
        probe = routes.Route(
            "GET",
            "/v1.0/{project_id}/mgmt/flavors",
            "flavors:index",
            "instance:reset_status",
            response="flavors",
            admin=True,
        )
        self.table = (*routes.ROUTES, probe)
        member = self.make_app(self.new_conf(auth_strategy="noauth"))
        fault = self.fault(self.call("GET", "/mgmt/flavors", app=member, version="1.1", status=401))
        self.assertEqual("auth.admin_required", fault["symbol"])
        admin = self.make_app(self.new_conf(auth_strategy="noauth", noauth_admin=True))
        self.call("GET", "/mgmt/flavors", app=admin, status=200)
