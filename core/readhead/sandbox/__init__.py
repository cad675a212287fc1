"""Running programs that nobody has vouched for.

Four layers, from the outside in: `policy` refuses whatever is not on its lists; a server process that has numpy and
nothing else forks one child for each program; the child has limits on time, memory and descriptors; and only the
caller turns the weights that come back into predictions and scores.
"""

from __future__ import annotations

from readhead.sandbox.client import Failure, Limits, Run, Sandbox
from readhead.sandbox.policy import check
from readhead.tokens import Text

__all__ = ["Failure", "Limits", "Run", "Sandbox", "Text", "check"]
