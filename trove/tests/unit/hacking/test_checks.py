# SPDX-License-Identifier: Apache-2.0
"""Every local check finds what it forbids, and leaves alone what it allows."""

import ast
import pathlib
import re
import textwrap

from trove.hacking import checks
from trove.tests import base

_ROOT = pathlib.Path(checks.__file__).resolve().parents[2]

#: check -> (path, forbidden code) and (path, allowed code); each line group is one file.
FORBIDDEN: dict[str, list[tuple[str, str]]] = {
    "T301": [
        ("trove/api/app.py", "LIMIT = CONF.api.max_limit"),
        ("trove/api/app.py", "def f(limit=conf.api.max_limit): pass"),
        ("trove/api/app.py", "def f():\n    return cfg.CONF.api.max_limit"),
    ],
    "T302": [
        ("trove/cmd/api.py", "import eventlet"),
        ("trove/cmd/api.py", "def f():\n    from eventlet import patcher"),
    ],
    "T303": [
        ("trove/guestagent/service.py", "import time\ntime.sleep(1)"),
        ("trove/guestagent/service.py", "from time import monotonic"),
        ("trove/db/api.py", "x = datetime.datetime.now()"),
        ("trove/db/api.py", "x = datetime.utcnow()"),
        ("trove/db/api.py", "f = timeutils.utcnow"),
        ("trove/api/views/instances.py", "now = clock.utcnow()"),
        ("trove/objects/instance.py", "row = {'created_at': clock.utcnow()}"),
        ("trove/taskmanager/retention.py", "period = int(clock.timestamp()) // 60"),
        ("trove/operations/modules.py", "from trove.common.clock import utcnow"),
        ("trove/conductor/reports.py", "now = trove.common.clock.utcnow()"),
        ("trove/workflow/store.py", "take = clock.utcnow"),
    ],
    "T304": [
        ("trove/api/app.py", "opts = [cfg.StrOpt('a')]"),
        ("trove/datastores/postgresql/plugin.py", "opt = cfg.IntOpt('a')"),
    ],
    "T305": [
        ("trove/tests/unit/test_a.py", "@mock.patch('a.b')\ndef f(b): pass"),
        ("trove/tests/unit/test_a.py", "mock.patch.object(a, 'b')"),
    ],
    "T306": [("trove/conductor/reports.py", "for key, value in report.items():\n    setattr(row, key, value)")],
    "T307": [
        ("trove/api/app.py", "try:\n    f()\nexcept Exception:\n    pass"),
        ("trove/api/app.py", "try:\n    f()\nexcept:\n    pass"),
        ("trove/api/app.py", "try:\n    f()\nexcept (KeyError, BaseException):\n    pass"),
    ],
    "T308": [
        ("trove/taskmanager/steps/server.py", "env.provider.create_server(spec)"),
        ("trove/taskmanager/steps/server.py", "self.provider(ctx).create_server(spec)"),
        ("trove/taskmanager/steps/server.py", "ctx.env.provider.ensure_server(spec)"),
        ("trove/taskmanager/steps/server.py", "provider = ctx.env.providers.of(name, None)"),
        ("trove/taskmanager/steps/server.py", "ctx.env.providers.of(name, None).ensure_server(spec)"),
        ("trove/taskmanager/steps/logs.py", "env.objects.remove(project, container, name)"),
    ],
    "T309": [
        ("trove/api/app.py", "import subprocess"),
        ("trove/datastores/postgresql/guest/handler.py", "from subprocess import run"),
        ("trove/api/app.py", "os.system('ls')"),
        ("trove/api/app.py", "os.execv(a, b)"),
    ],
    "T310": [
        ("trove/api/app.py", "LOG.info('%s of %s', a)"),
        ("trove/api/app.py", "LOG.debug('all', a)"),
        ("trove/api/app.py", "self._log.warning(f'{a}')"),
        ("trove/api/app.py", "LOG.info('%s' % a)"),
        ("trove/api/app.py", "LOG.info('%(a)s')"),
        ("trove/api/app.py", "LOG.log(10, '%s %d', a)"),
        ("trove/api/app.py", "LOG.info('%*d', a)"),
    ],
    "T311": [
        ("trove/standalone/control.py", "subprocess.Popen([sys.executable, '-m', 'trove.standalone'])"),
        ("trove/providers/local/warm.py", "run(sys.executable, *module)"),
        ("trove/standalone/demo.py", "subprocess.run((sys.executable, '-c', code))"),
    ],
}

ALLOWED: dict[str, list[tuple[str, str]]] = {
    "T301": [("trove/api/app.py", "def f(conf):\n    return conf.api.max_limit")],
    "T302": [("trove/common/threads.py", "import sys\nsys.modules['eventlet'] = None")],
    "T303": [
        ("trove/common/clock.py", "import time\ntime.sleep(1)"),
        ("trove/api/app.py", "x = clock.monotonic()"),
        ("trove/api/app.py", "x = clock.isoformat(row.created_at)"),
        ("trove/guestagent/service.py", "x = clock.utcnow()"),
        ("trove/tests/functional/test_a.py", "time.sleep(1)"),
    ],
    "T304": [
        ("trove/conf/api.py", "opts = [cfg.StrOpt('a')]"),
        ("trove/datastores/postgresql/options.py", "opts = [cfg.StrOpt('a')]"),
    ],
    "T305": [
        ("trove/tests/unit/test_a.py", "mock.patch('a.b', autospec=True)"),
        ("trove/tests/unit/test_a.py", "mock.patch.object(a, 'b', 3)"),
        ("trove/tests/unit/test_a.py", "mock.patch.dict(a, b=1)"),
    ],
    "T306": [
        ("trove/api/app.py", "setattr(row, 'a', 1)"),
        ("trove/api/app.py", "for row in rows:\n    setattr(row, name, 1)"),
    ],
    "T307": [
        ("trove/api/app.py", "try:\n    f()\nexcept Exception:\n    undo()\n    raise"),
        ("trove/api/app.py", "try:\n    f()\nexcept Exception:  # boundary: a worker must outlive its task\n    log()"),
        ("trove/api/app.py", "try:\n    f()\nexcept KeyError:\n    pass"),
    ],
    "T308": [
        ("trove/taskmanager/steps/logs.py", "outside.objects(ctx).remove(project, container, name)"),
        ("trove/taskmanager/steps/server.py", "member.provider.ensure_server(spec)"),
        ("trove/providers/openstack/server.py", "self.compute.create_server(spec)"),
    ],
    "T309": [
        ("trove/guestagent/system/process.py", "import subprocess"),
        ("trove/providers/local/servers.py", "import subprocess"),
        ("trove/standalone/supervise.py", "import subprocess"),
        ("tools/check_sizes.py", "import subprocess"),
    ],
    "T310": [
        ("trove/api/app.py", "LOG.info('%s of %d%%', a, b)"),
        ("trove/api/app.py", "LOG.info('100%')"),
        ("trove/api/app.py", "LOG.info('%(a)s', values)"),
        ("trove/api/app.py", "LOG.info('%s %s', *pair)"),
        ("trove/api/app.py", "LOG.info('%.1f s', elapsed, exc_info=True)"),
        ("trove/api/app.py", "math.log(x, 2)"),
    ],
    "T311": [
        ("trove/standalone/control.py", "subprocess.Popen([sys.executable, '-P', '-m', 'trove.standalone'])"),
        ("trove/providers/local/privileges.py", "[sys.executable, '-I', '-S', launch.__file__]"),
        ("trove/providers/local/privileges.py", "paths.add(sys.executable)"),
        ("trove/tests/unit/test_a.py", "run([sys.executable, '-c', code])"),
    ],
}


def codes(path: str, code: str) -> list[str]:
    """Return the codes that all checks together find in ``code``."""
    text = textwrap.dedent(code) + "\n"
    plugin = checks.TroveChecks(ast.parse(text), path, text.splitlines(keepends=True))
    return [finding[2].split()[0] for finding in plugin.run()]


class ChecksTest(base.UnitTestCase):
    def test_forbidden_code_is_found_by_its_check_alone(self) -> None:
        for code, samples in FORBIDDEN.items():
            for path, text in samples:
                with self.subTest(code=code, text=text):
                    self.assertEqual({code}, set(codes(path, text)))

    def test_allowed_code_is_left_alone(self) -> None:
        for code, samples in ALLOWED.items():
            for path, text in samples:
                with self.subTest(code=code, text=text):
                    self.assertEqual([], codes(path, text))

    def test_absolute_paths_mean_the_same(self) -> None:
        self.assertEqual([], codes(f"{_ROOT}/trove/guestagent/system/process.py", "import subprocess"))
        self.assertEqual([], codes("./trove/guestagent/system/process.py", "import subprocess"))

    def test_position_is_that_of_the_offence(self) -> None:
        text = "x = 1\nimport eventlet\n"
        plugin = checks.TroveChecks(ast.parse(text), "trove/a.py", text.splitlines(keepends=True))
        self.assertEqual([(2, 0)], [finding[:2] for finding in plugin.run()])

    def test_every_check_has_samples_and_a_paragraph(self) -> None:
        numbers = {check.__name__.split("_")[0].upper() for check in checks.CHECKS}
        self.assertEqual(numbers, set(FORBIDDEN))
        self.assertEqual(numbers, set(ALLOWED))
        documented = set(re.findall(r"^\* \*\*(T\d{3})\*\*", (_ROOT / "HACKING.rst").read_text(), re.MULTILINE))
        self.assertEqual(numbers, documented)
