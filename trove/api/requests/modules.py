# SPDX-License-Identifier: Apache-2.0
"""What requests on modules share: who may set what, what a body amounts to, and which modules an instance gets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from trove.api.request import ApiRequest
from trove.common import exception
from trove.domain import modules
from trove.objects import catalog, instance_module, module
from trove.objects.module import Module
from trove.objects.scope import Scope

#: What only administrators may ask for, with the value that asks for it.
_ADMIN_OPTIONS = {"all_tenants": True, "auto_apply": True, "visible": False, "priority_apply": True}


class ModuleInvalid(exception.BadRequest):
    """Contents, or options that contradict each other; carries every reason at once."""

    symbol = "module.invalid"

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(f"The module is not valid: {'; '.join(reasons)}.")


class ModuleTypeNotFound(exception.NotFound):
    symbol = "module_type.not_found"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There are no modules of type '{name}'; the types are: {', '.join(known)}.")


class ModuleAdminOnly(exception.Forbidden):
    """Only administrators may do this to a module."""

    symbol = "module.admin_only"


class ModuleNotForInstance(exception.BadRequest):
    """The module is for another datastore or version than the instance's."""

    symbol = "module.mismatch"

    def __init__(self, module_id: str) -> None:
        super().__init__(f"Module {module_id} is for another datastore or version; choose one for this instance's.")


class TooManyModules(exception.BadRequest):
    """More than what fits into one message to a guest."""

    symbol = "module.too_many"
    default = (
        f"An instance can have {modules.MAX_MODULES} modules, with {modules.MAX_TOTAL_BYTES} bytes of contents in one "
        "request together; apply fewer of them."
    )


@dataclass(frozen=True)
class Target:
    """The datastore version of an instance, and the project that owns it."""

    project_id: str
    datastore_id: str
    version_id: str


def module_type(req: ApiRequest, name: str) -> str:
    """Return the type that a request names.

    :raises ModuleTypeNotFound: when there is none of this name.
    """
    known = req.services.conf.module_types
    if name.lower() not in known:
        raise ModuleTypeNotFound(name, known)
    return name.lower()


def contents(kind: str, sent: str) -> str:
    """Return the contents that a request means.

    :raises ModuleInvalid: when no driver of the type would take them.
    """
    text, reasons = modules.read(kind, sent)
    if reasons:
        raise ModuleInvalid(reasons)
    return text


def options(req: ApiRequest, body: Mapping[str, Any], before: Module | None) -> dict[str, Any]:
    """Return the columns that say for whom a module is, and how it is applied.

    :param before: the module that is changed, ``None`` for a new one.
    :raises ModuleAdminOnly: when the caller may not ask for that.
    :raises ModuleInvalid: for full access to what others may not touch.
    """
    admin = bool(req.context.is_admin)
    _refuse_admin_options(body, admin)
    columns: dict[str, Any] = {}
    for name, default in (("auto_apply", False), ("visible", True), ("live_update", False), ("priority_apply", False)):
        if name in body or before is None:
            columns[name] = bool(body.get(name, default))
    if "apply_order" in body or before is None:
        columns["apply_order"] = body.get("apply_order", 5)
    if "all_tenants" in body or before is None:
        columns["project_id"] = None if body.get("all_tenants") else req.project_id
        if before is not None and before.project_id is not None and not body["all_tenants"]:
            del columns["project_id"]  # it is one project's already, perhaps another's than the administrator's
    special = _special(columns, before)
    if body.get("full_access") and special:
        raise ModuleInvalid([f"full_access does not go with {', '.join(special)}"])
    if body.get("full_access") is not None:
        columns["is_admin"] = not body["full_access"]
    elif before is None:
        columns["is_admin"] = admin
    elif special:
        columns["is_admin"] = True
    return columns


def _refuse_admin_options(body: Mapping[str, Any], admin: bool) -> None:
    asked = [name for name, value in _ADMIN_OPTIONS.items() if name in body and bool(body[name]) is value]
    asked += [name for name in ("full_access",) if body.get(name) is not None]
    if asked and not admin:
        raise ModuleAdminOnly(f"Only administrators may set {', '.join(asked)}; leave it out.")


def _special(columns: Mapping[str, Any], before: Module | None) -> list[str]:
    """Return which of the administrators' options a module has in the end."""

    def end(name: str) -> Any:
        return columns[name] if name in columns or before is None else getattr(before, name)

    found = {
        "all_tenants": end("project_id") is None,
        "auto_apply": end("auto_apply"),
        "visible=0": not end("visible"),
        "priority_apply": end("priority_apply"),
    }
    return [name for name, has in found.items() if has]


def datastore(session: Session, body: Mapping[str, Any], before: Module | None) -> dict[str, Any]:
    """Return the columns that say for which datastore a module is.

    :raises ModuleInvalid: when the body contradicts itself.
    :raises DatastoreNotFound: and what else :func:`trove.objects.catalog.resolve_version` raises.
    """
    named = body.get("datastore") or {}
    kind, version = named.get("type"), named.get("version")
    reasons = []
    if version and not kind:
        reasons.append("datastore.version needs datastore.type")
    if body.get("all_datastores") and (kind or version):
        reasons.append("all_datastores does not go with datastore")
    if body.get("all_datastore_versions") and version:
        reasons.append("all_datastore_versions does not go with datastore.version")
    if reasons:
        raise ModuleInvalid(reasons)
    if version:
        found = catalog.resolve_version(session, kind, version, allow_inactive=True)
        found.hold(session)
        return {"datastore_id": found.datastore_id, "datastore_version_id": found.id}
    if kind:
        datastore_id = catalog.Datastore.get_by_name_or_id(session, kind).id
        same = before is not None and before.datastore_id == datastore_id and not body.get("all_datastore_versions")
        return {} if same else {"datastore_id": datastore_id, "datastore_version_id": None}
    if body.get("all_datastores") or before is None:
        return {"datastore_id": None, "datastore_version_id": None}
    return {"datastore_version_id": None} if body.get("all_datastore_versions") else {}


def find(session: Session, scope: Scope, references: Sequence[Mapping[str, Any]], target: Target) -> list[Module]:
    """Return the modules that a request refers to, locked.

    :raises ModuleNotFound: when the caller sees no such module.
    :raises ModuleNotForInstance: when it is for other instances.
    :raises ModuleInvalid: when one is named twice.
    """
    wanted = [str(item["id"]).lower() for item in references]
    twice = sorted({item for item in wanted if wanted.count(item) > 1})
    if twice:
        raise ModuleInvalid([f"module {item} is named more than once" for item in twice])
    # In one order everywhere, or two requests might wait for each other.
    found = {item: Module.get(session, scope, item, for_update=True) for item in sorted(wanted)}
    for item in found.values():
        of_version = item.datastore_version_id in (None, target.version_id)
        if item.datastore_id not in (None, target.datastore_id) or not of_version:
            raise ModuleNotForInstance(item.id)
    return sorted(found.values(), key=_order)


def give(
    req: ApiRequest,
    session: Session,
    instance_id: str,
    version: catalog.DatastoreVersion,
    references: Sequence[Mapping[str, Any]],
) -> None:
    """Note the modules of a new instance of the caller's project: those that the request refers to, and those that
    every such instance gets.

    :raises ModuleNotFound: and what else :func:`find` and :func:`check_room` raise.
    """
    target = Target(req.project_id, version.datastore_id, version.id)
    wanted = {item.id: item for item in module.automatic(session, req.project_id, version.datastore_id, version.id)}
    wanted |= {item.id: item for item in find(session, req.scope, references, target)}
    if wanted:
        check_room(wanted.values())
        instance_module.begin(session, instance_id, wanted.values(), req.services.db.now(session))


def check_room(wanted: Collection[Module], there: Iterable[Module] = ()) -> None:
    """Check that an instance can take the modules that it is to get.

    :param there: those it has.
    :raises TooManyModules: otherwise.
    """
    count = len({item.id for item in (*there, *wanted)})
    size = sum(len(item.text.encode()) for item in wanted)
    if count > modules.MAX_MODULES or size > modules.MAX_TOTAL_BYTES:
        raise TooManyModules


def _order(item: Module) -> modules.Order:
    return modules.order(
        priority_apply=item.priority_apply, apply_order=item.apply_order, name=item.name, module_id=item.id
    )
