# SPDX-License-Identifier: Apache-2.0
from unittest import mock

from trove.api import authz
from trove.common.context import RequestContext
from trove.standalone import configuration, layout
from trove.standalone.layout import Layout, Settings
from trove.tests import base


class ConfigureTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(self.tempdir())
        self.settings = Settings(project_id="p", password="x", gateway_port=20000)

    def test_every_instance_that_a_project_may_have_is_on_the_first_page(self) -> None:
        conf = configuration.configure(self.layout, self.settings)
        self.assertGreaterEqual(conf.instances_page_size, conf.max_instances_per_tenant)
        self.assertGreaterEqual(conf.configurations_page_size, conf.max_instances_per_tenant)

    def test_a_new_service_enforces_the_new_defaults_of_policies(self) -> None:
        """One whose data directory is older, or whose file says otherwise, goes on as it was."""
        with mock.patch.object(layout, "_free_port", autospec=True, return_value=20000):
            old, new = self.settings, Layout(self.tempdir() / "new").create()
        for settings, expected in ((old, True), (new, False)):
            enforcer = authz.make_enforcer(configuration.configure(self.layout, settings))
            who = RequestContext(user_id="u", project_id="p", roles=["foo"])
            for rule in ("instance:delete", "instance:show", "instance:create"):
                self.assertIs(expected, enforcer.allows(who, rule, "p"), rule)
            who.roles = ["member", "reader"]
            self.assertTrue(enforcer.allows(who, "instance:delete", "p"))
        (self.layout.root / "trove.conf").write_text("[oslo_policy]\nenforce_new_defaults = false\n")
        self.assertFalse(configuration.configure(self.layout, new).oslo_policy.enforce_new_defaults)

    def test_the_file_in_the_data_directory_wins(self) -> None:
        (self.layout.root / "trove.conf").write_text("[DEFAULT]\ninstances_page_size = 7\n")
        self.assertEqual(7, configuration.configure(self.layout, self.settings).instances_page_size)
