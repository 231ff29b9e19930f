# SPDX-License-Identifier: Apache-2.0
"""A group lives as long as an instance in it."""

from typing import Any

import sqlalchemy as sa

from trove.domain import instance_states
from trove.objects import server_group
from trove.tests import base
from trove.tests.fixtures import rows
from trove.tests.fixtures.databases import DatabaseFixture


class ServerGroupTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.session = self.enterContext(self.useFixture(DatabaseFixture()).db.writer())
        self.group = server_group.create(self.session, "p", "affinity")

    def member(self) -> str:
        return str(rows.make_instance(self.session, server_group_id=self.group).id)

    def change(self, instance_id: str, **columns: Any) -> None:
        table = server_group._INSTANCE
        self.session.execute(sa.update(table).where(table.c.id == instance_id).values(**columns))

    def test_the_last_one_takes_it_along(self) -> None:
        first, second = self.member(), self.member()
        server_group.leave(self.session, self.group, first)
        self.assertEqual("affinity", server_group.policy_of(self.session, self.group))
        self.change(first, deleted=True)
        other = server_group.create(self.session, "p", "anti-affinity")
        for _ in range(2):  # absence is success
            server_group.leave(self.session, self.group, second)
            self.assertIsNone(server_group.policy_of(self.session, self.group))
        self.assertEqual("anti-affinity", server_group.policy_of(self.session, other))

    def test_those_that_are_leaving_are_no_company(self) -> None:
        alone, other = self.member(), self.member()
        self.assertTrue(server_group.has_others(self.session, self.group, alone))
        self.change(other, status=instance_states.SHUTDOWN)
        self.assertFalse(server_group.has_others(self.session, self.group, alone))
        server_group.leave(self.session, self.group, alone)
        self.assertIsNotNone(server_group.policy_of(self.session, self.group))  # they are in it until they have gone
