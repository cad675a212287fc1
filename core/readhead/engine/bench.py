"""What all work of one of the engine's threads shares: the session, the ranking, and the job that is being done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readhead.engine.jobs import Job
from readhead.engine.results import Stamp, text_stamp
from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.library import Floor, Ranking, Target, measure_floor
from readhead.options import Options
from readhead.program import Program
from readhead.session import Session
from readhead.surrogates.predictions import TRIED, Ids
from readhead.workspace import Workspace

if TYPE_CHECKING:
    from readhead.models import LoadedModel

Tell = Callable[[str, dict[str, Any]], None]
"""Called with the name of an event and what goes with it."""
Send = Callable[[dict[str, Any]], None]
"""Sends a part of an answer."""
AT_ONCE = 4
"""Programs that are run without a look at what is more urgent."""


class Bench:
    """One session of the engine, for one thread.

    Args:
        root: of the workspace.
        tell: events to all front ends.
        model: one that is loaded already.
    """

    def __init__(self, root: Path, tell: Tell, model: LoadedModel | None = None) -> None:
        self.tell = tell
        self.job: Job | None = None
        """The one that is being done."""
        self.ranking: Ranking | None = None
        """Of all programs; None while they are not ranked."""
        workspace = Workspace.open(root)
        settings = Options().settings(workspace)
        self.session = Session.open(workspace, settings, report=self._report, model=model)
        self.session.sandbox.watch = self.check_cancelled
        self.target: Target = self.session.target()

    @cached_property
    def floor(self) -> Floor:
        """Of `dev`."""
        return measure_floor(self.target, "dev")

    def _report(self, stage: str, done: int, total: int) -> None:
        self.tell("progress", {"stage": stage, "done": done, "total": total})
        self.check_cancelled()

    def check(self) -> None:
        """Between steps: nothing may be on its way in the sandbox, which a more urgent job would use."""
        if self.job is not None:
            self.job.check()

    def check_cancelled(self) -> None:
        """The same in the middle of something."""
        if self.job is not None:
            self.job.check_cancelled()

    def head(self, name: str) -> HeadId:
        """The head of this name.

        Raises:
            UsageError: if the model has none.
        """
        head = HeadId.parse(str(name))
        self.session.model.geometry.index_of(head)
        return head

    def place(self, head: HeadId) -> int:
        """A head's number among all."""
        return self.session.model.geometry.index_of(head)

    def stamp(self, program: Program | None, board: str = "") -> Stamp:
        """Of what is measured of a program, or of a switchboard, on `dev`."""
        corpus = self.session.corpus
        text = "" if program is None else text_stamp(program.source)
        return Stamp(text, self.target.model, corpus.fingerprint, "dev", corpus.length, board)

    @property
    def trial_texts(self) -> list[Ids]:
        """What a program is tried on before it may stand in for a head."""
        return [sequence.ids for sequence in self.session.corpus["dev"][:TRIED]]

    def best_programs(self) -> dict[HeadId, Program]:
        """Every head's best program.

        Raises:
            UsageError: while nothing is ranked.
        """
        ranking = self.ranking
        if ranking is None:
            raise UsageError("the programs are not ranked yet", hint="wait for the ranking: the event `ranked` tells")
        heads = self.session.model.geometry.head_ids()
        return {head: ranking.programs[number] for head, number in zip(heads, ranking.best(), strict=True)}

    def unfit(self, programs: Iterable[Program]) -> dict[str, str]:
        """The texts of those programs that may not stand in for a head, and why; a few are tried at a time."""
        listed = list({program.source: program for program in programs}.values())
        found = {program.source: str(program.findings[0]) for program in listed if program.findings}
        runnable = [program for program in listed if not program.findings]
        for start in range(0, len(runnable), AT_ONCE):
            self.check()
            found |= self.session.predictions.unfit(runnable[start : start + AT_ONCE], self.trial_texts)
        return found

    def scored(self, head: HeadId, programs: Iterable[Program]) -> list[tuple[Program, float]]:
        """Those of the programs that have no findings, with their IoU on a head on `dev`."""
        runnable = [program for program in programs if not program.findings]
        found: list[tuple[Program, float]] = []
        for start in range(0, len(runnable), AT_ONCE):
            self.check()
            ranking = self.session.ranking(runnable[start : start + AT_ONCE])
            column = ranking.iou[:, self.place(head)]
            found += [(program, float(iou)) for program, iou in zip(ranking.programs, column, strict=True)]
        return found
