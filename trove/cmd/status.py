# SPDX-License-Identifier: Apache-2.0
"""``trove-status upgrade check``: is everything ready for this release? Run it with the new code before the services
are restarted.

Each check answers success, warning (look at it) or failure (do not go on) with the remedy; none changes anything. The
exit code is 0, 1 or 2 accordingly, and 255 when the command itself failed.
"""

from trove.common.threads import use_native_threads

use_native_threads()

import datetime  # noqa: E402
import logging  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import yaml  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_db import exception as db_exception  # noqa: E402
from oslo_upgradecheck import common_checks, upgradecheck  # noqa: E402
from oslo_upgradecheck.upgradecheck import Code, Result  # noqa: E402
from sqlalchemy import exc as sa_exc  # noqa: E402

import trove.conf  # noqa: E402
from trove import policies  # noqa: E402
from trove.certificates import gateway as gateway_certificate  # noqa: E402
from trove.certificates.authority import AuthorityError  # noqa: E402
from trove.common import clock, redact  # noqa: E402
from trove.conf import _review as options  # noqa: E402
from trove.conf.guest import gateway_port  # noqa: E402
from trove.datastores import registry as datastores  # noqa: E402
from trove.db import crypto, key_source, migration  # noqa: E402
from trove.db.api import Database  # noqa: E402
from trove.guestbus import reach  # noqa: E402
from trove.objects.datastore import DatastoreVersion  # noqa: E402
from trove.taskmanager import flows  # noqa: E402
from trove.workflow.model import FINAL, State  # noqa: E402
from trove.workflow.registry import Registry  # noqa: E402
from trove.workflow.store import Store  # noqa: E402

_DATABASE_ERRORS = (db_exception.DBError, db_exception.CantStartEngineError, sa_exc.SQLAlchemyError, ImportError)
#: Workflows in flight that are looked at.
_MOST_WORKFLOWS = 10_000
#: A certificate that lives shorter than this is to be renewed; an automatic renewal would have done so.
_EXPIRES_SOON = datetime.timedelta(days=21)


class Checks(upgradecheck.UpgradeCommands):  # type: ignore[misc]
    """All checks, over one configuration."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    def schema(self) -> Result:
        """The database has the schema of this release, or one that it can run on."""
        return self._with_database(lambda db: Result(Code.SUCCESS), "{}")

    def key(self) -> Result:
        """The key-encryption keys are there and usable, and values are bound to their rows."""
        try:
            keyring = key_source.load(self._conf)
        except crypto.KeyUnavailable as err:
            return Result(Code.FAILURE, str(err))
        if keyring.version == crypto.BOUND:
            return Result(Code.SUCCESS)
        return Result(
            Code.WARNING,
            "encrypted values are not bound to their rows; when no process of the former release runs any more, set "
            "[security] ciphertext_version to 2 and run: trove-manage keys rotate",
        )

    def policy(self) -> Result:
        """The policy file is YAML and names rules that exist."""
        result = common_checks.check_policy_json(self, self._conf)
        path = self._conf.find_file(self._conf.oslo_policy.policy_file)
        if result.code != Code.SUCCESS or path is None:
            return result
        try:
            found = yaml.safe_load(Path(path).read_text("utf-8")) or {}
        except (OSError, yaml.YAMLError) as err:
            return Result(Code.FAILURE, f"{path} cannot be read as YAML: {err}")
        if not isinstance(found, dict):
            return Result(Code.FAILURE, f"{path} must map names of rules to checks")
        return _warnings(
            [f"rule {name} in {path} does not exist here; remove it" for name in unknown_rules(found)],
        )

    def options(self) -> Result:
        """The configuration files hold nothing outdated, unknown or contradictory."""
        return _warnings(options.review_files(self._conf))

    def gateway(self) -> Result:
        """Guests find the gateway where they are told to dial."""
        bus = self._conf.guest_bus
        if not bus.gateway_url:
            return Result(Code.SUCCESS)
        found = reach.problem(bus.gateway_url, bus.gateway_ca_file)
        if found is None:
            return Result(Code.SUCCESS)
        return Result(
            Code.WARNING,
            f"guests are told to dial [guest_bus] gateway_url {bus.gateway_url}, where {found}; start trove-conductor, "
            f"which listens on {bus.gateway_bind_host} port {gateway_port(self._conf)}, or correct the options",
        )

    def certificates(self) -> Result:
        """The gateway's and the API's certificates do not expire soon."""
        files = {self._conf.guest_bus.gateway_cert_file, self._conf.api_cert_file}
        expired, soon = [], []
        for path in sorted(item for item in files if item):
            try:
                left = gateway_certificate.expiry(path) - clock.utcnow()
            except AuthorityError as err:
                expired.append(str(err))
                continue
            if left <= datetime.timedelta(0):
                expired.append(f"the certificate in {path} has expired; renew it")
            elif left < _EXPIRES_SOON:
                soon.append(f"the certificate in {path} expires in {left.days} days; renew it")
        return _failures([*expired, *soon]) if expired else _warnings(soon)

    def workflows(self) -> Result:
        """This release can go on with all work that is in progress."""
        return self._with_database(self._workflows, "not looked at, because {}")

    def plugins(self) -> Result:
        """The plugins of all datastore versions are installed."""
        return self._with_database(self._plugins, "not looked at, because {}")

    def _workflows(self, db: Database) -> Result:
        known = set(flows.register_all(Registry()).keys())
        states = [state for state in State if state not in FINAL]
        with db.reader() as session:
            rows = Store(db).list_workflows(session, states=states, limit=_MOST_WORKFLOWS)
        unknown = sorted({(row["kind"], row["kind_version"]) for row in rows} - known)
        return _failures(
            [
                f"work of kind {kind} version {version} is in progress, which this release does not know; let a "
                f"taskmanager of the older release finish it"
                for kind, version in unknown
            ]
        )

    def _plugins(self, db: Database) -> Result:
        try:
            installed = set(datastores.load_plugins())
        except datastores.PluginError as err:
            return Result(Code.FAILURE, str(err))
        with db.reader() as session:
            missing = [row for row in DatastoreVersion.list(session) if row.manager not in installed]
            used = [row for row in missing if row.count_instances(session)]
        reasons = [
            f"version {row.name} of datastore {row.datastore_name} needs the plugin {row.manager}, which is not "
            f"installed here; {'install it' if row in used else 'install it, or delete the version'}"
            for row in missing
        ]
        return _failures(reasons) if used else _warnings(reasons)

    def _with_database(self, look: Callable[[Database], Result], otherwise: str) -> Result:
        if not self._conf.database.connection:
            return Result(Code.FAILURE, otherwise.format("[database] connection is not set"))
        try:
            db = Database.from_conf(self._conf)
            try:
                reasons = migration.check(db)
                return Result(Code.FAILURE, otherwise.format("; ".join(reasons))) if reasons else look(db)
            finally:
                db.dispose()
        except _DATABASE_ERRORS as err:
            first_line = (str(err).strip().splitlines() or [type(err).__name__])[0]
            return Result(
                Code.FAILURE, otherwise.format(f"the database cannot be used: {redact.mask_text(first_line)}")
            )

    _upgrade_checks = (
        ("Database schema", schema),
        ("Key-encryption key", key),
        ("Policy file", policy),
        ("Configuration options", options),
        ("Guests' gateway", gateway),
        ("Certificates", certificates),
        ("Work in progress", workflows),
        ("Datastore plugins", plugins),
    )


def unknown_rules(found: dict[str, Any]) -> list[str]:
    """Return the names in a policy file that are no rules of this release and that no other rule there refers to,
    sorted."""
    known = {rule.name for rule in policies.list_rules()}
    referred = {name for check in found.values() for name in re.findall(r"\brule:([^\s()]+)", str(check))}
    return sorted(set(found) - known - referred)


def _failures(reasons: Sequence[str]) -> Result:
    return Result(Code.FAILURE, "; ".join(reasons)) if reasons else Result(Code.SUCCESS)


def _warnings(reasons: Sequence[str]) -> Result:
    return Result(Code.WARNING, "; ".join(reasons)) if reasons else Result(Code.SUCCESS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    conf = cfg.ConfigOpts()
    trove.conf.register_all(conf)
    logging.disable(logging.CRITICAL)  # the table is all that somebody at a terminal wants to see
    try:
        return int(upgradecheck.main(conf, "trove", Checks(conf), list(sys.argv[1:] if argv is None else argv)))
    finally:
        logging.disable(logging.NOTSET)
