# SPDX-License-Identifier: Apache-2.0
# covers: trove/conf/_existing.py
"""Names that existing configuration files have: each is honoured, renamed, or ignored for a reason that is written."""

from trove.conf import _existing
from trove.tests import base


class TestExisting(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.known = _existing.known()
        self.fates = _existing.existing(self.known)

    def test_every_name_is_honoured_or_has_a_reason(self) -> None:
        self.assertGreater(len(self.fates), 500)
        for name, fate in self.fates.items():
            self.assertNotEqual(fate.becomes is None, not fate.reason, f"{name}: see existing_options.yaml")

    def test_no_reason_is_left_for_what_is_honoured(self) -> None:
        # What stands in the group of every datastore may be an option of one of them.
        written = {name: reason for name, reason in _existing.names().items() if not self._of_every_datastore(name)}
        stale = [name for name, reason in written.items() if reason and self.fates[name].becomes]
        self.assertEqual([], stale, "registered since: move them to the empty reason in existing_options.yaml")

    def _of_every_datastore(self, name: _existing.Name) -> bool:
        return (("db2", name[1]) in self.fates) and name[0] != "DEFAULT"

    def test_fates(self) -> None:
        for name, becomes in (
            (("DEFAULT", "bind_port"), ("DEFAULT", "bind_port")),
            (("DEFAULT", "control_exchange"), ("DEFAULT", "control_exchange")),
            (("DEFAULT", "agent_heartbeat_expiry"), ("guest_bus", "agent_heartbeat_expiry")),
            (("DEFAULT", "report_interval"), ("guest_bus", "heartbeat_interval")),
            (("DEFAULT", "trove_api_workers"), None),
            (("pxc", "icmp"), None),
        ):
            self.assertEqual(becomes, self.fates[name].becomes, name)

    def test_a_renamed_option_is_really_read_by_its_old_name(self) -> None:
        path = self.tempdir() / "trove.conf"
        path.write_text("[DEFAULT]\nreport_interval = 7\nagent_heartbeat_expiry = 70\n")
        conf = base.trove.conf.new(files=[str(path)])
        self.assertEqual((7.0, 70.0), (conf.guest_bus.heartbeat_interval, conf.guest_bus.agent_heartbeat_expiry))

    def test_the_table_has_every_name(self) -> None:
        rows = dict(_existing.rows(self.known))
        self.assertEqual("honoured", rows["[DEFAULT] bind_port"])
        self.assertEqual("honoured; now called [guest_bus] heartbeat_interval", rows["[DEFAULT] report_interval"])
        self.assertTrue(rows["[network] public_network_id"].startswith("ignored: "))
        self.assertTrue(rows["[every datastore] docker_image"].startswith("ignored: "))
        named = {text.partition("] ")[2] for text in rows}
        self.assertEqual(set(), {name for _, name in self.fates} - named)

    def test_options_of_libraries_are_known(self) -> None:
        for name in (
            ("database", "connection"),
            ("oslo_messaging_rabbit", "rabbit_ha_queues"),
            ("keystone_authtoken", "www_authenticate_uri"),
            ("keystone_authtoken", "password"),
            ("oslo_policy", "policy_file"),
            ("DEFAULT", "debug"),
        ):
            self.assertTrue(name in self.known.current or name in self.known.renamed, name)
