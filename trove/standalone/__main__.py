# SPDX-License-Identifier: Apache-2.0
import sys

from trove.cmd.standalone import main

sys.exit(main())
