"""The library pass: how few programs explain a model as well as one program a head does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readhead.heads import HeadId
from readhead.patterns import Array
from readhead.program import Program


@dataclass(frozen=True)
class Merge:
    """A head whose own program could give way to that of another head."""

    head: HeadId
    own: Program
    other: Program
    cost: float
    """IoU that the head would lose on dev; below zero where the other program is the better one."""


def fewest(iou: Array, tolerance: float = 0.01) -> list[int]:
    """Programs that keep the mean over heads of the best IoU within `tolerance` of what all of them reach.

    Greedy: the program whose heads lose least goes first.

    Args:
        iou: `[programs, heads]`.
        tolerance: of the mean.

    Returns:
        The programs' numbers in rising order; at least one where there is one.
    """
    kept = np.unique(iou.argmax(axis=0)) if iou.size else np.zeros(0, int)
    spare = tolerance * iou.shape[1]
    while len(kept) > 1:
        own = iou[kept].argmax(axis=0)
        best, second = np.sort(iou[kept], axis=0)[::-1][:2]
        costs = np.bincount(own, best - second, minlength=len(kept))
        least = int(costs.argmin())
        if costs[least] > spare:
            break
        spare -= float(costs[least])
        kept = np.delete(kept, least)
    return [int(number) for number in kept]


def merges(chosen: Sequence[tuple[Program, HeadId]], iou: Array, most: float) -> list[Merge]:
    """Heads that could take over another head's program at a cost of at most `most`, the cheapest first.

    A program that others take over stays, so no head is offered one that goes itself.

    Args:
        chosen: each head with its program.
        iou: `[chosen, chosen]`: on dev, each program on each of the heads.
        most: IoU that a head may lose.
    """
    codes = [program.fingerprint for program, _ in chosen]
    offers = sorted(
        (float(iou[place, place] - iou[other, place]), place, other)
        for place in range(len(chosen))
        for other in range(len(chosen))
        if codes[place] != codes[other] and iou[place, place] - iou[other, place] <= most
    )
    stays: set[int] = set()
    goes: set[int] = set()
    found = []
    for cost, place, other in offers:
        if place not in goes | stays and other not in goes:
            goes.add(place)
            stays.add(other)
            (own, head), (taken, _) = chosen[place], chosen[other]
            found.append(Merge(head, own, taken, cost))
    return found
