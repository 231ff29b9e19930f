# SPDX-License-Identifier: Apache-2.0
"""The variables of MariaDB and MySQL that are not the owner's to set, by the reason why."""

from trove.datastores.enginelib.protection import Protection

#: Where the server is reached and where its files are.
_PLACES = (
    "basedir", "bind_address", "character_sets_dir", "chroot", "create_admin_listener_thread", "datadir", "extra_port",
    "innodb_buffer_pool_filename", "innodb_data_file_path", "innodb_data_home_dir", "innodb_directories",
    "innodb_doublewrite_dir", "innodb_log_group_home_dir", "innodb_temp_data_file_path",
    "innodb_temp_tablespaces_dir", "innodb_tmpdir", "innodb_undo_directory", "lc_messages", "lc_messages_dir",
    "aria_log_dir_path", "ignore_db_dirs", "pid_file", "port", "proxy_protocol_networks", "redirect_url",
    "replica_load_tmpdir", "secure_file_priv", "skip_name_resolve", "skip_networking", "slave_load_tmpdir", "socket",
    "symbolic_links", "thread_handling", "tmpdir", "user",
)  # fmt: skip
#: Who gets in, and who may do what.
_ACCESS = (
    "activate_all_roles_on_login", "authentication_policy", "auto_generate_certs", "check_proxy_users",
    "default_authentication_plugin", "default_password_lifetime", "disconnect_on_expired_password",
    "generated_random_password_length", "mandatory_roles", "old_passwords", "partial_revokes",
    "protocol_compression_algorithms",
    "require_secure_transport", "secure_auth", "secure_timestamp", "skip_grant_tables", "strict_password_validation",
)  # fmt: skip
#: Runs code, or SQL with rights that are not its owner's.
_CODE = (
    "allow_suspicious_udfs", "init_file", "init_replica", "init_slave", "log_error_services", "plugin_dir",
    "plugin_load", "plugin_load_add", "plugin_maturity",
)  # fmt: skip
#: Where the logs are; the service switches and publishes them.
_LOGS = (
    "general_log", "general_log_file", "log_output", "log_slow_query", "log_slow_query_file", "slow_query_log",
    "slow_query_log_file", "sql_log_off",
)  # fmt: skip
#: Fits the data as it was made, or breaks it, or opens it for nobody.
_DATA = (
    "core_file", "flush", "innodb_force_recovery", "innodb_page_size", "innodb_read_only", "lower_case_file_system",
    "lower_case_table_names", "persisted_globals_load", "read_only", "super_read_only", "tc_heuristic_recover",
    "transaction_read_only", "tx_read_only",
)  # fmt: skip
#: The service replicates, and waits for every value to be taken: one of these waits for the owner's transactions.
_SERVICE = (
    "enforce_gtid_consistency", "innodb_max_purge_lag_wait", "log_bin", "log_bin_basename", "log_bin_index",
    "log_replica_updates", "log_slave_updates", "master_info_repository", "relay_log", "relay_log_basename",
    "relay_log_index", "relay_log_info_file", "relay_log_info_repository", "server_id", "server_id_bits",
    "server_uid", "skip_replica_start", "skip_slave_start",
)  # fmt: skip

#: With less than this a statement or a row of the service does not fit, and no session can ask for more; or the server
#: does not even read its options.
FLOORS = {"max_allowed_packet": 64 * 1024, "max_session_mem_used": 2**20}

PROTECTION = Protection(
    frozenset((*_PLACES, *_ACCESS, *_CODE, *_LOGS, *_DATA, *_SERVICE)),
    ("admin_", "caching_sha2_password_", "debug", "gtid_", "log_error", "log_syslog", "mysqlx", "named_pipe",
     "report_", "sha256_password_", "shared_memory", "ssl_", "syseventlog", "tls_", "version", "wsrep_"),
)  # fmt: skip
