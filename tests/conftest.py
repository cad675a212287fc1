"""Settings of the test run that have to come before torch is loaded."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line does: on a busy machine spinning is slow
