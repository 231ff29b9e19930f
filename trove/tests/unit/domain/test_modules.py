# SPDX-License-Identifier: Apache-2.0
"""Contents of modules as clients send them, and the order in which modules are applied."""

import base64

from trove.domain import modules
from trove.tests import base


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class ReadTest(base.UnitTestCase):
    def test_base64_is_decoded(self) -> None:
        self.assertEqual(("message=hällo\n", []), modules.read("ping", encoded("message=hällo\n")))

    def test_what_makes_sense_only_as_it_stands(self) -> None:
        self.assertEqual(("message=x", []), modules.read("ping", "message=x"))
        # Both Base64 and a plain line, which only the type can tell apart.
        plain = "message=" + "abcd"
        self.assertEqual((plain, []), modules.read("ping", plain))
        self.assertEqual(("abc!", []), modules.read("somebody's", "abc!"))

    def test_types_of_others_take_any_text(self) -> None:
        self.assertEqual(("anything", []), modules.read("somebody's", encoded("anything")))
        # Bytes that are no text stay as they were sent.
        sent = base64.b64encode(b"\xff\xfe").decode()
        self.assertEqual((sent, []), modules.read("somebody's", sent))

    def test_what_is_wrong(self) -> None:
        for kind, text, word in (
            ("ping", "nothing", "message=<text>"),
            ("ping", "message=", "message=<text>"),
            ("ping", "#message=x", "message=<text>"),
            ("ping", "message=" + "x" * 201, "200"),
            ("ping", "message=\x00", "no text"),
            ("ping", "message=\ud800", "no text"),
            ("ping", " \n", "empty"),
            ("somebody's", "x" * (modules.MAX_BYTES + 1), "bytes"),
            ("somebody's", "ü" * (modules.MAX_BYTES // 2 + 1), "bytes"),
            ("new_relic_license", "license_key=short", "license_key="),
            ("new_relic_license", "license_key=with blanks in it", "license_key="),
            ("new_relic_license", "key=0123456789", "license_key="),
        ):
            with self.subTest(f"{kind} {text[:20]!a}"):
                (reason,) = modules.reasons(kind, text)
                self.assertIn(word, reason)
                self.assertNotIn("with blanks", reason)

    def test_good_licenses(self) -> None:
        for text in ("license_key=0123456789abcdefNRAL", "# ours\r\n license_key = 0123-4567 \r\n"):
            self.assertEqual([], modules.reasons("new_relic_license", text))


class OrderTest(base.UnitTestCase):
    def test_priority_then_number_then_name(self) -> None:
        keys = [
            modules.order(priority_apply=priority, apply_order=number, name=name, module_id=module_id)
            for priority, number, name, module_id in (
                (True, 9, "z", "1"), (False, 0, "b", "1"), (False, 0, "c", "1"), (False, 0, "c", "2"),
                (False, 5, "a", "0"),
            )
        ]  # fmt: skip
        self.assertEqual(keys, sorted(keys))
