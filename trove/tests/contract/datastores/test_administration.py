# SPDX-License-Identifier: Apache-2.0
"""Databases, users, access and root on a real engine, seen from a tenant's side."""

from trove.datastores import spi
from trove.tests.contract.datastores import clients, engines, words
from trove.wire import command

#: Legal wherever names are quoted as they must be; each would do harm where they are not.
HOSTILE_NAMES = (
    "'; DROP TABLE x; --",
    '"; DROP DATABASE postgres; --',
    "%s %(name)s {} {0}",
    "`; DROP DATABASE `x` -- \'",
    "back\\slash\nnew line",
    "dbname=postgres host=elsewhere",
    "Größe→数据",
)


def database(name: str) -> command.DatabaseSpec:
    return command.DatabaseSpec(name=name)


def user(name: str, password: str = "pw", *databases: str) -> command.UserSpec:
    return command.UserSpec(name=name, password=password, databases=list(databases))


def key(name: str) -> command.UserKey:
    return command.UserKey(name=name)


class Administration(engines.EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.one = self.prepared()
        self.words = words.WORDS[self.manager]

    def create(self, databases: list[str], users: list[command.UserSpec]) -> None:
        self.one.do(command.CreateDatabases(databases=[database(name) for name in databases]))
        self.one.do(command.CreateUsers(users=users))

    def inventory(self) -> spi.InventorySnapshot:
        found = self.one.handler.inventory()
        assert found is not None
        return found

    def access(self) -> dict[str, list[str]]:
        return {item.name: item.databases for item in self.inventory().users}

    def enter(self, name: str, password: str, where: str) -> clients.Client:
        client = self.one.connect(name, password, where)
        self.addCleanup(client.close)
        return client

    def assert_shut_out(self, name: str, password: str, where: str) -> None:
        self.assertRaises(clients.Refused, self.one.connect, name, password, where)

    def test_hostile_names_and_passwords(self) -> None:
        self.assertEqual([], self.one.plugin.validate_databases([{"name": name} for name in HOSTILE_NAMES]))
        users = [user(name, name * 2, name) for name in HOSTILE_NAMES]
        self.create(list(HOSTILE_NAMES), users)
        self.assertEqual(sorted(HOSTILE_NAMES), sorted(item.name for item in self.inventory().databases))
        self.assertEqual({name: [name] for name in HOSTILE_NAMES}, self.access())
        for name in HOSTILE_NAMES:
            client = self.enter(name, name * 2, name)
            client.execute("CREATE TABLE t (x text)")
            client.execute("INSERT INTO t VALUES (%s)", name)
            self.one.do(command.AlterUser(user=key(name), new_name=name[::-1], new_password=name + "'"))
            self.assertEqual([(name,)], self.enter(name[::-1], name + "'", name).execute("SELECT x FROM t"))
            self.one.do(command.DropUser(user=key(name[::-1])))
            self.one.do(command.DropDatabase(database=name))
        self.assertEqual(spi.InventorySnapshot(), self.inventory())

    def test_access_is_real(self) -> None:
        self.create(["a", "b"], [user("ann", "pa", "a"), user("bob", "pb", "b"), user("eve", "pe")])
        self.assertEqual({"ann": ["a"], "bob": ["b"], "eve": []}, self.access())
        self.enter("ann", "pa", "a")
        for name, password, where in (("ann", "pa", "b"), ("bob", "pb", "a"), ("eve", "pe", "a"), ("ann", "pb", "a")):
            self.assert_shut_out(name, password, where)
        self.one.do(command.GrantAccess(user=key("eve"), databases=["a", "b"]))
        self.one.do(command.GrantAccess(user=key("eve"), databases=["a", "b"]))
        self.assertEqual(["a", "b"], self.access()["eve"])
        self.enter("eve", "pe", "b").execute("CREATE TABLE of_eve (n int)")
        self.one.do(command.RevokeAccess(user=key("eve"), database="b"))
        self.one.do(command.RevokeAccess(user=key("eve"), database="b"))
        self.assertEqual(["a"], self.access()["eve"])
        self.assert_shut_out("eve", "pe", "b")
        self.enter("bob", "pb", "b").execute("INSERT INTO of_eve VALUES (1)")

    def test_revoking_ends_open_connections(self) -> None:
        self.create(["a"], [user("ann", "pa", "a")])
        client = self.enter("ann", "pa", "a")
        client.execute("CREATE TABLE t (n int)")
        self.one.do(command.RevokeAccess(user=key("ann"), database="a"))
        self.assertRaises(clients.Failed, client.execute, "SELECT * FROM t")

    def test_users_of_one_database_share_what_they_make(self) -> None:
        self.create(["a"], [user("ann", "pa", "a"), user("bob", "pb", "a")])
        ann, bob = self.enter("ann", "pa", "a"), self.enter("bob", "pb", "a")
        ann.execute("CREATE TABLE t (n int)")
        bob.execute("INSERT INTO t VALUES (1)")
        bob.execute("ALTER TABLE t ADD COLUMN m int")
        ann.execute("UPDATE t SET m = 2")
        self.assertEqual([(1, 2)], bob.execute("SELECT n, m FROM t"))

    def test_a_dropped_user_leaves_its_data(self) -> None:
        self.create(["a", "b"], [user("ann", "pa", "a", "b"), user("bob", "pb", "a", "b")])
        for where in ("a", "b"):
            client = self.enter("ann", "pa", where)
            client.execute("CREATE TABLE t (n int)")
            client.execute("INSERT INTO t VALUES (7)")
        self.one.do(command.DropUser(user=key("ann")))
        self.one.do(command.DropUser(user=key("ann")))
        self.assertEqual({"bob": ["a", "b"]}, self.access())
        self.assert_shut_out("ann", "pa", "a")
        for where in ("a", "b"):
            self.assertEqual([(7,)], self.enter("bob", "pb", where).execute("SELECT n FROM t"))
        # The name is free, and carries nothing over.
        self.one.do(command.CreateUsers(users=[user("ann", "new")]))
        self.assert_shut_out("ann", "new", "a")

    def test_a_new_name_keeps_password_and_access(self) -> None:
        self.create(["a"], [user("ann", "pa", "a"), user("bob", "pb")])
        self.assert_refused("user.exists", self.one.do, command.AlterUser(user=key("ann"), new_name="bob"))
        self.one.do(command.AlterUser(user=key("ann"), new_name="anna"))
        self.enter("anna", "pa", "a")
        self.one.do(command.AlterUser(user=key("ann"), new_name="anna"))
        self.one.do(command.AlterUser(user=key("anna"), new_password="other"))
        self.enter("anna", "other", "a")
        self.assert_shut_out("anna", "pa", "a")
        self.assert_refused("user.not_found", self.one.do, command.AlterUser(user=key("nobody"), new_password="x"))

    def test_creating_again_is_success_only_when_it_is_the_same(self) -> None:
        self.create(["a"], [user("ann", "pa", "a")])
        self.create(["a", "b"], [user("ann", "pa", "a", "b")])
        self.assertEqual({"ann": ["a", "b"]}, self.access())
        self.assert_refused("user.exists", self.one.do, command.CreateUsers(users=[user("ann", "another")]))
        self.enter("ann", "pa", "a")
        other = command.DatabaseSpec(name="a", character_set=self.words.charset[0])
        self.assert_refused("database.exists", self.one.do, command.CreateDatabases(databases=[other]))

    def test_what_cannot_be_made_is_said(self) -> None:
        error = self.assert_refused("database.not_found", self.create, [], [user("ann", "pa", "missing")])
        self.assertIn("missing", error.message)
        self.assertEqual({}, self.access())
        wrong = command.DatabaseSpec(name="a", collate=self.words.wrong_collation)
        error = self.assert_refused("database.collation", self.one.do, command.CreateDatabases(databases=[wrong]))
        self.assertIn(self.words.wrong_collation, error.message)
        wrong = command.DatabaseSpec(name="a", character_set=self.words.wrong_charset)
        self.assert_refused("database.character_set", self.one.do, command.CreateDatabases(databases=[wrong]))
        self.assert_refused("user.not_found", self.one.do, command.GrantAccess(user=key("x"), databases=[]))

    def test_character_sets(self) -> None:
        (charset, collation), reported = self.words.utf8
        wanted = [
            command.DatabaseSpec(name="l1", character_set=self.words.charset[0]),
            command.DatabaseSpec(name="u", character_set=charset, collate=collation),
        ]
        self.assertEqual(
            [],
            self.one.plugin.validate_databases(
                [{"name": item.name, "character_set": item.character_set, "collate": item.collate} for item in wanted]
            ),
        )
        self.one.do(command.CreateDatabases(databases=wanted))
        self.one.do(command.CreateDatabases(databases=wanted))
        found = {item.name: (item.character_set, item.collate) for item in self.inventory().databases}
        self.assertEqual({"l1": self.words.charset[1:], "u": reported}, found)
        # A name that the database's own character set cannot hold.
        self.one.do(command.CreateUsers(users=[user("数据", "pw", "l1")]))
        self.enter("数据", "pw", "l1").execute("CREATE TABLE t (n int)")
        self.one.do(command.RevokeAccess(user=key("数据"), database="l1"))
        self.one.do(command.DropUser(user=key("数据")))

    def test_the_engines_own_names_are_refused(self) -> None:
        for name in self.words.own_databases:
            self.assertTrue(self.one.plugin.validate_databases([{"name": name}]), name)
            self.assert_refused("database.reserved", self.one.do, command.CreateDatabases(databases=[database(name)]))
            self.assert_refused("database.reserved", self.one.do, command.DropDatabase(database=name))
        for name in self.words.own_users:
            self.assertTrue(self.one.plugin.validate_users([{"name": name}]), name)
            self.assert_refused("user.reserved", self.one.do, command.CreateUsers(users=[user(name)]))
            self.assert_refused("user.reserved", self.one.do, command.DropUser(user=key(name)))
            self.assert_refused("user.reserved", self.one.do, command.AlterUser(user=key(name), new_password="x"))
        self.assertEqual("healthy", self.one.handler.status().status)

    def test_a_used_database_can_be_dropped(self) -> None:
        self.create(["a"], [user("ann", "pa", "a")])
        client = self.enter("ann", "pa", "a")
        client.execute("CREATE TABLE t (n int)")
        self.one.do(command.DropDatabase(database="a"))
        self.one.do(command.DropDatabase(database="a"))
        self.assertEqual({"ann": []}, self.access())
        self.one.do(command.CreateDatabases(databases=[database("a")]))
        self.assert_shut_out("ann", "pa", "a")

    def test_root(self) -> None:
        self.create(["a"], [user("ann", "pa", "a")])
        self.enter("ann", "pa", "a").execute("CREATE TABLE t (n int)")
        self.assertFalse(self.inventory().root_enabled)
        self.one.do(command.DisableRoot())
        name = self.one.plugin.root_name
        for password in ("first", "second"):
            self.one.do(command.EnableRoot(password=password))
            self.enter(name, password, "a").execute("INSERT INTO t VALUES (1)")
        self.assert_shut_out(name, "first", "a")
        self.assertTrue(self.inventory().root_enabled)
        self.one.do(command.CreateDatabases(databases=[database("later")]))
        self.enter(name, "second", "later").execute("CREATE TABLE t (n int)")
        self.assertEqual({"ann": ["a"]}, self.access())
        self.one.do(command.DisableRoot())
        self.one.do(command.DisableRoot())
        self.assertFalse(self.inventory().root_enabled)
        self.assert_shut_out(name, "second", "a")

    def test_a_stopped_engine_cannot_be_asked(self) -> None:
        self.one.do(command.StopEngine())
        self.assertIsNone(self.one.handler.inventory())
        self.assert_refused("engine.unavailable", self.one.do, command.CreateDatabases(databases=[database("a")]))


engines.for_each_engine(globals(), Administration, newest_only=True, needs=spi.Capability.DATABASES)
