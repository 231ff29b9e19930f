# SPDX-License-Identifier: Apache-2.0
"""``trove-manage certificate``, through its parser; it needs no database."""

from trove.tests.unit.cmd import case


class ManageCertificateTest(case.ManageCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.conf.parent / "gateway.pem"
        self.conf.write_text(
            f"[certificates]\ndirectory = {self.conf.parent}/authority\n[guest_bus]\n"
            f"gateway_url = https://192.0.2.1:8778\ngateway_cert_file = {self.file}\ngateway_key_file = {self.file}\n"
            f"gateway_ca_file = {self.conf.parent}/ca.pem\n"
        )

    def test_a_list_makes_nothing(self) -> None:
        before = sorted(path.name for path in self.conf.parent.rglob("*"))
        lines = self.done("certificate", "list").splitlines()
        self.assertEqual([True, True], [line.endswith("not made yet") for line in lines])
        self.assertEqual(before, sorted(path.name for path in self.conf.parent.rglob("*")))

    def test_renew_and_list(self) -> None:
        self.assertIn("new certificate, good until", self.done("certificate", "renew"))
        self.assertIn("is not due", self.done("certificate", "renew"))
        self.assertIn("new certificate", self.done("certificate", "renew", "--force"))
        lines = self.done("certificate", "list").splitlines()
        self.assertEqual(["authority", "gateway"], [line.split()[0] for line in lines])

    def test_it_says_what_to_set(self) -> None:
        self.conf.write_text("")
        self.assertIn("set [certificates] directory", self.refused("certificate", "renew"))
        self.assertEqual("", self.done("certificate", "list"))
