# SPDX-License-Identifier: Apache-2.0
# covers: trove/cmd/guest.py
"""What is loaded ahead for many agents: enough to be quick, nothing that an agent does without, no shared chance."""

import json
import subprocess
import sys

from trove.providers.local import privileges
from trove.tests import base
from trove.tests.functional.guestagent.test_memory import LEFT_OUT

_PROGRAM = """
import json, os, sys
from trove.cmd import guest
guest.preload()
from trove.guestbus import keys
drawn = []
for _ in range(2):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps([keys.ExchangeKey().public.hex(), os.urandom(keys.KEY_BYTES).hex()]).encode())
        os._exit(0)
    os.wait()
    drawn.append(json.loads(os.read(reader, 1000)))
print(json.dumps({"modules": [name for name, module in sys.modules.items() if module], "drawn": drawn}))
"""


class PreloadTest(base.FunctionalTestCase):
    def setUp(self) -> None:
        super().setUp()
        done = subprocess.run(
            [sys.executable, "-P", "-c", _PROGRAM], stdout=subprocess.PIPE, check=True, timeout=60, cwd="/",
            env={"PATH": "/usr/bin:/bin", **privileges.python_environment()},
        )  # fmt: skip
        self.found = json.loads(done.stdout)

    def test_loaded(self) -> None:
        loaded = set(self.found["modules"])
        self.assertEqual(set(), loaded & (LEFT_OUT | {"psycopg2", "pymysql"}))
        wanted = {"trove.guestagent.service", "trove.guestbus.gateway_client", "trove.datastores.redis.guest.handler"}
        self.assertLessEqual(wanted, loaded)

    def test_agents_draw_keys_of_their_own(self) -> None:
        (first, second) = self.found["drawn"]
        self.assertEqual(4, len({*first, *second}))
