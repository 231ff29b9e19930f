# SPDX-License-Identifier: Apache-2.0
"""All tests; importing this package keeps eventlet out of the process, as every console script does."""

from trove.common import threads

threads.use_native_threads()
