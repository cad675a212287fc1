"""Readhead from Python: the main jobs on a model that is already loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from readhead.corpus import Part, Sizes, build_corpus, read_documents
from readhead.explanation import Explanation
from readhead.heads import HeadId
from readhead.library import Report
from readhead.program import parse, read_program
from readhead.scores import HeadScore
from readhead.session import Session, check_length
from readhead.surrogates.planner import Plan
from readhead.synthesis.front import Wanted
from readhead.workspace import Workspace

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def explain(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str] | None = None,
    *,
    programs: Iterable[str | Path] = (),
    terms: int | None = 8,
    plan: Plan | None = None,
    sizes: Sizes | None = None,
    seed: int = 0,
    workspace: str | Path | None = None,
    report: Report | None = None,
) -> Explanation:
    """The best program for every head of a model that is already loaded, synthesized or of the library.

    Nothing is reloaded, and the model's attention implementation is what it was afterwards.

    Args:
        model: any supported causal language model, on any device.
        tokenizer: its tokenizer.
        texts: documents; the bundled stories by default. They are split by document into fit, dev and held-out.
        programs: program files to rank beside the shipped library and the workspace's own.
        terms: the most terms of a program, written for a head or taken from the library, 1 to 32; None to write none
            and rank the library alone.
        plan: how to measure the perplexity with ever more heads replaced, such as `Plan()`; by default it is not.
        sizes: sequences a part, and their length in tokens.
        seed: of the split.
        workspace: a folder that keeps patterns and scores for the next call; by default nothing is kept.
        report: called with a stage's name, what is done and what there is to do.

    Raises:
        ReadheadError: for a model, text or program that cannot be used; `hint` names the cure.
    """
    with _session(model, tokenizer, texts, sizes, seed, workspace, report) as session:
        listed = [*session.library(), *map(read_program, programs)]
        wanted = None if terms is None else Wanted(terms=terms, seed=seed)
        return session.explain(listed, wanted=wanted, plan=plan)


def score(
    programs: Iterable[str | Path],
    heads: Iterable[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str] | None = None,
    *,
    part: Part = "held-out",
    mistakes: int = 3,
    sizes: Sizes | None = None,
    seed: int = 0,
    workspace: str | Path | None = None,
) -> list[HeadScore]:
    """How well each program predicts each head, one result a program and head in the order given.

    Args:
        programs: program files (a `Path`), or programs' texts (a `str` with a line break).
        heads: heads such as `L3H7`.
        model: as for `explain`, like `tokenizer`, `texts`, `sizes`, `seed` and `workspace`.
        tokenizer: the model's tokenizer.
        texts: documents; the bundled stories by default.
        part: the part of the corpus that is scored: `fit`, `dev` or `held-out`.
        mistakes: how many of the worst rows each result tells.
        sizes: sequences a part, and their length in tokens.
        seed: of the split.
        workspace: a folder that keeps patterns for the next call.

    Raises:
        ReadheadError: for a model, text, head or program file that cannot be used.
    """
    parsed = [parse(p) if isinstance(p, str) and "\n" in p else read_program(p) for p in programs]
    named = [HeadId.parse(head) for head in heads]
    with _session(model, tokenizer, texts, sizes, seed, workspace, None) as session:
        return session.score([(program, head) for program in parsed for head in named], part=part, mistakes=mistakes)


@contextmanager
def _session(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str] | None,
    sizes: Sizes | None,
    seed: int,
    workspace: str | Path | None,
    report: Report | None,
) -> Iterator[Session]:
    from readhead.models import wrap_model  # noqa: PLC0415 - only who reads a model waits for torch

    documents = read_documents("bundled") if texts is None else texts
    loaded = wrap_model(model, tokenizer)
    check_length(loaded, (sizes or Sizes()).length)
    corpus = build_corpus(documents, tokenizer, sizes, name="bundled" if texts is None else "texts", seed=seed)
    with (
        Workspace.open(workspace) if workspace else Workspace.temporary() as opened,
        Session(
            loaded,
            corpus,
            opened,
            report=report,
            allow_reduced_isolation=opened.settings.allow_reduced_isolation,
        ) as session,
    ):
        yield session
