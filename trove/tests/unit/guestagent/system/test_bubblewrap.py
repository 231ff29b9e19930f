# SPDX-License-Identifier: Apache-2.0
"""The command line, which decides what an engine can see. That it does is tested with real processes."""

from pathlib import Path

from trove.guestagent.system import bubblewrap
from trove.tests import base


class TestArguments(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.tempdir()
        for folder in ("usr/bin", "etc", "var/lib/apt", "var/log", "dev", "proc", "run", "tmp", "srv"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "bin").symlink_to("usr/bin")
        (self.root / "etc/hosts").touch()

    def options(self, *writable: str) -> list[tuple[str, ...]]:
        """Return the options with their arguments."""
        found: list[list[str]] = []
        for word in bubblewrap.arguments(self.root, bubblewrap.outermost(map(Path, writable))):
            if word.startswith("--"):
                found.append([])
            found[-1].append(word)
        return [tuple(words) for words in found]

    def shown(self, path: str, kind: str = "--ro-bind") -> tuple[str, ...]:
        return kind, str(self.root / path.lstrip("/")), path

    def test_the_image_is_read_only_and_the_directories_are_where_they_are(self) -> None:
        options = self.options("/var/lib/trove/data", "/var/lib/trove/state")
        for path in ("/usr", "/etc", "/srv", "/var/lib/apt", "/var/log"):
            self.assertIn(self.shown(path), options)
        for words in (("--dir", "/var"), ("--dir", "/var/lib"), ("--symlink", "usr/bin", "/bin")):
            self.assertIn(words, options)
        for path in ("/var/lib/trove/data", "/var/lib/trove/state"):
            self.assertIn(("--bind-try", path, path), options)
        self.assertEqual(("--remount-ro", "/"), options[-1])
        self.assertNotIn(self.shown("/var"), options)
        for path in ("/dev", "/proc", "/run", "/tmp"):
            self.assertNotIn(self.shown(path), options)

    def test_pids_network_and_system_v_memory_are_the_hosts(self) -> None:
        options = [words[0] for words in self.options("/srv/x")]
        self.assertIn("--unshare-user", options)
        for flag in ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-all", "--die-with-parent"):
            self.assertNotIn(flag, options)

    def test_the_temporary_directory_is_private_unless_it_is_asked_for(self) -> None:
        self.assertIn(("--tmpfs", "/tmp"), self.options("/srv/x"))
        options = self.options("/srv/x", "/tmp", "/tmp/inside")
        self.assertNotIn(("--tmpfs", "/tmp"), options)
        self.assertIn(("--bind-try", "/tmp", "/tmp"), options)
        self.assertNotIn(("--bind-try", "/tmp/inside", "/tmp/inside"), options)

    def test_a_link_in_the_image_does_not_lead_an_instance_elsewhere(self) -> None:
        (self.root / "data").symlink_to("/etc")
        options = self.options("/data/instance")
        self.assertIn(("--dir", "/data"), options)
        self.assertNotIn("/data", [words[-1] for words in options if words[0] == "--symlink"])

    def test_a_directory_of_the_image_that_is_writable_is_not_shown_twice(self) -> None:
        options = self.options("/srv")
        self.assertNotIn(self.shown("/srv"), options)
        self.assertIn(("--bind-try", "/srv", "/srv"), options)

    def test_names_of_this_network(self) -> None:
        options = self.options("/srv")
        self.assertIn(("--ro-bind-try", "/etc/hosts", "/etc/hosts"), options)
        self.assertNotIn(("--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"), options)
