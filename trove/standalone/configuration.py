# SPDX-License-Identifier: Apache-2.0
"""The configuration of a standalone service: for the service itself, and for whoever stops its databases."""

from oslo_config import cfg

import trove.conf
from trove.standalone.layout import Layout, Settings

#: A laptop's limits, wider than a cloud's defaults.
_DEFAULTS = {
    "max_instances_per_tenant": 100,
    "max_volumes_per_tenant": 1000,
    "max_accepted_volume_size": 100,
    # The client looks for a name on the first page only: all that a project may have stands there.
    "instances_page_size": 100,
    "configurations_page_size": 100,
    "host": "standalone",
}


def configure(layout: Layout, settings: Settings) -> cfg.ConfigOpts:
    """Return the configuration of a standalone service; ``trove.conf`` in the data directory, if any, overrides it."""
    own = layout.root / "trove.conf"
    conf = trove.conf.new([], prog="trove-standalone", files=[str(own)] if own.exists() else [])
    for name, value in _DEFAULTS.items():
        conf.set_default(name, value)
    conf.set_default("connection", f"sqlite:///{layout.database}", group="database")
    conf.set_default("key_encryption_key_file", str(layout.key), group="security")
    conf.set_default("ciphertext_version", settings.ciphertext_version, group="security")
    conf.set_default("base_dir", str(layout.guests), group="local")
    conf.set_default("image_dir", str(layout.images), group="local")
    conf.set_default("driver", "filesystem", group="object_store")
    conf.set_default("path", str(layout.objects), group="object_store")
    conf.set_default("gateway_bind_port", settings.gateway_port, group="guest_bus")
    conf.set_default("heartbeat_interval", 5.0, group="guest_bus")
    conf.set_default("agent_heartbeat_expiry", 30.0, group="guest_bus")
    # More than one host bears, and their connections and those of the API fit into the usual limit of open files.
    conf.set_default("gateway_max_guests", 1000, group="guest_bus")
    conf.set_default("enforce_new_defaults", settings.enforce_new_defaults, group="oslo_policy")
    conf.set_default("availability_zones", ["local"])
    conf.set_default("bind_host", "127.0.0.1")
    conf.set_default("auth_strategy", "http_basic")
    conf.set_default("http_basic_auth_user_file", str(layout.users))
    return conf
