# SPDX-License-Identifier: Apache-2.0
"""Schemas of the encryption of connections to an instance."""

from trove.api.schemas import atoms

_REFERENCE = {"type": ["string", "null"], "minLength": 1, "maxLength": 1024}
_FLAG = {"anyOf": [atoms.BOOL_INT, {"type": "null"}], "x-message": atoms.BOOL_INT["x-message"]}
_CHANGE = {
    "enable": _FLAG,
    "disable": _FLAG,
    "rollback": _FLAG,
    "mode": {"enum": ["basic", "enforced", "mtls", None]},
    "container_ref": _REFERENCE,
    "password_ref": _REFERENCE,
}

SCHEMAS = {
    "ssl.query": atoms.query({"include_certificate": atoms.BOOLEAN}),
    "ssl.change": atoms.document({"ssl": atoms.document(_CHANGE, optional=tuple(_CHANGE))}),
}
