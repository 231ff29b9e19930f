#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write ``parameters.yaml`` of MariaDB and MySQL from what real servers say of themselves.

    python tools/parameters/mysql_family.py [mariadb] [mysql]

MariaDB has a catalogue, ``information_schema.SYSTEM_VARIABLES``. MySQL has types and ranges in
``performance_schema.variables_metadata`` (before 9.0: ranges only, in ``variables_info``); defaults are in
``mysqld --verbose --help``, which also tells what can be set in an option file at all. The rest is found out on the
running server, which is thrown away: whether a change needs a restart by setting each variable to what it is, and the
words of an enumeration by setting it to 0, 1, 2 and reading what that is called; those of one that cannot be set are
in its description.
"""

import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import catalogue
import pymysql

from trove.datastores.mysql_family import installations
from trove.datastores.mysql_family.plugin import FamilyPlugin
from trove.tests.contract.datastores import engines

#: Errors of a SET that say that it can only be done by an option: read only, not dynamic, session only.
_READ_ONLY = (1238, 1229, 1228)
_MARIADB_TYPES = {"BOOLEAN": "boolean", "ENUM": "enum", "DOUBLE": "float", "VARCHAR": "string", "SET": "string",
                  "FLAGSET": "string"}  # fmt: skip
_MYSQL_TYPES = {"Boolean": "boolean", "Enumeration": "enum", "Numeric": "float", "String": "string", "Set": "string"}
_ON_OFF = {"TRUE": "ON", "FALSE": "OFF"}
_LARGEST = 2**64 - 1
#: The one variable whose option has another name.
_TIME_ZONE = {"type": "time-zone", "default": "SYSTEM", "restart": False, "aliases": ["default_time_zone"]}


def ask(manager: str, version: str) -> catalogue.Parameters:
    """Return the settable parameters of one server."""
    with catalogue.running(manager, version) as one:
        (path,) = one.environment.state_dir.rglob("mysqld.sock")
        connection = pymysql.connect(
            unix_socket=str(path), user="os_admin", password=engines.ADMIN_PASSWORD, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            found = _mariadb(cursor, one) if manager == "mariadb" else _mysql(cursor, one)
        return {**found, "time_zone": _TIME_ZONE}


def _mariadb(cursor: Any, one: engines.Instance) -> catalogue.Parameters:
    cursor.execute(
        "SELECT VARIABLE_NAME, VARIABLE_TYPE, NUMERIC_MIN_VALUE, NUMERIC_MAX_VALUE, ENUM_VALUE_LIST, DEFAULT_VALUE, "
        "READ_ONLY, COMMAND_LINE_ARGUMENT FROM information_schema.SYSTEM_VARIABLES "
        "WHERE VARIABLE_SCOPE <> 'SESSION ONLY'"
    )
    # The catalogue says nothing of options that the server reads in another way, character_set_server among them.
    options = _defaults(_help(one), one)
    found = {}
    for name, kind, low, high, words, default, read_only, argument in cursor.fetchall():
        if argument is None and name.lower() not in options:
            continue
        mapped = _MARIADB_TYPES.get(kind, "integer") if kind != "ENUM" or words else "string"
        number = float if mapped == "float" else int
        is_number = mapped in ("integer", "float")
        found[name.lower()] = {
            "type": mapped,
            "min": number(low) if is_number and low is not None else None,
            "max": number(high) if is_number and high is not None else None,
            "values": words.split(",") if mapped == "enum" and words else None,
            "default": default if default is not None and _is_everybodys(default, one) else "",
            "restart": read_only == "YES",
        }
    return found


def _mysql(cursor: Any, one: engines.Instance) -> catalogue.Parameters:
    defaults = _defaults(_help(one), one)
    cursor.execute("SHOW GLOBAL VARIABLES")
    values = dict(cursor.fetchall())
    metadata = _metadata(cursor)
    found = {}
    for name in sorted(defaults.keys() & values.keys()):
        kind, low, high, told = metadata.get(name, ("", None, None, ""))
        mapped = _MYSQL_TYPES.get(kind) or _guess(values[name])
        # The variable log_bin tells whether there is a log, the option of that name where.
        if mapped == "boolean" and defaults[name] not in ("", "ON", "OFF", *_ON_OFF):
            mapped = "string"
        # "Numeric" says nothing of fractions; only a variable with a range of its own has a number.
        if kind in ("Integer", "Unsigned Integer") or (mapped == "float" and "." not in f"{low}{high}{values[name]}"):
            mapped = "integer"
        is_number = mapped in ("integer", "float")
        number = float if mapped == "float" else int
        found[name] = {
            "type": mapped,
            "min": number(low) if is_number and low not in (None, "", "0.0") else 0 if is_number else None,
            "max": min(number(high), _LARGEST) if is_number and high not in (None, "", "0") else None,
            "default": _ON_OFF.get(defaults[name], defaults[name]) if mapped == "boolean" else defaults[name],
            "restart": _needs_restart(cursor, name),
            # Last: it changes the server.
            "values": _words(cursor, name) or _told_words(told) if mapped == "enum" else None,
        }
    return found


def _metadata(cursor: Any) -> Mapping[str, tuple[str, str | None, str | None, str]]:
    """Return {variable: (type, smallest, largest, description)}."""
    for statement in (
        "SELECT VARIABLE_NAME, DATA_TYPE, MIN_VALUE, MAX_VALUE, DOCUMENTATION "
        "FROM performance_schema.variables_metadata",
        "SELECT VARIABLE_NAME, '', MIN_VALUE, MAX_VALUE, '' FROM performance_schema.variables_info",
    ):
        try:
            cursor.execute(statement)
        except pymysql.Error:
            continue
        return {name: (str(kind), low, high, told) for name, kind, low, high, told in cursor.fetchall()}
    return {}


def _help(one: engines.Instance) -> str:
    environment = one.environment
    assert isinstance(one.plugin, FamilyPlugin) and environment.engine_home is not None
    program = installations.server_program(one.plugin.family, environment.engine_home, environment.engine_root)
    return environment.process.run([str(program), "--no-defaults", "--verbose", "--help"]).decode(errors="replace")


def _defaults(help_text: str, one: engines.Instance) -> dict[str, str]:
    """Return {variable: default} from the table at the end of the help: exactly what an option file may set."""
    _, _, table = help_text.partition("\nVariables (--variable-name=value)")
    found = {}
    for line in table.splitlines():
        match = re.match(r"^([a-z0-9][a-z0-9-]+)\s+(.*)$", line)
        if match:
            default = match[2].strip()
            known = default != "(No default value)" and _is_everybodys(default, one)
            found[match[1].replace("-", "_")] = default if known else ""
    return found


def _words(cursor: Any, name: str) -> list[str] | None:
    """Return the words of an enumeration, or ``None`` when the server does not let it be set."""
    words: list[str] = []
    # Downwards: gtid_mode, at its highest, goes down step by step and no other way.
    for number in reversed(range(40)):
        try:
            cursor.execute(f"SET GLOBAL `{name}` = {number}")
            cursor.execute(f"SELECT @@global.`{name}`")
        except pymysql.Error:
            continue
        words.insert(0, str(cursor.fetchone()[0]))
    return list(dict.fromkeys(words)) or None


def _told_words(description: str) -> list[str] | None:
    """Return the words of an enumeration that its description lists."""
    listed = re.search(r"(?:permitted values are:|one of) ((?:[\w-]+, )+[\w-]+)", description, re.ASCII)
    return listed[1].split(", ") if listed else None


def _is_everybodys(default: str, one: engines.Instance) -> bool:
    """Tell whether a default has nothing of the machine and the instance on which this runs."""
    return platform.node() not in re.split(r"[/.]", default) and str(one.environment.data_dir) not in default


def _guess(value: str) -> str:
    if value in ("ON", "OFF"):
        return "boolean"
    return "integer" if re.fullmatch(r"-?\d+", value) else "string"


def _needs_restart(cursor: Any, name: str) -> bool:
    try:
        cursor.execute(f"SET GLOBAL `{name}` = @@global.`{name}`")
    except pymysql.Error as err:
        return err.args[0] in _READ_ONLY
    return False


if __name__ == "__main__":
    sys.exit(catalogue.main(__file__, ["mariadb", "mysql"], "the servers", ask))
