# SPDX-License-Identifier: Apache-2.0
# covers: trove/policies
"""The table of personas, executed: every request as everybody, with tokens of a real Keystone."""

import pathlib
import string
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import quote

import yaml

from trove.api import routes
from trove.api.routes import Route
from trove.common import ids
from trove.tests import base as tests
from trove.tests.functional.api import base as api
from trove.tests.functional.policy import base

_TABLE = pathlib.Path(__file__).with_name("personas.yaml")
_STATUSES = {401: "unauthorized", 403: "forbidden"}


def table() -> dict[str, Any]:
    """Return the table."""
    return dict(yaml.safe_load(_TABLE.read_text()))


def operations() -> Iterator[tuple[str, Route, str | None]]:
    """Yield the table's name of every operation, its route, and the rule where the request decides which one counts."""
    for route in routes.ROUTES:
        name = f"{route.method} {route.path if route.public else route.path.removeprefix(routes.P)}"
        if len(route.policies) > 1:
            for rule in route.policies:
                yield f"{name} {rule}", route, rule
        else:
            yield name, route, None


class TableTest(tests.UnitTestCase):
    """The table is whole: these fail in a moment, and say what to write."""

    def test_every_operation_has_a_line(self) -> None:
        written, wanted = set(table()["operations"]), {name for name, _, _ in operations()}
        self.assertEqual(set(), wanted - written, f"add a line for each of these to operations in {_TABLE.name}")
        self.assertEqual(set(), written - wanted, f"no route has these any more; take them out of {_TABLE.name}")

    def test_every_rule_that_a_request_decides_has_an_example(self) -> None:
        written, wanted = set(table()["examples"]), {rule for _, _, rule in operations() if rule}
        self.assertEqual(set(), wanted - written, f"add a request that asks for each to examples in {_TABLE.name}")
        self.assertEqual(set(), written - wanted, f"no route asks for these; take them out of {_TABLE.name}")

    def test_every_kind_speaks_of_every_persona(self) -> None:
        whole = table()
        self.assertEqual(set(whole["kinds"]), set(whole["operations"].values()))
        for name, kind in whole["kinds"].items():
            self.assertEqual(set(whole["personas"]), set(kind), name)
            self.assertTrue(set(kind.values()) <= {"allowed", "forbidden", "unauthorized"}, name)


class PersonasTest(base.KeystoneTestCase):
    timeout: ClassVar[int] = 600

    def setUp(self) -> None:
        super().setUp()
        self.whole = table()
        for option in ("max_instances_per_tenant", "max_volumes_per_tenant"):
            self.conf.set_override(option, -1)
        self.project = self.keystone.project()
        self.headers = {name: self.log_in(who) for name, who in self.whole["personas"].items()}

    def log_in(self, who: dict[str, Any]) -> dict[str, str]:
        """Return the headers of a persona's requests."""
        if "roles" not in who:
            return {"X-Auth-Token": ""}
        project = None if "project" in who else self.project
        account = self.keystone.account(*who["roles"], project_id=project, system=who.get("system", False))
        headers = {"X-Auth-Token": self.keystone.token(account)}
        if "through" in who:
            headers["X-Service-Token"] = self.keystone.token(self.keystone.account(who["through"]))
        return headers

    def outcomes(self, app: Any) -> Iterator[tuple[str, str, str, str]]:
        """Send everything; yield operation, its kind, persona and outcome. Those who may least come first, because
        those who may more change what the next ones find."""
        for name, route, rule in operations():
            example = self.whole["examples"][rule] if rule else {}
            url = self.url(route, rule)
            for persona, headers in self.headers.items():
                body = example.get("body") if rule else {} if route.request else None
                sent = f"{url}?{example['query']}" if "query" in example else url
                answer = self.call(route.method, f"/{sent}", body, app=app, headers=headers, version=api.LATEST)
                yield name, self.whole["operations"][name], persona, _STATUSES.get(answer.status_int, "allowed")

    def url(self, route: Route, rule: str | None) -> str:
        """Return a path of the route; its instance exists where the handler looks for it before it asks the rule."""
        values = {name: ids.new_id() for _, name, _, _ in string.Formatter().parse(route.path) if name}
        values.update({"project_id": self.project, "quota_project_id": self.project})
        if rule and "instance_id" in values:
            values["instance_id"] = self.create(project=self.project)["id"]
        return route.path.format(**{name: quote(value, safe="") for name, value in values.items()})

    def test_the_table(self) -> None:
        app = self.make_app(self.strict())
        wrong = [
            f"{name} as {persona}: {outcome}, not {self.whole['kinds'][kind][persona]}"
            for name, kind, persona, outcome in self.outcomes(app)
            if outcome != self.whole["kinds"][kind][persona]
        ]
        self.assertEqual([], wrong)

    def test_old_defaults(self) -> None:
        """Until they are switched off, a role of the operator's own goes on to let its bearer do what a member may and
        a manager may; nobody else gains or loses anything, except that members may what managers may."""
        like = dict.fromkeys(("developer", "member", "passed_on"), "manager")
        wrong = []
        for name, kind, persona, outcome in self.outcomes(self.tokens):
            expected = self.whole["kinds"][kind][like.get(persona, persona)]
            if outcome != expected:
                wrong.append(f"{name} as {persona}: {outcome}, not {expected}")
        self.assertEqual([], wrong)

    def strict(self) -> Any:
        """Return a configuration in which only the new defaults count."""
        conf = self.keystone_conf()
        conf.set_override("enforce_new_defaults", True, "oslo_policy")
        return conf
