# SPDX-License-Identifier: Apache-2.0
"""The authority, judged by a verifier that is not ours: cryptography's path validation of RFC 5280."""

import datetime
import ipaddress
import threading

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from trove.certificates.authority import Authority, AuthorityError, FileAuthority, Purpose, Request, hosts_of, is_due
from trove.common import clock
from trove.tests import base

_DAY = datetime.timedelta(days=1)


def server(*hosts: str, **changes: object) -> Request:
    return Request(Purpose.SERVER, "gateway", hosts or ("gateway.example",), **changes)  # type: ignore[arg-type]


class AuthorityTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir() / "authority"
        self.authority = FileAuthority(self.directory)

    def verify(self, certificate: str, host: str, *, ca: str | None = None) -> None:
        """Verify as a client of a server does."""
        subject: x509.DNSName | x509.IPAddress
        try:
            subject = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            subject = x509.DNSName(host)
        store = Store(x509.load_pem_x509_certificates((ca or self.authority.pem).encode()))
        leaf = x509.load_pem_x509_certificate(certificate.encode())
        PolicyBuilder().store(store).build_server_verifier(subject).verify(leaf, [])

    def test_a_servers_certificate_is_good_for_its_names_only(self) -> None:
        issued = self.authority.issue(server("gateway.example", "192.0.2.1", "2001:db8::1"))
        for host in ("gateway.example", "192.0.2.1", "2001:db8::1"):
            self.verify(issued.certificate, host)
        for host in ("other.example", "192.0.2.2"):
            self.assertRaises(VerificationError, self.verify, issued.certificate, host)
        found = x509.load_pem_x509_certificate(issued.certificate.encode())
        self.assertEqual({"gateway.example", "192.0.2.1", "2001:db8::1"}, hosts_of(found))

    def test_another_authority_does_not_vouch_for_it(self) -> None:
        other = FileAuthority(self.tempdir() / "other")
        issued = other.issue(server())
        self.assertRaises(VerificationError, self.verify, issued.certificate, "gateway.example")

    def test_a_clients_certificate_is_for_clients(self) -> None:
        issued = self.authority.issue(Request(Purpose.CLIENT, "replication"))
        leaf = x509.load_pem_x509_certificate(issued.certificate.encode())
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual([ExtendedKeyUsageOID.CLIENT_AUTH], list(usage))
        self.assertRaises(VerificationError, self.verify, issued.certificate, "replication")

    def test_the_profile(self) -> None:
        issued = self.authority.issue(server())
        leaf = x509.load_pem_x509_certificate(issued.certificate.encode())
        authority = x509.load_pem_x509_certificate(self.authority.pem.encode())
        for certificate, is_authority in ((leaf, False), (authority, True)):
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
            usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
            self.assertEqual(
                (is_authority, True, True), (constraints.value.ca, constraints.critical, usage.critical)
            )
            self.assertEqual(
                (is_authority, not is_authority), (usage.value.key_cert_sign, usage.value.digital_signature)
            )
            self.assertIsInstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        key = serialization.load_pem_private_key(issued.key.encode(), None)
        self.assertEqual(leaf.public_key(), key.public_key())  # type: ignore[union-attr]
        self.assertNotIn("PRIVATE", repr(issued))

    def test_serials_differ_and_fit(self) -> None:
        issued = [self.authority.issue(server()) for _ in range(20)]
        serials = {x509.load_pem_x509_certificate(item.certificate.encode()).serial_number for item in issued}
        self.assertEqual(20, len(serials))
        self.assertTrue(all(0 < serial < 1 << 159 for serial in serials))

    def test_what_cannot_be_certified_is_refused_with_the_reason(self) -> None:
        lifetime = {"lifetime": 4000 * _DAY}
        for request, words in (
            (server("bad name"), "neither a DNS name"),
            (server("a..b"), "neither a DNS name"),
            (server("x" * 300), "neither a DNS name"),
            (server("-a.example"), "neither a DNS name"),
            (server("gateway.example\n"), "neither a DNS name"),
            (Request(Purpose.SERVER, "gateway"), "needs names"),
            (Request(Purpose.CLIENT, "c", ("a.example",)), "needs names"),
            (Request(Purpose.CLIENT, "x" * 65), "1 to 64"),
            (Request(Purpose.CLIENT, ""), "1 to 64"),
            (Request(Purpose.CLIENT, "a\nb"), "1 to 64"),
            (server(**lifetime), "authority's own"),
            (server(lifetime=-_DAY), "in the future"),
        ):
            self.assertRaisesRegex(AuthorityError, words, self.authority.issue, request)

    def test_it_is_due_in_the_last_third(self) -> None:
        leaf = x509.load_pem_x509_certificate(self.authority.issue(server(lifetime=90 * _DAY)).certificate.encode())
        now = clock.utcnow()
        self.assertEqual([False, False, True, True], [is_due(leaf, now + n * _DAY) for n in (0, 59, 61, 100)])

    def test_it_is_made_once_and_kept(self) -> None:
        mode = {name: (self.directory / name).stat().st_mode & 0o777 for name in ("ca.key", "ca.crt")}
        self.assertEqual({"ca.key": 0o600, "ca.crt": 0o644}, mode)
        self.assertEqual(0o700, self.directory.stat().st_mode & 0o777)
        again: Authority = FileAuthority(self.directory)
        self.assertEqual(self.authority.pem, again.pem)
        self.verify(again.issue(server()).certificate, "gateway.example")

    def test_of_many_that_come_first_one_makes_it(self) -> None:
        directory, found, barrier = self.tempdir() / "new", [], threading.Barrier(8)

        def come() -> None:
            barrier.wait(30)
            found.append(FileAuthority(directory).pem)

        threads = [threading.Thread(target=come) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual((8, 1), (len(found), len(set(found))))

    def test_one_that_died_before_the_certificate_was_there_begins_anew(self) -> None:
        (self.directory / "ca.crt").unlink()
        (self.directory / ".ca.crt.new").write_text("half")
        FileAuthority(self.directory).issue(server())

    def test_what_is_damaged_lost_or_open_is_refused_and_never_replaced(self) -> None:
        other = FileAuthority(self.tempdir() / "other")
        key = self.directory / "ca.key"
        text = key.read_text()
        for content, mode, words in (
            ("nonsense", 0o600, "damaged"),
            (text, 0o640, "chmod 600"),
            (other.issue(server()).key, 0o600, "is not the key of"),
        ):
            key.write_text(content)
            key.chmod(mode)
            err = self.assertRaises(AuthorityError, FileAuthority, self.directory)
            self.assertIn(words, str(err))
            self.assertEqual(content, key.read_text())
        key.unlink()
        self.assertRaises(AuthorityError, FileAuthority, self.directory)
        self.assertRaises(AuthorityError, FileAuthority, self.directory / "ca.crt")
