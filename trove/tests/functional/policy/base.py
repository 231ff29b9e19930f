# SPDX-License-Identifier: Apache-2.0
"""The base of tests that log in to the API with tokens of a real Keystone."""

from typing import Any, ClassVar

from trove.tests.fixtures import keystone
from trove.tests.functional.api import world


class KeystoneTestCase(world.InstanceTestCase):
    """The world of :class:`trove.tests.functional.api.world.InstanceTestCase`; ``self.tokens`` is its door.

    Attributes: ``keystone`` (the fixture), ``tokens`` (an application that asks it).
    """

    timeout: ClassVar[int] = 300

    def setUp(self) -> None:
        super().setUp()
        self.keystone = self.useFixture(keystone.KeystoneFixture())
        self.tokens = self.make_app(self.keystone_conf())

    def keystone_conf(self, **options: Any) -> Any:
        """Return a configuration with strategy ``keystone``; ``options`` are further ones of its group."""
        conf = self.keystone.new_conf(self.tempdir(), **options)
        conf.set_override("default_datastore", "postgresql")
        return conf

    def send(self, token: str | None, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Send one request with a token; a path that begins with ``//`` stands as it is."""
        headers = {**options.pop("headers", {}), "X-Auth-Token": token or ""}
        return self.call(method, path, body, headers=headers, **{"app": self.tokens, **options})
