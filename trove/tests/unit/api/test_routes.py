# SPDX-License-Identifier: Apache-2.0
"""Walks over the whole route table: nothing may be reachable without a policy, a schema and a handler."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import jsonschema

from trove import policies
from trove.api import dispatch, microversions, routes, schemas
from trove.api.controllers.data_answer import Began
from trove.api.request import ApiRequest, Reply
from trove.policies import base as policy_base
from trove.tests import base

#: Objects whose members do not matter: the handler refuses them whatever they hold, because the capability is missing.
_OPAQUE = {f"instance.create/properties/instance/properties/{name}/items" for name in ("nics",)}
#: Answer 200 without a body, as existing clients expect.
_NOTHING_TO_SAY = {"modules:delete", "instance_modules:remove"}
#: Rules that other rules refer to, or that the framework asks itself.
_BASE_RULES = {rule.name for rule in policy_base.list_rules()}


def objects(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every subschema of a schema that describes an object; of one that only chooses between forms, the forms.

    A condition (``if``) describes nothing: it selects one of the forms beside it.
    """
    if isinstance(schema, dict):
        if "properties" in schema or (schema.get("type") == "object" and not {"anyOf", "oneOf"} & set(schema)):
            yield path, schema
        for key, value in schema.items():
            if key != "if":
                yield from objects(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from objects(item, f"{path}/{number}")


class RoutesTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.schemas = schemas.load()
        self.rules = {rule.name: rule for rule in policies.list_rules()}

    def test_every_module_of_routes_is_part_of_the_table(self) -> None:
        composed = set(routes.ROUTES)
        for found in pkgutil.iter_modules(routes.__path__):
            module = importlib.import_module(f"{routes.__name__}.{found.name}")
            own = set(getattr(module, "ROUTES", ()))
            self.assertTrue(own or found.name in {"paths", "route"}, found.name)
            self.assertEqual(set(), own - composed, found.name)

    def test_every_route_has_a_handler(self) -> None:
        for route in routes.ROUTES:
            module, _, function = route.handler.partition(":")
            handler = getattr(importlib.import_module(f"{dispatch.CONTROLLERS}.{module}"), function)
            with self.subTest(route.handler):
                # A handler that runs in a transaction is a wrapper, which keeps the annotations of what it wraps.
                self.assertEqual(["req"], list(inspect.signature(handler, follow_wrapped=False).parameters))
                hints = inspect.get_annotations(handler, eval_str=True)
                expected = (ApiRequest, Began if route.operations else Reply)
                self.assertEqual(expected, (hints["req"], hints["return"]))

    def test_every_route_has_a_policy_or_a_reason(self) -> None:
        for route in routes.ROUTES:
            self.assertTrue(route.policies or (route.reason and route.public), route)
            self.assertTrue(set(route.policies) <= set(self.rules), route)

    def test_every_rule_is_used_and_documents_its_calls(self) -> None:
        used = {rule for route in routes.ROUTES for rule in route.policies}
        self.assertEqual(set(), set(self.rules) - used - _BASE_RULES)
        for name in used:
            documented = {(call["method"], call["path"]) for call in self.rules[name].operations}
            actual = {(route.method, route.path) for route in routes.ROUTES if name in route.policies}
            self.assertTrue(actual <= documented, (name, actual - documented))
            known = {(route.method, route.path) for route in routes.ROUTES}
            self.assertTrue(documented <= known, (name, documented - known))

    def test_rules_operators_already_override_keep_their_names(self) -> None:
        for name in (
            "instance:create",
            "instance:extension:user_access:update",
            "datastore:version_show_by_uuid",
            "flavor:index",
            "limits:index",
            "instance:reset_status",
            "admin",
            "admin_or_owner",
            "default",
            "context_is_admin",
        ):
            self.assertIn(name, self.rules)

    def test_every_schema_is_one(self) -> None:
        for name, schema in self.schemas.items():
            with self.subTest(name):
                jsonschema.Draft202012Validator.check_schema(schema)

    def test_requests_and_queries_name_every_member(self) -> None:
        for name in sorted({name for route in routes.ROUTES for name in (route.request, route.query) if name}):
            found = list(objects(self.schemas[name]))
            self.assertTrue(found, name)
            for path, schema in found:
                if f"{name}{path}" in _OPAQUE:
                    continue
                self.assertIn("additionalProperties", schema, f"{name}{path}")
                self.assertFalse(schema["additionalProperties"] is True, f"{name}{path}")

    def test_answers_name_every_member(self) -> None:
        free = {"openapi"}
        for name in sorted({route.response for route in routes.ROUTES if route.response} - free):
            for path, schema in objects(self.schemas[name]):
                self.assertIn("additionalProperties", schema, f"{name}{path}")

    def test_what_has_no_answer_says_so_by_its_status(self) -> None:
        for route in routes.ROUTES:
            if route.response is None and route.lacks is None and route.media is None:
                expected = (200,) if route.handler in _NOTHING_TO_SAY else (202, 204)
                self.assertIn(route.status, expected, route)

    def test_every_schema_is_used(self) -> None:
        used = {name for route in routes.ROUTES for name in (route.request, route.query, route.response) if name}
        self.assertEqual(set(), set(self.schemas) - used - {"error"})

    def test_what_never_succeeds_names_what_it_lacks_and_has_no_answer(self) -> None:
        for route in routes.ROUTES:
            if route.lacks is not None:
                self.assertRegex(route.lacks, "^[a-z]+(-[a-z]+)*$")
                self.assertIsNone(route.response, route)

    def test_versions_exist(self) -> None:
        for route in routes.ROUTES:
            self.assertTrue(microversions.MIN <= route.min_version <= microversions.MAX, route)
        for name, schema in self.schemas.items():
            for path, found in objects(schema):
                until = found.get("x-ignore-unknown-until")
                if until is not None:
                    self.assertEqual(microversions.STRICT, microversions.parse(until), f"{name}{path}")
                    self.assertIs(False, found.get("additionalProperties"), f"{name}{path}")
