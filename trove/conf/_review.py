# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a configuration file though every process starts with it: names that nobody reads, one option set
twice, settings that do not go together.

oslo.config reads the names it knows and passes over all others, so that a misspelt option looks as if it were set. A
service says all that is found here in one warning when it starts, and ``trove-status upgrade check`` shows the same.
"""

import difflib
import ipaddress
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from oslo_config import cfg

from trove.conf import _existing
from trove.conf._existing import Known, Name
from trove.conf.guest import gateway_port

#: Group, option, values: as a file has them. An option may stand there more than once.
Sections = Mapping[str, Mapping[str, Sequence[str]]]

#: How alike two names must be for one to be a slip of the other.
_ALIKE = 0.75


def review(sections: Sections, conf: cfg.ConfigOpts, registered: Known | None = None) -> list[str]:
    """Return everything that the operator should look at, one sentence with the remedy each, sorted by kind.

    :param sections: what the configuration files hold, see :func:`read`.
    :param conf: the same configuration as the service sees it.
    :param registered: the options there are; those of this release unless given.
    """
    options = registered or _existing.known()
    return [*contradictions(sections, conf, options), *unread(sections, options)]


def review_files(conf: cfg.ConfigOpts) -> list[str]:
    """Return :func:`review` of the files that ``conf`` was read from."""
    return review(read(files_of(conf)), conf)


def files_of(conf: cfg.ConfigOpts) -> list[Path]:
    """Return the files that ``conf`` was read from: those it was given, then those in its directories."""
    files = [Path(name) for name in conf.config_file or ()]
    for directory in conf.config_dirs:
        files += sorted(Path(directory).glob("*.conf"))
    return files


def read(files: Iterable[Path]) -> dict[str, dict[str, list[str]]]:
    """Return what the files hold together, as oslo.config reads them; one that cannot be read holds nothing."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in files:
        sections: dict[str, dict[str, list[str]]] = {}
        try:
            cfg.ConfigParser(str(path), sections).parse()
        except (OSError, cfg.ParseError):  # the service itself refuses it, with the reason
            continue
        for group, options in sections.items():
            for name, values in options.items():
                found.setdefault(group, {}).setdefault(name.replace("-", "_"), []).extend(values)
    return found


def unread(sections: Sections, registered: Known) -> Iterator[str]:
    """Yield a sentence for every name in the files that nobody reads, and for every outdated one."""
    known_names = _existing.existing(registered)
    groups = registered.groups()
    for group, options in sorted(sections.items()):
        expected = groups | {old for old, _ in registered.renamed} | {old for old, _ in known_names}
        if group not in expected:
            yield f"group [{group}] is unknown and has no effect{_guess(group, sorted(groups), '[{}]')}"
            continue
        for name in sorted(options):
            yield from _unread_option((group, name), registered, known_names)


def _unread_option(option: Name, registered: Known, known_names: Mapping[Name, _existing.Existing]) -> Iterator[str]:
    group, name = option
    if option in registered.current:
        return
    if option in registered.renamed:
        yield f"{_shown(option)} is now called {_shown(registered.renamed[option])}; rename it"
    elif option in known_names:
        yield f"{_shown(option)} has no effect: {known_names[option].reason}"
    else:
        elsewhere = sorted(_shown(other) for other in registered.current if other[1] == name)
        if elsewhere:
            yield f"{_shown(option)} is unknown and has no effect; did you mean {' or '.join(elsewhere)}?"
        else:
            there = sorted(known for where, known in registered.current if where == group)
            yield f"{_shown(option)} is unknown and has no effect{_guess(name, there, '{}')}"


def contradictions(sections: Sections, conf: cfg.ConfigOpts, registered: Known) -> Iterator[str]:
    """Yield a sentence for every pair of settings that do not go together."""
    for old, new in sorted(registered.renamed.items()):
        before, now = (sections.get(group, {}).get(name) for group, name in (old, new))
        if before and now and before[-1] != now[-1]:
            yield f"{_shown(old)} and {_shown(new)} are the same option and set differently; remove {_shown(old)}"
    if not sections.get("DEFAULT", {}).get("transport_url"):
        yield "[DEFAULT] transport_url is not set: services do not hear of work and find it by polling; set it"
    yield from _gateway(sections, conf)
    if bool(conf.api_cert_file) != bool(conf.api_key_file):
        yield "only one of [DEFAULT] api_cert_file and api_key_file is set, so the API is without TLS; set both or none"
    if conf.auth_strategy != "noauth" and not sections.get("oslo_policy", {}).get("enforce_new_defaults"):
        yield (
            "[oslo_policy] enforce_new_defaults is not set: any role in a project, even one that means nothing, lets "
            "its bearer change and delete everything there; set it to true once everybody has one of the roles that "
            "the guide names"
        )
    if conf.auth_strategy == "noauth" and not _is_loopback(conf.bind_host):
        yield (
            f"[DEFAULT] auth_strategy noauth lets everybody in who reaches {conf.bind_host}; set bind_host to a "
            f"loopback address or choose another auth_strategy"
        )


def _gateway(sections: Sections, conf: cfg.ConfigOpts) -> Iterator[str]:
    bus = conf.guest_bus
    with_tls = bus.gateway_cert_file and bus.gateway_key_file
    if bus.transport == "gateway" and not with_tls and not _is_loopback(bus.gateway_bind_host):
        yield (
            f"[guest_bus] gateway_bind_host {bus.gateway_bind_host} can be reached from other machines, and the "
            f"conductor does not start without TLS there; set gateway_cert_file and gateway_key_file"
        )
    yield from _meeting(conf)
    if bus.agent_heartbeat_expiry < 2 * bus.heartbeat_interval:
        yield (
            f"[guest_bus] agent_heartbeat_expiry {bus.agent_heartbeat_expiry:g} is less than two heartbeat_interval of "
            f"{bus.heartbeat_interval:g} seconds, so that healthy instances read ERROR; raise it"
        )
    control = sections.get("DEFAULT", {}).get("transport_url")
    if bus.transport == "messaging" and control and bus.transport_url == control[-1]:
        yield (
            "[guest_bus] transport_url and [DEFAULT] transport_url are the same: guests would share the control "
            "plane's virtual host; give guests one of their own"
        )


def _meeting(conf: cfg.ConfigOpts) -> Iterator[str]:
    """Yield why guests cannot find the gateway, as far as the options alone tell: what stands between another host and
    this one, they do not say."""
    bus = conf.guest_bus
    try:
        url = urllib.parse.urlsplit(bus.gateway_url or "")
        port = url.port
    except ValueError as err:
        yield f"[guest_bus] gateway_url {bus.gateway_url} is no URL: {err}; correct it"
        return
    if url.scheme == "unix":
        if url.path != bus.gateway_socket:
            yield (
                f"[guest_bus] gateway_url names the socket {url.path}, and the gateway listens on gateway_socket "
                f"{bus.gateway_socket}; give both the same path"
            )
        return
    host, listens = url.hostname or "", gateway_port(conf)
    bound = [address for address in (bus.gateway_bind_host, bus.gateway_tls_bind_host) if address]
    if _is_loopback(host) and port and listens not in (port, 0):
        yield (
            f"[guest_bus] guests dial port {port} of gateway_url on this host, and the gateway listens on "
            f"gateway_bind_port {listens}; remove gateway_bind_port"
        )
    if host and _is_address(host) and not any(_reaches(host, address) for address in bound):
        yield (
            f"[guest_bus] guests dial {host} of gateway_url, and the gateway listens on {' and '.join(bound)} only; "
            f"unless something forwards to it, set gateway_bind_host to {host}"
        )


def _is_address(host: str) -> bool:
    return _address(host) is not None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None


def _reaches(dialled: str, bound: str) -> bool:
    """Tell whether who listens on ``bound`` may be found at ``dialled``; a host name may be any address."""
    there = _address(bound)
    return there is None or there.is_unspecified or there == _address(dialled)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _guess(name: str, there: Sequence[str], form: str) -> str:
    close = difflib.get_close_matches(name, there, n=1, cutoff=_ALIKE)
    return f"; did you mean {form.format(close[0])}?" if close else "; remove it"


def _shown(option: Name) -> str:
    return f"[{option[0]}] {option[1]}"
