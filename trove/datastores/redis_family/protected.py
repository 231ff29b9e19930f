# SPDX-License-Identifier: Apache-2.0
"""The parameters of Redis and Valkey that are not the owner's to set, by the reason why."""

from trove.datastores.enginelib.protection import Protection

#: Where the server is reached and where its files are.
_PLACES = (
    "appenddirname", "appendfilename", "bind", "bind_source_addr", "dbfilename", "dir", "include", "mptcp", "pidfile",
    "port", "socket_mark_id",
)  # fmt: skip
#: Who gets in, and who may do what.
_ACCESS = (
    "aclfile", "acl_pubsub_default", "lua_enable_deprecated_api", "protected_mode", "rename_command", "requirepass",
    "sanitize_dump_payload", "user",
)  # fmt: skip
#: Loads code, or lets a client do so.
_CODE = ("enable_debug_command", "enable_module_command", "enable_protected_configs", "loadmodule", "locale_collate")
#: Where the log is.
_LOGS = ("always_show_logo", "crash_log_enabled", "crash_memcheck_enabled", "ignore_warnings", "logfile")
#: Without the append-only file a restart loses the data; switched on again over a snapshot it does, too.
_DATA = ("appendonly", "import_mode", "rdb_version_check")
#: The service starts, stops, supervises and replicates.
_SERVICE = (
    "daemonize", "masterauth", "masteruser", "oom_score_adj", "oom_score_adj_values", "primaryauth", "primaryuser",
    "proc_title_template", "replica_announced", "replicaof", "set_proc_title", "slaveof", "supervised",
)  # fmt: skip

#: The engine keeps no connection for administrators, and ends an idle one, or one whose answer is too long, of whoever
#: it is.
FLOORS = {
    "client-output-buffer-limit": 64 * 2**20,  # the longest answer that the service asks for
    "maxclients": 16,
    "maxmemory": 16 * 2**20,  # the server's own memory is a part of it
    "timeout": 5,
}

PROTECTION = Protection(
    frozenset((*_PLACES, *_ACCESS, *_CODE, *_LOGS, *_DATA, *_SERVICE)),
    ("cluster_", "rdma_", "replica_announce_", "shutdown_", "slave_announce_", "syslog_", "tls_", "unixsocket"),
)
