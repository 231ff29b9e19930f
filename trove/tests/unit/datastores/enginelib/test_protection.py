# SPDX-License-Identifier: Apache-2.0

from trove.datastores.enginelib import protection
from trove.datastores.mysql_family import protected as mysql
from trove.datastores.postgresql import protected as postgresql
from trove.datastores.redis_family import protected as redis
from trove.tests import base


class TestProtection(base.UnitTestCase):
    def test_names_however_they_are_spelt(self) -> None:
        one = protection.Protection({"data_dir"}, ("ssl_",))
        for name in ("data_dir", "DATA-DIR", "ssl_ca", "SSL-key"):
            self.assertTrue(one.covers(name), name)
        for name in ("data", "data_dirs", "ssl", "no_ssl_ca"):
            self.assertFalse(one.covers(name), name)
        self.assertFalse(protection.Protection(set()).covers("anything"))

    def test_the_lists_are_in_the_spelling_that_is_compared(self) -> None:
        for one in (mysql.PROTECTION, postgresql.PROTECTION, redis.PROTECTION):
            for name in (*one.names, *one.prefixes):
                self.assertEqual(name.lower().replace("-", "_"), name)
