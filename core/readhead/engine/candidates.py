"""What is known for a head without searching or asking, best first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from readhead.engine.bench import Bench, Send
from readhead.engine.given import as_whole
from readhead.errors import SandboxError
from readhead.heads import HeadId
from readhead.program import Program, parse
from readhead.synthesis.front import Front

Origin = Literal["library", "workspace", "symbolic", "ollama"]
"""Who brought a program; a file of the workspace's programs folder is `workspace`, whatever wrote it."""
Known = tuple[float, Origin, Program]
"""A program with its IoU on `dev`."""

_KEPT: Final = "kept"
"""What a record says of a candidate that passed the cascade: `Candidate.is_kept`."""


def row(program: Program, origin: Origin, iou: float) -> dict[str, Any]:
    """A candidate, as front ends get it."""
    return {
        "name": program.name,
        "path": str(program.path or ""),
        "origin": origin,
        "source": program.source,
        "explanation": program.explanation,
        "category": program.metadata.category,
        "terms": program.terms,
        "lines": program.lines,
        "iou": iou,
    }


class Candidates:
    """The programs that a bench's workspace has for a head."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._workspace = bench.session.workspace

    def candidates(self, _part: Send, head: str, most: int = 12) -> list[dict[str, Any]]:
        """The best of the ranking, and what was written for the head before, each code once; the closest first.

        A language model's candidates that look ahead are left out, and so are those that may not be run here.
        """
        wanted, count = self._bench.head(head), as_whole("most", most, 1)
        known = [*self._ranked(wanted, count), *self._scored(wanted, "symbolic", self.symbolic(wanted)),
                 *self._scored(wanted, "ollama", self._drafted(wanted))]  # fmt: skip
        rows: dict[str, dict[str, Any]] = {}
        for iou, origin, program in sorted(known, key=lambda each: -each[0]):
            rows.setdefault(program.fingerprint, row(program, origin, iou))
            if len(rows) == count:
                break
        return list(rows.values())

    def symbolic(self, head: HeadId) -> list[Program]:
        """What the symbolic search has written for the head, with whichever settings; from the shortest."""
        sources = dict.fromkeys(self._workspace.written_for(self._bench.target.model, str(head)))
        return sorted((parse(source, name=str(head)) for source in sources), key=lambda program: program.terms)

    def to_beat(self, head: HeadId, terms: int) -> Program | None:
        """Of what the search has written for the head, the program that is worth its terms, of at most so many."""
        small = [program for program in self.symbolic(head) if program.terms <= terms and not program.findings]
        if not small:
            return None
        return Front(head, tuple(small)).chosen(self._bench.session.ranking(small), self._bench.place(head))

    def _ranked(self, head: HeadId, most: int) -> list[Known]:
        ranking = self._bench.ranking
        if ranking is None:
            return []
        place = self._bench.place(head)
        best = ranking.order(place)[: 2 * most]  # as many again: files with the same code are told once
        return [(float(ranking.iou[k, place]), self._origin(ranking.programs[k]), ranking.programs[k]) for k in best]

    def _origin(self, program: Program) -> Origin:
        own = program.path is not None and program.path.is_relative_to(self._workspace.programs)
        return "workspace" if own else "library"

    def _drafted(self, head: HeadId) -> list[Program]:
        records = self._workspace.drafted_for(str(head))
        sources = [record["source"] for record in records if record["reason"] == _KEPT and not record["look_ahead"]]
        if sources:
            try:
                self._bench.session.sandbox.check_consent()
            except SandboxError:
                return []
        return [parse(source, name=str(head)) for source in dict.fromkeys(sources)]

    def _scored(self, head: HeadId, origin: Origin, programs: Iterable[Program]) -> list[Known]:
        return [(iou, origin, program) for program, iou in self._bench.scored(head, programs)]
