"""Running programs that nobody has vouched for.

Five layers, from the outside in: `policy` refuses whatever is not on its lists; a server process that has numpy and
nothing else forks one child for each program; the child has limits on time, memory and descriptors; the kernel refuses
it nearly every system call; and only the caller turns the weights that come back into predictions and scores.
"""

from __future__ import annotations

from readhead.sandbox.client import Level, Sandbox
from readhead.sandbox.kept import Kept
from readhead.sandbox.policy import check
from readhead.sandbox.results import Failure, Limits, Run
from readhead.tokens import Text

__all__ = ["Failure", "Kept", "Level", "Limits", "Run", "Sandbox", "Text", "check"]
