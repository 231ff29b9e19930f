# SPDX-License-Identifier: Apache-2.0
"""Run commands of the unmodified ``openstack`` client, one after another, without starting Python for each.

A program: each line of its input is a document ``{"argv": […], "environ": {…}}``, each line of its output the answer
``{"code": …, "stdout": …, "stderr": …}``. The client is imported once; a command then runs in a child that is forked
from that state and ends with it, so that no command sees what another has left in memory.
"""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import BinaryIO


def _become_the_client(argv: Sequence[str], environ: Mapping[str, str], files: Sequence[BinaryIO]) -> None:
    """Run a command as ``openstack`` does, in this process, which ends with it."""
    for descriptor, stream in enumerate(files):
        os.dup2(stream.fileno(), descriptor)
    os.environ.update(environ)
    from openstackclient import shell

    code: object = 1
    try:
        code = shell.main(list(argv))
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def run(argv: Sequence[str], environ: Mapping[str, str]) -> dict[str, object]:
    """Run one command in a child and return its exit code and what it printed."""
    with open(os.devnull, "rb") as empty, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            _become_the_client(argv, environ, (empty, out, err))
        _, status = os.waitpid(child, 0)
        for stream in (out, err):
            stream.seek(0)
        printed = {"stdout": out.read().decode(), "stderr": err.read().decode()}
    return {"code": os.waitstatus_to_exitcode(status), **printed}


def _prepare() -> None:
    """Load what every command needs, by asking the client for the list of its commands."""
    sys.argv[0] = "openstack"  # the client takes its name from there, when it is loaded
    import troveclient.osc.v1.databases
    from openstackclient import shell

    assert troveclient.osc.v1.databases
    output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115  # put back below
    try:
        shell.main(["complete"])
    except SystemExit:
        pass
    finally:
        sys.stdout.close()
        sys.stdout = output
        # The client adds its own each time it runs; messages would be printed twice.
        logging.getLogger().handlers.clear()


def main() -> None:
    """Answer until the input ends."""
    _prepare()
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(run(wanted["argv"], wanted["environ"])), flush=True)


if __name__ == "__main__":
    main()
