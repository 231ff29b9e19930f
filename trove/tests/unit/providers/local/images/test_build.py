# SPDX-License-Identifier: Apache-2.0
"""The build without mmdebstrap: what is refused, kept, cleaned, and in which order an image appears."""

import os
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from trove.providers.local.images import apt, build, mmdebstrap
from trove.providers.local.images.manifest import Engine, ImageError
from trove.providers.local.images.store import PACKAGES, ROOT, Images
from trove.tests import base

MIRROR = "https://mirror.example/debian"
REQUEST = build.Request("one", "trixie", ("engine",), mirrors=(MIRROR,))


class Interrupted(Exception):
    pass


class TestRequest(base.UnitTestCase):
    def test_words_that_are_none_are_refused(self) -> None:
        good = {"name": "one", "suite": "trixie", "packages": ("a-b+1.x", "pp=1:2.3-4+b1~rc")}
        build.Request(**good, mirrors=("http://m/debian", "file:///srv/m")).check()  # type: ignore[arg-type]
        for change in (
            {"suite": "--x"},
            {"suite": "a b"},
            {"packages": ("--x",)},
            {"packages": ("a b",)},
            {"packages": ("?essential",)},
            {"packages": ()},
            {"mirrors": ("ftp://x",)},
            {"mirrors": ("http://x [trusted=yes]",)},
            {"name": "../x"},
        ):
            self.assertRaises(ImageError, build.Request(**{**good, **change}).check)  # type: ignore[arg-type]

    def test_a_password_in_an_address_is_refused_and_not_repeated(self) -> None:
        request = build.Request("one", "trixie", ("engine",), mirrors=("https://user:secret@mirror.example/debian",))
        request.check()
        self.assertNotIn("secret", str(self.assertRaises(ImageError, request.sources)))


class TestBuild(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.tempdir() / "images"
        self.images = Images(self.directory)
        self.said: list[str] = []
        self.builder = build.Builder(self.images, lambda root: [Engine("tiny", "1.2", "/usr")], self.said.append)
        for target, name, value in (
            (mmdebstrap, "choose_mode", "root"),
            (mmdebstrap, "version", "mmdebstrap 1"),
            (apt, "architecture", "amd64"),
        ):
            self.enterContext(mock.patch.object(target, name, autospec=True, return_value=value))
        self.enterContext(mock.patch.object(mmdebstrap.Run, "make", new=self.make))
        self.failure: Exception | None = None
        self.runs: list[tuple[str, ...]] = []

    def make(self, suite: str, sources: Sequence[str], packages: Sequence[str], *, allow_expired: bool) -> None:
        """Leave what mmdebstrap leaves; fail after the download when asked to."""
        self.runs.append((suite, *sources, *packages))
        root = self.images.building("one") / ROOT
        archives = root / "var/cache/apt/archives"
        archives.mkdir(parents=True)
        (archives / "engine_1.2_amd64.deb").write_bytes(b"package")
        if self.failure:
            raise self.failure
        for folder in ("usr/bin", "etc/apt/apt.conf.d", "var/lib/dpkg", "dev", "root"):
            (root / folder).mkdir(parents=True)
        (root / "root").chmod(0o700)
        (root / "usr/bin/su").touch()
        (root / "usr/bin/su").chmod(0o4755)
        (root / "etc/shadow").touch(mode=0o640)
        (root / "etc/apt/apt.conf.d/99mmdebstrap").touch()
        (root / "dev/null").touch()
        (root / "var/lib/dpkg/status").write_text("Package: engine\nStatus: install ok installed\nVersion: 1.2-3\n")

    def test_a_build(self) -> None:
        made = self.builder.build(REQUEST)
        self.assertEqual(made, self.images.get("one"))
        self.images.verify("one")
        self.assertEqual({"engine": "1.2-3"}, made.installed)
        self.assertEqual(("deb https://mirror.example/debian trixie main",), made.sources)
        self.assertEqual([("trixie", f"deb {MIRROR} trixie main", "engine")], self.runs)
        root = self.directory / "one" / ROOT
        left = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
        self.assertEqual({"usr/bin/su", "etc/shadow", "var/lib/dpkg/status"}, left)
        modes = {name: (root / name).stat().st_mode & 0o7777 for name in ("usr/bin/su", "etc/shadow", "root", "tmp")}
        self.assertEqual({"usr/bin/su": 0o755, "etc/shadow": 0o644, "root": 0o755, "tmp": 0o1777}, modes)

    def test_the_same_again_is_nothing_to_do_and_another_is_refused(self) -> None:
        first = self.builder.build(REQUEST)
        self.assertEqual(first, self.builder.build(REQUEST))
        self.assertEqual(1, len(self.runs))
        other = build.Request("one", "trixie", ("engine", "more"), mirrors=(MIRROR,))
        self.assertIn("another name", str(self.assertRaises(ImageError, self.builder.build, other)))

    def test_an_interrupted_build_is_never_used_and_goes_on_with_its_packages(self) -> None:
        self.failure = Interrupted()
        self.assertRaises(Interrupted, self.builder.build, REQUEST)
        self.assertRaises(ImageError, self.images.root, "one")
        self.assertEqual(["one"], [entry.name for entry in self.images.entries() if entry.problem])
        kept = self.directory / PACKAGES / "engine_1.2_amd64.deb"
        self.assertEqual(b"package", kept.read_bytes())
        self.failure = None
        self.builder.build(REQUEST)
        self.images.verify("one")
        self.assertTrue(any("interrupted" in line for line in self.said))

    def test_an_interruption_between_manifest_and_rename_leaves_nothing_usable(self) -> None:
        with mock.patch.object(build.os, "rename", autospec=True, side_effect=Interrupted):
            self.assertRaises(Interrupted, self.builder.build, REQUEST)
        self.assertRaises(ImageError, self.images.root, "one")
        self.builder.build(REQUEST)
        self.images.verify("one")

    def test_a_full_disk_is_noticed_before_anything_is_done(self) -> None:
        usage = os.statvfs(self.tempdir())
        with mock.patch.object(build.shutil, "disk_usage", autospec=True, return_value=mock.Mock(free=usage.f_bsize)):
            self.assertIn("image_dir", str(self.assertRaises(ImageError, self.builder.build, REQUEST)))
        self.assertEqual([], self.runs)

    def test_nothing_outside_the_image_directory_is_touched(self) -> None:
        before = set(self.directory.parent.iterdir())
        self.builder.build(REQUEST)
        self.assertEqual({self.directory}, set(self.directory.parent.iterdir()) - before)
        names = {path.name for path in self.directory.iterdir()}
        self.assertEqual({"one", PACKAGES, ".lock-one"}, names)

    def test_a_private_key_does_not_stay(self) -> None:
        root = self.tempdir()
        for name in ("etc/ssl/private/snake.key", "etc/ssh/ssh_host_rsa_key", "etc/ssl/certs/snake.pem"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        build.clean(root)
        self.assertEqual(["snake.pem"], [Path(p).name for p in root.rglob("*") if p.is_file()])
