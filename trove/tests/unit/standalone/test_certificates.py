# SPDX-License-Identifier: Apache-2.0
"""The gateway's authority: made once, believed by TLS as guests use it, and by nothing else."""

import datetime
import ssl
from unittest import mock

from trove.common import clock
from trove.standalone import certificates
from trove.tests import base


def handshake(authority: certificates.Authority, address: str, trusted: str) -> None:
    """Shake hands in memory, as strictly as any client does.

    :raises ssl.SSLError: when the client does not believe the server.
    """
    client_context = ssl.create_default_context(cadata=trusted)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*authority.issue(address))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(back, there, server_hostname=address)
    server = server_context.wrap_bio(there, back, server_side=True)
    for _ in range(10):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


class AuthorityTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir() / "tls"
        self.authority = certificates.Authority(self.directory)

    def test_guests_believe_it_and_no_other(self) -> None:
        pem = self.authority.file.read_text()
        handshake(self.authority, "10.230.0.1", pem)
        other = certificates.Authority(self.tempdir() / "other")
        self.assertRaises(ssl.SSLCertVerificationError, handshake, self.authority, "10.230.0.1", other.file.read_text())

    def test_made_once(self) -> None:
        before = {path.name: path.read_bytes() for path in (*self.authority.issue("10.230.0.1"), self.authority.file)}
        again = certificates.Authority(self.directory)
        again.issue("10.230.0.1")
        self.assertEqual(before, {name: (self.directory / name).read_bytes() for name in before})

    def test_issued_anew_for_another_address_or_near_the_end(self) -> None:
        first = self.authority.issue("10.230.0.1")[0].read_bytes()
        second = self.authority.issue("10.230.4.1")[0].read_bytes()
        self.assertNotEqual(first, second)
        handshake(certificates.Authority(self.directory), "10.230.4.1", self.authority.file.read_text())
        later = clock.utcnow() + datetime.timedelta(days=500)
        with mock.patch.object(certificates.clock, "utcnow", autospec=True, return_value=later):
            third = self.authority.issue("10.230.4.1")[0].read_bytes()
        self.assertNotEqual(second, third)

    def test_crash_between_key_and_certificate(self) -> None:
        certificate, key = self.authority.issue("10.230.0.1")
        certificate.unlink()
        key.write_text("half")
        handshake(self.authority, "10.230.0.1", self.authority.file.read_text())

    def test_keys_are_private(self) -> None:
        self.authority.issue("10.230.0.1")
        self.assertEqual(0o700, self.directory.stat().st_mode & 0o777)
        for path in self.directory.iterdir():
            self.assertEqual(0o600, path.stat().st_mode & 0o777)
