# SPDX-License-Identifier: Apache-2.0
"""The base of tests that call the API: the real application, a real database, no server and no guest.

Every answer, expected or not, is held against the schema of its route (or of errors), and against what holds for all
answers. Hints to other services are recorded instead of sent: losing them is allowed.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

import jsonschema
import webtest

from trove.api import app, authz, dispatch, microversions, routes, schemas, services
from trove.api.routes import Route
from trove.datastores import spi
from trove.objects import catalog
from trove.objectstore.base import ObjectStore
from trove.providers import fake, registry
from trove.tests import base
from trove.tests.fixtures import databases
from trove.tests.fixtures.hints import RecordedHints

PROJECT = "0123456789abcdef0123456789abcdef"
OTHER_PROJECT = "fedcba9876543210fedcba9876543210"
LATEST = str(microversions.MAX)


class AnswerChecker:
    """An observer that refuses answers which do not fit their schema."""

    def __call__(self, route: Route | None, version: microversions.Version, status: int, content: bytes) -> None:
        """Check one answer.

        :raises ObserverError: with every reason.
        """
        where = f"{route.method} {route.path}" if route else "an unknown path"
        if status >= 400:
            document = json.loads(content)
            self._check("error", document, where)
            (fault,) = document.values()
            if fault["code"] != status or ("symbol" in fault) != (version >= microversions.STRICT):
                raise dispatch.ObserverError(f"{where}: error document does not fit {status} at {version}: {document}")
        elif route is not None and route.operations and version >= microversions.OPERATIONS:
            if status != 202:
                raise dispatch.ObserverError(f"{where}: {status} is not the status of operations that have begun")
            self._check("operations", json.loads(content), where)
        elif route is None or (status != route.status and not (route.operations and status == 202)):
            raise dispatch.ObserverError(f"{where}: {status} is not the status of success")
        elif route.response is None:
            if content:
                raise dispatch.ObserverError(f"{where}: the answer must be empty")
        else:
            self._check(route.response, json.loads(content), where)

    def _check(self, name: str, document: Any, where: str) -> None:
        reasons = [f"{error.json_path}: {error.message}" for error in _validators()[name].iter_errors(document)]
        if reasons:
            raise dispatch.ObserverError(f"{where}: the answer does not fit schema {name}: {'; '.join(reasons)}")


@functools.cache
def _validators() -> dict[str, Any]:
    return {name: jsonschema.Draft202012Validator(schema) for name, schema in schemas.load().items()}


_enforcers: dict[tuple[str, ...], authz.Enforcer] = {}


def _enforcer(conf: Any) -> authz.Enforcer:
    """Return an enforcer that keeps the options of ``conf``; those with the same options, and so the same rules, share
    one, because it takes longer to make than many a test to run."""
    key = tuple(f"{name}={value}" for name, value in sorted(conf.oslo_policy.items()))
    if key not in _enforcers:
        _enforcers[key] = authz.make_enforcer(conf)
    return _enforcers[key]


class RawPathTestApp(webtest.TestApp):  # type: ignore[misc]
    """Puts the path as it was written where servers put it; WebTest only knows the decoded one."""

    def do_request(self, req: Any, status: Any = None, expect_errors: Any = None) -> Any:
        """Send one request."""
        raw = req.environ.pop("trove.test.url", None)
        if raw is not None:
            req.environ["REQUEST_URI"] = raw
        return super().do_request(req, status, expect_errors)


class Sender(TypedDict, total=False):
    """Who sends a request and through what: a member of :data:`PROJECT` through the test's application by default."""

    project: str
    headers: dict[str, str]
    app: Any


class ApiTestCase(base.FunctionalTestCase):
    """Calls the API as a member of :data:`PROJECT`; overridable options are in :attr:`options`."""

    #: Options of this class's configuration, as :meth:`trove.tests.base.TestCase.new_conf` takes them.
    options: dict[str, Any] = {"auth_strategy": "noauth"}
    #: Which database system; one of :data:`trove.tests.fixtures.databases.DIALECTS`.
    dialect = "sqlite"
    #: What the provider can do, as the API knows it.
    provider_capabilities = frozenset(capability.value for capability in fake.CAPABILITIES)
    #: Id of the only network of the provider.
    only_network: str | None = None
    #: What other providers can do, by name.
    other_providers: Mapping[str, registry.Traits] = {}
    #: What is served.
    table: tuple[Route, ...] = routes.ROUTES

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(databases.DatabaseFixture(self.dialect))
        self.db = self.database.db
        self.conf = self.new_conf(**self.options)
        self.hints = RecordedHints()
        self.store = self.make_store()
        self.objects = self.make_objects()
        self.app = self.make_app(self.conf)

    def make_store(self) -> Any:
        """Return the workflow store over this test's database."""
        try:
            from trove.workflow.store import Store
        except ImportError:
            return None
        return Store(self.db)

    def make_objects(self) -> ObjectStore | None:
        """Return the object store of the service; none unless a test says otherwise."""
        return None

    def plugins(self) -> dict[str, spi.Plugin]:
        """Return the datastore plugins the API knows; without any unless a test says otherwise."""
        return {}

    def make_app(self, conf: Any) -> RawPathTestApp:
        """Return a client of a new application with ``conf`` over this test's database."""
        made = self.make_services(conf)
        return RawPathTestApp(app.make_app(made, conf, table=self.table, observer=AnswerChecker()))

    def described(self) -> registry.Described:
        """Return what the API knows of providers."""
        traits = registry.Traits(self.provider_capabilities, self.only_network)
        return registry.Described("fake", {"fake": traits, **self.other_providers})

    def make_services(self, conf: Any) -> services.Services:
        """Return the parts of an API process with ``conf`` over this test's database."""
        return services.Services(
            conf=conf,
            db=self.db,
            store=self.store,
            plugins=self.plugins(),
            taskmanager=self.hints,
            conductor=self.hints,
            enforcer=_enforcer(conf),
            providers=self.described(),
            objects=self.objects,
        )

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = None,
        status: int | None = None,
        **sender: Unpack[Sender],
    ) -> Any:
        """Send one request and return WebTest's response; ``.json`` is its document.

        :param path: below the project, percent-encoded where needed; one that begins with ``//`` (shortened to ``/``)
            stands as it is.
        :param body: bytes as they are, anything else as JSON.
        :param version: microversion, such as ``1.1``; absent sends no header.
        :param status: status that the answer must have.
        """
        url = path[1:] if path.startswith("//") else f"/v1.0/{sender.get('project', PROJECT)}{path}"
        sent = {"X-Auth-Token": "notused", **sender.get("headers", {})}
        if version is not None:
            sent[microversions.HEADER] = f"database {version}"
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        response = self._send(sender.get("app", self.app), url, method, content, sent)
        if status is not None:
            self.assertEqual(status, response.status_int, response.text)
        return response

    def _send(self, client: Any, url: str, method: str, content: bytes, headers: dict[str, str]) -> Any:
        request = client.RequestClass.blank(url, method=method, body=content, headers=headers)
        request.environ["trove.test.url"] = url
        if not content and "Content-Type" not in headers:
            request.environ.pop("CONTENT_TYPE", None)
        return client.do_request(request, expect_errors=True)

    def fault(self, response: Any) -> dict[str, Any]:
        """Return what is inside an error document."""
        (fault,) = response.json.values()
        return dict(fault)

    def seed(self, **version: Any) -> catalog.DatastoreVersion:
        """Register a datastore version; PostgreSQL 16 unless said otherwise."""
        given = {"datastore": "postgresql", "name": "16", "manager": "postgresql", "default": True, **version}
        with self.db.writer() as session:
            return catalog.register_version(session, **given)

    def seed_flavor(self, **flavor: Any) -> catalog.Flavor:
        """Register a flavor; ``small`` unless said otherwise."""
        given = {"id": "small", "name": "small", "vcpus": 1, "ram_mib": 512, "disk_gib": 5, **flavor}
        with self.db.writer() as session:
            return catalog.register_flavor(session, **given)
