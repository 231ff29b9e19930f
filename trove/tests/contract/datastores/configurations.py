# SPDX-License-Identifier: Apache-2.0
"""What differs between engines in the tests of configuration groups: names, values, and how a value is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trove.datastores.redis_family import config
from trove.datastores.redis_family.guest import resp
from trove.tests.contract.datastores import engines
from trove.wire.command import ConfigValue

#: (value of the group, value as the engine reads it back)
Pair = tuple[ConfigValue, str]


@dataclass(frozen=True)
class Case:
    """Of one engine.

    :ivar read: returns what the running engine has, as text.
    :ivar templated: a dynamic parameter that Trove's template sets, with two values.
    :ivar plain: a dynamic one that only the engine has a default for.
    :ivar text: one that takes text, with all that could be taken for the end of a value.
    :ivar restart: one that needs a restart.
    :ivar refused: (name, value) that the engine itself refuses.
    :ivar unstartable: (name, value) that is found out at a start only, where there is such a one.
    :ivar protected: names.
    """

    read: Callable[[engines.Instance, str], str]
    templated: tuple[str, Pair, Pair]
    plain: tuple[str, Pair]
    text: tuple[str, Pair]
    restart: tuple[str, Pair]
    refused: tuple[tuple[str, ConfigValue], ...]
    unstartable: tuple[str, ConfigValue] | None
    protected: tuple[str, ...]


def _sql(statement: str) -> Callable[[engines.Instance, str], str]:
    def read(one: engines.Instance, name: str) -> str:
        client = one.connect("ann", "secret", "shop")
        try:
            return str(client.execute(statement.format(name))[0][0])
        finally:
            client.close()

    return read


def _redis(one: engines.Instance, name: str) -> str:
    (socket,) = one.environment.state_dir.rglob(config.SOCKET_NAME)
    with resp.session(resp.Address(socket.parent, engines.ADMIN_PASSWORD)) as connection:
        return str(connection.call("CONFIG", "GET", name)[1])


_POSTGRESQL = Case(
    read=_sql("SHOW {}"),
    templated=("work_mem", ("16MB", "16MB"), (20000, "20000kB")),
    plain=("deadlock_timeout", (2500, "2500ms")),
    text=("application_name", ("it's # 50% \\ \"quoted\" = '", "it's # 50% \\ \"quoted\" = '")),
    restart=("max_connections", (43, "43")),
    refused=(
        ("work_mem", "lots"),
        ("work_mem", 1),
        ("no_such_parameter", 1),
        ("max_connections", 3),
        ("application_name", "a\nfsync = off"),
        ("work_mem'\nfsync", "off"),
    ),
    unstartable=("shared_buffers", "7TB"),
    protected=("archive_command", "listen_addresses", "shared_preload_libraries", "SSL", "fsync", "log_directory"),
)
_MARIADB = Case(
    read=_sql("SELECT @@GLOBAL.{}"),
    templated=("max_allowed_packet", (2**25, str(2**25)), (2**24, str(2**24))),
    plain=("wait_timeout", (2500, "2500")),
    text=("init_connect", ("SET @a = '\" # \\\\ %s'", "SET @a = '\" # \\\\ %s'")),
    restart=("back_log", (61, "61")),
    refused=(
        ("wait_timeout", "lots"),
        ("max_connections", 3),
        ("no_such_variable", 1),
        ("init_connect", "a\nplugin_load=x"),
        ("init_connect", "a" * 5000),
        ("wait_timeout=1\nplugin_load", "x"),
    ),
    unstartable=("innodb_flush_method", "NO_SUCH_METHOD"),
    protected=("plugin-load", "init_file", "datadir", "secure_file_priv", "wsrep_provider", "general_log", "server_id"),
)
_MYSQL = Case(
    read=_MARIADB.read,
    templated=_MARIADB.templated,
    plain=_MARIADB.plain,
    text=_MARIADB.text,
    restart=_MARIADB.restart,
    # Three connections are none too few for it.
    refused=(*(pair for pair in _MARIADB.refused if pair[0] != "max_connections"), ("max_connections", 100_001)),
    unstartable=None,
    protected=("plugin_load", "init_file", "datadir", "secure_file_priv", "mysqlx_port", "general_log", "server_id"),
)
_REDIS = Case(
    read=_redis,
    templated=("tcp-keepalive", (120, "120"), (90, "90")),
    plain=("hash-max-listpack-entries", (99, "99")),
    text=("save", ("900 1 300 10", "900 1 300 10")),
    restart=("databases", (20, "20")),
    refused=(
        ("tcp-keepalive", "lots"),
        ("maxmemory-policy", "sometimes"),
        ("no-such-parameter", 1),
        ("notify-keyspace-events", "K\nenable-debug-command yes"),
        ("timeout 0\nenable-debug-command", "yes"),
    ),
    unstartable=None,
    protected=("dir", "aclfile", "enable-debug-command", "loadmodule", "unixsocket", "appendonly", "replicaof"),
)
CASES: Mapping[str, Case] = {
    "postgresql": _POSTGRESQL,
    "mariadb": _MARIADB,
    "mysql": _MYSQL,
    "redis": _REDIS,
    "valkey": _REDIS,
}
