# SPDX-License-Identifier: Apache-2.0
"""What is stored, one noun per module.

Nouns that live longer than a release and are written by several services (instances, guests, the catalogue) are
oslo.versionedobjects; what is only read (rows of a list, inventory) is a plain tuple, because a page of twenty must
cost a millisecond or two. Every function takes the caller's session and works in its transaction; nothing here opens,
commits or rolls back one. Getters of what belongs to a project demand a :class:`trove.objects.scope.Scope`.
"""

import importlib

#: Modules that register a versioned object.
_REGISTERING = (
    "configuration",
    "datastore",
    "flavor",
    "guest_command",
    "guest_identity",
    "instance",
    "module",
    "volume_type",
)


def register_all() -> None:
    """Import every module that registers an object; needed before anything is deserialised by name."""
    for name in _REGISTERING:
        importlib.import_module(f"{__name__}.{name}")
