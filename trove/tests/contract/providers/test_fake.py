# SPDX-License-Identifier: Apache-2.0
# covers: trove/providers/base.py
"""The provider contract against the fake, quick and slow."""

from typing import Any

from trove.providers import base
from trove.providers.fake import SLOW_METHODS, FakeProvider
from trove.tests import base as tests
from trove.tests.contract.providers import suite


class FakeContractTest(suite.ProviderContract, tests.FunctionalTestCase):
    def new_provider(self) -> FakeProvider:
        return FakeProvider()

    def lose(self, method: str, *args: Any) -> None:
        self.provider.lose_response(method)
        self.assertRaises(base.RetryableError, getattr(self.provider, method), *args)

    def test_groups_are_listed(self) -> None:
        tag = f"server-group:{self.instance_id}"
        self.make_server(group=base.ServerGroup(tag, "affinity"))
        self.assertEqual([("server_group", tag)], [(item.kind, item.tag) for item in self.provider.list(tag).items])

    def test_what_is_busy_is_listed(self) -> None:
        self.provider.delay_until("ensure_volume", lambda: False)
        self.provider.ensure_volume(self.volume_spec())
        self.assertEqual(["volume"], [item.kind for item in self.provider.list("instance:").items])


class SlowFakeContractTest(FakeContractTest):
    """Everything that can take time does."""

    def new_provider(self) -> FakeProvider:
        provider = FakeProvider()
        for method in SLOW_METHODS:
            provider.delay_until(method, 2, always=True)
        return provider
