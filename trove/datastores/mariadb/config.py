# SPDX-License-Identifier: Apache-2.0
"""The variables of MariaDB's ``my.cnf``."""

from collections.abc import Mapping

from trove.datastores.mysql_family import config
from trove.datastores.mysql_family.facts import version_key

#: From this version on the redo log can be resized while the server runs (MDEV-27812).
_ONLINE_REDO = (10, 9)


def variables(settings: config.Settings) -> dict[str, str]:
    """Return ``{variable: value}`` for one instance."""
    return {
        **config.common(settings),
        "aria_pagecache_buffer_size": f"{settings.sizing.aria_cache}M",
        "innodb_log_file_size": f"{settings.sizing.redo}M",
        "symbolic_links": "OFF",
        # Nobody but Trove holds FILE; and should somebody, the files stay in a directory that holds none.
        "secure_file_priv": str(settings.tmp_dir),
    }


def dynamic(settings: config.Settings, version: str) -> Mapping[str, int]:
    """Return the variables that follow the volume and can be set at once."""
    if version_key(version) < _ONLINE_REDO:
        return {}
    return {"innodb_log_file_size": settings.sizing.redo * 2**20}
