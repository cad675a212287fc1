"""How the time to write programs grows with heads, texts and length, and how loss and time go with the sizes asked for.

    PYTHONPATH=core:programs python tests/benchmarks/synthesis_growth.py [--terms 8]

Three points each, around 8 heads, 64 fit texts and 64 tokens, on the bundled model. Told are seconds of wall clock on
all cores, everything that is computed once included; they mean something on an idle machine only, their ratios more.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from itertools import islice

from readhead.session import Session
from readhead.settings import Settings
from readhead.synthesis.front import Wanted
from readhead.workspace import Workspace

USUAL = {"heads": 8, "fit": 64, "length": 64}
POINTS = {"heads": (4, 8, 16), "fit": (32, 64, 84), "length": (32, 64, 128)}


def seconds(terms: int, *, heads: int, fit: int, length: int) -> float:
    """To write programs for some heads, from nothing but the extracted patterns on."""
    settings = replace(Settings(), fit=fit, dev=8, held_out=8, length=length)
    with Workspace.temporary() as workspace, Session.open(workspace, settings) as session:
        session.target()
        some = list(islice(session.model.geometry.head_ids(), 4, 4 + heads))
        start = time.perf_counter()
        session.write_programs(Wanted(terms=terms), some)
        taken = time.perf_counter() - start
        texts = len(session.corpus["fit"])
    print(
        f"  {heads:3} heads, {texts:3} texts of {length:3} tokens: {taken:6.1f} s, {taken / heads:5.2f} a head",
        flush=True,
    )
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--terms", type=int, default=8)
    options = parser.parse_args()
    for name, points in POINTS.items():
        print(f"by {name}:")
        for point in points:
            seconds(options.terms, **{**USUAL, name: point})


if __name__ == "__main__":
    main()
