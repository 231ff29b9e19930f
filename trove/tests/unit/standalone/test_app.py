# SPDX-License-Identifier: Apache-2.0
from trove.standalone import app
from trove.standalone.layout import Layout, Settings
from trove.tests import base


class ConfigureTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(self.tempdir())
        self.settings = Settings(project_id="p", password="x", gateway_port=20000)

    def test_every_instance_that_a_project_may_have_is_on_the_first_page(self) -> None:
        conf = app.configure(self.layout, self.settings)
        self.assertGreaterEqual(conf.instances_page_size, conf.max_instances_per_tenant)
        self.assertGreaterEqual(conf.configurations_page_size, conf.max_instances_per_tenant)

    def test_the_file_in_the_data_directory_wins(self) -> None:
        (self.layout.root / "trove.conf").write_text("[DEFAULT]\ninstances_page_size = 7\n")
        self.assertEqual(7, app.configure(self.layout, self.settings).instances_page_size)
