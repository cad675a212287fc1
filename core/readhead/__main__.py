"""`python -m readhead` is the command `readhead`."""

import sys

from readhead.cli import main

sys.exit(main())
