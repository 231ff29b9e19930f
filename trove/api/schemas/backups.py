# SPDX-License-Identifier: Apache-2.0
"""Schemas of backups and backup strategies. The service makes none yet, so what it lists is empty."""

from trove.api.schemas import atoms

_PROJECT = {"type": "string", "minLength": 1, "maxLength": 255}
#: Part of the path of every object, so nothing that a shell or a URL would take for something else.
_CONTAINER = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": "^[^0-9a-zA-Z/\\s;&|<>$`\"'\\\\*?(){}\\[\\]!#~]*[0-9a-zA-Z][^/\\s;&|<>$`\"'\\\\*?(){}\\[\\]!#~]*$",
    "x-message": "must be the name of a container: letters, digits, and none of the characters of a shell or a path",
}
_RESTORE_FROM = atoms.document(
    {
        "remote_location": {"type": "string", "minLength": 1, "maxLength": 1024},
        "local_datastore_version_id": atoms.UUID,
        "size": {"type": "number", "exclusiveMinimum": 0, "maximum": 2**31 - 1},
    },
    **atoms.TOLERANT,
)
_BACKUP = {
    "name": atoms.NAME,
    "instance": {"type": "string", "minLength": 1, "maxLength": 1024},
    "description": {"type": ["string", "null"], "maxLength": 512},
    "parent_id": atoms.NULLABLE_UUID,
    "incremental": atoms.BOOL_INT,
    "swift_container": {"anyOf": [_CONTAINER, {"type": "null"}], "x-message": _CONTAINER["x-message"]},
    "storage_driver": {"type": ["string", "null"], "maxLength": 255},
    "restore_from": _RESTORE_FROM,
}
_STRATEGY = {"swift_container": _CONTAINER, "instance_id": {"anyOf": [atoms.UUID, {"enum": ["", None]}]}}

SCHEMAS = {
    "backup.query": atoms.query(
        {
            "limit": atoms.LIMIT,
            "marker": atoms.MARKER,
            "datastore": {"type": "string", "minLength": 1, "maxLength": 255},
            "instance_id": {"type": "string", "maxLength": 255},
            "project_id": _PROJECT,
            "all_projects": atoms.BOOLEAN,
        }
    ),
    "backup.create": atoms.document(
        {
            "backup": atoms.document(
                _BACKUP, optional=tuple(name for name in _BACKUP if name != "name"), **atoms.TOLERANT
            )
        },
        **atoms.TOLERANT,
    ),
    "backups": atoms.empty_collection("backups"),
    "backup_strategy.query": atoms.query({"instance_id": {"type": "string", "maxLength": 255}, "project_id": _PROJECT}),
    "backup_strategy.create": atoms.document({"backup_strategy": atoms.document(_STRATEGY, optional=("instance_id",))}),
    "backup_strategies": atoms.empty_collection("backup_strategies"),
}
