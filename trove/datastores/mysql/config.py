# SPDX-License-Identifier: Apache-2.0
"""The variables of MySQL's ``my.cnf``."""

from collections.abc import Mapping

from trove.datastores.mysql_family import config
from trove.datastores.mysql_family.facts import version_key

#: From this version on the redo log has one size, which can be changed while the server runs.
_REDO_CAPACITY = (8, 0, 30)


def variables(settings: config.Settings, version: str) -> dict[str, str]:
    """Return ``{variable: value}`` for one instance."""
    return {
        **config.common(settings),
        **_redo(settings, version),
        # The X protocol would be a second door, on a port of its own.
        "mysqlx": "OFF",
        "secure_file_priv": "NULL",
        # Nothing reads it yet, and on a small volume it is what fills it.
        "skip_log_bin": "",
        "log_error_verbosity": "2",
    }


def dynamic(settings: config.Settings, version: str) -> Mapping[str, int]:
    """Return the variables that follow the volume and can be set at once."""
    if _has_capacity(version):
        return {"innodb_redo_log_capacity": settings.sizing.redo * 2**20}
    return {}


def _redo(settings: config.Settings, version: str) -> dict[str, str]:
    if _has_capacity(version):
        return {"innodb_redo_log_capacity": f"{settings.sizing.redo}M"}
    return {"innodb_log_file_size": f"{settings.sizing.redo // 2}M", "innodb_log_files_in_group": "2"}


def _has_capacity(version: str) -> bool:
    """A version that only names its series (``8.0``) is taken as its newest release."""
    key = version_key(version)
    return len(key) < len(_REDO_CAPACITY) or key >= _REDO_CAPACITY
