# SPDX-License-Identifier: Apache-2.0
from typing import Any

from trove.api import microversions, schemas, validation
from trove.api.schemas import atoms
from trove.common import exception
from trove.tests import base

_USER = atoms.document({"name": atoms.NAME, "password": {"type": "string", "minLength": 8, "pattern": "^[a-z]+$"}})
_SCHEMA = atoms.document(
    {
        "instance": atoms.document(
            {
                "name": atoms.NAME,
                "size": {"type": "integer", "minimum": 1, "maximum": 10},
                "id": atoms.UUID,
                "users": {"type": "array", "items": _USER, "uniqueItems": True, "maxItems": 50},
                "mode": {"enum": ["a", "b"]},
                "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "flag": atoms.BOOL_INT,
            },
            optional=("size", "id", "users", "mode", "either", "flag"),
            **{"x-ignore-unknown-until": "1.1"},
        )
    }
)


class ValidatorsTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.validators = validation.Validators({"s": _SCHEMA})

    def reasons(self, value: Any, version: Any = microversions.MAX) -> list[str]:
        try:
            self.validators.check("s", value, version)
        except exception.ValidationFailed as error:
            self.assertEqual("Validation error: " + "; ".join(error.reasons), str(error))
            return list(error.reasons)
        return []

    def one(self, **instance: Any) -> list[str]:
        return self.reasons({"instance": {"name": "x", **instance}})

    def test_all_reasons_at_once(self) -> None:
        found = self.reasons({"instance": {"size": 0, "users": [{"name": "u"}, 7], "mode": "c"}})
        self.assertEqual(
            {
                "instance.name is required",
                "instance.size must be at least 1",
                "instance.users[0].password is required",
                "instance.users[1] must be an object",
                "instance.mode must be one of a, b",
            },
            set(found),
        )

    def test_a_slash_is_refused_in_new_names_and_hosts_only(self) -> None:
        found = validation.Validators(schemas.load())

        def reasons(name: str, body: Any) -> list[str]:
            try:
                found.check(name, body, microversions.MIN)
            except exception.ValidationFailed as error:
                return list(error.reasons)
            return []

        network = "10.0.0.0/255.0.0.0"
        why = "must not have a '/', which existing clients cannot write into a path"
        user = {"name": "a/b", "password": "p", "host": network}
        self.assertEqual(
            {f"users[0].name {why}", f"users[0].host {why}"}, set(reasons("user.create", {"users": [user]}))
        )
        self.assertEqual([f"user.host {why}"], reasons("user.update", {"user": {"host": network}}))
        self.assertEqual([], reasons("user.update_all", {"users": [user]}))
        # Null is no text, so the rule is not for it: it leaves what it names as it is.
        for member in ("name", "host"):
            self.assertEqual([], reasons("user.update", {"user": {member: None, "password": "p"}}))
        self.assertEqual(["user.name must be a string or null"], reasons("user.update", {"user": {"name": 5}}))

    def test_values_are_never_repeated(self) -> None:
        secret = "Hunter2-Hunter2"
        for users in (
            [{"name": "u", "password": secret}],
            [{"name": "u", "password": [secret]}],
            [secret],
            secret,
            {"a": secret},
            [{"name": secret * 30, "password": secret}],
            [{"name": "u", "password": "x", "extra": secret}],
        ):
            found = self.one(users=users)
            self.assertTrue(found)
            self.assertNotIn(secret, "".join(found))

    def test_bodies_that_are_no_objects(self) -> None:
        for value in ([], "x", 1, None, True, []):
            self.assertEqual(["body must be an object"], self.reasons(value))
        self.assertEqual(["instance is required"], self.reasons({}))

    def test_unknown_members(self) -> None:
        value = {"instance": {"name": "x", "later": 1}}
        self.assertEqual([], self.reasons(value, microversions.MIN))
        self.assertEqual(["instance.later is not allowed"], self.reasons(value))
        self.assertEqual(
            ["later is not allowed"], self.reasons({"instance": {"name": "x"}, "later": 1}, microversions.MIN)
        )

    def test_names_of_members_are_tamed(self) -> None:
        (reason,) = self.reasons({"instance": {"name": "x"}, "a\n<b>" + "x" * 100: 1})
        self.assertNotIn("\n", reason)
        self.assertLess(len(reason), 120)

    def test_integers(self) -> None:
        for value in (True, 1.0, "1", None):
            self.assertEqual(["instance.size must be an integer"], self.one(size=value))

    def test_the_end_of_a_pattern_is_the_end(self) -> None:
        good = "0d9f0000-0000-4000-8000-00000000000A"
        self.assertEqual([], self.one(id=good))
        self.assertEqual(["instance.id must be a UUID"], self.one(id=good + "\n"))

    def test_zero_and_one_pass_for_booleans(self) -> None:
        for value in (0, 1, True, False):
            self.assertEqual([], self.one(flag=value))
        for value in (2, "true", None):
            self.assertEqual(["instance.flag must be true or false"], self.one(flag=value))

    def test_forms(self) -> None:
        self.assertEqual(["instance.either has none of the allowed forms"], self.one(either=[]))

    def test_no_more_than_twenty(self) -> None:
        self.assertEqual(20, len(self.one(users=[{"a": n} for n in range(40)])))
