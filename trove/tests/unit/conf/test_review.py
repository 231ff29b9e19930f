# SPDX-License-Identifier: Apache-2.0
# covers: trove/conf/_review.py
"""What is found in configuration files that every process starts with."""

import pathlib

import trove.conf
from trove.conf import _review
from trove.tests import base

GOOD = (
    "[oslo_policy]\nenforce_new_defaults = true\n"
    "[DEFAULT]\ntransport_url = rabbit://u:secret@broker/control\nbind_host = 127.0.0.1\n"
)


class TestReview(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path: pathlib.Path = self.tempdir() / "trove.conf"

    def review(self, text: str, *, good: str = GOOD) -> list[str]:
        """Review a file."""
        self.path.write_text(good + text)
        return _review.review_files(trove.conf.new(files=[str(self.path)]))

    def test_a_good_file(self) -> None:
        text = (
            "debug = true\nhttp-get-rate = 9\n[database]\nconnection = sqlite://\nmax_retries = -1\n"
            "[keystone_authtoken]\nauth_url = https://k\nusername = trove\nauth_type = password\n"
            "[oslo_messaging_rabbit]\nssl = true\n[healthcheck]\nbackends = disable_by_file\n[local]\nbase_dir = /x\n"
        )
        self.assertEqual([], self.review(text))

    def test_old_defaults_of_policies(self) -> None:
        without = GOOD.replace("enforce_new_defaults = true\n", "")
        (found,) = self.review("", good=without)
        self.assertIn("[oslo_policy] enforce_new_defaults is not set: any role in a project", found)
        self.assertEqual([], self.review("auth_strategy = noauth\n", good=without))
        self.assertEqual([], self.review("[oslo_policy]\nenforce_new_defaults = false\n", good=without))

    def test_names_that_nobody_reads(self) -> None:
        (found,) = self.review("bind_prot = 9\n")
        self.assertEqual("[DEFAULT] bind_prot is unknown and has no effect; did you mean bind_port?", found)
        (found,) = self.review("colour = red\n")
        self.assertEqual("[DEFAULT] colour is unknown and has no effect; remove it", found)
        (found,) = self.review("gateway_url = http://x\n")
        self.assertIn("did you mean [guest_bus] gateway_url?", found)
        (found,) = self.review("[worflow]\nthreads = 1\n")
        self.assertEqual("group [worflow] is unknown and has no effect; did you mean [workflow]?", found)
        (found,) = self.review("[zebra]\nthreads = 1\n")
        self.assertEqual("group [zebra] is unknown and has no effect; remove it", found)

    def test_names_of_existing_deployments_have_their_reason(self) -> None:
        found = self.review("trove_api_workers = 4\n[mysql]\ndocker_image = mysql\n[couchdb]\nicmp = true\n")
        self.assertEqual(3, len(found))
        self.assertIn("[DEFAULT] trove_api_workers has no effect: each service is one process with threads", found[0])
        self.assertIn("[mysql] docker_image has no effect: engines run without containers", found[2])

    def test_a_renamed_option(self) -> None:
        (found,) = self.review("report_interval = 10\n")
        self.assertEqual("[DEFAULT] report_interval is now called [guest_bus] heartbeat_interval; rename it", found)

    def test_two_names_of_one_option(self) -> None:
        same = self.review("report_interval = 10\n[guest_bus]\nheartbeat_interval = 10\n")
        self.assertEqual(1, len(same))
        different, _ = self.review("report_interval = 10\n[guest_bus]\nheartbeat_interval = 20\n")
        self.assertIn("are the same option and set differently; remove [DEFAULT] report_interval", different)

    def test_settings_that_do_not_go_together(self) -> None:
        for text, words in (
            ("api_cert_file = /c\n", "only one of [DEFAULT] api_cert_file and api_key_file"),
            ("[guest_bus]\ngateway_bind_host = 10.0.0.1\n", "set gateway_cert_file and gateway_key_file"),
            ("[guest_bus]\ngateway_bind_host = ::\n", "set gateway_cert_file and gateway_key_file"),
            ("[guest_bus]\nheartbeat_interval = 60\n", "agent_heartbeat_expiry 45 is less than two heartbeat_interval"),
            (
                "[guest_bus]\ntransport = messaging\ntransport_url = rabbit://u:secret@broker/control\n",
                "give guests one of their own",
            ),
        ):
            (found,) = self.review(text)
            self.assertIn(words, found)
            self.assertNotIn("secret", found)
        (found,) = self.review("", good=GOOD.replace("transport_url", "#"))
        self.assertIn("transport_url is not set", found)
        (found,) = self.review("auth_strategy = noauth\nbind_host = 0.0.0.0\n")
        self.assertIn("lets everybody in who reaches 0.0.0.0", found)
        tls = "[guest_bus]\ngateway_bind_host = 10.0.0.1\ngateway_cert_file = /c\ngateway_key_file = /k\n"
        self.assertEqual([], self.review(tls))

    def test_a_gateway_that_guests_cannot_find(self) -> None:
        tls = "gateway_cert_file = /c\ngateway_key_file = /k\n"
        for text, words in (
            ("gateway_url = http://127.0.0.1:9000\ngateway_bind_port = 8778\n", "remove gateway_bind_port"),
            (f"gateway_url = https://192.0.2.1:9000\n{tls}", "listens on 127.0.0.1 only; unless something forwards"),
            (f"gateway_url = http://127.0.0.1\ngateway_bind_host = 192.0.2.1\n{tls}", "listens on 192.0.2.1 only"),
            ("gateway_url = unix:///run/a\n", "give both the same path"),
            ("gateway_url = https://trove.example:port\n", "is no URL"),
        ):
            (found,) = self.review(f"[guest_bus]\n{text}")
            self.assertIn(words, found)
        for text in (
            "gateway_url = http://127.0.0.1:9000\n",
            "gateway_url = http://localhost:9000\n",
            "gateway_url = http://[::1]:9000\ngateway_bind_host = ::1\n",
            "gateway_url = unix:///run/a\ngateway_socket = /run/a\n",
            "gateway_url = https://trove.example:9000\n",
            "gateway_url = https://trove.example\ngateway_bind_port = 9000\n",
            f"gateway_url = https://192.0.2.1:9000\ngateway_bind_host = 0.0.0.0\n{tls}",
        ):
            self.assertEqual([], self.review(f"[guest_bus]\n{text}"), text)

    def test_several_files_and_directories(self) -> None:
        directory = self.tempdir()
        (directory / "b.conf").write_text("[DEFAULT]\ncolour = red\n")
        (directory / "a.conf").write_text("[DEFAULT]\ncolour = blue\n")
        (directory / "notes.txt").write_text("[DEFAULT]\nshape = round\n")
        self.path.write_text(GOOD)
        conf = trove.conf.new(["--config-dir", str(directory)], files=[str(self.path)])
        found = _review.read(_review.files_of(conf))
        self.assertEqual(["blue", "red"], found["DEFAULT"]["colour"])
        self.assertNotIn("shape", found["DEFAULT"])
        self.assertEqual({}, _review.read([directory / "absent.conf"]))
