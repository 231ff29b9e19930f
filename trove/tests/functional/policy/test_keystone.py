# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/authn_keystone.py
"""Tokens of a real Keystone: whom they let in, what is remembered of them, and what becomes of them."""

import datetime
import socket
from typing import Any

import requests
from keystoneauth1.identity import v3

from trove.api.app import make_app
from trove.api.server import ApiServer
from trove.common import clock
from trove.tests.fixtures import server_process
from trove.tests.functional.policy import base


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ProjectTest(base.KeystoneTestCase):
    def test_a_member_and_the_project_in_the_path(self) -> None:
        member = self.keystone.account("member")
        token = self.keystone.token(member)
        made = self.send(token, "POST", "/instances", self.wanted(), project=member.in_project, status=200)
        instance_id = made.json["instance"]["id"]
        for path in ("/instances", f"/instances/{instance_id}", "/flavors", "/limits"):
            self.send(token, "GET", path, project=member.in_project, status=200)
        other = self.keystone.project()
        message = self.fault(self.send(token, "GET", "/instances", project=other, status=403))["message"]
        self.assertIn("project in the path", message)
        # The project's rows are all there is to find; a neighbour finds none of them.
        neighbour = self.keystone.account("member")
        found = self.send(
            self.keystone.token(neighbour), "GET", f"/instances/{instance_id}", project=neighbour.in_project
        )
        self.assertEqual(404, found.status_int)
        # What was written down holds no token.
        self.assertNotIn(token, str(self.everything()))
        self.assertNotIn(token, self.logs.text())

    def test_a_path_without_a_project(self) -> None:
        member = self.keystone.account("member")
        token = self.keystone.token(member)
        made = self.send(token, "POST", "//v1.0/instances", self.wanted(), status=200).json["instance"]
        self.assertIn(f"/v1.0/{member.project_id}/instances/{made['id']}", made["links"][0]["href"])
        for path in ("/instances", f"/instances/{made['id']}", "/flavors/small",
                     "/datastores/postgresql/versions/16"):  # fmt: skip
            self.send(token, "GET", f"//v1.0{path}", status=200)
        listed = self.send(token, "GET", "/instances", project=member.in_project, status=200).json["instances"]
        self.assertEqual([made["id"]], [row["id"] for row in listed])

    def test_an_application_credential(self) -> None:
        account = self.keystone.account("member")
        limited = self.keystone.application_credential(account, roles=[{"name": "reader"}])
        token = self.keystone.token(limited)
        self.send(token, "GET", "/instances", project=account.in_project, status=200)
        self.send(token, "POST", "/instances", self.wanted(), project=account.in_project, status=403)

    def test_an_application_credential_for_one_call(self) -> None:
        # Access rules hold for services in the catalogue.
        self.keystone.register("database", "http://127.0.0.1:9/v1.0/%(project_id)s")
        account = self.keystone.account("member")
        rule = {"path": "/v1.0/*/flavors", "method": "GET", "service": "database"}
        limited = self.keystone.application_credential(account, access_rules=[rule])
        token = self.keystone.token(limited)
        self.send(token, "GET", "/flavors", project=account.in_project, status=200)
        self.send(token, "GET", "/instances", project=account.in_project, status=401)

    def test_an_administrator_acts_on_another_project(self) -> None:
        owner, admin = self.keystone.account("member"), self.keystone.account("admin")
        made = self.send(
            self.keystone.token(owner), "POST", "/instances", self.wanted(), project=owner.in_project, status=200
        )
        self.settle()
        token, place = self.keystone.token(admin), f"/instances/{made.json['instance']['id']}"
        listed = self.send(token, "GET", "/mgmt/instances", project=admin.in_project, status=200)
        self.assertEqual([owner.project_id], [row["tenant_id"] for row in listed.json["instances"]])
        self.send(token, "POST", f"{place}/action", {"restart": {}}, project=admin.in_project, status=202)
        self.settle()
        self.send(token, "DELETE", place, project=admin.in_project, status=202)
        self.settle()
        self.send(token, "GET", place, project=admin.in_project, status=404)
        # Not even an administrator may borrow another project's path.
        self.send(token, "GET", "/instances", project=owner.in_project, status=403)


class SystemTest(base.KeystoneTestCase):
    def test_an_administrator_of_the_system(self) -> None:
        owner, admin = self.keystone.account("member"), self.keystone.account("admin", system=True)
        token = self.keystone.token(admin)
        made = self.send(
            self.keystone.token(owner), "POST", "/instances", self.wanted(), project=owner.in_project, status=200
        )
        self.settle()
        place = f"/instances/{made.json['instance']['id']}"
        for options in ({"project": owner.in_project}, {"project": "whatever"}):
            listed = self.send(token, "GET", "/mgmt/instances", status=200, **options)
            self.assertEqual([owner.project_id], [row["tenant_id"] for row in listed.json["instances"]])
            self.send(token, "GET", place, status=200, **options)
        self.send(token, "POST", f"{place}/action", {"restart": {}}, project="whatever", status=202)
        self.settle()
        # A catalogue offers such a token only a URL without a project.
        self.send(token, "GET", "//v1.0/mgmt/instances", status=200)
        refused = self.send(token, "POST", "//v1.0/instances", self.wanted(), status=400)
        self.assertIn("/v1.0/PROJECT_ID", self.fault(refused)["message"])
        self.send(token, "DELETE", f"//v1.0{place}", status=202)

    def test_lesser_roles_of_the_system_are_none_in_a_project(self) -> None:
        project = self.keystone.project()
        for role in ("member", "reader"):
            token = self.keystone.token(self.keystone.account(role, system=True))
            self.send(token, "GET", "/datastores", project=project, status=200)
            self.send(token, "GET", "/instances", project=project, status=403)
            self.send(token, "POST", "/instances", self.wanted(), project=project, status=403)

    def test_a_token_of_a_domain(self) -> None:
        account = self.keystone.account("admin")
        where = f"/domains/default/users/{account.user_id}/roles/{self.keystone.role('admin')}"
        self.keystone.call("PUT", where)
        auth = v3.Password(
            self.keystone.url, user_id=account.user_id, password=account.password, domain_id="default"
        )  # fmt: skip
        token = auth.get_token(self.keystone.session(account))
        message = self.fault(self.send(token, "GET", "/instances", project=account.in_project, status=403))["message"]
        self.assertIn("project or of the system", message)


class RefusalTest(base.KeystoneTestCase):
    def test_without_a_token_that_is_one(self) -> None:
        project = self.keystone.project()
        for token in (None, "nonsense", "ä" * 40):
            answer = self.send(token, "GET", "/instances", project=project, status=401)
            self.assertEqual(f'Keystone uri="{self.keystone.url}"', answer.headers["WWW-Authenticate"])
        self.call("GET", "//", app=self.tokens, status=200)
        self.call("GET", "//v1.0/openapi.json", app=self.tokens, status=200)

    def test_headers_that_only_the_middleware_may_write(self) -> None:
        reader, other = self.keystone.account("reader"), self.keystone.project()
        token = self.keystone.token(reader)
        forged = {
            "X-Roles": "admin", "X-Role": "admin", "X-Project-Id": other, "X-Tenant-Id": other, "X-User-Id": "root",
            "X-Service-Roles": "service", "OpenStack-System-Scope": "all", "X-Identity-Status": "Confirmed",
        }  # fmt: skip
        self.send(token, "POST", "/instances", self.wanted(), project=reader.in_project, headers=forged, status=403)
        self.send(token, "GET", "/instances", project=other, headers=forged, status=403)
        self.send(None, "GET", "/instances", project=other, headers=forged, status=401)

    def test_keystone_is_away(self) -> None:
        app = self.make_app(
            self.keystone_conf(auth_url="http://127.0.0.1:9/v3", http_request_max_retries=0)
        )  # fmt: skip
        answer = self.send("any", "GET", "/instances", app=app, status=503)
        self.assertIn("Keystone", self.fault(answer)["message"])

    def test_keystone_refuses_the_service_itself(self) -> None:
        app = self.make_app(self.keystone_conf(password="wrong"))
        self.send("any", "GET", "/instances", app=app, status=503)
        self.assertNotIn("wrong", self.logs.text())

    def test_a_token_of_a_service_adds_no_scope(self) -> None:
        """A service with a role on the system passes a request on; its caller stays what it is."""
        owner = self.keystone.account("reader")
        service = self.keystone.account("service", system=True)
        headers = {"X-Service-Token": self.keystone.token(service)}
        token = self.keystone.token(owner)
        self.send(token, "GET", "/instances", project=owner.in_project, headers=headers, status=200)
        self.send(token, "GET", "/instances", project=self.keystone.project(), headers=headers, status=403)


class LifeOfATokenTest(base.KeystoneTestCase):
    def test_keystone_is_asked_once(self) -> None:
        reader = self.keystone.account("reader")
        token = self.keystone.token(reader)
        for _ in range(3):
            self.send(token, "GET", "/instances", project=reader.in_project, status=200)
        self.assertEqual(1, self.keystone.validations(token))

    def test_processes_share_a_memcached(self) -> None:
        port = server_process.free_port()
        server = server_process.ServerProcess("memcached", server_process.new_directory("memcached"))
        server.start(["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0"])
        self.addCleanup(server.stop)
        server.await_ready(lambda: _listens(port))
        shared = {"memcached_servers": f"127.0.0.1:{port}", "memcache_security_strategy": "ENCRYPT",
                  "memcache_secret_key": "k" * 32}  # fmt: skip
        reader = self.keystone.account("reader")
        token = self.keystone.token(reader)
        for _ in range(2):
            app = self.make_app(self.keystone_conf(**shared))
            self.send(token, "GET", "/instances", project=reader.in_project, app=app, status=200)
        self.assertEqual(1, self.keystone.validations(token))

    def test_it_is_not_remembered_for_ever(self) -> None:
        reader = self.keystone.account("reader")
        token = self.keystone.token(reader)
        app = self.make_app(self.keystone_conf(token_cache_time=-1))
        for _ in range(2):
            self.send(token, "GET", "/instances", project=reader.in_project, app=app, status=200)
        self.assertEqual(2, self.keystone.validations(token))
        self.keystone.revoke(token)
        self.send(token, "GET", "/instances", project=reader.in_project, app=app, status=401)

    def test_it_expires_even_where_it_is_remembered(self) -> None:
        account = self.keystone.account("reader")
        for seconds in (3, 12, 48):  # a busy machine may not come to use it in time
            end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
            token = self.keystone.token(
                self.keystone.application_credential(account, expires_at=end.strftime("%Y-%m-%dT%H:%M:%S.%f"))
            )
            accepted = self.send(token, "GET", "/instances", project=account.in_project).status_int == 200
            if accepted:
                break
        self.assertTrue(accepted)
        clock.sleep(max(0.0, (end - datetime.datetime.now(datetime.UTC)).total_seconds()) + 1)
        self.send(token, "GET", "/instances", project=account.in_project, status=401)
        # A service that passes on what began in time may do so for a while.
        service = {"X-Service-Token": self.keystone.token(self.keystone.account("service"))}
        self.send(token, "GET", "/instances", project=account.in_project, headers=service, status=200)
        nobody = {"X-Service-Token": self.keystone.token(self.keystone.account("member"))}
        self.send(token, "GET", "/instances", project=account.in_project, headers=nobody, status=401)

    def test_a_client_logs_in_again(self) -> None:
        url = self.serve(self.keystone_conf(token_cache_time=-1))
        self.keystone.register("database", f"{url}/v1.0/%(project_id)s")
        session = self.keystone.session(self.keystone.account("reader"))
        where = {"service_type": "database", "region_name": self.keystone.region, "interface": "public"}
        self.assertEqual({"instances": []}, session.get("/instances", endpoint_filter=where).json())
        first = session.get_token()
        self.keystone.revoke(first)
        self.assertEqual(401, requests.get(
            session.get_endpoint(**where) + "/instances", headers={"X-Auth-Token": first}, timeout=30
        ).status_code)  # fmt: skip
        self.assertEqual({"instances": []}, session.get("/instances", endpoint_filter=where).json())
        self.assertNotEqual(first, session.get_token())

    def serve(self, conf: Any) -> str:
        """Serve the API on a port of its own and return its URL."""
        conf.set_override("bind_host", "127.0.0.1")
        conf.set_override("bind_port", 0)
        server = ApiServer(conf, make_app(self.make_services(conf), conf))
        server.start()
        self.addCleanup(server.stop)
        return f"http://127.0.0.1:{server.port}"
