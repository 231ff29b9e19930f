# SPDX-License-Identifier: Apache-2.0
"""What reads text of tenants, guests and engines: each function, as something that takes a text.

A new one belongs here when the text, or a part of it, is chosen by somebody outside: a request, a name, a password, a
message of a guest, a line that an engine has logged or answered.
"""

import contextlib
import functools
import json
import logging
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pymysql

from trove.api import authn, body, links, microversions, paging, query, router, schemas, validation
from trove.common import context, ids, printable, redact
from trove.datastores import parameter_values, parameters, registry
from trove.datastores.enginelib import conditions
from trove.datastores.mysql_family import config as mysql_config
from trove.datastores.mysql_family import facts as mysql
from trove.datastores.mysql_family.guest import configuration as mysql_configuration
from trove.datastores.mysql_family.guest import connection as mysql_connection
from trove.datastores.postgresql import config as postgresql_config
from trove.datastores.postgresql import facts as postgresql
from trove.datastores.postgresql.guest import connection as postgresql_connection
from trove.datastores.postgresql.guest import scram
from trove.datastores.redis_family import acl
from trove.datastores.redis_family import config as redis_config
from trove.datastores.redis_family import facts as redis
from trove.datastores.redis_family.guest import resp
from trove.domain import modules
from trove.guestagent import log_files
from trove.guestbus import envelope, framing, messaging_casts, topics
from trove.httpserver import framing as http_framing
from trove.objectstore import base as stores
from trove.providers.local import records
from trove.wire import base as wire
from trove.wire import command, report

Read = Callable[[str], object]

_STRICT = microversions.MAX
_SCHEMAS = schemas.load()
_VALIDATORS = validation.Validators(_SCHEMAS)
_HERE = pathlib.Path("/")


def _logged(text: str) -> object:
    formatter = redact.RedactingFormatter(None)
    record = logging.LogRecord("x", logging.INFO, "p", 1, "%s", (text,), None)
    redact.RedactingFilter().filter(record)
    try:
        raise ValueError(text)
    except ValueError as err:
        record.exc_info = (ValueError, err, err.__traceback__)
    return formatter.format(record)


def _decoding(registry_: Mapping[Any, Any]) -> dict[str, Read]:
    """Each field of each message that is a text, one field at a time as well as all."""
    return {f"message {name}": functools.partial(_decode, registry_, name, version) for name, version in registry_}


def _decode(registry_: Mapping[Any, Any], name: str, version: int, text: str) -> None:
    known = {"report_id": "r", "agent_version": "1", "handler_version": "1", "command_id": "c", "state": "DONE"}
    fields = registry_[name, version].__struct_fields__
    for sent in (*({**known, field: text} for field in fields), dict.fromkeys(fields, text)):
        with contextlib.suppress(wire.MalformedMessage):
            wire.decode(registry_, name, version, sent)


def _validating() -> dict[str, Read]:
    def reader(name: str) -> Read:
        schema = _SCHEMAS[name]
        return lambda text: _VALIDATORS.check(name, _filled(schema, text), _STRICT)

    return {f"schema {name}": reader(name) for name in _SCHEMAS}


def _filled(schema: Any, text: str, depth: int = 8) -> Any:
    """Return a document with ``text`` wherever ``schema`` has a text."""
    if not isinstance(schema, dict) or not depth:
        return text
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _filled(schema[key][0], text, depth - 1)
    if "properties" in schema:
        return {name: _filled(item, text, depth - 1) for name, item in schema["properties"].items()}
    if "items" in schema:
        return [_filled(schema["items"], text, depth - 1)]
    return text


def _naming() -> dict[str, Read]:
    found: dict[str, Read] = {}
    for name, plugin in registry.load_plugins().items():
        found[f"{name}: databases"] = lambda text, plugin=plugin: plugin.validate_databases(  # type: ignore[misc]
            [{"name": text, "character_set": text, "collate": text}]
        )
        found[f"{name}: users"] = lambda text, plugin=plugin: plugin.validate_users(  # type: ignore[misc]
            [{"name": text, "host": text, "password": text}]
        )
        found[f"{name}: parameters"] = functools.partial(_judge, plugin.parameters(plugin.versions[0]))
    return found


def _judge(known: parameters.Parameters, text: str) -> object:
    some = list(known)[:: max(1, len(known) // 40)]
    return parameter_values.judge(known, {**dict.fromkeys(some, text), text: "1"})


def _environ(text: str) -> dict[str, Any]:
    raw = text.encode().decode("latin-1")
    return {"PATH_INFO": f"/{raw}", "REQUEST_URI": f"http://h/{raw}", "SCRIPT_NAME": "", "wsgi.url_scheme": "http",
            "HTTP_HOST": raw, "SERVER_NAME": "h", "SERVER_PORT": "80", "HTTP_OPENSTACK_API_VERSION": raw,
            "CONTENT_TYPE": raw}  # fmt: skip


_ROUTER: router.Router[int] = router.Router([("GET", "/v1.0/{project_id}/instances/{id}/users/{name}", 1)])


def _routed(text: str) -> object:
    return _ROUTER.match("GET", router.segments(_environ(text)))


def _deep_body(text: str) -> object:
    return body.parse(b"[" * 40 + text.encode() + b"]" * 40)


READERS: Mapping[str, Read] = {
    "redact.mask_text": redact.mask_text,
    "redact.is_secret_key": redact.is_secret_key,
    "redact.mask": lambda text: redact.mask({text: [text]}),
    "a log record": _logged,
    "printable.one_line": printable.one_line,
    "printable.clip": lambda text: printable.clip(text, 100),
    "ids": ids.is_uuid,
    "context": lambda text: context.RequestContext(user_id=text, project_id=text, request_id=text, overwrite=False),
    "body.parse": lambda text: body.parse(text.encode()),
    "body.parse, deep": _deep_body,
    "body.parse, a string": lambda text: body.parse(json.dumps({"x": text}).encode()),
    "body.check_media_type": lambda text: body.check_media_type(_environ(text)),
    "query": lambda text: query.parse(text, "instance.query", _STRICT, _VALIDATORS),
    "router": _routed,
    "links": lambda text: links.base_url(_environ(text), None),
    "microversions": lambda text: microversions.negotiate(_environ(text)),
    "paging.decode_marker": lambda text: paging.decode_marker(f"~{text}") or paging.decode_marker(text),
    "paging.encode_marker": paging.encode_marker,
    "validation.place": lambda text: validation.place([text, 1, text]),
    "authn, a header": lambda text: authn._credentials(f"Basic {text}"),
    "a request's head": lambda text: http_framing.check(
        f"GET /{text} HTTP/1.1\r\nHost: {text}\r\n{text}\r\n\r\n".encode()
    ),
    "envelope.peek": lambda text: envelope.peek(b"\1\1\0" + text.encode()),
    "framing.split": lambda text: framing.split(text.encode()),
    "messages of the bus": lambda text: messaging_casts._envelope_in(
        {"method": topics.METHOD, "args": {topics.ARGUMENT: text}}
    ),
    "position of a log": lambda text: log_files.remainder([], text),
    "an engine's log": lambda text: conditions.from_log(text, _HERE),
    "modules": lambda text: [modules.read(kind, text) for kind in (modules.PING, modules.NEW_RELIC_LICENSE)],
    "names of objects": stores.check_name,
    "tags": lambda text: records.slug("server", text),
    "version": lambda text: (mysql.version_key(text), postgresql.version_key(text)),
    "mysql: host": mysql.host_problem,
    "mysql: pattern": lambda text: mysql.pattern_matches(mysql.escape_pattern(text), text),
    "mysql: wild pattern": lambda text: mysql.pattern_matches(f"{text[:64]}%", text),
    "mysql: option file": lambda text: mysql_config.parse(f'x = "{text}"'),
    "mysql: error": lambda text: mysql_connection.reason(pymysql.err.OperationalError(1, text)),
    "mysql: said": lambda text: mysql_configuration._SAID.sub("", text),
    "postgresql: error": lambda text: postgresql_connection.reason(postgresql_connection.psycopg2.Error(text)),
    "postgresql: encoding": postgresql.canonical_encoding,
    "postgresql: collation": lambda text: postgresql.encoding_reasons(text, text),
    "postgresql: configuration": lambda text: postgresql_config.parse(f"x = '{text}'"),
    "postgresql: password": scram.saslprep,
    "redis: name": redis.name_problem,
    "redis: password": lambda text: redis.password_problem(text, "u"),
    "redis: access list": lambda text: acl.parse(text.splitlines()),
    "redis: quotes": redis_config.quote,
    "redis: INFO": resp.parse_info,
    **_naming(),
}

#: Many that do the same: what tells them apart are bounds and expressions, which are looked at by themselves.
ALIKE: Mapping[str, Read] = {**_decoding(report.TO_CONTROL), **_decoding(command.COMMANDS), **_validating()}
