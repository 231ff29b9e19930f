# SPDX-License-Identifier: Apache-2.0
"""Requests made up from the OpenAPI document, fitting and not: never a 5xx, and every answer as described.

One test per operation. Bounded: a fixed number of examples, the same ones in every run; ``TROVE_TEST_EXAMPLES``
sets another number. Half of the requests go to an instance that exists and runs, so that handlers are reached and
not only their look-ups.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import fixtures
import hypothesis
import schemathesis
from hypothesis import strategies
from schemathesis import checks
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks

from trove.api import openapi, routes
from trove.api.routes import Route
from trove.common import clock, ids
from trove.datastores import registry, spi
from trove.db import models, sealed
from trove.objects import instance_module
from trove.objects.guest_identity import GuestIdentity
from trove.objects.module import Module
from trove.tests.functional.api import base
from trove.wire import command

_EXAMPLES = int(os.environ.get("TROVE_TEST_EXAMPLES", "8"))
_CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]
_SETTINGS = hypothesis.settings(
    max_examples=_EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
    verbosity=hypothesis.Verbosity.quiet,
)
#: 501 says that a datastore or provider lacks a capability; it is an answer, not a defect.
_NOT_SUPPORTED = 501


class PropertiesTest(base.ApiTestCase):
    options = {
        "auth_strategy": "noauth",
        "noauth_admin": True,
        "max_instances_per_tenant": -1,
        "max_volumes_per_tenant": -1,
    }

    def setUp(self) -> None:
        super().setUp()
        self.version = self.seed(name="18")
        self.seed_flavor()
        # The guest of these instances answers nothing; the wait for it has tests of its own.
        self.useFixture(fixtures.MonkeyPatch("trove.api.waiting.SECONDS", 0.05))
        config = SchemathesisConfig()
        document = openapi.document(routes.ROUTES, base.schemas.load(), "http://localhost")
        self.schema = schemathesis.openapi.from_dict(document, config=config)
        self.schema.app = self.app.app

    def plugins(self) -> Mapping[str, spi.Plugin]:
        return registry.load_plugins()

    def running_instance(self) -> str:
        """Insert an instance that runs, with a guest that has a database, a user and nothing to do."""
        now, instance_id = clock.utcnow(), ids.new_id()
        with self.db.writer() as session:
            session.add(
                models.Instance(
                    id=instance_id,
                    project_id=base.PROJECT,
                    name="db",
                    status="ACTIVE",
                    datastore_version_id=self.version.id,
                    flavor_id="small",
                    vcpus=1,
                    ram_mib=512,
                    disk_gib=5,
                    volume_gib=1,
                    access={},
                    addresses=[],
                    revision=1,
                    deleted=False,
                    created_at=now,
                    updated_at=now,
                )
            )
            session.flush()
            session.add(
                models.Heartbeat(
                    instance_id=instance_id,
                    service_status="healthy",
                    reported_at=now,
                    protocol_min=1,
                    protocol_max=1,
                    volume_used_bytes=1,
                    volume_total_bytes=2,
                )
            )
            session.add(
                models.GuestIdentity(
                    instance_id=instance_id,
                    state="ENROLLED",
                    generation=1,
                    keys=sealed.seal_value(GuestIdentity.table(), "keys", {"instance_id": instance_id}, {}),
                    transport="gateway",
                    boot=0,
                    sequence=0,
                    window="0",
                    sent_sequence=0,
                    created_at=now,
                    commands={name: [version] for name, version in command.COMMANDS},
                )
            )
            session.add(models.InventoryDatabase(instance_id=instance_id, name="shop"))
            session.add(models.InventoryUser(instance_id=instance_id, name="app", host="%", databases=["shop"]))
        return instance_id

    def module(self, instance_id: str | None) -> str:
        """Insert a module, and have an instance have it."""
        made = Module(
            name=ids.new_id(), type="ping", description=None, project_id=base.PROJECT, datastore_id=None,
            datastore_version_id=None, auto_apply=False, visible=True, live_update=True, priority_apply=False,
            apply_order=5, is_admin=False,
        )  # fmt: skip
        instance_id = instance_id or self.running_instance()
        with self.db.writer() as session:
            made.create(session, "message=x")
            instance_module.begin(session, instance_id, [made], self.db.now(session))
        return str(made.id)

    def exercise(self, route: Route, mode: GenerationMode) -> None:
        """Send made-up requests to one operation."""
        operation = self.schema.find_operation_by_id(openapi.operation_id(route))
        names = re.findall(r"{(\w+)}", route.path)
        real = {
            "project_id": base.PROJECT,
            "datastore": "postgresql",
            "version": self.version.id,
            "flavor_id": "small",
            "database_name": "shop",
            "user_name": "app",
        }

        @_SETTINGS
        @hypothesis.given(strategies.data())
        def send(data: Any) -> None:
            path = {"project_id": base.PROJECT} if "project_id" in names else {}
            if data.draw(strategies.booleans(), "to what exists"):
                path = {name: real[name] for name in names if name in real}
                if "instance_id" in names:
                    path["instance_id"] = self.running_instance()
                if "module_id" in names:
                    path["module_id"] = self.module(path.get("instance_id"))
            case = data.draw(operation.as_strategy(mode, path_parameters=path), "case")
            response = case.call()
            if response.status_code != _NOT_SUPPORTED:
                case.validate_response(response, checks=_CHECKS)

        send()


def _method(route: Route) -> Callable[[PropertiesTest], None]:
    def test(self: PropertiesTest) -> None:
        self.exercise(route, GenerationMode.POSITIVE)
        self.exercise(route, GenerationMode.NEGATIVE)

    return test


for _route in routes.ROUTES:
    setattr(PropertiesTest, f"test_{_route.handler.replace(':', '_')}", _method(_route))
