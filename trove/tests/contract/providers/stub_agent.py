# SPDX-License-Identifier: Apache-2.0
"""A program that stands for guest agent and engine in the local provider's tests: ``stub_agent.py --bootstrap FILE``.

It starts an "engine" once (a sleeping process in a session of its own that outlives it), writes what it sees to
``facts.json`` in the state directory, and sleeps. Options of the bootstrap document: ``die``: end at once;
``refuse``: end with this status and a reason;
``stubborn``: neither process heeds SIGTERM; ``read``: a file to read, ``write``: a file to write.
"""

import json
import os
import pwd
import signal
import subprocess
import sys
import time


def attempt(action, path):
    try:
        return action(path)
    except OSError as err:
        return type(err).__name__


def write(path):
    with open(path, "w") as stream:
        return stream.write("x")


def read(path):
    with open(path) as stream:
        return stream.read()


def main():
    with open(sys.argv[2]) as stream:
        document = json.load(stream)
    options = document["options"]
    if "refuse" in options:
        sys.stderr.write("trove-guestagent: the journal is refused: password=hunter2.\n")
        sys.exit(options["refuse"])
    if options.get("die"):
        sys.exit(3)
    if options.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # inherited by the engine
    state = document["state_dir"]
    engine_file = os.path.join(state, "engine.pid")
    if not os.path.exists(engine_file):
        engine = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True, cwd=document["data_dir"])
        with open(engine_file, "w") as stream:
            stream.write(str(engine.pid))
    with open(engine_file) as stream:
        engine_pid = int(stream.read())
    status = read("/proc/self/status")
    facts = {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "engine": engine_pid,
        "uid": os.getuid(),
        "name": attempt(lambda uid: pwd.getpwuid(uid).pw_name, os.getuid()),
        "groups": os.getgroups(),
        "cwd": os.getcwd(),
        "umask": os.umask(0o077),
        "environment": dict(os.environ),
        "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")),
        "stdin": os.readlink("/proc/self/fd/0"),
        "no_new_privileges": "NoNewPrivs:\t1" in status,
        "bootstrap": document,
        "read": attempt(read, options["read"]) if "read" in options else None,
        "write": attempt(write, options["write"]) if "write" in options else None,
    }
    temporary = os.path.join(state, "facts.tmp")
    with open(temporary, "w") as stream:
        json.dump(facts, stream)
    os.replace(temporary, os.path.join(state, "facts.json"))
    print("the stub runs", flush=True)
    while True:
        time.sleep(600)


main()
