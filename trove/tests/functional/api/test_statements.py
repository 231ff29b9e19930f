# SPDX-License-Identifier: Apache-2.0
"""Every read is a fixed number of SQL statements: as many among many rows as among few, for every route there is. A
creation looks each thing up once."""

from typing import Any

import sqlalchemy as sa

from trove.api import routes
from trove.datastores.postgresql.plugin import PostgreSQL
from trove.tests.fixtures.crowd import Crowd
from trove.tests.functional.api import base, world

#: Most statements of a read. A read of the inside of an instance looks up the instance first, and a page of operations
#: has their steps.
MOST = 4
#: Most statements of a creation: the least that a request may have, and one with a configuration group and a module.
MOST_OF_A_CREATION = 23
MOST_OF_A_FULL_CREATION = 28
#: The answer of reads of what there is none of: still a fixed number of statements.
_ABSENT = "00000000-0000-0000-0000-000000000000"


class Counted(base.ApiTestCase):
    """Notes the statements that are sent, and their parameters."""

    def setUp(self) -> None:
        super().setUp()
        self.statements: list[tuple[str, str]] = []
        for engine in {self.db.engine, self.db._reader_engine}:
            sa.event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self.statements.append((statement, str(parameters)))


class StatementsTest(Counted):
    options = {"auth_strategy": "noauth", "noauth_admin": True}

    def plugins(self) -> dict[str, Any]:
        return {"postgresql": PostgreSQL()}

    def costs(self, crowd: Crowd) -> dict[str, list[tuple[str, str]]]:
        """Return the statements of every GET below a project."""
        found = {}
        for route in routes.ROUTES:
            if route.method != "GET" or "{project_id}" not in route.path:
                continue
            absent = dict.fromkeys((name for name in _parameters(route.path) if name not in crowd.names), _ABSENT)
            crowd.names.update(absent)
            url = crowd.url(route.path)
            for name in absent:
                del crowd.names[name]
            assert url is not None
            self.statements.clear()
            answer = self.call("GET", f"/{url}", version=base.LATEST, project=crowd.names["project_id"])
            self.assertLess(answer.status_int, 502, url)
            if not absent:
                self.assertIn(answer.status_int, (200, 204, 501), f"{url}: {answer.text}")
            found[route.path] = list(self.statements)
        return found

    def test_as_many_among_many_rows_as_among_few(self) -> None:
        few = self.costs(Crowd(self.db, projects=1, instances=1, inside=1))
        self.assertGreater(len(few), 50)
        many = self.costs(Crowd(self.db, projects=5, instances=25, inside=7))
        self.assertEqual({}, {path: sent for path, sent in many.items() if len(sent) > MOST})
        different = {path: (len(few[path]), len(many[path])) for path in few if len(few[path]) != len(many[path])}
        self.assertEqual({}, different)


class CreationTest(Counted, world.InstanceTestCase):
    def test_each_thing_is_looked_up_once(self) -> None:
        self.create()  # the first one of a project makes the rows of its quota
        for most, more in ((MOST_OF_A_CREATION, {}), (MOST_OF_A_FULL_CREATION, self.full())):
            self.statements.clear()
            self.create(**more)
            self.assertLessEqual(len(self.statements), most)
            # Who holds a claim is asked once more after it was taken; that is no look-up.
            looks = [item for item in self.statements if item[0].startswith("SELECT") and "claim" not in item[0]]
            self.assertEqual([], [item for item in looks if looks.count(item) > 1])

    def full(self) -> dict[str, Any]:
        """Return what a request may have besides what it must have."""
        group = {"configuration": {"name": "g", "values": {"work_mem": "16MB"}}}
        module = {"module": {"name": "m", "module_type": "ping", "contents": "bWVzc2FnZT14"}}
        return {
            "configuration": self.call("POST", "/configurations", group, status=200).json["configuration"]["id"],
            "modules": [{"id": self.call("POST", "/modules", module, status=200).json["module"]["id"]}],
            "databases": [{"name": "shop"}],
            "users": [{"name": "app", "password": "s3cret-Pa55word", "databases": [{"name": "shop"}]}],
        }


def _parameters(path: str) -> list[str]:
    return [segment[1:-1] for segment in path.split("/") if segment.startswith("{")]
