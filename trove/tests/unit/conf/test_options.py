# SPDX-License-Identifier: Apache-2.0
# covers: trove/conf
"""All options: documented, listed for the sample file, unambiguous."""

from collections import Counter

from oslo_config import cfg

import trove.conf
from trove.conf import quota
from trove.tests import base


class TestOptions(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.listed = [(group, option) for group, options in trove.conf.list_opts() for option in options]

    def test_every_option_says_what_it_is_for(self) -> None:
        for group, option in self.listed:
            where = f"[{group}] {option.name}"
            self.assertIsNotNone(option.help, where)
            self.assertGreater(len(option.help.split()), 2, where)
            self.assertTrue(option.help.rstrip().endswith((".", "limit", "FILE", "8778")), f"{where}: {option.help}")

    def test_no_option_twice(self) -> None:
        counted = Counter((group, option.dest) for group, option in self.listed)
        self.assertEqual([], [key for key, times in counted.items() if times > 1])

    def test_every_module_registers_exactly_what_it_lists(self) -> None:
        for module in trove.conf.option_modules():
            listed = {(group, option.dest) for group, options in module.list_opts() for option in options}
            conf = cfg.ConfigOpts()
            library = set(conf._opts)
            module.register_opts(conf)
            own = {("DEFAULT", name) for name in set(conf._opts) - library}
            own |= {(name, option) for name, group in conf._groups.items() for option in group._opts}
            if listed:
                self.assertEqual(listed, own, module.__name__)
            else:  # a library's, which lists them itself
                self.assertTrue(own, module.__name__)

    def test_defaults_are_possible_values(self) -> None:
        conf = self.new_conf()
        for group, option in self.listed:
            holder = conf if group == "DEFAULT" else conf[group]
            try:
                getattr(holder, option.dest)  # converts the default
            except (cfg.Error, ValueError) as err:
                self.fail(f"[{group}] {option.name}: {err}")

    def test_what_holds_a_password_is_secret(self) -> None:
        for group, option in self.listed:
            if "transport_url" in option.name or "password" in option.name:
                self.assertTrue(option.secret, f"[{group}] {option.name}")

    def test_there_is_no_global_object(self) -> None:
        first, second = self.new_conf(workflow__threads=1), self.new_conf()
        self.assertEqual((1, 4), (first.workflow.threads, second.workflow.threads))

    def test_default_limits(self) -> None:
        limits = quota.default_limits(self.new_conf(max_instances_per_tenant=3))
        self.assertEqual({"instances": 3, "ram": -1, "volumes": 40, "backups": 50}, limits)
