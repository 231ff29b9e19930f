# SPDX-License-Identifier: Apache-2.0
"""Which character sets and collations there are in MariaDB and MySQL, and which go together. Pure.

A collation's name begins with its character set. What stands behind it is data here, as
``information_schema.COLLATIONS`` of MariaDB 10.11 and the MySQL manual ("Supported Character Sets and Collations") have
it. Those of the Unicode Collation Algorithm 4.0 and 5.2 are in both sisters, the newer ones in one of them each, under
names of a pattern (``utf8mb4_de_pb_0900_ai_ci``, ``uca1400_german2_as_ci``).
"""

import re
from collections.abc import Mapping

_LANGUAGES = (
    "icelandic", "latvian", "romanian", "slovenian", "polish", "estonian", "spanish", "swedish", "turkish", "czech",
    "danish", "lithuanian", "slovak", "spanish2", "roman", "persian", "esperanto", "hungarian", "sinhala", "german2",
    "croatian", "vietnamese",
)  # fmt: skip
_UNICODE_SETS = ("ucs2", "utf16", "utf32", "utf8mb3", "utf8mb4")
_UNICODE = ("general_ci", "bin", "unicode_ci", "unicode_520_ci", *(f"{language}_ci" for language in _LANGUAGES))
_GENERAL = ("general_ci", "bin")
#: What has only these two.
_PLAIN = (
    "armscii8", "ascii", "cp1256", "cp850", "cp852", "cp866", "geostd8", "greek", "hebrew", "keybcs2", "koi8r", "koi8u",
    "macce", "macroman", "utf16le",
)  # fmt: skip
#: What has one, for one language, and "bin".
_LOCAL = {
    "big5": "chinese_ci", "gb2312": "chinese_ci", "gbk": "chinese_ci", "cp932": "japanese_ci", "eucjpms": "japanese_ci",
    "sjis": "japanese_ci", "ujis": "japanese_ci", "euckr": "korean_ci", "tis620": "thai_ci", "dec8": "swedish_ci",
    "swe7": "swedish_ci", "hp8": "english_ci", "latin5": "turkish_ci",
}  # fmt: skip
#: {character set: what may stand behind its name}
_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_PLAIN, _GENERAL),
    **{name: (suffix, "bin") for name, suffix in _LOCAL.items()},
    **dict.fromkeys(_UNICODE_SETS, _UNICODE),
    **dict.fromkeys(("ucs2", "utf8mb3"), (*_UNICODE, "general_mysql500_ci")),
    "binary": (),
    "cp1250": (*_GENERAL, "czech_cs", "croatian_ci", "polish_ci"),
    "cp1251": (*_GENERAL, "general_cs", "bulgarian_ci", "ukrainian_ci"),
    "cp1257": (*_GENERAL, "lithuanian_ci"),
    "latin1": (*_GENERAL, "swedish_ci", "general_cs", "danish_ci", "german1_ci", "german2_ci", "spanish_ci"),
    "latin2": (*_GENERAL, "czech_cs", "croatian_ci", "hungarian_ci"),
    "latin7": (*_GENERAL, "general_cs", "estonian_cs"),
}
#: {datastore: what it has beyond that}
_MORE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "mariadb": {},
    "mysql": {"gb18030": ("chinese_ci", "bin", "unicode_520_ci")},
}
_UCA_1400 = re.compile(r"uca1400(_[a-z]+2?)?(_nopad)?_a[is]_c[is]")
_UCA_0900 = re.compile(r"([a-z]{2}(_[a-z]{2,8})?_)?0900_(a[is]_c[is](_ks)?|bin)")
_MARIADB_ONLY = re.compile(r"croatian_mysql561_ci|myanmar_ci|thai_520_w2|[a-z0-9_]*nopad_(ci|bin)")


def full_name(name: str) -> str:
    """Return a name as the servers write it now: ``utf8`` is ``utf8mb3``."""
    return re.sub(r"^utf8(?=_|$)", "utf8mb3", name.lower())


def problem(datastore: str, character_set: str | None, collation: str | None) -> str | None:
    """Return why a database cannot have these, with what is possible, or ``None``.

    :param datastore: ``mariadb`` or ``mysql``.
    """
    known = {**_SUFFIXES, **_MORE[datastore]}
    charset = full_name(character_set) if character_set else None
    if charset is not None and charset not in known:
        return f"there is no character set '{character_set}'; possible are {', '.join(sorted([*known, 'utf8']))}"
    if not collation:
        return None
    found = _sets_of(datastore, full_name(collation), known)
    if not found:
        return f"there is no collation '{collation}'; possible are {_possible(charset or 'utf8mb4', known)}"
    if charset is not None and charset not in found:
        return (
            f"the collation '{collation}' does not go with the character set '{character_set}'; possible are "
            f"{_possible(charset, known)}"
        )
    return None


def _sets_of(datastore: str, collation: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the character sets that a collation is of; none when there is no such collation."""
    if collation == "binary":
        return ("binary",)
    if datastore == "mariadb" and _UCA_1400.fullmatch(collation):
        return _UNICODE_SETS
    charset, _, suffix = collation.partition("_")
    if charset not in known or not suffix:
        return ()
    there = suffix in known[charset]
    if datastore == "mariadb":
        there |= bool(_MARIADB_ONLY.fullmatch(suffix) or (charset in _UNICODE_SETS and _UCA_1400.fullmatch(suffix)))
    # MariaDB has them since 11.4.5, under MySQL's names.
    there |= charset == "utf8mb4" and bool(_UCA_0900.fullmatch(suffix))
    return (charset,) if there else ()


def _possible(charset: str, known: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{charset}_{suffix}" for suffix in known[charset]) or charset
