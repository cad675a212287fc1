"""Many heads' questions to one server: several at once where it allows, each answer saved as it comes.

Requests run in threads that do nothing else; everything besides (judging, saving, drawing) happens in the caller's.
Where an answer breaks off, the question is sent once more; where that fails too, or the budget is spent, every head's
work ends with what it has.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from readhead.errors import OllamaError
from readhead.heads import HeadId
from readhead.program import Program
from readhead.synthesis.ollama.asking import Ask, Enough, Work
from readhead.synthesis.ollama.client import Answer, BrokenAnswerError, Client, Question, joined
from readhead.synthesis.ollama.drafting import HeadDrafts, write_prompt
from readhead.synthesis.ollama.judge import Judge
from readhead.synthesis.ollama.notebook import About, Notebook, Page, is_settled
from readhead.synthesis.ollama.replies import SCHEMA
from readhead.synthesis.ollama.ruler import Ruler
from readhead.synthesis.ollama.run import Desk, Drafted, Drafting, Row, Run
from readhead.synthesis.ollama.server import NEEDED, require_server
from readhead.synthesis.ollama.summary import Rival, unnamed

SUMMARY_TOKENS: Final = 1600
"""The most tokens of a head's summary."""
_TRIES: Final = 2
"""How often a request is sent whose answer breaks off."""
_PAUSE_S: Final = 1.0
"""Before a request is sent again."""
_TICK_S: Final = 0.2
"""How often what has come is saved."""

Subject = TypeVar("Subject", bound=About)


def draft_programs(
    desk: Desk, heads: Sequence[HeadId], wanted: Drafting, *, starts: Mapping[HeadId, Program] | None = None
) -> Drafted:
    """Programs for heads, written by the language model that the settings name, and judged on `fit`.

    Args:
        desk: what it takes.
        heads: which.
        wanted: how many programs, and the budget.
        starts: programs to beat, by head: they stand in the prompts and are refined like the model's own.

    Returns:
        All candidates. Where the server fails on the way, `error` is set and the rest is what there was by then.

    Raises:
        OllamaError: if the server cannot be asked at all.
        SandboxError: if generated programs may not be run here.
    """
    known = starts or {}

    def begin(run: Run, head: HeadId) -> Work:
        return HeadDrafts(run, head, known.get(head)).work()

    return run_work(desk, heads, begin, wanted, {head: known[head] for head in known})


def check_desk(desk: Desk) -> None:
    """See to it, before any work, that nothing but the server can keep a model from being asked.

    Raises:
        UsageError: if the server's address is none.
        SandboxError: if generated programs may not be run here.
    """
    desk.sandbox.check_consent()
    with Client(desk.settings):
        pass


def run_work(
    desk: Desk,
    subjects: Sequence[Subject],
    begin: Callable[[Run, Subject], Work],
    wanted: Drafting,
    starts: Mapping[About, Program],
) -> Drafted:
    """Begin work on each of some subjects, give it answers until it is done, and tell what came of it.

    Errors are those of `draft_programs`.
    """
    desk.sandbox.check_consent()  # before anything is asked
    status = require_server(desk.settings)
    started = time.monotonic()
    run = Run(desk, wanted, Notebook(desk.workspace, _fingerprint(desk, wanted), starts), Drafted(desk.settings.model))
    with Client(desk.settings) as client:
        schedule = _Schedule(run, client, status.context or NEEDED)
        schedule.work_on({subject: partial(begin, run, subject) for subject in subjects})
    run.drafted.seconds = time.monotonic() - started
    return run.drafted


@dataclass(frozen=True)
class FirstPrompt:
    """What a language model is asked first for a head."""

    head: HeadId
    system: str
    prompt: str
    tokens: int
    """About so many."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"head": str(self.head)}


def first_prompt(desk: Desk, head: HeadId, wanted: Drafting, *, start: Program | None = None) -> FirstPrompt:
    """The prompt that `draft_programs` would begin with, as long as it is before the server's tokenizer is known."""
    ruler = Ruler()
    measured = start and Judge(desk.target, head, desk.sandbox, terms=wanted.terms).measure(start.source)
    rival = Rival(unnamed(start.source, desk.model), measured.iou) if start and measured else None
    prompt = write_prompt(desk, head, wanted, int(SUMMARY_TOKENS * ruler.per_token), rival)
    return FirstPrompt(head, desk.prompts.system, prompt, ruler.tokens(len(desk.prompts.system) + len(prompt)))


def _fingerprint(desk: Desk, wanted: Drafting) -> str:
    """Of what all of a run's prompts depend on; its budget, its rounds, and where the server is, do not count."""
    facts: dict[str, Any] = {"count": wanted.count, "terms": wanted.terms, "seed": wanted.seed}
    facts |= {
        "target": desk.target.model,
        "corpus": desk.target.corpus.fingerprint,
        "prompts": desk.prompts.fingerprint,
    }
    facts |= {name: getattr(desk.settings, name) for name in ("model", "temperature", "reply_tokens")}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(eq=False)
class _Sent:
    """A request on its way."""

    ask: Ask
    page: Page
    window: int
    attempt: int
    pieces: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    saved: int = 0
    """Pieces of it that are saved."""
    is_unwanted: bool = False

    def listen(self, piece: str, thought: str) -> bool:
        """Called by the request's thread."""
        self.thoughts.append(thought)
        self.pieces.append(piece)
        return not self.is_unwanted

    @property
    def so_far(self) -> Answer:
        """What has come so far."""
        pieces = self.pieces.copy()
        return Answer(
            text=joined(pieces),
            thinking=joined(self.thoughts.copy()),
            characters=self.page.question.characters,
            window=self.window,
            reply_tokens=len(pieces),
            seconds=time.monotonic() - self.started,
            ending="stopped",
        )


class _Schedule:
    """Gives heads' work its answers."""

    def __init__(self, run: Run, client: Client, context: int) -> None:
        self._run = run
        self._settings = run.desk.settings
        self._client = client
        self._context = context
        self._ruler = Ruler()
        self._works: dict[About, Work] = {}
        self._sent: list[_Sent] = []
        self._asked: set[About] = set()
        """What has been asked about, in this run or an earlier one."""
        self._heard: queue.Queue[tuple[_Sent, Answer | Exception]] = queue.Queue()
        self._saved: deque[tuple[_Sent, Answer]] = deque()
        """Answers that are in the notebook and have not been given to their work."""
        run.between = self._save_heard

    def work_on(self, begin: Mapping[Any, Callable[[], Work]]) -> None:
        """Work on every subject until all is done, or the run is over."""
        waiting = list(begin)
        try:
            while waiting or self._works:
                while waiting and len(self._works) < self._settings.parallel and not self._run.is_over:
                    about = waiting.pop(0)
                    self._works[about] = begin[about]()
                    self._advance(about, None)
                if self._run.is_over:
                    self._end_all()
                    self._run.drafted.unreached += waiting
                    waiting = []
                elif self._sent or self._saved:
                    self._listen()
        finally:
            self._abandon()  # interrupted, or over: what came is kept

    def _advance(self, about: About, answer: Answer | None) -> None:
        """Give some work its answer, and send what it asks next unless that was answered before."""
        work = self._works[about]
        try:
            ask = next(work) if answer is None else work.send(answer)
            while (known := self._run.notebook.answer(about, ask.key)) is not None:
                self._asked.add(about)
                self._ruler.measure(known)
                ask = work.send(known)
            if self._run.is_over:
                self._end(about)
            else:
                self._send(ask, attempt=1)
        except StopIteration:
            del self._works[about]

    def _end(self, about: About) -> None:
        """Let some work end with what it has."""
        with suppress(StopIteration, Enough):
            while True:  # what it still wants to ask is not asked
                self._works[about].throw(Enough())
        del self._works[about]
        if about not in self._asked:
            self._run.drafted.unreached.append(about)

    def _end_all(self) -> None:
        self._abandon()
        for about in list(self._works):
            self._end(about)

    def _abandon(self) -> None:
        self._save_heard()
        self._saved.clear()
        for sent in self._sent:
            sent.is_unwanted = True
            self._run.notebook.save(sent.page, sent.so_far)
            self._count(sent.so_far)
        self._sent = []

    def _count(self, answer: Answer) -> None:
        read = answer.prompt_tokens or self._ruler.tokens(answer.characters)
        self._run.drafted.tokens += read + answer.reply_tokens

    def _send(self, ask: Ask, *, attempt: int) -> None:
        try:
            question, window = self._question(ask)
        except OllamaError as error:
            if ask.about in self._asked:
                self._run.drafted.notes.append(f"{ask.about}, {ask.step}: {error}: {error.hint}")
                self._end(ask.about)  # a program of its own is too long to go back; the others' may not be
            else:
                self._run.drafted.error = error
            return
        self._asked.add(ask.about)
        sent = _Sent(ask, self._run.notebook.begin(ask.about, ask.key, question), window, attempt)
        self._sent.append(sent)
        # A daemon: one that waits for a server that says nothing must not keep the process from ending.
        threading.Thread(target=self._talk, args=(sent, question), daemon=True).start()

    def _talk(self, sent: _Sent, question: Question) -> None:
        if sent.attempt > 1:
            time.sleep(_PAUSE_S)
        if sent.is_unwanted:
            return
        try:
            self._heard.put((sent, self._client.chat(question, window=sent.window, listen=sent.listen)))
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread, which waits for an answer
            self._heard.put((sent, error))

    def _question(self, ask: Ask) -> tuple[Question, int]:
        """What to ask, no longer than fits, and the window for it."""
        system = self._run.desk.prompts.system
        reply = self._settings.reply_tokens
        least = len(system) + len(ask.make(0))
        room = self._context - reply - self._ruler.tokens(least)
        if room < 0:
            raise OllamaError(
                f"{self._settings.model} reads {self._context} tokens; the shortest prompt has about"
                f" {self._ruler.tokens(least)}, and a reply up to {reply}",
                hint="name a model with a longer context, or allow shorter replies: [ollama] reply_tokens",
            )
        prompt = ask.make(int(min(room, SUMMARY_TOKENS) * self._ruler.per_token))
        question = Question(system, prompt, SCHEMA, seed=self._run.wanted.seed)
        return question, self._ruler.window(question.characters, reply, self._context)

    def _save_heard(self, *, wait: float = 0.0) -> None:
        """Save the answers that have come, before anything else is done with them."""
        with suppress(queue.Empty):
            while True:
                sent, answer = self._heard.get(timeout=wait) if wait else self._heard.get_nowait()
                wait = 0.0
                if isinstance(answer, Exception):
                    raise answer
                if sent in self._sent:
                    self._sent.remove(sent)
                    answer = self._ruler.measure(answer)
                    self._run.notebook.save(sent.page, answer)
                    self._count(answer)
                    self._saved.append((sent, answer))

    def _listen(self) -> None:
        """Wait a moment for an answer; save what has come of the others."""
        if not self._saved:
            self._save_heard(wait=_TICK_S)
        if not self._saved:
            for sent in self._sent:
                self._show(sent.ask, sent.so_far, "writes" if sent.pieces else "reads")
                if len(sent.pieces) > sent.saved:
                    sent.saved = len(sent.pieces)
                    self._run.notebook.save(sent.page, sent.so_far)
            return
        sent, answer = self._saved.popleft()
        self._show(sent.ask, answer, "answered" if answer.error is None else "broke off")
        if answer.error is not None:
            self._run.drafted.notes.append(f"{sent.ask.about}, {sent.ask.step}: {answer.error}")
        if is_settled(answer):
            self._advance(sent.ask.about, answer)
            return
        self._run.told(sent.ask, answer, 0, str(answer.error))
        if isinstance(answer.error, BrokenAnswerError) and sent.attempt < _TRIES:
            self._send(sent.ask, attempt=sent.attempt + 1)
        else:
            self._run.drafted.error = answer.error

    def _show(self, ask: Ask, answer: Answer, stage: str) -> None:
        self._run.desk.show(Row(ask.about, ask.step, stage, None, answer.reply_tokens, answer.seconds))
