# SPDX-License-Identifier: Apache-2.0
# covers: trove/api/controllers
# covers: trove/api/schemas
# covers: trove/api/views
"""Walks over all routes: each is in the reference with every member of its bodies, and with samples that a test
writes."""

import importlib
import inspect
import pkgutil
import re

import yaml

from trove.api import routes, schemas
from trove.api.routes import Route
from trove.tests import base
from trove.tests.functional import samples
from trove.tests.functional.samples import reference
from trove.tests.functional.samples.base import FOLDER, Sample


def documented() -> list[Sample]:
    """Return what the tests of this package document."""
    found = []
    for info in pkgutil.iter_modules(samples.__path__, f"{samples.__name__}."):
        for _, case in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
            if case.__module__ == info.name:
                found += [test.sample for _, test in inspect.getmembers(case) if hasattr(test, "sample")]
    return found


#: Those that can succeed: the reference lists the others with what they lack, and has nothing to show of them.
ROUTES = [route for route in routes.ROUTES if route.lacks is None]


class WalkTest(base.UnitTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.samples = documented()
        self.entries = reference.entries()
        self.schemas = schemas.load()
        self.words = yaml.safe_load((reference.SOURCE / "parameters.yaml").read_text("utf-8"))

    def entries_of(self, route: Route) -> list[reference.Entry]:
        """Return the entries of one route; an action has several."""
        return [entry for entry in self.entries if (entry.method, entry.path) == (route.method, route.path)]

    def test_every_route_has_a_sample(self) -> None:
        self.assertEqual({route.handler for route in ROUTES}, {sample.handler for sample in self.samples})

    def test_every_sample_is_written_by_one_test(self) -> None:
        written = [name for sample in self.samples for name in sample.files()]
        self.assertEqual(sorted(set(written)), sorted(written))
        self.assertEqual(sorted(path.name for path in FOLDER.iterdir()), sorted(written))

    def test_every_route_has_an_entry_and_every_entry_a_route(self) -> None:
        expected = {(route.method, route.path) for route in ROUTES}
        self.assertEqual(expected, {(entry.method, entry.path) for entry in self.entries})

    def test_entries_show_the_samples_of_their_route(self) -> None:
        for route in ROUTES:
            mine = [name for sample in self.samples if sample.handler == route.handler for name in sample.files()]
            shown = [name for entry in self.entries_of(route) for name in entry.samples]
            self.assertEqual(sorted(mine), sorted(shown), route.handler)

    def test_entries_name_the_status(self) -> None:
        for route in ROUTES:
            self.assertEqual({route.status}, {entry.status for entry in self.entries_of(route)}, route.handler)

    def test_entries_name_every_member_of_the_request(self) -> None:
        for route in ROUTES:
            expected = set(re.findall(r"{(\w+)}", route.path))
            for name in (route.query, route.request):
                expected |= set(reference.members(self.schemas[name])) if name else set()
            named = {name: word for entry in self.entries_of(route) for name, word in entry.request.items()}
            headers = {name for name, word in named.items() if self.words[word]["in"] == "header"}
            self.assertEqual(expected, set(named) - headers, route.handler)

    def test_entries_name_every_member_of_the_answer(self) -> None:
        for route in ROUTES:
            expected = set(reference.members(self.schemas[route.response])) if route.response else set()
            named = {name for entry in self.entries_of(route) for name in entry.response}
            self.assertEqual(expected, named, route.handler)

    def test_routes_of_a_later_version_say_so(self) -> None:
        for route in ROUTES:
            headers = {"OpenStack-API-Version"} if route.min_version > (1, 0) else set()
            for entry in self.entries_of(route):
                self.assertEqual(headers, {"OpenStack-API-Version"} & set(entry.request), route.handler)

    def test_every_word_is_used(self) -> None:
        used = {word for entry in self.entries for word in (*entry.request.values(), *entry.response.values())}
        self.assertEqual(set(), set(self.words) - used)

    def test_every_page_is_included(self) -> None:
        index = (reference.SOURCE / "index.rst").read_text("utf-8")
        included = re.findall(r"^\.\. include:: (\S+)$", index, re.MULTILINE)
        self.assertEqual(sorted(path.name for path in reference.SOURCE.glob("*.inc")), sorted(included))
