# SPDX-License-Identifier: Apache-2.0
"""oslo.messaging's own groups for metrics and tracing.

The library registers them on oslo.config's global object only and then reads them from the object it was given, so
every cast would fail with ``NoSuchOptError``. Its other options it registers itself when a transport is opened.
"""

from typing import Any

from oslo_config import cfg


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register both groups, as the library's own test fixture does."""
    from oslo_messaging._metrics import client as metrics
    from oslo_messaging._tracing import client as tracing

    conf.register_opts(metrics.oslo_messaging_metrics, "oslo_messaging_metrics")
    conf.register_opts(tracing.oslo_messaging_tracing, "oslo_messaging_tracing")


def list_opts() -> list[tuple[str, list[Any]]]:
    """Nothing of our own: oslo.messaging lists its options under its own namespace."""
    return []
