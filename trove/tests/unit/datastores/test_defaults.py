# SPDX-License-Identifier: Apache-2.0

from trove.datastores import defaults, parameters
from trove.datastores.enginelib.protection import Protection
from trove.tests import base


class TestDefaults(base.UnitTestCase):
    known = {
        item.name: item
        for item in (
            parameters.Parameter("a_size", "integer"),
            parameters.Parameter("b", "boolean"),
            parameters.Parameter("c", "float"),
            parameters.Parameter("d", "integer", unit="kB"),
            parameters.Parameter("e", "string"),
            parameters.Parameter("f", "integer", protected=True),
            parameters.Parameter("g", "integer"),
            parameters.Parameter("h", "enum", values=("on", "off")),
        )
    }

    def test_values_are_as_a_group_may_have_them(self) -> None:
        template = {
            "e": "12",
            "a_size": "64M",
            "b": "ON",
            "c": "0.5",
            "d": "16MB",
            "f": "1",
            "g": "-1",
            "h": "on",
            "x": "y",
        }
        self.assertEqual(
            {"a_size": 64 * 2**20, "b": True, "c": 0.5, "d": "16MB", "e": "12", "g": -1, "h": "on"},
            defaults.configuration(self.known, template),
        )

    def test_protect(self) -> None:
        marked = defaults.protect(self.known, Protection({"a_size"}))
        self.assertEqual({"a_size", "f"}, {name for name, parameter in marked.items() if parameter.protected})

    def test_a_floor_is_the_minimum_unless_0_switches_a_limit_off(self) -> None:
        known = {item.name: item for item in (
            parameters.Parameter("limit", "integer", min=0), parameters.Parameter("size", "integer", min=1),
            parameters.Parameter("other", "integer", min=1),
        )}  # fmt: skip
        found = defaults.protect(known, Protection(()), {"limit": 10, "size": 10})
        self.assertEqual({"limit": (0, 10), "size": (10, 10), "other": (1, None)},
                         {name: (item.min, item.floor) for name, item in found.items()})  # fmt: skip
