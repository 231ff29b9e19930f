# SPDX-License-Identifier: Apache-2.0
"""``trove-standalone``: the whole service on one host, in one process."""

from trove.common.threads import use_native_threads

use_native_threads()

from trove.standalone.cli import main  # noqa: E402

__all__ = ["main"]
