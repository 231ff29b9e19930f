# SPDX-License-Identifier: Apache-2.0
"""The parameters of PostgreSQL that are not the owner's to set, by the reason why."""

from trove.datastores.enginelib.protection import Protection

#: Where the server is reached and where its files are.
_PLACES = (
    "bonjour", "bonjour_name", "config_file", "data_directory", "external_pid_file", "hba_file", "ident_file",
    "include", "include_dir", "include_if_exists", "listen_addresses", "port", "stats_temp_directory",
    "temp_tablespaces",
)  # fmt: skip
#: Who gets in, and who may do what.
_ACCESS = (
    "authentication_timeout", "db_user_namespace", "event_triggers", "gss_accept_delegation", "lo_compat_privileges",
    "password_encryption", "row_security", "superuser_reserved_connections",
)  # fmt: skip
#: Runs programs or loads code.
_CODE = (
    "allow_alter_system", "allow_in_place_tablespaces", "allow_system_table_mods", "archive_cleanup_command",
    "archive_command", "archive_library", "archive_mode", "dynamic_library_path", "extension_control_path",
    "extension_destdir", "jit_debugging_support", "jit_dump_bitcode", "jit_profiling_support", "jit_provider",
    "local_preload_libraries", "oauth_validator_libraries", "output_plugin_libraries", "recovery_end_command",
    "restore_command", "session_preload_libraries", "shared_preload_libraries",
)  # fmt: skip
#: Where the logs are, and in which words: causes are recognised by them.
_LOGS = (
    "event_source", "lc_messages", "log_destination", "log_directory", "log_file_mode", "log_filename",
    "log_rotation_age", "log_rotation_size", "log_truncate_on_rotation", "logging_collector",
)  # fmt: skip
#: Breaks data, or the promise that what was committed stays.
_DATA = (
    "data_sync_retry", "fsync", "full_page_writes", "ignore_checksum_failure", "ignore_invalid_pages",
    "ignore_system_indexes", "session_replication_role", "zero_damaged_pages",
)  # fmt: skip
#: The service starts, stops, supervises and replicates.
_SERVICE = (
    "default_transaction_read_only", "exit_on_error", "hot_standby", "post_auth_delay", "pre_auth_delay",
    "primary_conninfo", "primary_slot_name", "promote_trigger_file", "restart_after_crash", "send_abort_for_crash",
    "send_abort_for_kill", "synchronized_standby_slots", "synchronous_standby_names", "transaction_deferrable",
    "transaction_isolation", "transaction_read_only",
)  # fmt: skip

#: A transaction begins with the login, before the server reads what a session of its own wants: with less than a second
#: none of ours would get in, on a busy machine.
FLOORS = {"transaction_timeout": 1000}

PROTECTION = Protection(
    frozenset((*_PLACES, *_ACCESS, *_CODE, *_LOGS, *_DATA, *_SERVICE)),
    ("debug_", "krb_", "recovery_target", "ssl", "syslog_", "trace_", "unix_socket_"),
)
