# SPDX-License-Identifier: Apache-2.0
from trove.api import microversions
from trove.common import exception
from trove.tests import base


class NegotiateTest(base.UnitTestCase):
    def negotiate(self, header: str | None) -> str:
        environ = {} if header is None else {"HTTP_OPENSTACK_API_VERSION": header}
        return str(microversions.negotiate(environ))

    def test_what_is_asked_for(self) -> None:
        for header, version in {
            None: "1.0",
            "": "1.0",
            "database 1.0": "1.0",
            "database 1.1": "1.1",
            "Database latest": "1.3",
            "database LATEST": "1.3",
            "compute 2.90": "1.0",
            "compute 2.90, database 1.1": "1.1",
            "1.1": "1.0",
        }.items():
            self.assertEqual(version, self.negotiate(header), header)

    def test_out_of_range(self) -> None:
        for version in ("0.9", "1.4", "2.0", "99999999999.0", "-1.0"):
            self.assertRaises(exception.NotAcceptable, self.negotiate, f"database {version}")

    def test_unreadable(self) -> None:
        for version in ("1", "1.x", "one", "1.0.0", "1.0 x"):
            self.assertRaises(exception.BadRequest, self.negotiate, f"database {version}")
