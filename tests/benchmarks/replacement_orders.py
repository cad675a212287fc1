"""Prints the curves of two orders of replacing heads beside each other, and how far they are apart, paired.

For every fraction: the increase of the perplexity on held-out texts in the order of IoU and in greedy order, both found
on dev texts, and the 95 % bootstrap interval of the difference over the same texts. Wanted: greedy nowhere worse by
more than that interval, and better at 50 and 75 %.

    PYTHONPATH=core:programs python tests/benchmarks/replacement_orders.py
    PYTHONPATH=core:programs python tests/benchmarks/replacement_orders.py --workspace FOLDER --model … --corpus …
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line sets it

from readhead.corpus import Sizes
from readhead.session import Session
from readhead.settings import Settings
from readhead.surrogates.impact import bootstrap
from readhead.surrogates.planner import Plan
from readhead.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--corpus", default="bundled")
    parser.add_argument("--sequences", type=int, default=128)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--workspace", type=Path, help="whose programs to put in beside the library's")
    parser.add_argument("--joint", action="store_true")
    arguments = parser.parse_args()
    sizes = Sizes.of(arguments.sequences, arguments.length)
    settings = Settings(
        model=arguments.model,
        corpus=arguments.corpus,
        fit=sizes.fit,
        dev=sizes.dev,
        held_out=sizes.held_out,
        length=sizes.length,
    )
    opened = Workspace.open(arguments.workspace) if arguments.workspace else Workspace.temporary()
    with opened as workspace, Session.open(workspace, settings) as session:
        choice = session.choose(session.library())
        study = session.study(choice.best)
        if arguments.joint:
            study = study.fitted_jointly()
        curves = [study.curve(Plan(order=order, controls=())) for order in ("iou", "greedy")]
    print("fraction   iou %   greedy %   greedy instead of iou, 95 %")
    for one, other in zip(*(curve.points for curve in curves), strict=True):
        apart = (other.impact.hybrid - one.impact.hybrid) / one.impact.predicted
        low, high = bootstrap(apart)
        print(
            f"{one.fraction:>8.0%} {100 * one.impact.increase:>7.2f} {100 * other.impact.increase:>10.2f}"
            f"   {100 * math.expm1(apart.mean()):+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
        )


if __name__ == "__main__":
    main()
