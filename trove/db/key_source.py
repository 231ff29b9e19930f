# SPDX-License-Identifier: Apache-2.0
"""Where key-encryption keys come from: files, or a key manager that castellan speaks to (Barbican, Vault).

A process reads all keys once, at its start. A key manager that does not answer keeps it from starting and does no harm
to those that run. castellan is loaded only where a key is taken from it.
"""

import concurrent.futures
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from oslo_config import cfg

from trove.db.crypto import KEY_BYTES, KeyEncryptionKey, Keyring, KeyUnavailable


class KeySource(Protocol):
    """Gives keys by name."""

    def get(self, name: str) -> KeyEncryptionKey:
        """Return one key.

        :raises KeyUnavailable: saying what to do; never quotes a key.
        """


class Files:
    """Keys in files; their names are paths."""

    def get(self, name: str) -> KeyEncryptionKey:
        """See :class:`KeySource`."""
        return KeyEncryptionKey.from_file(name)


class KeyManager:
    """Keys in castellan's key manager; their names are its ids.

    :param manager: a ``castellan.key_manager.key_manager.KeyManager``.
    :param context: its credential, ``None`` where the manager has one of its own.
    """

    def __init__(self, manager: Any, context: Any) -> None:
        self._manager = manager
        self._context = context

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "KeyManager":
        """Return the manager that castellan's options describe.

        :raises KeyUnavailable: when castellan is not installed or cannot make it.
        """
        try:
            from castellan import key_manager
            from castellan.common import utils
        except ImportError as err:
            raise KeyUnavailable(
                "[security] names a key by its id, which needs castellan: install trove[castellan]"
            ) from err
        try:
            manager = key_manager.API(conf)
            conf.register_opts(utils.credential_opts, group=utils.OPT_GROUP)
            # Vault has its credentials in a group of its own, and needs no context.
            context = utils.credential_factory(conf) if conf.key_manager.auth_type else None
        except Exception as err:  # boundary: plug-ins raise what they like; a text may quote credentials
            raise KeyUnavailable(
                f"the key manager of [key_manager] backend cannot be used ({type(err).__name__}); see the options of "
                f"castellan"
            ) from None
        return cls(manager, context)

    def get(self, name: str) -> KeyEncryptionKey:
        """See :class:`KeySource`."""
        try:
            key = self._manager.get(self._context, name).get_encoded()
        except Exception as err:  # boundary: whatever a backend raises; a text may quote credentials or the answer
            raise KeyUnavailable(
                f"the key manager does not give key {name} ({type(err).__name__}); check the id, [key_manager], and "
                f"that it answers"
            ) from None
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            raise KeyUnavailable(f"key {name} of the key manager is no symmetric key of {KEY_BYTES * 8} bits")
        return KeyEncryptionKey(key)


def load(conf: cfg.ConfigOpts) -> Keyring:
    """Return the keys that ``[security]`` names.

    :raises KeyUnavailable: when none writes, or one cannot be had.
    """
    group = conf.security
    if group.key_encryption_key_file and group.key_encryption_key_id:
        raise KeyUnavailable(
            "only one key writes: of [security] key_encryption_key_file and key_encryption_key_id remove one, and list "
            "its key in accepted_key_files or accepted_key_ids"
        )
    if not group.key_encryption_key_file and not group.key_encryption_key_id:
        raise KeyUnavailable(
            "set [security] key_encryption_key_file; make a key with: openssl rand -hex 32 > FILE && chmod 600 FILE"
        )
    files = [Files().get(path) for path in group.accepted_key_files]
    if group.key_encryption_key_file:
        writer = Files().get(group.key_encryption_key_file)
        others = _managed(conf, group.accepted_key_ids)
    else:
        writer, *others = _managed(conf, [group.key_encryption_key_id, *group.accepted_key_ids])
    return Keyring(writer, [*files, *others], version=group.ciphertext_version)


def _managed(conf: cfg.ConfigOpts, names: Sequence[str]) -> list[KeyEncryptionKey]:
    """Return keys of the key manager, within ``key_manager_timeout``."""
    if not names:
        return []

    answer: concurrent.futures.Future[list[KeyEncryptionKey]] = concurrent.futures.Future()

    def get() -> None:
        try:
            source = KeyManager.from_conf(conf)
            answer.set_result([source.get(name) for name in names])
        except BaseException as err:  # boundary: whoever waits raises it
            answer.set_exception(err)

    # A thread, because backends have time-outs of their own, for each request and retry; a daemon, because a process
    # that gives up must be able to end.
    threading.Thread(target=get, name="key-manager", daemon=True).start()
    timeout = float(conf.security.key_manager_timeout)
    try:
        return answer.result(timeout)
    except concurrent.futures.TimeoutError:
        raise KeyUnavailable(
            f"the key manager has not answered within [security] key_manager_timeout of {timeout:g} seconds"
        ) from None
