# SPDX-License-Identifier: Apache-2.0
"""The agent's own log: a file that cannot grow without bound, with secrets masked and a line for each record."""

import contextlib
import logging
import os
import sys
import time
from io import TextIOWrapper
from pathlib import Path

from trove.common import redact

MAX_BYTES = 5 * 1024 * 1024
BACKUPS = 3
_FORMAT = "%(asctime)s.%(msecs)03dZ %(process)d %(levelname)s %(name)s [%(threadName)s] %(message)s"


class _Formatter(logging.Formatter):
    """UTC, as everywhere in Trove."""

    converter = staticmethod(time.gmtime)


class _RotatingFile(logging.FileHandler):
    """Starts a new file of mode 0600 when a record would not fit any more; the older ones are ``.1`` to ``.BACKUPS``.

    The standard library's handler does the same and loads sockets, queues and pickle: 0.7 MiB that every guest would
    pay.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        super().__init__(path, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600))

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record``; the caller holds the handler's lock."""
        try:
            if self.stream is None:
                self.stream = self._open()
            if self.stream.tell() + len(self.format(record).encode()) + 1 > self.max_bytes:
                self._rotate()
        except Exception:  # boundary: logging must never end what it tells about; this is how the library does it
            self.handleError(record)
            return
        super().emit(record)

    def _rotate(self) -> None:
        if self.stream is not None:
            self.stream.close()
        for number in range(BACKUPS, 0, -1):
            older = f".{number - 1}" if number > 1 else ""
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.baseFilename + older, f"{self.baseFilename}.{number}")
        self.stream = self._open()


def set_up(log_file: Path | None, level: int = logging.INFO) -> None:
    """Send the log of the whole process to ``log_file``, or to standard error when there is none.

    :raises OSError: when the file cannot be opened.
    """
    handler = logging.StreamHandler(sys.stderr) if log_file is None else _RotatingFile(log_file)
    handler.setFormatter(_Formatter(_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    # The handler, not the logger: a logger's filter does not see what other loggers pass up to it.
    redact.protect(handler)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
