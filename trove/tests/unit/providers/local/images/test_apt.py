# SPDX-License-Identifier: Apache-2.0

import subprocess
from unittest import mock

from trove.providers.local.images import apt
from trove.providers.local.images.manifest import ImageError
from trove.tests import base

HOST = [
    apt.Archive("https://other.example/node/", "nodistro"),
    apt.Archive("https://mirror.example/debian/", "bookworm"),
    apt.Archive("https://mirror.example/debian/", "bookworm-updates"),
    apt.Archive("https://mirror.example/debian-security/", "bookworm-security"),
]


class TestApt(base.UnitTestCase):
    def answer(self, text: str) -> None:
        done = subprocess.CompletedProcess([], 0, stdout=text)
        self.enterContext(mock.patch.object(apt.subprocess, "run", autospec=True, return_value=done))

    def test_sources_come_from_where_the_host_has_its_own(self) -> None:
        self.assertEqual(
            [
                "deb https://mirror.example/debian/ trixie main",
                "deb https://mirror.example/debian-security/ trixie-security main",
                "deb https://mirror.example/debian/ trixie-updates main",
            ],
            apt.sources("trixie", "bookworm", HOST),
        )
        self.assertEqual(["deb https://mirror.example/debian/ sid main"], apt.sources("sid", "bookworm", HOST))
        plain = apt.sources("trixie", "bookworm", HOST[:2])
        self.assertEqual(["deb https://mirror.example/debian/ trixie main"], plain)
        error = self.assertRaises(ImageError, apt.sources, "trixie", "noble", HOST)
        self.assertIn("--mirror", str(error))

    def test_archives_of_the_host(self) -> None:
        self.answer("http://a/ bookworm main\nhttp://a/ bookworm main\nhttp://b/ x contrib\nhttp://c/ flat\n")
        self.assertEqual([apt.Archive("http://a/", "bookworm")], apt.host_archives())

    def test_proxies_go_into_the_environment(self) -> None:
        self.answer('Acquire::http::Proxy "http://proxy:3142";\nAcquire::https::Proxy "DIRECT";\nAcquire::x "y";\n')
        self.assertEqual({"http_proxy": "http://proxy:3142"}, apt.proxies())

    def test_credentials_are_not_kept(self) -> None:
        line = apt.source_line("https://user:secret@mirror.example/debian", "sid")
        self.assertEqual("deb https://mirror.example/debian sid main", apt.without_credentials(line))

    def test_installed_packages_are_read_from_dpkg(self) -> None:
        root = self.tempdir()
        (root / "var/lib/dpkg").mkdir(parents=True)
        (root / "var/lib/dpkg/status").write_text(
            "Package: b\nStatus: install ok installed\nVersion: 1:2-3\nDescription: x\n more\n\n"
            "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
            "Package: a\nStatus: install ok installed\nVersion: 2~rc1\n"
        )
        self.assertEqual({"a": "2~rc1", "b": "1:2-3"}, apt.installed(root))
