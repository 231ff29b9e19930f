# SPDX-License-Identifier: Apache-2.0
"""oslo.messaging's own groups for metrics, tracing and notifications.

The first two the library registers on oslo.config's global object only and then reads them from the object it was
given, so every cast would fail with ``NoSuchOptError``. Those of notifications it registers when a notifier is made,
and we look into them before. Its other options it registers itself when a transport is opened.
"""

from typing import Any

from oslo_config import cfg


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the groups, as the library's own test fixture does; its public list would load every driver."""
    from oslo_messaging._metrics import client as metrics
    from oslo_messaging._tracing import client as tracing
    from oslo_messaging.notify import notifier

    conf.register_opts(metrics.oslo_messaging_metrics, "oslo_messaging_metrics")
    conf.register_opts(tracing.oslo_messaging_tracing, "oslo_messaging_tracing")
    conf.register_opts(notifier._notifier_opts, "oslo_messaging_notifications")


def list_opts() -> list[tuple[str, list[Any]]]:
    """Nothing of our own: oslo.messaging lists its options under its own namespace."""
    return []
