# SPDX-License-Identifier: Apache-2.0
"""The whole URL space in one table.

A route names everything that belongs to it: handler, policy, schemas, success status, versions. The dispatcher, the
OpenAPI document and the completeness tests all read this table, so nothing is reachable that is not written here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """One method on one path.

    :ivar path: literal segments and ``{parameters}``; a literal wins over a parameter in the same place.
    :ivar handler: ``module:function`` below ``trove.api.controllers``.
    :ivar policy: the rule checked before anything of the request is read. Of several, one must allow the call, and
        the handler checks the one that the body then asks for. ``None`` needs a ``reason``.
    :ivar status: status of success.
    :ivar request: schema of the body; ``None``: the body is not read.
    :ivar body_optional: whether the body may be left out.
    :ivar query: schema of the query.
    :ivar response: schema of the answer; ``None``: empty body.
    :ivar admin: a refusal by policy is 401 (not 403, which existing clients take for something else), because by
        default only administrators are allowed.
    :ivar lacks: the capability without which the call never succeeds in this release. It is routed, checked and then
        refused: 404 for a thing that cannot exist, 501 for one that cannot be made.
    :ivar media: media type of an answer that is no JSON document; ``None``: JSON.
    :ivar public: needs no authentication.
    :ivar reason: why there is no policy.
    """

    method: str
    path: str
    handler: str
    policy: str | tuple[str, ...] | None
    status: int = 200
    request: str | None = None
    query: str | None = None
    response: str | None = None
    min_version: tuple[int, int] = (1, 0)
    max_version: tuple[int, int] | None = None
    body_optional: bool = False
    admin: bool = False
    lacks: str | None = None
    media: str | None = None
    public: bool = False
    reason: str = ""

    @property
    def policies(self) -> tuple[str, ...]:
        """The route's rules as a tuple."""
        if self.policy is None:
            return ()
        return (self.policy,) if isinstance(self.policy, str) else self.policy


P = "/v1.0/{project_id}"
INSTANCES = f"{P}/instances"
INSTANCE = f"{INSTANCES}/{{instance_id}}"
DATABASES = f"{INSTANCE}/databases"
USERS = f"{INSTANCE}/users"
USER = f"{USERS}/{{user_name}}"
ROOT = f"{INSTANCE}/root"
LOG = f"{INSTANCE}/log"
DATASTORES = f"{P}/datastores"
DATASTORE = f"{DATASTORES}/{{datastore}}"
VERSION = f"{DATASTORE}/versions/{{version}}"
OPERATIONS = f"{INSTANCE}/operations"
MGMT_VERSIONS = f"{P}/mgmt/datastore-versions"
BACKUPS = f"{P}/backups"
BACKUP = f"{BACKUPS}/{{backup_id}}"
STRATEGIES = f"{P}/backup_strategies"
CLUSTERS = f"{P}/clusters"
CLUSTER = f"{CLUSTERS}/{{cluster_id}}"
SSL = f"{INSTANCE}/ssl"
SECURITY_GROUPS = f"{P}/security-groups"
MGMT_INSTANCES = f"{P}/mgmt/instances"
MGMT_INSTANCE = f"{MGMT_INSTANCES}/{{instance_id}}"
MGMT_CLUSTERS = f"{P}/mgmt/clusters"
MGMT_CLUSTER = f"{MGMT_CLUSTERS}/{{cluster_id}}"
QUOTAS = f"{P}/mgmt/quotas/{{quota_project_id}}"

PARAMETERS = f"{VERSION}/parameters"
MGMT_PARAMETERS = f"{P}/mgmt/datastores/versions/{{version}}/parameters"
MODULES = f"{P}/modules"
MODULE = f"{MODULES}/{{module_id}}"
MODULES_OF = f"{INSTANCE}/modules"
CONFIGURATIONS = f"{P}/configurations"
CONFIGURATION = f"{CONFIGURATIONS}/{{configuration_id}}"

DISCOVERY = "Discovery comes before authentication."

#: Rules of the instance actions; the body says which one counts.
ACTION_POLICIES = (
    "instance:restart",
    "instance:resize_volume",
    "instance:resize_flavor",
    "instance:promote_to_replica_source",
    "instance:eject_replica_source",
    "instance:reset_status",
    "instance:force_delete",
)

#: Likewise of the actions on a cluster …
CLUSTER_POLICIES = ("cluster:action", "cluster:reset-status", "cluster:force_delete")
#: … and of what operators do to an instance.
MGMT_POLICIES = (
    "mgmt:instance:stop",
    "mgmt:instance:reboot",
    "mgmt:instance:migrate",
    "mgmt:instance:rebuild",
    "mgmt:instance:reset_task_status",
)

R = Route

ROUTES: tuple[Route, ...] = (
    R("GET", "/", "versions:index", None, response="versions", public=True, reason=DISCOVERY),
    R("GET", "/v1.0", "versions:show", None, response="version", public=True, reason=DISCOVERY),
    R("GET", "/v1.0/openapi.json", "openapi:show", None, response="openapi", public=True, reason=DISCOVERY),
    R("GET", f"{P}/limits", "limits:index", "limits:index", response="limits"),
    R("GET", f"{P}/flavors", "flavors:index", "flavor:index", response="flavors"),
    R("GET", f"{P}/flavors/{{flavor_id}}", "flavors:show", "flavor:show", response="flavor"),
    R("GET", DATASTORES, "datastores:index", "datastore:index", response="datastores"),
    R("GET", DATASTORE, "datastores:show", "datastore:show", response="datastore"),
    R("DELETE", DATASTORE, "datastores:delete", "datastore:delete", status=202),
    R(
        "GET",
        f"{DATASTORES}/versions/{{version}}",
        "datastore_versions:show_by_id",
        "datastore:version_show_by_uuid",
        response="datastore_version",
    ),
    R(
        "GET",
        f"{DATASTORE}/versions",
        "datastore_versions:index",
        "datastore:version_index",
        response="datastore_versions",
    ),
    R("GET", VERSION, "datastore_versions:show", "datastore:version_show", response="datastore_version"),
    R(
        "GET",
        f"{VERSION}/flavors",
        "datastore_versions:flavors",
        "datastore:list_associated_flavors",
        response="flavors",
    ),
    R(
        "GET",
        f"{VERSION}/volume-types",
        "datastore_versions:volume_types",
        "datastore:list_associated_volume_types",
        response="volume_types",
    ),
    R("GET", f"{P}/volume-types", "volume_types:index", "volume_type:index", response="volume_types"),
    R("GET", f"{P}/volume-types/{{volume_type}}", "volume_types:show", "volume_type:show", response="volume_type"),
    R(
        "GET",
        MGMT_VERSIONS,
        "mgmt_datastore_versions:index",
        "mgmt:datastore_version:index",
        response="mgmt_datastore_versions",
        admin=True,
    ),
    R(
        "POST",
        MGMT_VERSIONS,
        "mgmt_datastore_versions:create",
        "mgmt:datastore_version:create",
        status=202,
        request="mgmt_datastore_version.create",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_VERSIONS}/{{version}}",
        "mgmt_datastore_versions:show",
        "mgmt:datastore_version:show",
        response="mgmt_datastore_version",
        admin=True,
    ),
    R(
        "PATCH",
        f"{MGMT_VERSIONS}/{{version}}",
        "mgmt_datastore_versions:edit",
        "mgmt:datastore_version:edit",
        status=202,
        request="mgmt_datastore_version.edit",
        admin=True,
    ),
    R(
        "DELETE",
        f"{MGMT_VERSIONS}/{{version}}",
        "mgmt_datastore_versions:delete",
        "mgmt:datastore_version:delete",
        status=202,
        admin=True,
    ),
    R("GET", PARAMETERS, "parameters:index", "configuration-parameter:index", response="parameters"),
    R(
        "GET",
        f"{PARAMETERS}/{{parameter_name}}",
        "parameters:show",
        "configuration-parameter:show",
        response="parameter",
    ),
    R(
        "GET",
        f"{DATASTORES}/versions/{{version}}/parameters",
        "parameters:index_by_version",
        "configuration-parameter:index_by_version",
        response="parameters",
    ),
    R(
        "GET",
        f"{DATASTORES}/versions/{{version}}/parameters/{{parameter_name}}",
        "parameters:show_by_version",
        "configuration-parameter:show_by_version",
        response="parameter",
    ),
    R("GET", MGMT_PARAMETERS, "mgmt_parameters:index", "mgmt:parameter:index", response="mgmt.parameters", admin=True),
    R(
        "POST",
        MGMT_PARAMETERS,
        "mgmt_parameters:create",
        "mgmt:parameter:create",
        request="mgmt.parameter.rule",
        response="mgmt.parameter",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_PARAMETERS}/{{parameter_name}}",
        "mgmt_parameters:show",
        "mgmt:parameter:show",
        response="mgmt.parameter",
        admin=True,
    ),
    R(
        "PUT",
        f"{MGMT_PARAMETERS}/{{parameter_name}}",
        "mgmt_parameters:update",
        "mgmt:parameter:update",
        request="mgmt.parameter.rule",
        response="mgmt.parameter",
        admin=True,
    ),
    R(
        "DELETE",
        f"{MGMT_PARAMETERS}/{{parameter_name}}",
        "mgmt_parameters:delete",
        "mgmt:parameter:delete",
        status=204,
        admin=True,
    ),
    R("GET", CONFIGURATIONS, "configurations:index", "configuration:index", query="page", response="configurations"),
    R(
        "POST",
        CONFIGURATIONS,
        "configurations:create",
        "configuration:create",
        request="configuration.create",
        response="configuration",
    ),
    R("GET", CONFIGURATION, "configurations:show", "configuration:show", response="configuration"),
    R(
        "PUT",
        CONFIGURATION,
        "configurations:update",
        "configuration:update",
        status=202,
        request="configuration.update",
    ),
    R(
        "PATCH",
        CONFIGURATION,
        "configurations:edit",
        "configuration:edit",
        request="configuration.edit",
        response="configuration",
    ),
    R("DELETE", CONFIGURATION, "configurations:delete", "configuration:delete", status=202),
    R(
        "GET",
        f"{CONFIGURATION}/instances",
        "configurations:instances",
        "configuration:instances",
        query="page",
        response="configuration.instances",
    ),
    R(
        "GET",
        f"{CONFIGURATION}/history",
        "configurations:history",
        "configuration:history",
        query="page",
        response="configuration.history",
        min_version=(1, 2),
    ),
    R(
        "GET",
        f"{INSTANCE}/configuration",
        "instances:configuration",
        "instance:configuration",
        response="configuration.default",
    ),
    R("GET", INSTANCES, "instances:index", "instance:index", query="instance.query", response="instances"),
    R(
        "GET",
        f"{INSTANCES}/detail",
        "instances:detail",
        "instance:detail",
        query="instance.query",
        response="instances.detail",
    ),
    R("POST", INSTANCES, "instances:create", "instance:create", request="instance.create", response="instance"),
    R("GET", INSTANCE, "instances:show", "instance:show", response="instance"),
    R("PUT", INSTANCE, "instances:update", "instance:update", status=202, request="instance.update"),
    R("PATCH", INSTANCE, "instances:edit", "instance:update", status=202, request="instance.edit"),
    R("DELETE", INSTANCE, "instances:delete", "instance:delete", status=202),
    R("POST", f"{INSTANCE}/action", "instance_actions:run", ACTION_POLICIES, status=202, request="instance.action"),
    R("GET", DATABASES, "databases:index", "instance:extension:database:index", query="page", response="databases"),
    R(
        "POST",
        DATABASES,
        "databases:create",
        "instance:extension:database:create",
        status=202,
        request="database.create",
    ),
    R(
        "GET",
        f"{DATABASES}/{{database_name}}",
        "databases:show",
        "instance:extension:database:show",
        response="database",
    ),
    R("DELETE", f"{DATABASES}/{{database_name}}", "databases:delete", "instance:extension:database:delete", status=202),
    R("GET", USERS, "users:index", "instance:extension:user:index", query="page", response="users"),
    R("POST", USERS, "users:create", "instance:extension:user:create", status=202, request="user.create"),
    R("PUT", USERS, "users:update_all", "instance:extension:user:update_all", status=202, request="user.update_all"),
    R("GET", USER, "users:show", "instance:extension:user:show", response="user"),
    R("POST", USER, "users:create_one", "instance:extension:user:create", status=202, request="user.create"),
    R("PUT", USER, "users:update", "instance:extension:user:update", status=202, request="user.update"),
    R("DELETE", USER, "users:delete", "instance:extension:user:delete", status=202),
    R("GET", f"{USER}/databases", "user_access:index", "instance:extension:user_access:index", response="user_access"),
    R(
        "PUT",
        f"{USER}/databases",
        "user_access:update",
        "instance:extension:user_access:update",
        status=202,
        request="user_access.update",
    ),
    R(
        "DELETE",
        f"{USER}/databases/{{database_name}}",
        "user_access:delete",
        "instance:extension:user_access:delete",
        status=202,
    ),
    R("GET", ROOT, "root:index", "instance:extension:root:index", response="root"),
    R(
        "POST",
        ROOT,
        "root:create",
        "instance:extension:root:create",
        request="root.create",
        body_optional=True,
        response="root.created",
    ),
    R("GET", LOG, "logs:index", "instance:guest_log_list", response="logs"),
    R(
        "POST",
        LOG,
        "logs:change",
        ("instance:guest_log_list", "instance:guest_log_action"),
        request="log.change",
        response="log",
    ),
    R(
        "GET",
        f"{LOG}/{{log_name}}/content",
        "logs:content",
        "instance:guest_log_list",
        min_version=(1, 2),
        media="text/plain; charset=utf-8",
    ),
    R("DELETE", ROOT, "root:delete", "instance:extension:root:delete", status=204),
    R(
        "GET",
        MODULES_OF,
        "instance_modules:index",
        "instance:module_list",
        query="instance_modules.query",
        response="instance_modules",
    ),
    R(
        "POST",
        MODULES_OF,
        "instance_modules:apply",
        "instance:module_apply",
        request="instance_modules.apply",
        response="instance_modules",
    ),
    R("DELETE", f"{MODULES_OF}/{{module_id}}", "instance_modules:remove", "instance:module_remove"),
    R("GET", MODULES, "modules:index", "module:index", query="module.query", response="modules"),
    R("POST", MODULES, "modules:create", "module:create", request="module.create", response="module.changed"),
    R("GET", MODULE, "modules:show", "module:show", response="module"),
    R("PUT", MODULE, "modules:update", "module:update", request="module.update", response="module.changed"),
    R("DELETE", MODULE, "modules:delete", "module:delete"),
    R(
        "GET",
        f"{MODULE}/instances",
        "modules:instances",
        "module:instances",
        query="module.instances.query",
        response="module.instances",
    ),
    R("PUT", f"{MODULE}/instances", "modules:reapply", "module:reapply", status=202, request="module.reapply"),
    R(
        "GET",
        OPERATIONS,
        "operations:index",
        "instance:operation:index",
        query="page",
        response="operations",
        min_version=(1, 1),
    ),
    R(
        "GET",
        f"{OPERATIONS}/{{operation_id}}",
        "operations:show",
        "instance:operation:show",
        response="operation",
        min_version=(1, 1),
    ),
    R(
        "GET",
        BACKUPS,
        "backups:index",
        ("backup:index", "backup:index:all_projects"),
        query="backup.query",
        response="backups",
    ),
    R("POST", BACKUPS, "backups:create", "backup:create", status=202, request="backup.create", lacks="backups"),
    R("GET", BACKUP, "backups:show", "backup:show", lacks="backups"),
    R("DELETE", BACKUP, "backups:delete", "backup:delete", status=202, lacks="backups"),
    R("GET", f"{INSTANCE}/backups", "backups:of_instance", "instance:backups", query="page", response="backups"),
    R(
        "GET",
        STRATEGIES,
        "backup_strategies:index",
        "backup_strategy:index",
        query="backup_strategy.query",
        response="backup_strategies",
    ),
    R(
        "POST",
        STRATEGIES,
        "backup_strategies:create",
        "backup_strategy:create",
        status=202,
        request="backup_strategy.create",
        lacks="backups",
    ),
    R(
        "DELETE",
        STRATEGIES,
        "backup_strategies:delete",
        "backup_strategy:delete",
        status=202,
        query="backup_strategy.query",
    ),
    R("GET", CLUSTERS, "clusters:index", "cluster:index", query="page", response="clusters"),
    R("POST", CLUSTERS, "clusters:create", "cluster:create", request="cluster.create", lacks="clusters"),
    R("GET", CLUSTER, "clusters:show", "cluster:show", lacks="clusters"),
    R("POST", CLUSTER, "clusters:action", CLUSTER_POLICIES, status=202, request="cluster.action", lacks="clusters"),
    R("DELETE", CLUSTER, "clusters:delete", "cluster:delete", status=202, lacks="clusters"),
    R("GET", f"{CLUSTER}/instances/{{member_id}}", "clusters:show_instance", "cluster:show_instance", lacks="clusters"),
    R("GET", f"{CLUSTER}/root", "clusters:root", "cluster:extension:root:index", lacks="clusters"),
    R(
        "POST",
        f"{CLUSTER}/root",
        "clusters:enable_root",
        "cluster:extension:root:create",
        request="root.create",
        body_optional=True,
        lacks="clusters",
    ),
    R(
        "DELETE",
        f"{CLUSTER}/root",
        "clusters:disable_root",
        "cluster:extension:root:delete",
        status=204,
        lacks="clusters",
    ),
    R("GET", SSL, "ssl:show", "instance:show", query="ssl.query", lacks="ssl"),
    R("POST", SSL, "ssl:change", "instance:update", request="ssl.change", lacks="ssl"),
    R("GET", SECURITY_GROUPS, "security_groups:index", "security_group:index", response="security_groups"),
    R("GET", f"{SECURITY_GROUPS}/{{group_id}}", "security_groups:show", "security_group:show", lacks="security-groups"),
    R(
        "GET",
        MGMT_INSTANCES,
        "mgmt_instances:index",
        "mgmt:instance:index",
        query="mgmt.instance.query",
        response="mgmt.instances",
        admin=True,
    ),
    R("GET", MGMT_INSTANCE, "mgmt_instances:show", "mgmt:instance:show", response="mgmt.instance", admin=True),
    R(
        "POST",
        f"{MGMT_INSTANCE}/action",
        "mgmt_actions:run",
        MGMT_POLICIES,
        status=202,
        request="mgmt.instance.action",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_INSTANCE}/root",
        "mgmt_instances:root",
        "mgmt:instance:root",
        response="mgmt.root_history",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_INSTANCE}/diagnostics",
        "mgmt_instances:diagnostics",
        "mgmt:instance:diagnostics",
        lacks="agent-diagnostics",
        admin=True,
    ),
    R(
        "GET",
        f"{MGMT_INSTANCE}/hwinfo",
        "mgmt_instances:hwinfo",
        "mgmt:instance:hwinfo",
        lacks="hardware-information",
        admin=True,
    ),
    R("GET", f"{MGMT_INSTANCE}/rpc_ping", "mgmt_instances:rpc_ping", "mgmt:instance:rpc_ping", status=204, admin=True),
    R(
        "GET",
        MGMT_CLUSTERS,
        "mgmt_clusters:index",
        "mgmt:cluster:index",
        query="mgmt.cluster.query",
        response="clusters",
        admin=True,
    ),
    R("GET", MGMT_CLUSTER, "mgmt_clusters:show", "mgmt:cluster:show", lacks="clusters", admin=True),
    R(
        "POST",
        f"{MGMT_CLUSTER}/action",
        "mgmt_clusters:action",
        "mgmt:cluster:action",
        status=202,
        request="mgmt.cluster.action",
        lacks="clusters",
        admin=True,
    ),
    R("GET", QUOTAS, "quotas:show", "mgmt:quota:show", response="quotas"),
    R(
        "PUT",
        QUOTAS,
        "quotas:update",
        "mgmt:quota:update",
        request="quotas.update",
        response="quotas.updated",
        admin=True,
    ),
)
