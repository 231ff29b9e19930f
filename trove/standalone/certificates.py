# SPDX-License-Identifier: Apache-2.0
"""A private authority for the guest gateway, made at the first start that needs one.

It signs one certificate, that of the gateway on the bridge of the local provider, and guests trust nothing else: its
certificate is in their bootstrap documents, and they keep it for life. So the authority is made once; what it has
signed is made anew when the address has changed or the end is near. Nobody but the service reads the keys.
"""

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trove.common import clock
from trove.standalone.layout import write_private

_AUTHORITY_LIFE = datetime.timedelta(days=20 * 365)
_LIFE = datetime.timedelta(days=2 * 365)
#: A certificate with less left is replaced at the next start.
_RENEWAL = datetime.timedelta(days=365)
#: Clocks that lag a little accept a fresh certificate.
_BACKDATED = datetime.timedelta(hours=1)


class Authority:
    """The authority kept in ``directory``, made unless it is there.

    :ivar file: its certificate, for guests.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self._directory = directory
        self.file = directory / "ca.pem"
        key_file = directory / "ca.key"
        # The certificate is written last: with it, both are there.
        if not self.file.exists():
            self._key = ec.generate_private_key(ec.SECP256R1())
            write_private(key_file, _key_text(self._key))
            write_private(self.file, _certificate_text(self._own_certificate()))
        else:
            loaded = serialization.load_pem_private_key(key_file.read_bytes(), None)
            if not isinstance(loaded, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{key_file} holds a key of another kind than this service makes")
            self._key = loaded
        self._certificate = x509.load_pem_x509_certificate(self.file.read_bytes())

    def issue(self, address: str) -> tuple[Path, Path]:
        """Return the files of a certificate for an IP address and of its key, made anew only when need be."""
        certificate_file, key_file = self._directory / "gateway.pem", self._directory / "gateway.key"
        if not self._good(certificate_file, key_file, address):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate_file.unlink(missing_ok=True)  # never beside a key that is not its own
            write_private(key_file, _key_text(key))
            write_private(certificate_file, _certificate_text(self._sign(address, key)))
        return certificate_file, key_file

    def _good(self, certificate_file: Path, key_file: Path, address: str) -> bool:
        try:
            found = x509.load_pem_x509_certificate(certificate_file.read_bytes())
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            addresses = names.get_values_for_type(x509.IPAddress)
        except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
            return False
        fresh = found.not_valid_after_utc - _now() > _RENEWAL
        ours = found.issuer == self._certificate.subject and key_file.exists()
        return fresh and ours and addresses == [ipaddress.ip_address(address)]

    def _own_certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"trove-standalone {os.urandom(4).hex()}")])
        builder = _builder(name, name, self._key.public_key(), _AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        return builder.sign(self._key, hashes.SHA256())

    def _sign(self, address: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trove guest gateway")])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = _builder(self._certificate.subject, name, key.public_key(), _LIFE)
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (names, False),
            (issuer, False),
        ):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _BACKDATED)
        .not_valid_after(_now() + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _certificate_text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _now() -> datetime.datetime:
    return clock.utcnow().replace(tzinfo=datetime.UTC)
