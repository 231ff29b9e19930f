# SPDX-License-Identifier: Apache-2.0

from trove.datastores.mysql_family import collations
from trove.tests import base


class TestCollations(base.UnitTestCase):
    def accepts(self, datastores: str, *pairs: tuple[str | None, str | None]) -> None:
        for datastore in datastores.split():
            for pair in pairs:
                self.assertIsNone(collations.problem(datastore, *pair), pair)

    def refuses(self, datastores: str, word: str, *pairs: tuple[str | None, str | None]) -> None:
        for datastore in datastores.split():
            for pair in pairs:
                self.assertIn(word, collations.problem(datastore, *pair) or "", pair)

    def test_what_both_have(self) -> None:
        self.accepts(
            "mariadb mysql",
            (None, None), ("", ""), ("utf8", "utf8_general_ci"), ("UTF8MB4", "utf8mb4_German2_CI"),
            (None, "latin1_bin"), ("utf8mb3", "utf8_bin"), ("latin1", None), ("binary", "binary"),
            ("gbk", "gbk_chinese_ci"),
        )  # fmt: skip

    def test_what_one_has(self) -> None:
        own = (("utf8mb4", "uca1400_german2_as_ci"), (None, "utf8mb4_uca1400_nopad_ai_cs"), (None, "latin1_nopad_bin"),
               ("utf8mb4", "utf8mb4_thai_520_w2"))  # fmt: skip
        self.accepts("mariadb", *own)
        self.refuses("mysql", "there is no collation", *own)
        self.accepts(
            "mysql", ("utf8mb4", "utf8mb4_de_pb_0900_ai_ci"), (None, "utf8mb4_ja_0900_as_cs_ks"), ("gb18030", None)
        )
        self.refuses("mariadb", "there is no character set 'gb18030'", ("gb18030", None))

    def test_a_refusal_lists_what_is_possible(self) -> None:
        self.refuses("mariadb mysql", "latin1, latin2", ("klingon", None))
        self.refuses("mariadb mysql", "utf8mb4_general_ci, utf8mb4_bin", (None, "x' COLLATE"), (None, "utf8mb4_xx_XX"))
        self.refuses("mariadb mysql", "latin7_general_ci, latin7_bin", ("latin7", "utf8_bin"), ("latin7", "latin7_x"))
        self.refuses("mariadb mysql", "does not go with", ("utf8", "utf8mb4_bin"), ("binary", "latin1_bin"))

    def test_utf8_has_two_names(self) -> None:
        self.assertEqual("utf8mb3", collations.full_name("UTF8"))
        self.assertEqual("utf8mb3_bin", collations.full_name("utf8_bin"))
        self.assertEqual("utf8mb4_bin", collations.full_name("utf8mb4_bin"))
