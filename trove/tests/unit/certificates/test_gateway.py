# SPDX-License-Identifier: Apache-2.0
"""The gateway's certificate, from the first one to its renewal."""

import datetime

from oslo_config import cfg

from trove.certificates import gateway
from trove.certificates.authority import AuthorityError
from trove.common import clock
from trove.tests import base
from trove.tests.fixtures.clock import ManualClock


class GatewayTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir()
        self.file = self.directory / "gateway.pem"

    def conf(self, **changes: object) -> cfg.ConfigOpts:
        options: dict[str, object] = {
            "certificates__directory": str(self.directory / "authority"),
            "guest_bus__gateway_url": "https://Trove.example:8778",
            "guest_bus__gateway_cert_file": str(self.file),
            "guest_bus__gateway_key_file": str(self.file),
            "guest_bus__gateway_ca_file": str(self.directory / "ca.pem"),
        }
        return self.new_conf(**{**options, **changes})

    def test_it_is_made_kept_and_renewed_before_it_expires(self) -> None:
        hands = self.useFixture(ManualClock())
        conf = self.conf()
        self.assertEqual(clock.utcnow() + datetime.timedelta(days=90), gateway.renew(conf))
        first = self.file.read_text()
        self.assertEqual(0o600, self.file.stat().st_mode & 0o777)
        hands.advance(59 * 86400)
        self.assertIsNone(gateway.renew(conf))
        hands.advance(2 * 86400)
        self.assertIsNotNone(gateway.renew(conf))
        self.assertNotEqual(first, self.file.read_text())
        self.assertEqual(
            (self.directory / "authority" / "ca.crt").read_text(), (self.directory / "ca.pem").read_text()
        )

    def test_it_is_made_anew_for_other_hosts_for_another_authority_and_by_force(self) -> None:
        gateway.renew(self.conf())
        self.assertIsNotNone(gateway.renew(self.conf(guest_bus__gateway_tls_bind_host="192.0.2.1")))
        self.assertIsNone(gateway.renew(self.conf(guest_bus__gateway_tls_bind_host="192.0.2.1")))
        other = self.conf(certificates__directory=str(self.directory / "other"))
        self.assertIsNotNone(gateway.renew(other))
        self.assertIsNone(gateway.renew(other))
        self.assertIsNotNone(gateway.renew(other, force=True))
        self.file.write_text("damaged")
        self.assertIsNotNone(gateway.renew(other))

    def test_what_is_missing_is_named(self) -> None:
        for changes, words in (
            ({"certificates__directory": None}, "directory"),
            ({"guest_bus__gateway_ca_file": None}, "gateway_ca_file"),
            ({"guest_bus__gateway_key_file": "/elsewhere"}, "same file"),
            ({"guest_bus__gateway_url": "unix:///run/gateway.sock"}, "https://"),
            ({"guest_bus__gateway_url": "http://trove.example:8778"}, "https://"),
            ({"guest_bus__gateway_cert_file": "/nonexistent/a", "guest_bus__gateway_key_file": "/nonexistent/a"},
             "cannot be written"),
        ):  # fmt: skip
            self.assertRaisesRegex(AuthorityError, words, gateway.renew, self.conf(**changes))
        self.assertFalse(self.file.exists())

    def test_expiry_of_what_is_no_certificate(self) -> None:
        self.assertRaisesRegex(AuthorityError, "cannot be read", gateway.expiry, str(self.file))
        self.file.write_text("text")
        self.assertRaisesRegex(AuthorityError, "no PEM certificate", gateway.expiry, str(self.file))
