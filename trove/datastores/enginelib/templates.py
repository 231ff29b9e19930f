# SPDX-License-Identifier: Apache-2.0
"""Prepared data directories: initialised once per engine version and options, then copied.

Initialising an engine costs half a second to many seconds, nearly all of it waiting for the disk; a copy costs a tenth,
and next to nothing where the file system shares blocks.

* The name of a template holds a digest of everything that influences its content (:func:`name`): the version, the
  server program itself, the options, the words of every statement that is run in it. So a change makes a new template
  and an old one is never used by mistake.
* It appears whole, by a rename, and is never changed afterwards. Two makers at once are no harm: the second finds the
  name taken and leaves.
* It is *made in place*: the first instance initialises its own directory, and a copy of that becomes the template. The
  engine's programs need not see the template directory, and those of an image do not.

What must differ between instances (keys, ids of a server) is the engine's business: remove it in ``make``. What it must
know of a directory that was made (a first password) it returns as a *note*, which is kept beside the template, private.
"""

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from trove.common import trees
from trove.datastores.enginelib import files

DATA = "data"
NOTE = "note"


def name(engine: str, version: str, program: Path, *ingredients: object) -> str:
    """Return the name of the template for these ingredients.

    :param program: the server's program as the agent finds it; its size and time of change tell builds apart.
    :param ingredients: whatever else influences the content, by ``repr``.
    """
    try:
        found = program.stat()
        identity: tuple[object, ...] = (found.st_size, found.st_mtime_ns)
    except OSError:
        identity = ()
    digest = hashlib.sha256(repr((identity, ingredients)).encode()).hexdigest()[:16]
    return f"{engine}-{version}-{digest}"


class Templates:
    """The template directory of this host.

    :param directory: ``None`` where there is no place for templates: then every instance is initialised.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def provide(self, template: str, target: Path, make: Callable[[Path], str]) -> str:
        """Make ``target``, which must not exist: a copy of the template, else what ``make(path)`` makes, which then
        becomes the template.

        A template directory that cannot be read or written is no error: the instance is initialised without.

        :returns: the note of ``make``, now or when the template was made.
        :raises OSError: when ``target`` cannot be written.
        :raises EngineError: as ``make`` does.
        """
        place = None if self._directory is None else self._directory / template
        note = None if place is None else _read_note(place)
        if place is not None and note is not None:
            files.copy_tree(place / DATA, target)
            target.chmod(0o700)
            return note
        # Under another name first: if we are killed, what ``make`` started may go on and must not meet the next
        # attempt.
        partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        note = make(partial)
        os.rename(partial, target)
        if place is not None:
            with contextlib.suppress(OSError):
                self._keep(place, target, note)
        return note

    def _keep(self, place: Path, source: Path, note: str) -> None:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        try:
            files.copy_tree(source, partial / DATA)
            files.write_private(partial / NOTE, note)
            # Renaming onto a directory that is not empty fails: somebody else was quicker, and theirs is as good.
            os.rename(partial, place)
        except BaseException:
            trees.remove_quietly(partial)
            raise


def _read_note(place: Path) -> str | None:
    """Return the note of a finished template that we may read; anybody else's is none."""
    try:
        return (place / NOTE).read_text(encoding="utf-8") if os.access(place / DATA, os.R_OK | os.X_OK) else None
    except OSError:
        return None
