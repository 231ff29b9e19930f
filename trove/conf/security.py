# SPDX-License-Identifier: Apache-2.0
"""[security]: the keys that protect stored secrets."""

from typing import Any

from oslo_config import cfg

GROUP = "security"

OPTS = [
    cfg.StrOpt(
        "key_encryption_key_file",
        help="File with the key-encryption key that writes: 64 hexadecimal digits, mode 0600. Every service process of "
        "one deployment needs the same keys, because they protect guest keys, commands and passwords in the database. "
        "There is no default, and the services refuse to start without this or key_encryption_key_id. Make one with: "
        "openssl rand -hex 32 > FILE && chmod 600 FILE",
    ),
    cfg.ListOpt(
        "accepted_key_files",
        default=[],
        help="Files with further keys, which open stored values and write none: the next key before it writes, and the "
        "former one until 'trove-manage keys status' says that nothing needs it.",
    ),
    cfg.StrOpt(
        "key_encryption_key_id",
        help="Id of the key-encryption key that writes, in the key manager that castellan is configured for (groups "
        "key_manager, barbican, vault), in place of key_encryption_key_file: a symmetric key of 256 bits. Needs the "
        "extra 'castellan'.",
    ),
    cfg.ListOpt("accepted_key_ids", default=[], help="As accepted_key_files, of keys in the key manager."),
    cfg.FloatOpt(
        "key_manager_timeout",
        default=30.0,
        min=1.0,
        help="Seconds that a process waits at its start for the key manager to give all keys.",
    ),
    cfg.IntOpt(
        "ciphertext_version",
        default=1,
        min=1,
        max=2,
        help="Format of what is written encrypted. 2 names its key and binds each value to its row; rotation of keys "
        "needs it. Processes of a release before this option can read 1 only: set 2 when none of them runs any more, "
        "and in a new deployment from the beginning. Both formats are read whatever is set.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options of this group."""
    conf.register_opts(OPTS, GROUP)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options for the sample file."""
    return [(GROUP, OPTS)]
