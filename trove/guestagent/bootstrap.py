# SPDX-License-Identifier: Apache-2.0
"""Read the bootstrap document, and erase its one-time key once it has been used."""

import os
from pathlib import Path

import msgspec

from trove.datastores.enginelib import files
from trove.wire import base
from trove.wire.bootstrap import Bootstrap

#: No bootstrap document is larger; a wrong path must not fill the memory.
_MAX_BYTES = 256 * 1024


class BootstrapError(Exception):
    """The document is missing or not one. The text is for the operator and holds no value of a field."""


def load(path: Path) -> Bootstrap:
    """Read the document at ``path``.

    :raises BootstrapError: naming the field that is wrong.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(_MAX_BYTES)
        return msgspec.json.decode(data, type=Bootstrap)
    except OSError as err:
        raise BootstrapError(f"cannot read {path}: {err.strerror}") from err
    except msgspec.ValidationError as err:
        raise BootstrapError(f"{path} is not a bootstrap document: {base.explain(err)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        raise BootstrapError(f"{path} is not a bootstrap document: {err}") from err


def erase_one_time_key(path: Path) -> bool:
    """Rewrite the document without its one-time key; return whether it had one.

    Fields this agent does not know are kept. What a file system or disk keeps of the old blocks is harmless: the
    control plane has erased its copy at the end of the enrolment.

    :raises OSError: when it cannot be rewritten, for example on a read-only config drive; the document is then as
        before.
    """
    document = msgspec.json.decode(path.read_bytes())
    if document.pop("one_time_key", None) is None:
        return False
    files.atomic_write(path, msgspec.json.encode(document), mode=os.stat(path).st_mode & 0o777)
    return True
