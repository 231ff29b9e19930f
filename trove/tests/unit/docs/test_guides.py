# SPDX-License-Identifier: Apache-2.0
# covers: doc/source
"""What the guides name exists: options, files, commands. A renamed option must not live on in the documentation."""

import argparse
import configparser
import contextlib
import importlib.metadata
import io
import pathlib
import re
import textwrap
from collections.abc import Iterator

from keystoneauth1 import loading

from trove.cmd import manage
from trove.standalone import cli
from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[4]
_INI = re.compile(r"^\.\. code-block:: ini\n\n((?:   .*\n|\n)+)", re.MULTILINE)
_OPTION = re.compile(r"``\[(\w+)\] (\w+)")
_FILE = re.compile(r"``((?:trove|tools|doc|etc|api-ref)/[\w./-]+)``")
_NAMESPACE = re.compile(r"^namespace = (\S+)$", re.MULTILINE)
_MANAGE = re.compile(r"^    trove-manage (?:--config-file \S+ )?([a-z_]+(?: [^#\n&]*)?)", re.MULTILINE)
_STANDALONE = re.compile(r"^    trove-standalone ([^#\n&]+)", re.MULTILINE)

#: Sections of a unit of systemd, which is no configuration of ours.
_SYSTEMD = frozenset({"Unit", "Service", "Install"})


def guides() -> Iterator[tuple[str, str]]:
    """Yield name and text of every page; a command continued on the next line is one line."""
    for path in (_ROOT / "README.rst", *sorted((_ROOT / "doc" / "source").rglob("*.rst"))):
        yield str(path.relative_to(_ROOT)), re.sub(r" \\\n\s+", " ", path.read_text("utf-8"))


def options() -> set[tuple[str, str]]:
    """Return group and name of every option that the sample file has."""
    wanted = set(_NAMESPACE.findall((_ROOT / "etc" / "trove" / "config-generator.conf").read_text("utf-8")))
    found = set()
    for point in importlib.metadata.entry_points(group="oslo.config.opts"):
        if point.name in wanted:
            for group, members in point.load()():
                found |= {(str(group or "DEFAULT"), option.dest) for option in members}
    # The group's further options are those of the plugin that its auth_type names.
    return found | {("keystone_authtoken", option.dest) for option in loading.get_auth_plugin_conf_options("password")}


class GuidesTest(base.UnitTestCase):
    def test_options_exist(self) -> None:
        known = options() | {("oslo_middleware", "enable_proxy_headers_parsing")}  # not of a namespace in the sample
        named = 0
        for page, text in guides():
            pairs = _OPTION.findall(text)
            for block in _INI.findall(text):
                parser = configparser.RawConfigParser(default_section="")
                parser.read_string(textwrap.dedent(block))
                groups = [group for group in parser.sections() if group not in _SYSTEMD]
                pairs += [(group, option) for group in groups for option in parser.options(group)]
            self.assertEqual(set(), set(pairs) - known, page)
            named += len(pairs)
        self.assertGreater(named, 30)

    def test_files_exist(self) -> None:
        for page, text in guides():
            for name in _FILE.findall(text):
                path = _ROOT / name
                self.assertTrue(path.exists() or path.with_suffix(".py").exists(), f"{page}: {name}")

    def test_commands_of_operators_can_be_parsed(self) -> None:
        for pattern, parser, least in ((_MANAGE, manage._parser(), 8), (_STANDALONE, cli._parser(), 3)):
            lines = [(page, line) for page, text in guides() for line in pattern.findall(text)]
            self.assertGreaterEqual(len(lines), least)
            for page, line in lines:
                self.assertTrue(self.parses(parser, line.split()), f"{page}: {line}")

    @staticmethod
    def parses(parser: argparse.ArgumentParser, words: list[str]) -> bool:
        """Tell whether a command line is understood."""
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
            parser.parse_args(words)
            return True
        return False

    def test_a_wrong_command_is_noticed(self) -> None:
        self.assertFalse(self.parses(manage._parser(), ["workflow", "cancel", "x"]))
