"""Question answering: multiple-choice tasks through lm-evaluation-harness, asked of a model in whatever state it is.

1. `Questions.load` reads tasks and their data, once.
2. `Questions.ask` asks them of a model: the neural one, or one in which programs stand in for heads.
3. `compare` sets two states of a model against each other, question by question.

Values here are plain; the harness (the extra `eval`) is loaded when questions are.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from readhead.errors import TaskError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from rich.console import RenderableType

    from readhead.heads import HeadId
    from readhead.library import Report
    from readhead.models import LoadedModel

BATCH_SIZE = 16
"""Texts (a question with one candidate answer) that the model reads at once, unless told otherwise."""
_SIGNAL = 2
"""Standard errors above chance from which a task tells something about a model."""


@dataclass(frozen=True)
class TaskScore:
    """How a model answered the questions of one task."""

    task: str
    metric: str
    """`acc_norm`, which divides a candidate's log-likelihood by its characters, where the task has it; else `acc`."""
    correct: tuple[bool, ...] = field(repr=False)
    """For each question, whether the right answer was the likeliest; in the task's order."""
    log_likelihoods: tuple[tuple[float, ...], ...] = field(repr=False)
    """For each question, the natural logarithm of each candidate answer's probability after the question."""
    cut: int = 0
    """Of these questions, those whose beginning was cut off, because the model does not read as many tokens."""
    left_out: int = 0
    """Further questions, which were not asked: a candidate answer alone has more tokens than the model reads."""

    @property
    def questions(self) -> int:
        """How many were asked."""
        return len(self.correct)

    @property
    def accuracy(self) -> float:
        """Share of the questions answered correctly; 0 to 1."""
        return fmean(self.correct)

    @property
    def standard_error(self) -> float:
        """Of the accuracy, over questions; 0 to 1."""
        return _standard_error(self.accuracy, self.questions)

    @property
    def chance(self) -> float:
        """The accuracy of guessing: the mean over questions of 1 / number of candidates."""
        return fmean(1 / len(candidates) for candidates in self.log_likelihoods)

    @property
    def has_signal(self) -> bool:
        """Whether the accuracy lies two standard errors or more above chance.

        The larger of its own standard error and that of guessing counts: a few questions that were all answered
        correctly have none of their own.
        """
        error = max(self.standard_error, _standard_error(self.chance, self.questions))
        return self.accuracy >= self.chance + _SIGNAL * error

    def as_dict(self) -> dict[str, Any]:
        """One row of the lists of `readhead qa --json`."""
        return {
            "task": self.task,
            "metric": self.metric,
            "questions": self.questions,
            "accuracy": self.accuracy,
            "standard_error": self.standard_error,
            "chance": self.chance,
            "signal": self.has_signal,
            "cut": self.cut,
            "left_out": self.left_out,
            "correct": list(self.correct),
        }


def _standard_error(share: float, questions: int) -> float:
    return math.sqrt(share * (1 - share) / max(questions - 1, 1))


@dataclass(frozen=True)
class Change:
    """What became of a task's accuracy, the same questions having been asked of two states of a model."""

    task: str
    difference: float
    """The accuracy after minus that before; -1 to 1."""
    standard_error: float
    """Of the difference, paired: questions that both states answer alike add nothing to it."""
    gained: int
    """Questions that were answered correctly only after."""
    lost: int
    """Questions that were answered correctly only before."""

    def as_dict(self) -> dict[str, Any]:
        """The `change` member of a row of `readhead qa --json`."""
        return {
            "difference": self.difference,
            "standard_error": self.standard_error,
            "gained": self.gained,
            "lost": self.lost,
        }


def compare(before: TaskScore, after: TaskScore) -> Change:
    """The change from `before` to `after`, which answered the same questions.

    Raises:
        ValueError: if they did not.
    """
    asked = [(score.task, score.metric, [len(each) for each in score.log_likelihoods]) for score in (before, after)]
    if asked[0] != asked[1]:
        raise ValueError(f"{before.task} and {after.task} were not asked the same questions")
    steps = [int(late) - int(early) for early, late in zip(before.correct, after.correct, strict=True)]
    mean = fmean(steps)
    variance = sum((step - mean) ** 2 for step in steps) / max(len(steps) - 1, 1)
    return Change(
        task=before.task,
        difference=mean,
        standard_error=math.sqrt(variance / len(steps)),
        gained=steps.count(1),
        lost=steps.count(-1),
    )


@dataclass(frozen=True)
class Questions:
    """Tasks with their data, to be asked of a model any number of times; see `load`."""

    tasks: dict[str, Any] = field(repr=False)
    """The harness's tasks, by name."""
    limit: int | None = None

    @classmethod
    def load(cls, tasks: Sequence[str], *, include: Path | None = None, limit: int | None = None) -> Questions:
        """The questions of `tasks`: those that ship, those of files in the folder `include`, or the harness's own.

        Args:
            tasks: names of tasks, or of groups of tasks. The data of the harness's own come from the hub.
            include: a folder with task files (.yaml); it is looked through with all folders in it.
            limit: how many questions of each task are asked, its first ones; None for all.

        Raises:
            UsageError: for no task, a limit below 1, or without the extra `eval`.
            TaskError: for a task that is unknown, cannot be read or fetched, or is not multiple choice.
        """
        names = list(dict.fromkeys(name.strip() for name in tasks if name.strip()))
        if not names:
            raise UsageError("no task is named", hint="name one or more: --tasks stories")
        if include is not None and include.is_dir() and not any(include.rglob("*.yaml")):
            raise TaskError(f"there is no task file (.yaml) in {include}", hint="name the folder that holds yours")
        if limit is not None and limit < 1:
            raise UsageError(f"a limit of {limit} questions leaves none", hint="use --limit 1 or more")
        return cls(_harness().load_tasks(names, include), limit)

    def ask(self, model: LoadedModel, *, batch_size: int = BATCH_SIZE, report: Report | None = None) -> list[TaskScore]:
        """How `model`, as it is at this moment, answers them: one score a task, in the order of the tasks.

        Args:
            model: nothing of it is changed; heads that are replaced are replaced for the questions too.
            batch_size: texts that are read at once. The result does not depend on it, rounding aside.
            report: called with a stage's name, the candidate answers read so far, and all of them.

        Raises:
            UsageError: for a batch size below 1.
            ModelError: if memory does not suffice.
            TaskError: for a question that cannot be asked, or a task of which none fits into the model.
        """
        if batch_size < 1:
            raise UsageError(f"a batch of {batch_size} texts is none", hint="use --batch-size 1 or more")
        scores: list[TaskScore] = _harness().ask(
            self.tasks, model, limit=self.limit, batch_size=batch_size, report=report
        )
        return scores


@dataclass(frozen=True)
class State:
    """How a model answers with some heads replaced."""

    name: str
    """Such as `25%`."""
    heads: tuple[HeadId, ...]
    """Those that are replaced."""
    scores: tuple[TaskScore, ...]
    """One a task."""
    failed: Mapping[HeadId, int]
    """How often a head was neural for one text, because its program failed on it."""


@dataclass(frozen=True)
class Answers:
    """How a model answers with no head, and with ever more heads replaced."""

    model: str
    """The model's name."""
    isolation: str
    """How programs were kept apart from the machine, in words."""
    neural: tuple[TaskScore, ...]
    states: tuple[State, ...]
    left_neural: Mapping[HeadId, str]
    """Heads that stay neural because their best program may not stand in for them, and why."""
    seconds: float
    """What asking took."""

    def as_dict(self) -> dict[str, Any]:
        """The document that `readhead qa --json` prints."""
        return {
            "model": {"name": self.model},
            "isolation": self.isolation,
            "neural": [score.as_dict() for score in self.neural],
            "hybrid": [
                {
                    "name": state.name,
                    "replaced": [str(head) for head in state.heads],
                    "failed": {str(head): count for head, count in state.failed.items()},
                    "tasks": [
                        after.as_dict() | {"change": compare(before, after).as_dict() if before.has_signal else None}
                        for before, after in zip(self.neural, state.scores, strict=True)
                    ],
                }
                for state in self.states
            ],
            "left_neural": {str(head): reason for head, reason in self.left_neural.items()},
            "seconds": self.seconds,
        }

    def __rich__(self) -> RenderableType:
        from readhead.surrogates.views import answers_view  # noqa: PLC0415 - rich only where something is shown

        return answers_view(self)


def _harness() -> ModuleType:
    """The module that calls lm-evaluation-harness, an extra."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fifty packages
            from readhead import lm_harness  # noqa: PLC0415 - an extra, and seconds of imports
    except ImportError as error:
        raise UsageError(
            f"question answering needs the extra `eval`: {error}", hint="pip install 'readhead[eval]'"
        ) from error
    return lm_harness
