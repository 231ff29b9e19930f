# SPDX-License-Identifier: Apache-2.0
"""Making the local provider from a configuration."""

import errno
import os
from unittest import mock

from trove.providers import base
from trove.providers.local import provider, records
from trove.tests import base as tests


class MakeProviderTest(tests.UnitTestCase):
    def test_base_dir_is_required(self) -> None:
        err = self.assertRaises(base.FatalError, provider.make_provider, self.new_conf())
        self.assertIn("[local] base_dir", str(err))

    def test_made(self) -> None:
        base_dir = self.tempdir() / "x"
        made = provider.make_provider(self.new_conf(local__tier="1", local__base_dir=str(base_dir)))
        self.assertIsInstance(made, base.Provider)
        self.assertIsInstance(made, base.Supervised)
        self.assertTrue((base_dir / "servers").is_dir())

    def test_gateway_socket_lies_where_guests_may_look_and_not_write(self) -> None:
        base_dir = self.tempdir()
        made = provider.make_provider(self.new_conf(local__tier="1", local__base_dir=str(base_dir)))
        self.assertEqual(base_dir / "gateway" / "socket", made.gateway_socket)
        found = made.gateway_socket.parent.stat()
        self.assertEqual((os.geteuid(), 0), (found.st_uid, found.st_mode & 0o027))

    def test_what_the_host_refuses_may_succeed_later(self) -> None:
        made = provider.make_provider(self.new_conf(local__tier="1", local__base_dir=str(self.tempdir())))
        with mock.patch.object(records.os, "fsync", autospec=True, side_effect=OSError(errno.ENOSPC, "disk full")):
            err = self.assertRaises(base.RetryableError, made.ensure_volume, base.VolumeSpec("t", 1))
        self.assertIn("disk full", str(err))
        self.assertIsNone(made.find_volume("t"))
        self.assertEqual(1, made.ensure_volume(base.VolumeSpec("t", 1)).size_gib)

    def test_bad_pool(self) -> None:
        conf = self.new_conf(local__tier="1", local__base_dir=str(self.tempdir()), local__address_pool="192.168.0.0/16")
        self.assertRaises(base.FatalError, provider.make_provider, conf)


class UnreachableTest(tests.UnitTestCase):
    """Addresses only: names would be asked of the network."""

    def unreachable(self, **options: str) -> str:
        conf = self.new_conf(**{f"guest_bus__{key}": value for key, value in options.items()})
        return str(provider.unreachable(conf))

    def test_gateway(self) -> None:
        self.assertEqual("{}", self.unreachable())
        self.assertEqual("{}", self.unreachable(gateway_url="https://10.230.4.1:8778"))
        for url in ("http://127.0.0.1:8778", "https://192.0.2.7:8778", "https://10.231.0.1"):
            self.assertIn("not on the bridge", self.unreachable(gateway_url=url))

    def test_socket_of_this_host(self) -> None:
        self.assertEqual("{}", self.unreachable(gateway_url="unix:///run/trove/gateway/socket"))

    def test_broker_without_its_password(self) -> None:
        self.assertEqual("{}", self.unreachable(transport="messaging", transport_url="rabbit://g:pw@10.230.0.1:5672/g"))
        text = self.unreachable(transport="messaging", transport_url="rabbit://g:hunter2@127.0.0.1:5672/g")
        self.assertIn("dial 127.0.0.1", text)
        self.assertNotIn("hunter2", text)
