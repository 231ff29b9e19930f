# SPDX-License-Identifier: Apache-2.0
"""Commands for what the service cannot do: lists are empty, the rest is refused with a reason, nothing changes."""

from typing import Any

from trove.tests.e2e.client.base import LACKS, ClientTestCase

_NOTHING = "00000000-0000-0000-0000-000000000000"


class RefusalTest(ClientTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.pg = self.world.instance("postgresql")
        self.before = self.shown()
        self.addCleanup(lambda: self.assertEqual(self.before, self.shown()))

    def shown(self) -> dict[str, Any]:
        """Return the instance without what changes by itself."""
        found = self.http.instance(self.pg)
        assert found is not None
        return {key: found.get(key) for key in ("status", "operating_status", "fault", "name", "datastore", "flavor")}

    def lacks(self, capability: str, *words: str) -> None:
        """Run a command that is refused for want of a capability."""
        self.refused(*words, says=LACKS.format(capability), because=f"no {capability}", status=501)

    def none_exists(self, kind: str, *words: str) -> None:
        """Run a command on something of which there is none."""
        says = f"No {kind} with a name or ID of 'any' exists."
        self.refused(*words, says=says, because=f"no {kind}s", status=None)

    def test_backups(self) -> None:
        self.assertEqual([], self.works("database backup list"))
        self.assertEqual([], self.works("database backup list instance", "postgresql"))
        self.lacks("backups", "database backup create", "nightly", "--instance", "postgresql")
        self.none_exists("backup", "database backup show", "any")
        self.refused("database backup delete", _NOTHING, says=f"Backup {_NOTHING} was not found.", because="no backups")
        self.fails("database backup delete", "any", says="Failed to get database backup any, error: 404")
        self.fails(
            "database backup create", "copy", "--restore-from", "http://example.test/object",
            "--restore-datastore-version", self.version(), "--restore-size", "1", says=LACKS.format("backups"),
        )  # fmt: skip
        create = ("database instance create", "restored", "--flavor", "db.tiny", "--size", "1")
        self.fails(*create, "--backup", "any", says="No backup with a name or ID of 'any' exists.")

    def test_backup_strategies(self) -> None:
        self.assertEqual([], self.works("database backup strategy list"))
        self.lacks(
            "backups",
            "database backup strategy create", "--instance-id", self.pg, "--swift-container", "backups",
        )  # fmt: skip
        self.works("database backup strategy delete", "--instance-id", self.pg)

    def test_schedules_are_mistrals(self) -> None:
        run = self.refused(
            "database backup execution delete", "any", says="auth_url", because="the client asks Mistral only"
        )
        self.assertEqual((), run.calls)

    def test_clusters(self) -> None:
        self.assertEqual([], self.works("database cluster list"))
        member = ("--instance", "flavor=db.tiny,volume=1")
        self.lacks("clusters", "database cluster create", "three", "mariadb", "10.11", *member, *member, *member)
        self.none_exists("cluster", "database cluster show", "any")
        self.none_exists("cluster", "database cluster delete", "any")
        self.none_exists("cluster", "database cluster force delete", "any")
        self.none_exists("cluster", "database cluster reset status", "any")
        self.none_exists("cluster", "database cluster grow", "any", *member)
        self.none_exists("cluster", "database cluster shrink", "any", "postgresql")
        self.none_exists("cluster", "database cluster upgrade", "any", "11.4")
        self.none_exists("cluster", "database cluster list instances", "any")
        self.none_exists("cluster", "database cluster modules", "any")

    def test_replication(self) -> None:
        standalone = f"Instance {self.pg} is not a replica."
        self.refused("database instance detach", "postgresql", says=standalone, because="no replication", status=400)
        self.refused("database instance promote", "postgresql", says=standalone, because="no replication", status=400)
        self.refused(
            "database instance eject", "postgresql", says=f"Instance {self.pg} has no replicas.",
            because="no replication", status=400,
        )  # fmt: skip
        self.fails("database instance update", self.pg, "--detach-replica-source", says=standalone, status=400)
        self.fails(
            "database instance create", "copy", "--replica-of", "postgresql",
            says="'replica_of' needs the capability 'replication'", status=501,
        )  # fmt: skip

    def test_upgrade_and_rebuild(self) -> None:
        self.refused(
            "database instance upgrade", "postgresql", self.version(),
            says="'datastore_version' needs the capability 'upgrade'.", because="no upgrade", status=501,
        )  # fmt: skip
        self.lacks("rebuild", "database instance rebuild", self.pg, _NOTHING)

    def test_tls(self) -> None:
        reference = "https://example.test/v1/containers/one"
        self.lacks("ssl", "database ssl show", "postgresql")
        self.lacks("ssl", "database ssl enable", "postgresql", reference)
        self.lacks("ssl", "database ssl disable", "postgresql")
        self.lacks("ssl", "database ssl rollback", "postgresql")

    def version(self) -> str:
        """Return the id of some version of PostgreSQL."""
        return str(self.ask("datastore version list", "postgresql")[-1]["ID"])
