# SPDX-License-Identifier: Apache-2.0
"""How the generators of the parameters join what several servers say."""

import importlib.util
import pathlib

from trove.tests import base

_ROOT = pathlib.Path(__file__).resolve().parents[4]


def _load(name: str):  # type: ignore[no-untyped-def]  # a module made from a file has no static type
    spec = importlib.util.spec_from_file_location(f"parameters_{name}", _ROOT / "tools" / "parameters" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


redis_family = _load("redis_family")


class TestMerge(base.UnitTestCase):
    def test_since_and_until_are_series(self) -> None:
        found = redis_family.merge(
            redis_family.REDIS,
            {
                "8.0.2": {"kept": {"default": "2"}, "new": {"default": "x"}},
                "7.0.15": {"kept": {"default": "1"}, "gone": {"default": "y"}},
                "7.0.9": {"kept": {"default": "0"}},
            },
        )
        self.assertEqual(
            {
                "gone": {"default": "y", "until": "7"},
                "kept": {"default": "2"},
                "new": {"default": "x", "since": "8"},
            },
            found,
        )
