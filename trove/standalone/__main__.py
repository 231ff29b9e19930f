# SPDX-License-Identifier: Apache-2.0
import sys

import trove

if trove.__file__ is None:  # half of the package: its modules are found, what asks where they lie is not
    sys.exit(
        f"trove-standalone: the directory {next(iter(trove.__path__))} was taken for the package trove, because Python "
        f"looks into the present directory first; use trove-standalone, or python -P -m trove.standalone"
    )

from trove.cmd.standalone import main

sys.exit(main())
