"""The current switchboard: workspace state that all front ends see and change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from readhead.engine.bench import Bench, Send
from readhead.engine.given import as_list, as_text, as_texts_by_head
from readhead.engine.results import Switches
from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.program import Program, parse
from readhead.surrogates.switchboard import Switchboard, refuse_findings


class Boards:
    """The switchboard of a bench's workspace."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def current(self) -> Switches:
        """The heads in program mode."""
        heads = self._bench.session.workspace.current_board(self._bench.target.model)
        digest = hashlib.sha256(json.dumps(heads, sort_keys=True).encode()).hexdigest()[:16] if heads else ""
        return Switches(heads, digest)

    def programs(self, switches: Switches | None = None) -> dict[HeadId, Program]:
        """The same, or other switches, read."""
        found = self.current() if switches is None else switches
        return {HeadId.parse(head): parse(source, name=head) for head, source in found.heads.items()}

    def switches(self, _part: Send) -> dict[str, Any]:
        """The current switchboard."""
        return asdict(self.current())

    def flip(
        self, _part: Send, heads: Mapping[str, str | None] | None = None, best: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Put programs in the place of heads, or take them out; all front ends are told.

        Args:
            heads: for each head a program's text, or None for neural. One that may not stand in for its head is
                refused, and nothing at all is changed.
            best: heads that get their best program; those whose best program may not stand in are left as they are,
                and the answer's `refused` tells why.
        """
        given = {self._bench.head(head): source for head, source in as_texts_by_head("heads", heads or {}).items()}
        wanted = [self._bench.head(head) for head in as_list("best", best)]
        for head in wanted:
            if head in given:
                raise UsageError(f"{head} is named twice", hint="give it a program, or its best one")
        programs = {head: parse(source, name=str(head)) for head, source in given.items() if source is not None}
        self._refuse(programs)
        chosen = (
            {head: program for head, program in self._bench.best_programs().items() if head in wanted} if wanted else {}
        )
        unfit = self._bench.unfit(chosen.values())
        changes = {str(head): source for head, source in given.items()}
        changes |= {str(head): program.source for head, program in chosen.items() if program.source not in unfit}
        refused = {str(head): unfit[program.source] for head, program in chosen.items() if program.source in unfit}
        return self._change(changes) | {"refused": refused}

    def load_board(self, _part: Send, path: str) -> dict[str, Any]:
        """The whole switchboard replaced by that of a file, as `save_board` writes it; all front ends are told.

        One of another model, or with a program that may not stand in for its head, is refused, and nothing is changed.
        """
        model = self._bench.session.model
        board = Switchboard.load(self._file(path))
        board.check_model(model.fingerprint, model.name)
        for head in board:
            self._bench.place(head)
        self._refuse(board)
        off = dict.fromkeys(self.current().heads)
        return self._change(off | {str(head): program.source for head, program in board.items()}) | {"refused": {}}

    def save_board(self, _part: Send, path: str) -> dict[str, Any]:
        """The current switchboard as a file of `readhead replace --switchboard`."""
        board = self.programs()
        file = self._file(path)
        Switchboard(board, self._bench.target.model).save(file)
        return {"path": str(file), "heads": len(board)}

    def _file(self, path: str) -> Path:
        """A relative path is meant from the workspace's root, wherever the engine was started."""
        return self._bench.session.workspace.root / as_text("path", path)

    def _refuse(self, board: Mapping[HeadId, Program]) -> None:
        refuse_findings(board)
        self._bench.session.predictions.refuse_unfit(board, self._bench.trial_texts)

    def _change(self, heads: Mapping[str, str | None]) -> dict[str, Any]:
        self._bench.session.workspace.change_board(self._bench.target.model, heads)
        switches = asdict(self.current())
        self._bench.tell("switches", switches)
        return switches
