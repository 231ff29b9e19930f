# SPDX-License-Identifier: Apache-2.0
import openapi_spec_validator

from trove.api import openapi, routes, schemas
from trove.tests import base


class DocumentTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.document = openapi.document(routes.ROUTES, schemas.load(), "http://h")

    def test_it_is_valid(self) -> None:
        openapi_spec_validator.validate(self.document)

    def test_every_route_is_in_it_once(self) -> None:
        operations = {
            (method.upper(), path): operation
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        }
        self.assertEqual({(route.method, route.path) for route in routes.ROUTES}, set(operations))
        names = [operation["operationId"] for operation in operations.values()]
        self.assertEqual(len(names), len(set(names)))

    def test_what_needs_authentication_and_what_does_not(self) -> None:
        self.assertEqual([], self.document["paths"]["/"]["get"]["security"])
        self.assertNotIn("security", self.document["paths"]["/v1.0/{project_id}/limits"]["get"])

    def test_what_came_later_needs_the_header(self) -> None:
        operation = self.document["paths"]["/v1.0/{project_id}/instances/{instance_id}/operations"]["get"]
        header = operation["parameters"][0]
        versions = ["database 1.1", "database 1.2", "database 1.3"]
        self.assertEqual((True, versions), (header["required"], header["schema"]["enum"]))
