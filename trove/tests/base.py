# SPDX-License-Identifier: Apache-2.0
"""Base classes of all tests.

* :class:`UnitTestCase`: pure and fast. Sleeping, sockets and processes raise, and the message says what to do instead.
* :class:`FunctionalTestCase`: may start servers, through :mod:`trove.tests.fixtures`, on the loopback interface only.

Both give temporary directories (:meth:`TestCase.tempdir`), a fresh configuration (:meth:`TestCase.new_conf`),
captured logs (``self.logs``) in which every record is formatted whatever its level, and a time limit for each test.
"""

import gc
import os
import pathlib
import tempfile
from typing import Any, ClassVar

import fixtures
import testtools
from oslo_config import cfg

import trove.conf
from trove.tests.fixtures import logs, poison

# A test process keeps hundreds of thousands of objects from its imports, and walks over them a tenth of its time when
# it looks for garbage as often as Python does by itself.
gc.set_threshold(50_000, 20, 100)


class TestCase(testtools.TestCase):
    """What unit and functional tests share; derive from one of its two subclasses."""

    #: Seconds after which a test is stopped with a traceback; ``TROVE_TEST_TIMEOUT_FACTOR`` multiplies it.
    timeout: ClassVar[int] = 60

    def setUp(self) -> None:
        super().setUp()
        factor = float(os.environ.get("TROVE_TEST_TIMEOUT_FACTOR", "1"))
        self.useFixture(fixtures.Timeout(int(self.timeout * factor), gentle=True))
        self.useFixture(fixtures.NestedTempfile())
        self.logs = self.useFixture(logs.FormattedLogs())
        self.addOnException(self._attach_log)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "id" and not callable(value):  # unittest's own method; the runner calls it, and dies
            raise AttributeError("a test must not assign self.id, which is its name; use instance_id or the like")
        super().__setattr__(name, value)

    def _attach_log(self, _exc_info: Any) -> None:
        text = self.logs.text()
        self.addDetail("log", testtools.content.text_content(text or "(nothing was logged)"))

    def tempdir(self) -> pathlib.Path:
        """Return a new directory that is removed after the test."""
        return pathlib.Path(tempfile.mkdtemp())

    def new_conf(self, **overrides: Any) -> cfg.ConfigOpts:
        """Return a configuration that has read no file; ``group__option=value`` overrides an option.

        >>> self.new_conf(workflow__threads=1)                                              # doctest: +SKIP
        """
        conf = trove.conf.new(files=[])
        for key, value in overrides.items():
            group, _, option = key.rpartition("__")
            conf.set_override(option, value, group or None)
        return conf


class UnitTestCase(TestCase):
    """A test without sockets, processes and sleeps."""

    timeout: ClassVar[int] = 30

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(poison.NoSleep())
        self.useFixture(poison.NoProcess())
        self.useFixture(poison.NoSocket())


class FunctionalTestCase(TestCase):
    """A test that may talk to real servers on the loopback interface."""

    timeout: ClassVar[int] = 180
