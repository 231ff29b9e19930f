# SPDX-License-Identifier: Apache-2.0
"""What is kept of a guest's words, and what it may be sent."""

import json

import hypothesis
from hypothesis import strategies as st

from trove.tests import base as tests
from trove.wire import base, command, stated

KNOWN = {name: [1] for name, _ in command.COMMANDS}
BOTH = (base.PROTOCOL_MIN, base.PROTOCOL_MAX)


class KeepTest(tests.UnitTestCase):
    def test_what_nobody_knows_yet_is_kept(self) -> None:
        said = {"restart": [1, 7], "dance": [2, 1], "stop": [9]}
        self.assertEqual({"restart": [1, 7], "dance": [1, 2], "stop": [9]}, stated.keep(said))
        self.assertEqual(KNOWN, stated.keep(KNOWN))
        self.assertEqual({}, stated.keep({}))

    def test_it_is_bounded_and_what_is_known_comes_first(self) -> None:
        hostile = {f"a{number:063}": list(range(1, 101)) for number in range(500)} | {name: [1] for name in KNOWN}
        kept = stated.keep(hostile)
        self.assertEqual(KNOWN, {name: versions for name, versions in kept.items() if name in KNOWN})
        self.assertLess(len(json.dumps(kept)), 16_000)
        self.assertGreater(len(kept), len(KNOWN))

    @hypothesis.given(st.dictionaries(
        st.sampled_from([*sorted(KNOWN)[:3], "dance", "sing"]), st.lists(st.integers(0, 2**16), max_size=5)))
    def test_nothing_is_made_up(self, said: dict[str, list[int]]) -> None:
        kept = stated.keep(said)
        self.assertEqual(kept, stated.keep(kept))
        self.assertEqual({name: sorted(set(versions)) for name, versions in said.items() if versions}, kept)


class UnderstandsTest(tests.UnitTestCase):
    def test_commands(self) -> None:
        said = {"restart": [1, 7]}
        for name, version, expected in (("restart", 1, True), ("restart", 7, True), ("restart", 2, False),
                                        ("stop", 1, False)):  # fmt: skip
            self.assertEqual(expected, stated.understands(said, BOTH, name, version), (name, version))

    def test_protocols(self) -> None:
        for protocol, plain, in_term in (
            ((1, 1), True, False),
            ((1, base.TERMS_PROTOCOL), True, True),
            ((1, 99), True, True),
            ((base.PROTOCOL_MAX, base.PROTOCOL_MAX), True, True),
            ((base.PROTOCOL_MAX + 1, 99), False, False),
            ((0, 0), False, False),
        ):
            self.assertEqual(plain, stated.understands(KNOWN, protocol, "restart", 1), protocol)
            self.assertEqual(in_term, stated.understands(KNOWN, protocol, "restart", 1, in_term=True), protocol)
