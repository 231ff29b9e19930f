# SPDX-License-Identifier: Apache-2.0
"""Where this host gets its packages from, so that images come from the same place; nothing is hard-coded.

Asked is apt itself (``apt-get indextargets``, ``apt-config dump``), which knows mirrors, proxies and every spelling of
its configuration. A suite's security and stable updates come along when the host has those for its own release.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trove.providers.local.images.manifest import ImageError

#: Suites that are updated in place and have no companion archives.
_ROLLING = frozenset({"sid", "unstable", "experimental", "rc-buggy"})
_COMPANIONS = ("security", "updates")
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@")


@dataclass(frozen=True)
class Archive:
    """An archive the host uses: its address and the suite the host takes from there."""

    address: str
    suite: str


def host_codename() -> str:
    """Return the code name of this host's release.

    :raises ImageError: where there is none.
    """
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip().strip('"')
    raise ImageError("this host's release has no code name in /etc/os-release; name a mirror with --mirror")


def host_archives() -> list[Archive]:
    """Return the archives with component ``main`` that the host is configured to use, in its order."""
    output = _ask(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"])
    found = (line.split() for line in output.splitlines())
    return list(dict.fromkeys(Archive(f[0], f[1]) for f in found if len(f) == 3 and f[2] == "main"))


def sources(suite: str, codename: str, archives: Sequence[Archive]) -> list[str]:
    """Return the lines of sources.list(5) for ``suite``, derived from what the host uses for its own ``codename``.

    :raises ImageError: when the host has no archive of its own release.
    """
    main = next((archive for archive in archives if archive.suite == codename), None)
    if main is None:
        raise ImageError(f"apt on this host has no archive of its release '{codename}'; name a mirror with --mirror")
    lines = [source_line(main.address, suite)]
    for companion in _COMPANIONS if suite not in _ROLLING else ():
        found = next((a for a in archives if a.suite == f"{codename}-{companion}"), None)
        if found is not None:
            lines.append(source_line(found.address, f"{suite}-{companion}"))
    return lines


def source_line(address: str, suite: str) -> str:
    """Return one line of sources.list(5)."""
    return f"deb {address} {suite} main"


def without_credentials(line: str) -> str:
    """Return a source line that may be shown and stored."""
    return _CREDENTIALS.sub("", line)


def proxies() -> Mapping[str, str]:
    """Return the proxies apt is configured to use, as environment variables: written into apt's own configuration they
    would stay in the image."""
    found = re.findall(r'^Acquire::(https?)::Proxy "([^"]+)";$', _ask(["apt-config", "dump"]), re.MULTILINE)
    return {f"{scheme}_proxy": address for scheme, address in found if address != "DIRECT"}


def installed(root: Path) -> dict[str, str]:
    """Return the packages inside a root file system with their versions, from dpkg's own records."""
    versions: dict[str, str] = {}
    for paragraph in (root / "var/lib/dpkg/status").read_text(encoding="utf-8", errors="replace").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            versions[fields["Package"]] = fields["Version"]
    return dict(sorted(versions.items()))


def architecture() -> str:
    """Return dpkg's name of this host's architecture."""
    return _ask(["dpkg", "--print-architecture"]).strip()


def _ask(argv: Sequence[str]) -> str:
    try:
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    except FileNotFoundError:
        raise ImageError(f"'{argv[0]}' is not installed: images are built on Debian and its derivatives") from None
    except subprocess.SubprocessError as err:
        raise ImageError(f"apt cannot be asked for this host's configuration: {err}") from err
