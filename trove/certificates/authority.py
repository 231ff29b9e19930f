# SPDX-License-Identifier: Apache-2.0
"""A small certificate authority.

:class:`Authority` is what users of certificates see; :class:`FileAuthority` keeps its key in a directory. Keys are
ECDSA on P-256 (FIPS 186-5), which every engine and client library of the field speaks; certificates follow RFC 5280:
version 3, a random serial of 159 bits (section 4.1.2.2), names in the subject alternative name (RFC 6125), key usages
that allow one purpose only. There are no revocation lists: certificates live shortly, and are replaced before they
expire.
"""

import contextlib
import datetime
import enum
import fcntl
import ipaddress
import os
import pathlib
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trove.common import clock

#: How long the authority itself lives.
AUTHORITY_LIFETIME = datetime.timedelta(days=3653)
#: Certificates count a while before they are made, for peers whose clock is behind.
_BACKDATED = datetime.timedelta(minutes=5)
#: A certificate is due for renewal when less than this part of its life is left.
_RENEW_AT = 1 / 3
#: Longest common name (RFC 5280, ub-common-name).
_NAME_LENGTH = 64
_DNS_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)


class AuthorityError(Exception):
    """The authority cannot be used, or does not certify this; the text says why and what to do."""


class Purpose(enum.Enum):
    """What a certificate may be used for."""

    SERVER = "server"
    CLIENT = "client"


_USAGES = {Purpose.SERVER: ExtendedKeyUsageOID.SERVER_AUTH, Purpose.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True)
class Request:
    """What is to be certified.

    :ivar name: common name, for people; at most 64 characters.
    :ivar hosts: DNS names and IP addresses that a server is reached at; not for clients.
    """

    purpose: Purpose
    name: str
    hosts: tuple[str, ...] = ()
    lifetime: datetime.timedelta = datetime.timedelta(days=90)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str = field(repr=False)


class Authority(Protocol):
    """Issues certificates."""

    @property
    def pem(self) -> str:
        """What peers trust: certificates of the authority, PEM."""

    def issue(self, request: Request) -> Issued:
        """Make a key and a certificate for it.

        :raises AuthorityError: when the request is not one that can be certified, or the authority cannot be used.
        """


class FileAuthority:
    """An authority in a directory: ``ca.key`` (mode 0600) and ``ca.crt``, made once, whoever comes first.

    :raises AuthorityError: when what is there cannot be used.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = pathlib.Path(directory)
        try:
            with _locked(self._directory):
                if not self._path("ca.crt").exists():
                    self._create()
            self.pem = self._path("ca.crt").read_text("ascii")
            key_file = self._path("ca.key")
            mode = stat.S_IMODE(key_file.stat().st_mode)
            if mode & 0o077:
                raise AuthorityError(f"{key_file} is readable by others (mode {mode:o}); run: chmod 600 {key_file}")
            self._certificate = x509.load_pem_x509_certificate(self.pem.encode())
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as err:
            reason = err.strerror if isinstance(err, OSError) else "it is damaged"
            raise AuthorityError(f"the certificate authority in {self._directory} cannot be used: {reason}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._certificate.public_key():
            raise AuthorityError(f"ca.key in {self._directory} is not the key of ca.crt; restore both from a copy")
        self._key = key

    @staticmethod
    def exists(directory: str | os.PathLike[str]) -> bool:
        """Tell whether there is an authority in a directory, without making one."""
        return (pathlib.Path(directory) / "ca.crt").exists()

    @property
    def not_after(self) -> datetime.datetime:
        """When the authority expires, naive UTC."""
        return self._certificate.not_valid_after_utc.replace(tzinfo=None)

    def issue(self, request: Request) -> Issued:
        """See :meth:`Authority.issue`."""
        names = [_general_name(host) for host in request.hosts]
        if (request.purpose is Purpose.SERVER) != bool(names):
            raise AuthorityError("a server's certificate needs names or addresses, and a client's has none")
        if not 0 < len(request.name) <= _NAME_LENGTH or not request.name.isprintable():
            raise AuthorityError(f"the common name must have 1 to {_NAME_LENGTH} printable characters")
        now = clock.utcnow()
        if request.lifetime <= datetime.timedelta(0) or now + request.lifetime > self.not_after:
            raise AuthorityError(
                f"a certificate must end in the future and not after the authority's own, {self.not_after:%Y-%m-%d}"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(request.name, key.public_key(), now, request.lifetime)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([_USAGES[request.purpose]]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Issued(certificate.public_bytes(serialization.Encoding.PEM).decode(), _pem_of(key))

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = "Trove certificate authority"
        certificate = (
            _builder(name, key.public_key(), clock.utcnow(), AUTHORITY_LIFETIME)
            .issuer_name(_subject(name))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        # The key first: a certificate is there only when its key is.
        write(self._path("ca.key"), _pem_of(key), 0o600)
        write(self._path("ca.crt"), certificate.public_bytes(serialization.Encoding.PEM).decode(), 0o644)

    def _path(self, name: str) -> pathlib.Path:
        return self._directory / name


def is_due(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    """Tell whether a certificate should be renewed: less than a third of its life is left.

    :param now: naive UTC.
    """
    begin, end = (
        moment.replace(tzinfo=None) for moment in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    )
    return end - now < (end - begin) * _RENEW_AT


def hosts_of(certificate: x509.Certificate) -> set[str]:
    """Return the DNS names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def write(path: pathlib.Path, text: str, mode: int) -> None:
    """Replace a file atomically and durably: after a crash either the old or the new one is found."""
    fresh = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def _locked(directory: pathlib.Path) -> Iterator[None]:
    """Hold the directory, which is made if it is missing, so that only one process makes an authority in it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _builder(
    name: str, public_key: ec.EllipticCurvePublicKey, now: datetime.datetime, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _DNS_NAME.match(host.lower()):
            raise AuthorityError(f"{host[:100]!r} is neither a DNS name nor an IP address") from None
        return x509.DNSName(host.lower())


def _pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
