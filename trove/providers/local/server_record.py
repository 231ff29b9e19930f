# SPDX-License-Identifier: Apache-2.0
"""What is written down of a new server: its record, and the bootstrap document of its agent. Nothing is made here."""

import shutil
from dataclasses import asdict

from trove.providers import base
from trove.providers.local.agent_launcher import STATE
from trove.providers.local.images.manifest import ImageError
from trove.providers.local.images.store import Images
from trove.providers.local.records import Record, Store
from trove.providers.local.volumes import Volumes
from trove.wire import base as wire_base
from trove.wire import bootstrap

#: The one availability zone there is.
ZONE = "local"


def new_record(spec: base.ServerSpec, store: Store, volumes: Volumes, images: Images) -> tuple[Record, bytes]:
    """Return the record of a new server and its bootstrap document. The caller holds the store's lock.

    :raises base.NotFoundError: for a port, volume, zone or image that there is not.
    :raises base.FatalError: when the document of ``spec`` cannot be used, or the host lacks what an image needs.
    """
    volume, port = store.read("volume", spec.volume_tag), store.read("port", spec.port_tag)
    if port is None or volume is None:
        raise base.NotFoundError(f"server {spec.tag} needs port {spec.port_tag} and volume {spec.volume_tag}")
    if spec.availability_zone not in (None, ZONE):
        raise base.NotFoundError(f"this host is availability zone '{ZONE}', there is no other")
    engine_root = _engine_root(spec, images)
    values = {
        "data_dir": str(volumes.data_dir(spec.volume_tag)),
        "state_dir": str(store.directory("server", spec.tag) / STATE),
        # What one account prepares, another one must not trust.
        "template_dir": str(store.base_dir / "templates") if volume.get("uid") is None else None,
        "engine_home": spec.engine_home,
        "engine_root": engine_root,
        "options": {"volume_gib": volume["size_gib"]},
    }
    try:
        document = bootstrap.fill(spec.bootstrap, values)
    except wire_base.MalformedMessage as err:
        raise base.FatalError(str(err)) from err
    record: Record = {
        "tag": spec.tag, "name": spec.name, "shape": asdict(spec.shape), "port_tag": spec.port_tag,
        "volume_tag": spec.volume_tag, "engine_home": spec.engine_home, "engine_root": engine_root,
        "desired": "running", "quick_ends": 0, "hangs": 0,
        "failure": None, "pid": None, "started": None, "boot": None, "spawned_at": 0.0, "stopping_since": 0.0,
        "stopping_boot": None, "tier": port.get("tier", 1), "cgroups": [],
        "group": spec.group.tag if spec.group else None,
        "gateway_socket": bootstrap.local_socket(document), **store.origin(),
    }  # fmt: skip
    return record, document


def _engine_root(spec: base.ServerSpec, images: Images) -> str | None:
    if spec.root_image is None:
        return None
    if shutil.which("bwrap") is None:
        raise base.FatalError("an engine in an image needs bubblewrap on this host: apt install bubblewrap")
    try:
        return str(images.root(spec.root_image))
    except ImageError as err:
        raise base.NotFoundError(str(err)) from err
