# SPDX-License-Identifier: Apache-2.0
"""Modules as clients know them. Contents are shown in one place only, see :func:`applied`."""

import base64
from typing import Any

from trove.common import clock
from trove.objects.instance_module import InstanceModuleRow, Usage
from trove.objects.module import ModuleRow

#: What stands for "no restriction" where clients expect a name.
ALL = "all"


def summary(row: ModuleRow) -> dict[str, Any]:
    """Return the short form, as in a list."""
    return {
        "id": row.id,
        "name": row.name,
        "type": row.type,
        "description": row.description,
        "tenant_id": row.project_id,
        "tenant": row.project_id or ALL,
        "datastore_id": row.datastore_id,
        "datastore": row.datastore_name or ALL,
        "datastore_version_id": row.datastore_version_id,
        "datastore_version": row.version_name or ALL,
        "auto_apply": row.auto_apply,
        "priority_apply": row.priority_apply,
        "apply_order": row.apply_order,
        "is_admin": row.is_admin,
        "visible": row.visible,
        "md5": row.md5,
        "created": clock.isoformat(row.created_at),
        "updated": clock.isoformat(row.updated_at),
    }


def changed(row: ModuleRow) -> dict[str, Any]:
    """Return a module that was just made or changed."""
    return {**summary(row), "live_update": row.live_update}


def detail(row: ModuleRow) -> dict[str, Any]:
    """Return one module."""
    return {**changed(row), "instance_count": row.instance_count}


def usage(row: ModuleRow, used: Usage) -> dict[str, Any]:
    """Return how many instances have one and the same contents of a module."""
    return {
        "module_name": row.name,
        "module_id": row.id,
        "module_md5": used.md5,
        "instance_count": used.instance_count,
        "current": used.md5 == row.md5,
        "min_updated_date": clock.isoformat(used.min_updated_at),
        "max_updated_date": clock.isoformat(used.max_updated_at),
    }


def applied(row: InstanceModuleRow, contents: str | None = None) -> dict[str, Any]:
    """Return one module of an instance.

    :param contents: are shown as clients decode them, unless they are ``None``.
    """
    shown = {
        "id": row.id,
        "name": row.name,
        "type": row.type,
        "datastore": row.datastore_name or ALL,
        "datastore_version": row.version_name or ALL,
        "tenant": row.project_id or ALL,
        "md5": row.md5,
        "status": row.status,
        "message": row.message,
        "created": clock.isoformat(row.created_at),
        "updated": clock.isoformat(row.updated_at),
        "removed": None,
        "auto_apply": row.auto_apply,
        "visible": row.visible,
        "is_admin": row.is_admin,
    }
    if contents is not None:
        shown["contents"] = base64.b64encode(contents.encode()).decode()
    return shown
