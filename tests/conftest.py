"""Settings that have to come before the first test, and before torch is loaded."""

import os
import signal

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line does: on a busy machine spinning is slow

# A shell that starts the tests in the background has them ignore Ctrl-C, and all processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
