"""Fitting the constants of all replaced heads together, to the model's output.

A head's own IoU does not say what its errors do to the next token, nor how those of several heads add up. So:

1. Take the programs of additive form apart (`readhead.surrogates.additive`); the sandbox gives their terms' values on
   `fit`. A head whose program has another form keeps its prediction, and is replaced by it throughout.
2. Run the model with the heads replaced, by matrices through which gradients flow, and lower
   KL(neural || hybrid) of the next token - worth · mean IoU, over the weights of all terms, by Adam. A weight keeps
   its sign, which the program's words tell ("looks at", "avoids").
3. From time to time write the weights into the programs' texts, with three digits, and measure those on `dev`.
   Only texts that the sandbox ran are ever measured or kept.
4. Keep the best of them, if they are better than the old ones: lower perplexity on `dev` with all the heads replaced.

The model's weights never move. The same model, programs, texts and seed give the same programs on the CPU.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from readhead.attention import OwnPattern, hooked, run_batch
from readhead.corpus import Part, TokenSequence
from readhead.errors import UsageError
from readhead.heads import HeadId
from readhead.library import Report, Target
from readhead.models import LoadedModel, evaluating, within_memory
from readhead.patterns import BATCH_TOKENS, Array, pack, packed_size
from readhead.program import Program, parse
from readhead.record import without_record
from readhead.sandbox import Sandbox
from readhead.scoring import iou
from readhead.surrogates.additive import Additive, NotAdditive, additive_form
from readhead.surrogates.meter import Meter, divergences
from readhead.surrogates.predictions import TRIED, Predictions
from readhead.surrogates.switchboard import refuse_findings
from readhead.synthesis.files import with_heads

WORTH = 1.0
"""Nats of the next token's distribution that a whole IoU, mean over heads, is worth."""
STEPS = 60
_RATE = 0.1
"""Adam's, at its highest: how far a weight moves in a step."""
_WARM = 5
"""Steps over which the rate rises."""
_DIGITS = 3
"""Significant digits of a weight that moved."""
_TABLE = re.compile(r"(?m)^# \[tool\.readhead\]$")
_LOGIT_BYTES = 256 << 20
"""For the logits of one batch; a step holds a few such tensors."""
_CHECKED = 20
"""Steps after which the programs are written and measured on `dev`."""
_BATCH_TOKENS = 2 * BATCH_TOKENS
"""Tokens of the texts that one step looks at."""
_VALUE_BYTES = 1 << 30
"""For the terms' values on all texts."""
_LARGEST = 60_000.0
"""Values are kept in half precision, which ends a little above."""
_ADDS_UP = 0.02
"""How far the weighted sum of a program's terms, in half precision, may be from its prediction."""
_LEAST = 1e-3
"""A weight stays at least so far from 0, for its sign is in the program's words."""


@dataclass(frozen=True)
class Figures:
    """What replacing all the given heads does, on one part of the corpus."""

    increase_percent: float
    """Of the perplexity of the hybrid against the neural model."""
    kl: float
    """KL(neural || hybrid) of the next token, mean over predicted tokens, in nats."""
    iou: float
    """Mean over heads and texts."""

    def loss(self, worth: float) -> float:
        """What the fit lowers: KL - worth · IoU."""
        return self.kl - worth * self.iou


@dataclass(frozen=True)
class JointFit:
    """What came of fitting the constants of several heads together."""

    programs: Mapping[HeadId, Program]
    """For every given head its program: with new constants, and for this head alone, or as it was."""
    left_alone: Mapping[HeadId, str]
    """Heads whose programs have no constants to fit in this way, each with the reason."""
    fit_before: Figures
    fit_after: Figures
    dev_before: Figures
    dev_after: Figures
    constants: int
    """Weights of terms, all heads together."""
    texts: int
    """Of `fit` that the constants were fitted to: fewer than there are where memory would not suffice."""
    steps: int
    """Of the optimizer that led to `programs`; 0 where the old ones were kept."""
    seconds: float
    kept: str = ""
    """Why the old programs were kept; empty where they were not."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; without the programs' texts."""
        return {
            "heads": [str(head) for head in sorted(self.programs)],
            "left_alone": {str(head): reason for head, reason in self.left_alone.items()},
            "fit": {"before": asdict(self.fit_before), "after": asdict(self.fit_after)},
            "dev": {"before": asdict(self.dev_before), "after": asdict(self.dev_after)},
            "constants": self.constants,
            "texts": self.texts,
            "steps": self.steps,
            "seconds": self.seconds,
            "kept": self.kept or None,
        }


def fit_jointly(
    model: LoadedModel,
    programs: Mapping[HeadId, Program],
    target: Target,
    predictions: Predictions,
    *,
    worth: float = WORTH,
    steps: int = STEPS,
    seed: int = 0,
    report: Report | None = None,
) -> JointFit:
    """Move the constants of all heads' programs to where the hybrid model is nearest to the neural one.

    Args:
        model: the model that `target` was measured on.
        programs: for each head that is to be replaced its program; the other heads stay neural.
        target: whose `fit` texts the constants are fitted to, and whose `dev` texts decide.
        predictions: of the programs on the texts of `target`.
        worth: of IoU, against KL; see `WORTH`. With 0 only the model's output counts.
        steps: of the optimizer.
        seed: of the order of the texts.
        report: called after each step with the stage `joint`.

    Raises:
        ProgramError: if a program has findings, looks ahead or gives nothing.
        UsageError: if there is no program, no such head, or another model.
    """
    started = time.monotonic()
    _check(model, programs, target, worth, steps)
    predictions.refuse_unfit(programs, [sequence.ids for sequence in target.corpus["fit"][:TRIED]])
    fit_before = measure(model, programs, target, "fit", predictions)
    dev_before = measure(model, programs, target, "dev", predictions)
    bench, left_alone = _bench(programs, target, predictions)
    best, best_figures, best_steps = dict(programs), dev_before, 0
    tried = dev_before
    shorter = f"use --length {max(2, target.corpus.length // 2)}, or leave the constants as they are"
    with within_memory("fitting the constants", shorter):
        for step, weights in _descend(model, bench, worth=worth, steps=steps, seed=seed, report=report):
            candidate = {**programs, **bench.write(weights)}
            tried = measure(model, candidate, target, "dev", predictions)
            if tried.increase_percent < dev_before.increase_percent and tried.loss(worth) < best_figures.loss(worth):
                best, best_figures, best_steps = candidate, tried, step
    return JointFit(
        programs=best,
        left_alone=left_alone,
        fit_before=fit_before,
        fit_after=measure(model, best, target, "fit", predictions) if best_steps else fit_before,
        dev_before=dev_before,
        dev_after=best_figures,
        constants=sum(len(form.terms) for form in bench.forms.values()),
        texts=len(bench.ids),
        steps=best_steps,
        seconds=time.monotonic() - started,
        kept="" if best_steps else _why_kept(bench, dev_before, tried),
    )


def measure(
    model: LoadedModel, programs: Mapping[HeadId, Program], target: Target, part: Part, predictions: Predictions
) -> Figures:
    """What replacing these heads by their programs does on one part of the corpus.

    On a text on which a program fails its head is neural, and the IoU counts as 0.
    """
    sequences, places = target.corpus[part], target.places(part)
    with Meter(model, sequences, predictions) as meter:
        impact = meter.impact(programs, details=True)
    overlap = 0.0
    for place, sequence in zip(places, sequences, strict=True):
        found = predictions.fetch(programs.values(), [sequence.ids])
        for head, program in programs.items():
            packed = found[program.source, sequence.ids].packed
            if packed is not None:
                overlap += iou(packed, target.store.read(place, target.geometry.index_of(head)))
    return Figures(
        increase_percent=100 * impact.increase,
        kl=impact.divergence or 0.0,
        iou=overlap / (len(programs) * len(sequences)),
    )


# What may be fitted


def _check(model: LoadedModel, programs: Mapping[HeadId, Program], target: Target, worth: float, steps: int) -> None:
    if not programs:
        raise UsageError("there is no program to fit", hint="give a program for each head that is to be replaced")
    if model.fingerprint != target.model:
        raise UsageError("the patterns are another model's", hint="fit with the model that the patterns were read from")
    if not (math.isfinite(worth) and worth >= 0):
        raise UsageError(f"IoU cannot be worth {worth} nats", hint="give a number from 0 up; usual are 0 to 3")
    if steps < 1:
        raise UsageError(f"{steps} steps fit nothing", hint="take at least one")
    for head in programs:
        target.geometry.index_of(head)
    refuse_findings(programs)


def _why_kept(bench: _Bench, before: Figures, after: Figures) -> str:
    if not bench.forms:
        return "no program has constants to fit"
    old, new = f"{before.increase_percent:+.2f} %", f"{after.increase_percent:+.2f} %"
    if after.increase_percent < before.increase_percent:
        return f"no better on dev: perplexity {old} would become {new}, which does not pay for the IoU that it costs"
    return f"no better on dev: perplexity {old} would become {new}"


@dataclass(frozen=True)
class _Bench:
    """All that the fit needs of the programs: taken apart, with their summands' values on some texts of `fit`."""

    length: int
    ids: Tensor
    """`[texts, tokens]`."""
    forms: Mapping[HeadId, Additive]
    values: Tensor
    """Of all distinct summands, `[texts, summands, triangle]`, float16."""
    numbers: Mapping[HeadId, Tensor]
    """For each form its summands among all."""
    others: Mapping[HeadId, Tensor]
    """The predictions of the heads that have no form, `[texts, triangle]`, float16."""
    patterns: Mapping[HeadId, Tensor]
    """Of all replaced heads, `[texts, triangle]`, float16."""

    def weights(self, head: HeadId) -> Tensor:
        """Of a form's summands, as its text has them."""
        return torch.tensor([summand.weight for summand in self.forms[head].summands])

    def adds_up(self, head: HeadId, predicted: Tensor) -> bool:
        """Whether a form's weighted sum gives the program's own prediction, `[texts, triangle]`, on the first texts."""
        texts = list(range(min(TRIED, len(predicted))))
        matrices = _pattern_of(_scores(self.weights(head), self.values[texts], self.numbers[head]), self.length)
        return bool((matrices - _square(predicted[texts], self.length)).abs().max() < _ADDS_UP)

    def write(self, weights: Mapping[HeadId, Sequence[float]]) -> dict[HeadId, Program]:
        """Each head's program with the weights of its summands, with three digits where they moved."""
        written = {}
        for head, form in self.forms.items():
            moved = [
                summand.weight if new == summand.weight else float(f"{new:.{_DIGITS}g}")
                for summand, new in zip(form.summands, weights[head], strict=True)
                if summand.constant is not None
            ]
            written[head] = _of_one_head(form.with_weights(moved), head)
        return written


def _of_one_head(source: str, head: HeadId) -> Program:
    """A program that is this head's alone from now on, without what was recorded of another's."""
    program = parse(without_record(source))
    if not program.metadata.heads:
        program = replace(program, source=_TABLE.sub(r"\g<0>\n# heads = []", program.source, count=1))
    return with_heads(program, [head])


def _bench(
    programs: Mapping[HeadId, Program], target: Target, predictions: Predictions
) -> tuple[_Bench, dict[HeadId, str]]:
    """The programs' forms with their values, and for the other heads why theirs have none."""
    forms, left_alone = _forms(programs)
    numbers = _numbers(forms)
    most = _VALUE_BYTES // (2 * packed_size(target.corpus.length) * (len(numbers) + 2 * len(programs)))
    sequences = target.corpus["fit"][: max(1, most)]
    values, problems = _values(list(numbers), sequences, predictions.sandbox)
    found = predictions.fetch(programs.values(), [sequence.ids for sequence in sequences])
    patterns = {head: _patterns(target, head, len(sequences)) for head in programs}
    predicted = {
        head: _predicted([found[program.source, sequence.ids].packed for sequence in sequences], patterns[head])
        for head, program in programs.items()
    }
    bench = _Bench(
        length=target.corpus.length,
        ids=torch.tensor([sequence.ids for sequence in sequences]),
        forms=forms,
        values=values,
        numbers={
            head: torch.tensor([numbers[summand.source] for summand in form.summands]) for head, form in forms.items()
        },
        others={},
        patterns=patterns,
    )
    for head, form in forms.items():
        reason = next((problems[summand.source] for summand in form.summands if summand.source in problems), "")
        if not (reason or bench.adds_up(head, predicted[head])):
            reason = "its summands do not add up to its prediction"
        if reason:
            left_alone[head] = reason
    bench = replace(
        bench,
        forms={head: form for head, form in forms.items() if head not in left_alone},
        others={head: predicted[head] for head in left_alone},
    )
    return bench, dict(sorted(left_alone.items()))


def _values(
    sources: Sequence[str], sequences: Sequence[TokenSequence], sandbox: Sandbox
) -> tuple[Tensor, dict[str, str]]:
    """Of summands, `[texts, summands, triangle]`, float16; and what is wrong with some of them, in words."""
    values = np.zeros((len(sequences), len(sources), packed_size(len(sequences[0].ids))), np.float16)
    problems = {}
    sandbox.load([sequence.text for sequence in sequences])
    for number, (source, run) in enumerate(zip(sources, sandbox.run_many(sources), strict=True)):
        if run.failures:
            problems[source] = f"one of its summands fails on its own: {run.failures[0].message}"
            continue
        given = [pack(weights) for weights in run.weights if weights is not None]
        if all(float(np.abs(packed).max()) < _LARGEST for packed in given):  # NaN is not
            for place, packed in enumerate(given):
                values[place, number] = packed
        else:
            problems[source] = "one of its summands is not finite, or too large to reckon with"
    return torch.from_numpy(values), problems


def _patterns(target: Target, head: HeadId, texts: int) -> Tensor:
    """Of one head on the first texts of `fit`, `[texts, triangle]`, float16."""
    row = target.geometry.index_of(head)
    patterns = [target.store.read(place, row) for place in target.places("fit")[:texts]]
    return torch.from_numpy(np.stack(patterns).astype(np.float16))


def _predicted(packed: Sequence[Array | None], patterns: Tensor) -> Tensor:
    """A program's predictions, `[texts, triangle]`, float16; where it failed, the head's own patterns."""
    rows = [patterns[place].numpy() if each is None else each for place, each in enumerate(packed)]
    return torch.from_numpy(np.stack(rows).astype(np.float16))


def _forms(programs: Mapping[HeadId, Program]) -> tuple[dict[HeadId, Additive], dict[HeadId, str]]:
    """The forms of the programs that have one with constants, and the reasons of the others."""
    forms: dict[HeadId, Additive] = {}
    left_alone: dict[HeadId, str] = {}
    for head, program in sorted(programs.items()):
        try:
            form = additive_form(program)
        except NotAdditive as reason:
            left_alone[head] = str(reason)
            continue
        if form.terms:
            forms[head] = form
        else:
            left_alone[head] = "its sum has no constant to fit"
    return forms, left_alone


def _numbers(forms: Mapping[HeadId, Additive]) -> dict[str, int]:
    """Each distinct summand's number, by its program's text."""
    sources = dict.fromkeys(summand.source for form in forms.values() for summand in form.summands)
    return {source: number for number, source in enumerate(sources)}


# The fit


def _descend(
    model: LoadedModel, bench: _Bench, *, worth: float, steps: int, seed: int, report: Report | None
) -> Iterator[tuple[int, dict[HeadId, list[float]]]]:
    """The weights of all summands, after every so many steps and after the last."""
    start = {head: bench.weights(head) for head in bench.forms}
    free = {
        head: torch.tensor([float(summand.constant is not None) for summand in form.summands])
        for head, form in bench.forms.items()
    }
    if not start:
        return
    weights = {head: values.clone() for head, values in start.items()}
    optimizer = torch.optim.Adam(list(weights.values()), lr=_RATE, betas=(0.9, 0.99))
    batches = _batches(len(bench.ids), _texts_at_once(model, bench.length), seed)
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, steps)
        slopes = _slopes(model, bench, weights, next(batches), worth)
        for head, values in weights.items():
            values.grad = slopes[head] * free[head]
        optimizer.step()
        for head, values in weights.items():
            _keep_signs(values, start[head])
        if report:
            report("joint", step, steps)
        if step % _CHECKED == 0 or step == steps:
            yield step, {head: values.tolist() for head, values in weights.items()}


def _rate(step: int, steps: int) -> float:
    """Rises over the first steps, then falls to nothing along a cosine."""
    return _RATE * min(1.0, step / _WARM) * 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))


def _keep_signs(weights: Tensor, start: Tensor) -> None:
    weights.copy_(torch.where(start < 0, weights.clamp(max=-_LEAST), weights.clamp(min=_LEAST)))


def _batches(texts: int, size: int, seed: int) -> Iterator[list[int]]:
    """Places of texts, all of them once a round, in another order each round."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(texts, generator=generator).tolist()
        for start in range(0, texts - min(size, texts) + 1, size):
            yield sorted(order[start : start + size])


def _slopes(
    model: LoadedModel, bench: _Bench, weights: Mapping[HeadId, Tensor], texts: Sequence[int], worth: float
) -> dict[HeadId, Tensor]:
    """The gradient of the loss by the weights of each form's summands.

    Gradients flow to the scores, and from there by one product: the values are not kept for them in float32.
    """
    values = bench.values[texts]
    scores = {head: _scores(own, values, bench.numbers[head]) for head, own in weights.items()}
    with torch.enable_grad(), _frozen(model):
        matrices = {head: _pattern_of(given.requires_grad_(), bench.length) for head, given in scores.items()}
        overlap = sum(
            (_iou(matrix, _square(bench.patterns[head][texts], bench.length)) for head, matrix in matrices.items()),
            torch.zeros(()),
        )
        for head, predicted in bench.others.items():
            matrices[head] = _square(predicted[texts], bench.length)
        ids = bench.ids[texts]
        with torch.no_grad():
            neural = _next_tokens(model, ids, {})
        hybrid = _next_tokens(model, ids, matrices)
        loss = divergences(neural, hybrid).mean().cpu() - worth * overlap / len(matrices)
        slopes = torch.autograd.grad(loss, list(scores.values()))
    return {
        head: torch.einsum("bt,bkt->k", slope, values[:, bench.numbers[head]].float())
        for head, slope in zip(scores, slopes, strict=True)
    }


def _scores(weights: Tensor, values: Tensor, numbers: Tensor) -> Tensor:
    """`[B, triangle]`: the weighted sum of some of the summands in `[B, summands, triangle]`."""
    return torch.einsum("k,bkt->bt", weights, values[:, numbers].float())


def _next_tokens(model: LoadedModel, ids: Tensor, matrices: Mapping[HeadId, Tensor]) -> Tensor:
    """`[B, n - 1, V]`: logarithms of what the model expects after each token but the last, with heads replaced."""

    def hook(layer: int, _pattern: OwnPattern) -> dict[int, Tensor]:
        return {head.index: matrix for head, matrix in matrices.items() if head.layer == layer}

    with hooked(model.model, hook):
        logits: Tensor = run_batch(model.model, ids).logits
    return logits[:, :-1].float().log_softmax(-1)


def _iou(predicted: Tensor, patterns: Tensor) -> Tensor:
    """Mean over texts, of `[B, n, n]` whose rows sum to 1."""
    shared = torch.minimum(predicted, patterns).sum((1, 2))
    return (shared / (2 * predicted.shape[-1] - shared)).mean()


def _pattern_of(scores: Tensor, length: int) -> Tensor:
    """Softmax over the keys that each query may see: `[B, triangle]` to `[B, n, n]`."""
    return _square(scores, length, -torch.inf).softmax(-1)


def _square(packed: Tensor, length: int, above: float = 0.0) -> Tensor:
    """`[B, triangle]` to `[B, n, n]`, float32, with one value above the diagonal."""
    rows, columns = torch.tril_indices(length, length)
    flat = torch.full((len(packed), length * length), above)
    flat[:, rows * length + columns] = packed.float()
    return flat.view(-1, length, length)


@contextmanager
def _frozen(model: LoadedModel) -> Iterator[None]:
    """The model in evaluation mode, its parameters without gradients; as it was on any exit."""
    parameters = [parameter for parameter in model.model.parameters() if parameter.requires_grad]
    with evaluating(model.model):
        try:
            for parameter in parameters:
                parameter.requires_grad_(False)  # noqa: FBT003 - torch has no other name for it
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad_(True)  # noqa: FBT003 - as above


def _texts_at_once(model: LoadedModel, length: int) -> int:
    """Texts of a batch."""
    logits: int = 4 * model.model.config.get_text_config().vocab_size
    tokens = min(_BATCH_TOKENS, _LOGIT_BYTES // logits)
    return max(1, tokens // length)
