# SPDX-License-Identifier: Apache-2.0
from trove.db import models
from trove.objects import heartbeat
from trove.tests import base


class Record(base.UnitTestCase):
    def test_a_record_has_every_column(self) -> None:
        columns = {c.name for c in models.Heartbeat.__table__.columns}
        self.assertEqual(columns - {"slowed_at"}, set(heartbeat.HeartbeatRecord._fields))
