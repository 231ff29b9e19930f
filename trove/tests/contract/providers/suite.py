# SPDX-License-Identifier: Apache-2.0
"""The contract of :class:`trove.providers.base.Provider` as tests.

Derive a test case from :class:`ProviderContract`, return a provider from :meth:`~ProviderTestMixin.new_provider`, and
overwrite the other hooks where they do not fit.
"""

import dataclasses
import json
from collections.abc import Callable
from concurrent import futures
from typing import Any

from trove.common import clock, ids
from trove.domain.shape import Shape
from trove.providers import base, registry
from trove.wire.bootstrap import Bootstrap

SMALL = Shape(vcpus=1, ram_mib=512)
LARGE = Shape(vcpus=2, ram_mib=1024)


class ProviderTestMixin:
    """Hooks and shorthands; mix into a test case of :mod:`trove.tests.base`."""

    #: Seconds within which a thing must become ready or go away.
    patience = 60.0
    #: Id of the only network, of a provider that has one; see :func:`trove.providers.registry.only_network`.
    network: str | None = None

    def new_provider(self) -> base.Provider:
        """Return a provider without any resources that this test has made."""
        raise AssertionError("the derived class must define new_provider()")

    def same_provider(self) -> base.Provider:
        """Return the view that another process has of the same resources."""
        return self.provider

    def lose(self, method: str, *args: Any) -> None:
        """Call ``method`` so that it does its work, and lose the answer."""
        getattr(self.provider, method)(*args)

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.provider = self.new_provider()
        self.instance_id = ids.new_id()

    def tag(self, part: str, instance_id: str | None = None) -> str:
        return ids.instance_tag(instance_id or self.instance_id, part)

    def port_spec(self, instance_id: str | None = None) -> base.PortSpec:
        return base.PortSpec(self.tag("port", instance_id), 15432)

    def volume_spec(self, size: int = 1, instance_id: str | None = None) -> base.VolumeSpec:
        return base.VolumeSpec(self.tag("volume", instance_id), size)

    def server_spec(
        self, shape: Shape = SMALL, *, group: base.ServerGroup | None = None, **options: Any
    ) -> base.ServerSpec:
        document = Bootstrap(
            instance_id=self.instance_id, datastore_manager="none", datastore_version="1", transport="gateway",
            endpoint="http://127.0.0.1:9", one_time_key="5a" * 32, data_dir="", state_dir="", options=options,
        )
        return base.ServerSpec(
            self.tag("server"), "contract", shape, self.tag("port"), self.tag("volume"), "none",
            bootstrap=json.dumps(document.to_wire()).encode(), group=group,
        )

    def until(self, condition: Callable[[], Any]) -> Any:
        """Return what ``condition`` answers as soon as that is true."""
        end = clock.monotonic() + self.patience
        while clock.monotonic() < end:
            if result := condition():
                return result
            clock.sleep(0.02)
        raise AssertionError(f"not within {self.patience} seconds")

    def make_server(self, **options: Any) -> base.Server:
        """Make an instance's port, volume and server and wait until the server is ready."""
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        spec = self.server_spec(**options)
        self.provider.ensure_server(spec)
        return self.until(lambda: self.ready(self.provider.find_server(spec.tag)))

    def ready(self, server: base.Server | None) -> base.Server | None:
        self.assertIsNotNone(server)
        self.assertIsNot(base.Status.FAILED, server.status, server.detail)
        return server if server.status is base.Status.READY else None

    def ready_volume(self) -> base.Volume | None:
        volume = self.provider.find_volume(self.tag("volume"))
        self.assertIsNotNone(volume)
        return volume if volume.status is base.Status.READY else None

    def pages(self, limit: int, between: Callable[[], object] = lambda: None) -> list[base.Found]:
        """Return what is listed, ``limit`` items a page; call ``between`` once, after the first page."""
        found: list[base.Found] = []
        page = self.provider.list("instance:", limit=limit)
        between()
        while page.marker is not None:
            self.assertEqual(limit, len(page.items))
            self.assertLessEqual(len(page.marker), base.MAX_MARKER)
            found += page.items
            page = self.provider.list("instance:", page.marker, limit)
        found += page.items
        self.assertEqual(sorted(found, key=lambda item: (item.kind, item.tag)), found)
        return found

    def remove_server(self) -> None:
        self.until(lambda: self.provider.remove_server(self.tag("server")))


class ProviderContract(ProviderTestMixin):
    """The tests."""

    # the interface

    def test_interface(self) -> None:
        self.assertIsInstance(self.provider, base.Provider)
        self.assertLessEqual(self.provider.capabilities, set(base.Capability))
        # What an API process knows of it without making one.
        self.assertLessEqual(
            registry.capabilities(self.provider.name), {item.value for item in self.provider.capabilities}
        )

    def test_nothing_is_there_at_first_and_looking_makes_nothing(self) -> None:
        for _ in range(2):
            self.assertIsNone(self.provider.find_port(self.tag("port")))
            self.assertIsNone(self.provider.find_volume(self.tag("volume")))
            self.assertIsNone(self.provider.find_server(self.tag("server")))

    def test_removing_what_is_absent_is_success(self) -> None:
        for _ in range(2):
            self.assertIs(True, self.provider.remove_server(self.tag("server")))
            self.provider.remove_volume(self.tag("volume"))
            self.provider.remove_port(self.tag("port"))

    # listing

    def test_what_an_instance_has_is_listed(self) -> None:
        prefix = f"instance:{self.instance_id}/"
        self.assertEqual(base.Page((), None), self.provider.list(prefix))
        self.make_server()
        looks: dict[str, Callable[[str], Any]] = {
            "port": self.provider.find_port,
            "server": self.provider.find_server,
            "volume": self.provider.find_volume,
        }
        for provider in (self.provider, self.same_provider()):
            page = provider.list(prefix)
            self.assertIsNone(page.marker)
            self.assertEqual(list(looks), [item.kind for item in page.items])
            for item in page.items:
                self.assertEqual((self.tag(item.kind), looks[item.kind](item.tag).id), (item.tag, item.id))
        self.remove_server()
        self.assertEqual(["port", "volume"], [item.kind for item in self.provider.list(prefix).items])

    def test_what_has_another_tag_is_not_listed(self) -> None:
        own = self.provider.ensure_port(self.port_spec())
        foreign = self.provider.ensure_port(base.PortSpec(f"other:{ids.new_id()}/port", 15432))
        tags = {item.tag for item in self.pages(1000)}
        self.assertIn(own.tag, tags)
        self.assertNotIn(foreign.tag, tags)
        self.assertEqual([foreign.tag], [item.tag for item in self.provider.list(foreign.tag).items])
        self.assertEqual((), self.provider.list(f"instance:{ids.new_id()}").items)

    def test_a_listing_in_small_pages(self) -> None:
        made = {self.provider.ensure_port(self.port_spec(ids.new_id())).tag for _ in range(5)}
        self.provider.ensure_volume(self.volume_spec())
        made.add(self.tag("volume"))
        whole = self.pages(1000)
        self.assertLessEqual(made, {item.tag for item in whole})
        for limit in (1, 2, len(whole), len(whole) + 1):
            self.assertEqual(whole, self.pages(limit), limit)

    def test_what_comes_and_goes_between_two_pages_hides_and_doubles_nothing_else(self) -> None:
        numbers = [f"{digit}0000000-0000-4000-8000-{ids.new_id()[-12:]}" for digit in "13579"]
        stay = [self.provider.ensure_port(self.port_spec(number)).tag for number in numbers]
        goes = [self.provider.ensure_port(self.port_spec(f"{digit}{numbers[0][1:]}")).tag for digit in "08"]
        comes = [f"{digit}{numbers[0][1:]}" for digit in "02468a"]

        def between() -> None:
            for tag in goes:
                self.provider.remove_port(tag)
            for number in comes:
                self.provider.ensure_port(self.port_spec(number))

        listed = [item.tag for item in self.pages(2, between)]
        self.assertEqual(stay, [tag for tag in listed if tag in stay])
        self.assertEqual(len(listed), len(set(listed)))
        self.assertIn(self.tag("port", comes[-1]), listed)  # behind the page that was looked at

    # ports

    def test_port_is_made_once(self) -> None:
        first = self.provider.ensure_port(self.port_spec())
        self.assertEqual(self.tag("port"), first.tag)
        self.assertEqual(first, self.provider.ensure_port(self.port_spec()))
        self.assertEqual(first, self.provider.find_port(self.tag("port")))
        self.assertEqual(first, self.same_provider().ensure_port(self.port_spec()))

    def test_port_after_a_lost_reply(self) -> None:
        self.lose("ensure_port", self.port_spec())
        made = self.provider.find_port(self.tag("port"))
        self.assertEqual(made, self.provider.ensure_port(self.port_spec()))

    def test_a_port_open_to_everybody(self) -> None:
        made = self.provider.ensure_port(self.port_spec())
        for _ in range(2):
            self.assertEqual(made, self.provider.set_access(self.tag("port"), base.Access()))
        self.assertEqual(made, self.same_provider().find_port(self.tag("port")))

    def test_who_may_reach_a_port(self) -> None:
        some = base.Access(allowed_cidrs=("192.0.2.0/24", "2001:db8::/32"))
        self.assertRaises(base.NotFoundError, self.provider.set_access, self.tag("port"), some)
        made = self.provider.ensure_port(self.port_spec())
        if base.Capability.ACCESS_RULES in self.provider.capabilities:
            self.lose("set_access", self.tag("port"), some)
            self.assertEqual(made, self.provider.set_access(self.tag("port"), some))
            self.assertEqual(made, self.provider.set_access(self.tag("port"), base.Access()))
        else:
            self.assertRaises(base.FatalError, self.provider.set_access, self.tag("port"), some)
        self.assertEqual(made, self.provider.find_port(self.tag("port")))

    def test_a_public_address(self) -> None:
        made = self.provider.ensure_port(self.port_spec())
        if self.network is not None:
            # There is no outside that it could be public to.
            self.assertEqual(made, self.provider.set_access(made.tag, base.Access(is_public=True)))
            return
        if base.Capability.PUBLIC_ADDRESSES not in self.provider.capabilities:
            self.assertRaises(base.FatalError, self.provider.set_access, made.tag, base.Access(is_public=True))
            return
        public = self.provider.set_access(made.tag, base.Access(is_public=True))
        self.assertNotIn(public.public_address, (None, made.address))
        self.assertEqual(public, self.provider.ensure_port(self.port_spec()))
        self.assertEqual(made, self.provider.set_access(made.tag, base.Access()))

    def test_a_network_to_choose(self) -> None:
        spec = dataclasses.replace(self.port_spec(), network="n", subnet="s", address="192.0.2.7")
        if base.Capability.NETWORKS not in self.provider.capabilities:
            for refused in (spec, dataclasses.replace(self.port_spec(), network="n")):
                self.assertRaises(base.FatalError, self.provider.ensure_port, refused)
            if self.network is not None:
                named = dataclasses.replace(self.port_spec(), network=self.network)
                self.assertEqual(self.network, self.provider.ensure_port(named).network)
            return
        made = self.provider.ensure_port(spec)
        self.assertEqual(("n", "192.0.2.7"), (made.network, made.address))

    def test_a_group_ends_with_its_last_server(self) -> None:
        tag = f"server-group:{self.instance_id}"
        self.provider.remove_server_group(tag)
        if base.Capability.SERVER_GROUPS not in self.provider.capabilities:
            return
        self.make_server(group=base.ServerGroup(tag, "anti-affinity"))
        self.assertRaises(base.ConflictError, self.provider.remove_server_group, tag)
        self.remove_server()
        self.lose("remove_server_group", tag)
        self.provider.remove_server_group(tag)

    def test_port_removed_twice(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.lose("remove_port", self.tag("port"))
        self.provider.remove_port(self.tag("port"))
        self.assertIsNone(self.provider.find_port(self.tag("port")))

    def test_ports_made_at_once_differ(self) -> None:
        providers = [self.provider, self.same_provider()]
        specs = [self.port_spec(ids.new_id()) for _ in range(16)]
        with futures.ThreadPoolExecutor(8) as pool:
            ports = list(pool.map(lambda item: providers[item[0] % 2].ensure_port(item[1]), enumerate(specs)))
        self.assertEqual(len(specs), len({(port.address, port.port) for port in ports}))
        self.assertEqual(len(specs), len({port.id for port in ports}))

    def test_one_port_made_by_many_at_once(self) -> None:
        providers = [self.provider, self.same_provider()]
        with futures.ThreadPoolExecutor(8) as pool:
            ports = set(pool.map(lambda n: providers[n % 2].ensure_port(self.port_spec()), range(16)))
        self.assertEqual(1, len(ports))

    # volumes

    def test_volume_is_made_once_grows_and_never_shrinks(self) -> None:
        self.provider.ensure_volume(self.volume_spec(2))
        made = self.until(self.ready_volume)
        self.assertEqual(made, self.provider.ensure_volume(self.volume_spec(2)))
        self.assertEqual(made, self.provider.ensure_volume(self.volume_spec(1)))
        self.lose("ensure_volume", self.volume_spec(3))
        self.assertEqual(3, self.provider.ensure_volume(self.volume_spec(3)).size_gib)
        grown = self.until(self.ready_volume)
        self.assertEqual((made.id, 3), (grown.id, grown.size_gib))

    def test_volume_after_a_lost_reply(self) -> None:
        self.lose("ensure_volume", self.volume_spec())
        made = self.provider.find_volume(self.tag("volume"))
        self.assertEqual(made.id, self.provider.ensure_volume(self.volume_spec()).id)

    def test_volume_removed_twice(self) -> None:
        self.provider.ensure_volume(self.volume_spec())
        self.until(self.ready_volume)
        self.lose("remove_volume", self.tag("volume"))
        self.provider.remove_volume(self.tag("volume"))
        self.assertIsNone(self.provider.find_volume(self.tag("volume")))

    def test_volume_in_use_is_not_removed(self) -> None:
        self.make_server()
        self.assertRaises(base.ConflictError, self.provider.remove_volume, self.tag("volume"))
        self.assertIsNotNone(self.provider.find_volume(self.tag("volume")))
        self.remove_server()
        self.provider.remove_volume(self.tag("volume"))
        self.assertIsNone(self.provider.find_volume(self.tag("volume")))

    # servers

    def test_server_needs_its_port_and_volume(self) -> None:
        self.assertRaises(base.NotFoundError, self.provider.ensure_server, self.server_spec())
        self.provider.ensure_port(self.port_spec())
        self.assertRaises(base.NotFoundError, self.provider.ensure_server, self.server_spec())
        self.assertIsNone(self.provider.find_server(self.tag("server")))

    def test_server_is_made_once_and_keeps_its_shape(self) -> None:
        made = self.make_server()
        self.assertEqual((self.tag("server"), SMALL), (made.tag, made.shape))
        for provider in (self.provider, self.same_provider()):
            self.assertEqual(made, provider.ensure_server(self.server_spec(LARGE)))
            self.assertEqual(made, provider.find_server(self.tag("server")))

    def test_server_after_a_lost_reply(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        self.lose("ensure_server", self.server_spec())
        made = self.provider.find_server(self.tag("server"))
        self.assertEqual(made.id, self.provider.ensure_server(self.server_spec()).id)

    def test_one_server_made_by_many_at_once(self) -> None:
        self.provider.ensure_port(self.port_spec())
        self.provider.ensure_volume(self.volume_spec())
        providers = [self.provider, self.same_provider()]
        with futures.ThreadPoolExecutor(8) as pool:
            servers = set(pool.map(lambda n: providers[n % 2].ensure_server(self.server_spec()).id, range(8)))
        self.assertEqual(1, len(servers))

    def test_server_gets_another_shape(self) -> None:
        made = self.make_server()
        self.lose("resize_server", made.tag, LARGE)
        self.assertEqual(LARGE, self.provider.resize_server(made.tag, LARGE).shape)
        resized = self.until(lambda: self.ready(self.same_provider().find_server(made.tag)))
        self.assertEqual((made.id, LARGE), (resized.id, resized.shape))

    def test_server_restarts(self) -> None:
        made = self.make_server()
        self.lose("restart_server", made.tag)
        restarted = self.until(lambda: self.ready(self.provider.restart_server(made.tag)))
        self.assertEqual(made, restarted)

    def test_server_moves_if_the_provider_can_do_that(self) -> None:
        made = self.make_server()
        if base.Capability.MIGRATE_SERVER not in self.provider.capabilities:
            self.assertRaises(base.FatalError, self.provider.migrate_server, made.tag, None)
            self.assertEqual(made, self.provider.find_server(made.tag))
            return
        self.lose("migrate_server", made.tag, None)
        moved = self.until(lambda: self.ready(self.provider.migrate_server(made.tag, None)))
        self.assertEqual(made, moved)
        self.assertRaises(base.NotFoundError, self.provider.migrate_server, made.tag, "no such host")
        self.assertEqual(moved, self.provider.find_server(made.tag))

    def test_absent_server_is_neither_resized_nor_restarted_nor_moved(self) -> None:
        self.assertRaises(base.NotFoundError, self.provider.resize_server, self.tag("server"), LARGE)
        self.assertRaises(base.NotFoundError, self.provider.restart_server, self.tag("server"))
        refusals = (base.NotFoundError, base.FatalError)
        self.assertRaises(refusals, self.provider.migrate_server, self.tag("server"), None)

    def test_server_removed_after_a_lost_reply(self) -> None:
        made = self.make_server()
        self.lose("remove_server", made.tag)
        self.until(lambda: self.same_provider().remove_server(made.tag))
        self.assertIsNone(self.provider.find_server(made.tag))
        self.assertIs(True, self.provider.remove_server(made.tag))

    def test_removed_server_can_be_made_again(self) -> None:
        self.make_server()
        self.remove_server()
        self.provider.ensure_server(self.server_spec(LARGE))
        again = self.until(lambda: self.ready(self.provider.find_server(self.tag("server"))))
        self.assertEqual(LARGE, again.shape)
