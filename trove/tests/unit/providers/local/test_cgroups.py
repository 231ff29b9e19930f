# SPDX-License-Identifier: Apache-2.0
"""Trees of control groups made of plain files; the contract suite uses the kernel's, of the version this host has."""

from pathlib import Path

from trove.domain.shape import Shape
from trove.providers import base
from trove.providers.local import cgroups
from trove.tests import base as tests

MIB = 2**20
#: What the kernel puts into a new group.
VERSION_1 = {
    "memory": {"memory.limit_in_bytes": "9223372036854771712"},
    "cpu": {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1"},
    "pids": {"pids.max": "max"},
}
VERSION_2 = {
    "memory.max": "max", "memory.high": "max", "memory.swap.max": "max", "memory.current": "0", "cpu.max": "max 100000",
    "pids.max": "max", "cgroup.subtree_control": "",
}


class CgroupsTestCase(tests.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.tempdir()
        self.proc = self.root / "proc"
        self.proc.mkdir()

    def host(self, mounts: dict[str, tuple[str, str]], groups: str) -> None:
        """Describe a host: ``{directory: (kind, options)}`` and the text of /proc/self/cgroup."""
        lines = []
        for name, (kind, options) in mounts.items():
            (self.root / name).mkdir(parents=True, exist_ok=True)
            lines.append(f"30 25 0:30 / {self.root / name} rw,relatime shared:9 - {kind} {kind} rw,{options}")
        (self.proc / "mountinfo").write_text("\n".join(lines) + "\n")
        (self.proc / "cgroup").write_text(groups)

    def find(self, parent: str | None = None) -> cgroups.Cgroups:
        return cgroups.find("trove-test", parent, proc=self.proc)

    def files(self, directory: Path, values: dict[str, str]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (directory / name).write_text(value)


class Version1Test(CgroupsTestCase):
    def setUp(self) -> None:
        super().setUp()
        mounts = {"memory": ("cgroup", "memory"), "cpu": ("cgroup", "cpu,cpuacct"), "pids": ("cgroup", "pids"),
                  "unified": ("cgroup2", "nsdelegate")}  # fmt: skip
        self.host(mounts, "4:memory:/own/group\n3:cpu,cpuacct:/\n2:pids:/x\n0::/\n")

    def test_groups_are_below_the_service_s_own(self) -> None:
        found = self.find()
        self.assertEqual(1, found.version)
        self.assertEqual(
            [str(self.root / path) for path in ("memory/own/group/trove-test/i", "cpu/trove-test/i",
                                                "pids/x/trove-test/i")],
            found.plan("i"),
        )  # fmt: skip

    def test_another_parent(self) -> None:
        self.assertEqual(str(self.root / "memory/databases/trove-test/i"), self.find("/databases").plan("i")[0])

    def test_limits(self) -> None:
        found = self.find()
        groups = found.plan("i")
        for group, values in zip(groups, VERSION_1.values(), strict=True):
            self.files(Path(group), values)
        found.make(groups, Shape(vcpus=3, ram_mib=1024))
        texts = [
            Path(groups[0], "memory.limit_in_bytes").read_text(), Path(groups[1], "cpu.cfs_quota_us").read_text(),
            Path(groups[2], "pids.max").read_text(),
        ]
        self.assertEqual([str(1024 * MIB), "300000", "1536"], texts)
        self.assertEqual({"i"}, found.slugs())


class Version2Test(CgroupsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.host({"unified": ("cgroup2", "nsdelegate")}, "0::/system.slice/trove.service\n")
        self.top = self.root / "unified"
        self.files(self.top, {"cgroup.controllers": "cpuset cpu io memory pids", "cgroup.subtree_control": "memory"})

    def make(self, shape: Shape) -> Path:
        found = self.find()
        self.assertEqual(2, found.version)
        self.files(self.top / "trove-test", {"cgroup.subtree_control": ""})
        (group,) = found.plan("i")
        if not Path(group).exists():
            self.files(Path(group), VERSION_2)
        found.make([group], shape)
        return Path(group)

    def test_limits_and_controllers_on_the_way(self) -> None:
        group = self.make(Shape(vcpus=2, ram_mib=512))
        self.assertEqual(self.top / "trove-test" / "i", group)
        self.assertEqual("+cpu +pids", (self.top / "cgroup.subtree_control").read_text())
        self.assertEqual("+memory +cpu +pids", (self.top / "trove-test" / "cgroup.subtree_control").read_text())
        read = {name: (group / name).read_text() for name in VERSION_2}
        self.assertEqual(
            (str(512 * MIB), "max", "0", "200000 100000", "1280"),
            tuple(read[name] for name in ("memory.max", "memory.high", "memory.swap.max", "cpu.max", "pids.max")),
        )

    def test_smaller_limit_never_kills(self) -> None:
        group = self.make(Shape(vcpus=1, ram_mib=512))
        (group / "memory.current").write_text(str(300 * MIB))
        small = Shape(vcpus=1, ram_mib=256)
        self.assertIs(False, cgroups.Cgroups.fit([str(group)], small))
        self.assertEqual(str(512 * MIB), (group / "memory.max").read_text())
        self.assertEqual(str(256 * MIB), (group / "memory.high").read_text())
        (group / "memory.current").write_text(str(200 * MIB))
        self.assertIs(True, cgroups.Cgroups.fit([str(group)], small))
        limits = [(group / name).read_text() for name in ("memory.max", "memory.high")]
        self.assertEqual([str(256 * MIB), "max"], limits)


class MissingTest(CgroupsTestCase):
    def test_controller_in_neither_version_is_named(self) -> None:
        self.host({"memory": ("cgroup", "memory"), "unified": ("cgroup2", "x")}, "1:memory:/\n0::/\n")
        self.files(self.root / "unified", {"cgroup.controllers": "hugetlb"})
        err = self.assertRaises(base.FatalError, self.find)
        self.assertIn("cpu, pids", str(err))

    def test_container_sees_its_own_root(self) -> None:
        self.host({name: ("cgroup", name) for name in VERSION_1}, "1:memory,cpu,pids:/docker/abc\n")
        text = (self.proc / "mountinfo").read_text().replace(" 0:30 / ", " 0:30 /docker/abc ")
        (self.proc / "mountinfo").write_text(text)
        self.assertEqual(str(self.root / "memory/trove-test/i"), self.find().plan("i")[0])
