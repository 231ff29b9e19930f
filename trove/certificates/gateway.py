# SPDX-License-Identifier: Apache-2.0
"""The certificate of the guests' gateway: what it should be, what it is, and its renewal.

Certificate and key are one file, which is replaced at once, so that nobody ever finds a key beside another's
certificate. A gateway that runs takes the new file by itself (:func:`trove.httpserver.sockets.tls_context`).
"""

import datetime
import pathlib
import urllib.parse

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from oslo_config import cfg

from trove.certificates.authority import AuthorityError, FileAuthority, Purpose, Request, hosts_of, is_due, write
from trove.common import clock

_NAME = "Trove guest gateway"


def hosts(conf: cfg.ConfigOpts) -> tuple[str, ...]:
    """Return the names and addresses that guests find the gateway at.

    :raises AuthorityError: when the options name none.
    """
    url = urllib.parse.urlsplit(conf.guest_bus.gateway_url or "")
    found = [url.hostname if url.scheme == "https" else None, conf.guest_bus.gateway_tls_bind_host]
    named = tuple(dict.fromkeys(item for item in found if item))
    if not named:
        raise AuthorityError(
            "guests do not dial the gateway over TLS: set [guest_bus] gateway_url to https:// and the host they dial"
        )
    return named


def renew(conf: cfg.ConfigOpts, *, force: bool = False) -> datetime.datetime | None:
    """Make the gateway's certificate where ``[guest_bus]`` says, if there is none, it is due, or it is for other hosts
    or of another authority; return until when it is good, naive UTC, or ``None`` when nothing had to be done.

    :raises AuthorityError: saying which option to set.
    """
    bus, group = conf.guest_bus, conf.certificates
    if not group.directory or not bus.gateway_cert_file or not bus.gateway_ca_file:
        raise AuthorityError(
            "set [certificates] directory, and [guest_bus] gateway_cert_file and gateway_ca_file to where to write"
        )
    if bus.gateway_key_file != bus.gateway_cert_file:
        raise AuthorityError(
            "set [guest_bus] gateway_key_file to the same file as gateway_cert_file: it gets certificate and key"
        )
    named = hosts(conf)
    path = pathlib.Path(bus.gateway_cert_file)
    authority = FileAuthority(group.directory)
    if not force and _is_good(path, authority, named):
        return None
    lifetime = datetime.timedelta(days=group.validity_days)
    issued = authority.issue(Request(Purpose.SERVER, _NAME, named, lifetime))
    try:
        write(pathlib.Path(bus.gateway_ca_file), authority.pem, 0o644)
        write(path, issued.certificate + issued.key, 0o600)
    except OSError as err:
        raise AuthorityError(f"{err.filename or path} cannot be written: {err.strerror}") from err
    return clock.utcnow() + lifetime


def expiry(path: str) -> datetime.datetime:
    """Return until when the certificate in a PEM file is good, naive UTC.

    :raises AuthorityError: when there is none that can be read.
    """
    return _read(pathlib.Path(path)).not_valid_after_utc.replace(tzinfo=None)


def _is_good(path: pathlib.Path, authority: FileAuthority, named: tuple[str, ...]) -> bool:
    try:
        found = _read(path)
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pem.encode()))
    except (AuthorityError, InvalidSignature, ValueError, TypeError):
        return False
    return hosts_of(found) == {name.lower() for name in named} and not is_due(found, clock.utcnow())


def _read(path: pathlib.Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as err:
        raise AuthorityError(f"{path} cannot be read: {err.strerror}") from err
    except ValueError:
        raise AuthorityError(f"{path} holds no PEM certificate") from None
