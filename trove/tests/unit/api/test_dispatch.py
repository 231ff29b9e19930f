# SPDX-License-Identifier: Apache-2.0
"""The pipeline with routes, handlers and callers of its own: which step comes first, and what becomes of errors."""

import functools
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from oslo_db import exception as db_exception

import trove.conf
from trove.api import authn, authz, dispatch, microversions
from trove.api.request import ApiRequest, Reply
from trove.api.routes import Route
from trove.api.schemas import atoms
from trove.api.services import Services
from trove.api.validation import Validators
from trove.common import exception
from trove.httpserver import wsgi
from trove.tests import base

_SCHEMAS = {"thing": atoms.document({"name": atoms.NAME}), "any": {}}
_THINGS = "/v1.0/{project_id}/things"


@functools.cache
def _enforcer() -> authz.Enforcer:
    return authz.make_enforcer(trove.conf.new(files=[]))


class Callers:
    """A strategy that knows three callers by their tokens."""

    challenge = "Tests"
    proves_project = True

    def authenticate(self, environ: Mapping[str, Any]) -> authn.Identity:
        """See :class:`trove.api.authn.Strategy`."""
        known = {
            "member": authn.Identity("m", "p", ("member",)),
            "admin": authn.Identity("a", "p", ("admin",)),
            "system": authn.Identity("s", None, ("admin",), system_scope="all"),
        }
        try:
            return known[environ.get("HTTP_X_AUTH_TOKEN", "")]
        except KeyError:
            raise exception.Unauthorized from None


class PlayedWait:
    """What a handler waits for; ends when told."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] | None = None
        self.cancelled = False

    def start(self, wake: Callable[[], None]) -> None:
        """Keep what ends the wait."""
        self.wake = wake

    def cancel(self) -> None:
        """Record that nobody waits any more."""
        self.cancelled = True

    def reply(self) -> Reply:
        """Return the answer at the end."""
        return Reply({"waited": "aside"})

    def block(self) -> Reply:
        """Return the answer of a thread that has waited itself."""
        return Reply({"waited": "here"})


class DispatcherTestCase(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.handled: list[ApiRequest] = []
        self.outcome: Reply | Exception = Reply({"thing": {}})
        self.seen: list[tuple[Any, ...]] = []
        self.dispatcher = self.make(
            Route("GET", _THINGS, "x:y", None, reason="test"),
            Route("POST", _THINGS, "x:y", "instance:reset_status", request="thing"),
            Route("DELETE", _THINGS + "/{id}", "x:y", "instance:reset_status", admin=True, status=204),
            Route("GET", _THINGS + "/{id}", "x:y", ("instance:reset_status", "instance:show"), min_version=(1, 1)),
            Route("PUT", _THINGS + "/{id}", "x:y", None, reason="test", request="thing", body_optional=True),
            Route("GET", "/", "x:y", None, public=True, reason="test"),
        )

    def make(self, *routes: Route) -> dispatch.Dispatcher:
        unused: Any = None
        services = Services(self.new_conf(), unused, unused, {}, unused, unused, _enforcer())
        targets = [dispatch.Target(route, self.handle) for route in routes]
        return dispatch.Dispatcher(services, targets, Validators(_SCHEMAS), Callers(), self.observe)

    def handle(self, req: ApiRequest) -> Reply:
        self.handled.append(req)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def observe(self, *seen: Any) -> None:
        self.seen.append(seen)

    def environ(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        body = more.pop("body", b"")
        return {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "h", "SERVER_PORT": "80",
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/json", "HTTP_X_AUTH_TOKEN": "admin", **more,
        }  # fmt: skip

    def ask(self, method: str, path: str, **more: Any) -> Any:
        return self.dispatcher.answer(self.environ(method, path, **more))


class OrderTest(DispatcherTestCase):
    def test_the_first_step_that_fails_is_told(self) -> None:
        """Everything is wrong with a request, and is put right in the order of the pipeline."""
        wrong: dict[str, Any] = {
            "HTTP_OPENSTACK_API_VERSION": "database 99.0", "method": "PATCH", "path": "/v1.0/q/nothing",
            "HTTP_X_AUTH_TOKEN": "nobody", "CONTENT_TYPE": "text/plain", "body": b"{",
        }  # fmt: skip
        for status, right in (
            (406, {"HTTP_OPENSTACK_API_VERSION": f"database {microversions.MAX}"}),
            (404, {"path": "/v1.0/q/things"}),
            (405, {"method": "POST"}),
            (401, {"HTTP_X_AUTH_TOKEN": "member"}),
            (403, {"path": "/v1.0/p/things"}),
            (403, {"HTTP_X_AUTH_TOKEN": "admin"}),
            (415, {"CONTENT_TYPE": "application/json"}),
            (400, {"body": b"{}"}),
            (400, {"body": b'{"name": "n"}'}),
        ):
            self.assertEqual(status, self.ask(**wrong).status_int, right)
            self.assertEqual([], self.handled)
            wrong.update(right)
        self.assertEqual(200, self.ask(**wrong).status_int)
        (request,) = self.handled
        self.assertEqual(({"name": "n"}, "p", True), (request.body, request.project_id, request.context.is_admin))

    def test_a_body_that_nobody_reads_is_not_looked_at(self) -> None:
        self.assertEqual(200, self.ask("GET", "/v1.0/p/things", body=b"{", CONTENT_TYPE="text/plain").status_int)

    def test_an_optional_body_and_one_that_is_needed(self) -> None:
        self.assertEqual(200, self.ask("PUT", "/v1.0/p/things/1").status_int)
        self.assertIsNone(self.handled[0].body)
        self.assertEqual(400, self.ask("POST", "/v1.0/p/things").status_int)

    def test_versions_of_a_route(self) -> None:
        self.assertEqual(404, self.ask("GET", "/v1.0/p/things/1").status_int)
        newer = {"HTTP_OPENSTACK_API_VERSION": "database 1.1"}
        self.assertEqual(200, self.ask("GET", "/v1.0/p/things/1", **newer).status_int)

    def test_what_is_public_needs_no_caller(self) -> None:
        self.assertEqual(200, self.ask("GET", "/", HTTP_X_AUTH_TOKEN="").status_int)


class CallersTest(DispatcherTestCase):
    def test_refusals_of_policy(self) -> None:
        who = {"HTTP_X_AUTH_TOKEN": "member"}
        refused = self.ask("POST", "/v1.0/p/things", **who)
        self.assertEqual(403, refused.status_int)
        self.assertIn("instance:reset_status", refused.text)
        self.assertEqual(401, self.ask("DELETE", "/v1.0/p/things/1", **who).status_int)  # for administrators only
        one_of_two = self.ask("GET", "/v1.0/p/things/1", HTTP_OPENSTACK_API_VERSION="database 1.1", **who)
        self.assertEqual(200, one_of_two.status_int)

    def test_who_is_unknown_learns_how_to_prove_himself(self) -> None:
        self.assertEqual("Tests", self.ask("GET", "/v1.0/p/things", HTTP_X_AUTH_TOKEN="").headers["WWW-Authenticate"])

    def test_a_path_without_a_project_means_the_callers(self) -> None:
        self.assertEqual(200, self.ask("GET", "/v1.0/things").status_int)
        self.assertEqual("p", self.handled[0].project_id)

    def test_roles_of_the_system_belong_to_no_project(self) -> None:
        who = {"HTTP_X_AUTH_TOKEN": "system"}
        self.assertEqual(200, self.ask("GET", "/v1.0/things", **who).status_int)
        self.assertEqual(204, self._delete("/v1.0/things/1", **who))
        self.assertEqual([dispatch.NO_PROJECT] * 2, [request.project_id for request in self.handled])
        made = self.ask("POST", "/v1.0/things", body=b'{"name": "n"}', **who)  # what is made has to be somebody's
        self.assertEqual(400, made.status_int)
        self.assertEqual(200, self.ask("POST", "/v1.0/q/things", body=b'{"name": "n"}', **who).status_int)
        self.assertEqual("q", self.handled[-1].project_id)

    def _delete(self, path: str, **more: Any) -> int:
        self.outcome = Reply()
        try:
            return int(self.ask("DELETE", path, **more).status_int)
        finally:
            self.outcome = Reply({"thing": {}})

    def test_no_project_has_so_long_an_id(self) -> None:
        who = {"HTTP_X_AUTH_TOKEN": "system"}
        longest = "x" * dispatch.MAX_PROJECT_ID
        self.assertEqual(200, self.ask("GET", f"/v1.0/{longest}/things", **who).status_int)
        self.assertEqual(404, self.ask("GET", f"/v1.0/{longest}x/things", **who).status_int)


class AnswerTest(DispatcherTestCase):
    def test_a_document(self) -> None:
        self.outcome = Reply({"thing": {"name": "ä"}}, headers={"X-More": "1"})
        answer = self.ask("GET", "/v1.0/p/things")
        self.assertEqual({"thing": {"name": "ä"}}, json.loads(answer.body))
        self.assertEqual(("application/json", "1"), (answer.content_type, answer.headers["X-More"]))
        ((route, version, status, content),) = self.seen
        self.assertEqual((_THINGS, (1, 0), 200), (route.path, version, status))
        self.assertEqual(answer.body, content)

    def test_the_status_is_the_routes_unless_the_handler_says_another(self) -> None:
        self.outcome = Reply()
        answer = self.ask("DELETE", "/v1.0/p/things/1")
        self.assertEqual((204, b"", None), (answer.status_int, answer.body, answer.headers.get("Content-Type")))
        self.outcome = Reply({}, status=202)
        self.assertEqual(202, self.ask("DELETE", "/v1.0/p/things/1").status_int)

    def test_a_stream(self) -> None:
        self.outcome = Reply(stream=iter([b"a", b"b"]))
        answer = self.ask("GET", "/v1.0/p/things")
        self.assertEqual((dispatch.TEXT, b"ab"), (answer.headers["Content-Type"], answer.body))

    def test_what_was_foreseen_is_told(self) -> None:
        self.outcome = exception.NotFound("There is no such thing.")
        answer = self.ask("GET", "/v1.0/p/things")
        self.assertEqual((404, "There is no such thing."), (answer.status_int, answer.json["itemNotFound"]["message"]))

    def test_what_was_not_foreseen_is_told_to_the_operator_only(self) -> None:
        self.outcome = RuntimeError("the inside")
        answer = self.ask("GET", "/v1.0/p/things")
        self.assertEqual(500, answer.status_int)
        self.assertNotIn("the inside", answer.text)
        self.assertIn("the inside", self.logs.text())

    def test_a_database_that_is_away_is_told_and_logged_once(self) -> None:
        self.outcome = db_exception.DBConnectionError()
        for _ in range(3):
            answer = self.ask("GET", "/v1.0/p/things")
            self.assertEqual(503, answer.status_int)
        self.assertIn("cannot reach its database", answer.text)
        self.assertEqual(1, self.logs.text().count("cannot reach its database"))

    def test_what_the_observer_does_not_like_passes(self) -> None:
        def dislike(*_seen: Any) -> None:
            raise dispatch.ObserverError("no")

        self.observe = dislike  # type: ignore[method-assign]
        self.dispatcher = self.make(Route("GET", _THINGS, "x:y", None, reason="test"))
        self.assertRaises(dispatch.ObserverError, self.ask, "GET", "/v1.0/p/things")


class WaitingTest(DispatcherTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.wait: Any = PlayedWait()
        self.outcome = Reply(wait=self.wait)

    def test_where_threads_wait(self) -> None:
        self.assertEqual({"waited": "here"}, self.ask("GET", "/v1.0/p/things").json)
        self.assertFalse(self.handled[0].parks)

    def test_where_requests_are_put_aside(self) -> None:
        kept: list[tuple[object, Callable[[], None]]] = []
        woken: list[None] = []

        def defer(exchange: object, abandoned: Callable[[], None]) -> Callable[[], None]:
            kept.append((exchange, abandoned))
            return lambda: woken.append(None)

        environ = self.environ("GET", "/v1.0/p/things", **{wsgi.DEFER: defer})
        self.assertEqual(202, self.dispatcher.answer(environ).status_int)
        self.assertEqual([], self.seen)  # that answer is for nobody
        self.assertTrue(self.handled[0].parks)
        ((exchange, abandoned),) = kept
        self.wait.wake()
        self.assertEqual([None], woken)
        answer = self.dispatcher.answer({**environ, wsgi.RESUMED: exchange})
        self.assertEqual((200, {"waited": "aside"}), (answer.status_int, answer.json))
        self.assertEqual(1, len(self.handled))  # nothing was done twice
        abandoned()
        self.assertTrue(self.wait.cancelled)


class RoutesTest(DispatcherTestCase):
    def test_schemas_must_exist(self) -> None:
        for word in ("request", "query", "response"):
            route = Route("GET", _THINGS, "x:y", None, reason="test", **{word: "gone"})  # type: ignore[arg-type]
            err = self.assertRaises(ValueError, self.make, route)
            self.assertIn("gone", str(err))

    def test_handlers_must_exist(self) -> None:
        (target,) = dispatch.resolve([Route("GET", "/", "versions:index", None, reason="test")])
        self.assertTrue(callable(target.handler))
        for handler, kind in (("gone:index", ImportError), ("versions:gone", AttributeError)):
            route = Route("GET", "/", handler, None, reason="test")
            self.assertRaises(kind, dispatch.resolve, [route])
