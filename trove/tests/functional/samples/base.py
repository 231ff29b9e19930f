# SPDX-License-Identifier: Apache-2.0
"""The samples of the REST reference are what the application really answers.

A test names the handler it documents, sets the scene, and sends one request through the whole application. What goes
in and comes out, with ids, times and addresses replaced by fixed ones, must equal the files in
``api-ref/source/samples``. With ``TROVE_TEST_WRITE_SAMPLES=1`` differing files are written instead, and the test still
fails, so that nobody changes a sample without looking at it::

    TROVE_TEST_WRITE_SAMPLES=1 tools/run-tests.sh trove/tests/functional/samples
    git diff api-ref/source/samples

Files of the handler ``instances:create``: ``instances-create-request.json``, ``instances-create-response.json``; where
a newer version answers more, ``instances-show-response-1.1.json`` as well; where the answer has no body,
``instances-delete-response.http``.
"""

import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from trove.api import routes
from trove.api.routes import Route
from trove.db import models
from trove.objects import catalog
from trove.standalone import seed
from trove.tests.functional.api import base, world

FOLDER = pathlib.Path(__file__).resolve().parents[4] / "api-ref" / "source" / "samples"
WRITE = "TROVE_TEST_WRITE_SAMPLES"

PROJECT = base.PROJECT
ENDPOINT = "https://trove.example:8779"
TIME = "2026-01-15T10:30:00"
REQUEST_ID = "req-1f6a3a52-6f4d-4f39-9d3c-0a4cb9a1c2d3"
ADDRESS = "10.20.30.40"

INSTANCE = "44b277eb-39be-4921-be31-3d61b43651d7"
DATASTORE = "e9f2c1a0-7d44-4b7b-8e0c-5f6c9d1b2a3e"
VERSION = "b00000b0-00b0-0b00-00b0-000b000000bb"
SERVER = "3f4a5b6c-7d8e-4f90-a1b2-c3d4e5f60718"
VOLUME = "0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9"
CONFIGURATION = "43a6ea86-e959-4735-9e46-a6a5d4a2d80f"
MODULE = "6d0d9b0c-5b1f-4a0e-8f0e-2c9d3e4f5a6b"
OPERATION = "7c1f0d3e-2b5a-4c8d-9e6f-1a2b3c4d5e6f"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_PARAMETER = re.compile(r"{\w+}")
#: The members of the OpenAPI document that its sample keeps; the whole is long and made from the schemas anyway.
_OPENAPI_PATH = "/v1.0/{project_id}/limits"
_OPENAPI_SCHEMAS = ("limits",)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Sample:
    """What one test documents.

    :ivar handler: of the route, as in :data:`trove.api.routes.ROUTES`.
    :ivar variant: which of several bodies that the route takes.
    :ivar newer: version that answers differently from the route's first one.
    """

    handler: str
    variant: str = ""
    newer: str | None = None

    @property
    def route(self) -> Route:
        """The route that is documented."""
        return next(route for route in routes.ROUTES if route.handler == self.handler)

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return "-".join(part for part in (re.sub("[:_]", "-", self.handler), self.variant) if part)

    @property
    def request(self) -> str | None:
        """Name of the file with the request's body, if it has one."""
        return f"{self.stem}-request.json" if self.route.request else None

    @property
    def responses(self) -> tuple[str, ...]:
        """Names of the files with the answers."""
        if self.route.response is None:
            newer = (f"{self.stem}-response-{self.newer}.json",) if self.newer else ()
            return (f"{self.stem}-response.http", *newer)
        newer = (f"{self.stem}-response-{self.newer}.json",) if self.newer else ()
        return (f"{self.stem}-response.json", *newer)

    def files(self) -> Iterator[str]:
        """Yield the names of all its files."""
        if self.request is not None:
            yield self.request
        yield from self.responses


def documents(handler: str, variant: str = "", *, newer: str | None = None) -> Callable[[F], F]:
    """Mark a test as the source of a sample; see :class:`Sample`."""

    def mark(test: F) -> F:
        test.sample = Sample(handler, variant, newer)  # type: ignore[attr-defined]
        return test

    return mark


class SampleTestCase(world.InstanceTestCase):
    """Seeds what a standalone service has: PostgreSQL and its flavors."""

    options = {"auth_strategy": "noauth", "public_endpoint": ENDPOINT, "http_post_rate": 200}

    def setUp(self) -> None:
        super().setUp()
        self.admin = self.make_app(self.new_conf(**self.options, noauth_admin=True))
        with self.db.writer() as session:
            for model in (models.DatastoreVersion, models.Datastore, models.Flavor):
                session.execute(sa.delete(model))
            for flavor in seed.FLAVORS[:3]:
                catalog.register_flavor(
                    session, **dict(zip(("id", "name", "vcpus", "ram_mib", "disk_gib"), flavor, strict=True))
                )
            for type_id, name, description in seed.VOLUME_TYPES:
                catalog.register_volume_type(session, id=type_id, name=name, description=description)
        self.version = self.seed(name="18.4")
        self.names = {self.version.id: VERSION, self.version.datastore_id: DATASTORE}
        self.changed: list[str] = []

    def wanted(self, **changes: Any) -> dict[str, Any]:
        """Return the body of a create request as people send it."""
        given = {
            "name": "orders",
            "flavorRef": "2",
            "volume": {"size": 2},
            "datastore": {"type": "postgresql", "version": "18.4"},
            "databases": [{"name": "shop", "character_set": "UTF8"}],
            "users": [{"name": "app", "password": "correct-horse-42", "databases": [{"name": "shop"}]}],
        }
        return super().wanted(**{**given, **changes})

    def instance(self) -> str:
        """Return the id of an instance that is ready."""
        instance_id = self.active()
        self.names[instance_id] = INSTANCE
        self.names[self.show(instance_id)["ip"][0]] = ADDRESS
        return instance_id

    def answer_at_once(self) -> None:
        """Have the guest answer while the request is still waiting for it."""
        self.hints.wake = lambda workflow_id: self.settle()  # type: ignore[method-assign]

    def record(self, path: str, body: Any = None, *, again: Any = None, **options: Any) -> None:
        """Send the request that this test documents, and compare with the files.

        :param path: as :meth:`call` takes it, of the documented route.
        :param again: body of a second request, which a newer version answers with operations.
        """
        sample: Sample = getattr(self, self._testMethodName).sample
        route = sample.route
        url = path[1:] if path.startswith("//") else f"/v1.0/{PROJECT}{path}"
        pattern = "".join(
            "[^/]+" if _PARAMETER.fullmatch(part) else re.escape(part)
            for part in re.split(f"({_PARAMETER.pattern})", route.path)
        )
        self.assertRegex(url.partition("?")[0], f"^{pattern}$")
        if sample.request is not None:
            self._compare(sample.request, self._json(body))
        version = None if route.min_version == (1, 0) else ".".join(map(str, route.min_version))
        answer = self.call(route.method, path, body, status=route.status, version=version, **options)
        if sample.handler == "instances:create":
            self.names[answer.json["instance"]["id"]] = INSTANCE
        if sample.handler == "configurations:create":
            self.names[answer.json["configuration"]["id"]] = CONFIGURATION
        if sample.handler == "modules:create":
            self.names[answer.json["module"]["id"]] = MODULE
        text = self._text(answer)
        self._compare(sample.responses[0], text)
        if route.method == "GET" and route.response is not None:
            newest = self._text(self.call("GET", path, status=route.status, version=base.LATEST, **options))
            if sample.newer is not None:
                self._compare(sample.responses[1], newest)
            self.assertEqual(sample.newer is not None, newest != text, "whether a newer version answers differently")
        if again is not None and sample.newer is not None:
            newer = self.call(route.method, path, again, status=202, version=sample.newer, **options)
            self.names |= {item["id"]: OPERATION for item in newer.json["operations"]}
            self._compare(sample.responses[1], self._text(newer))
        if self.changed:
            self.fail(f"differ from what the application says (see {WRITE}): {', '.join(self.changed)}")

    def _text(self, answer: Any) -> str:
        if answer.body and answer.content_type == "application/json":
            return self._json(answer.json)
        kept = ("OpenStack-API-Version", "Vary", "Content-Type", "Content-Length", "x-openstack-request-id")
        found = [f"{name}: {answer.headers[name]}\n" for name in kept if name in answer.headers]
        content = f"\n{answer.text}" if answer.body else ""
        return self._fixed(f"HTTP/1.1 {answer.status}\n{''.join(found)}{content}")

    def _json(self, document: Any) -> str:
        if isinstance(document, dict) and "openapi" in document:
            document = _shortened(document)
        return self._fixed(json.dumps(document, indent=4, ensure_ascii=False) + "\n")

    def _fixed(self, text: str) -> str:
        text = re.sub(f"req-{_UUID.pattern}", REQUEST_ID, text)
        for real, name in self.names.items():
            text = text.replace(real, name)
        unknown = set(_UUID.findall(text)) - {*self.names.values(), REQUEST_ID.removeprefix("req-")}
        self.assertEqual(set(), unknown, "every id in a sample must have a fixed name")
        return _TIME.sub(TIME, text)

    def _compare(self, name: str, text: str) -> None:
        path = FOLDER / name
        if path.exists() and path.read_text("utf-8") == text:
            return
        self.changed.append(name)
        if os.environ.get(WRITE) == "1":
            path.write_text(text, "utf-8")


def _shortened(document: dict[str, Any]) -> dict[str, Any]:
    components = dict(document["components"])
    components["schemas"] = {name: components["schemas"][name] for name in _OPENAPI_SCHEMAS}
    return {**document, "paths": {_OPENAPI_PATH: document["paths"][_OPENAPI_PATH]}, "components": components}
