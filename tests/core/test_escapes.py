from __future__ import annotations

import dataclasses
import random
import re
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from core import escape_layers
from core.escape_layers import COLUMNS, EXACT, HONEST, TEXT, Outcome, outcomes, same
from core.escapes import CASES, CRASH, MEMORY, SPOILS, TIME, Case
from core.sandbox_programs import FRIENDLY
from core.typical_programs import TYPICAL
from readhead.sandbox import Limits, Sandbox, policy

PAGE = Path(__file__).parents[2] / "docs" / "escapes.md"
REFUSED = [case for case in CASES if policy.check(case.source)]
ACCEPTED = [case for case in CASES if not policy.check(case.source)]
QUICK = [case for case in ACCEPTED if case.category not in {"time", "memory bombs"}]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the level that is tried is Linux's")


def named(case: Case) -> str:
    return f"{case.category}: {case.name}"


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({named(case) for case in CASES}) == len(CASES) >= 120


def test_most_typical_programs_are_accepted_and_run() -> None:
    accepted = {name: source for name, source in TYPICAL.items() if not policy.check(source)}
    assert len(TYPICAL) == 40
    assert len(accepted) >= 35, set(TYPICAL) - set(accepted)
    with Sandbox() as sandbox:
        sandbox.load([TEXT])
        runs = dict(zip(accepted, sandbox.run_many(list(accepted.values())), strict=True))
    assert {name: run.failures for name, run in runs.items() if run.failures} == {}


def test_a_refusal_of_a_typical_program_says_what_to_write_instead() -> None:
    refused = [findings for source in TYPICAL.values() if (findings := policy.check(source))]
    assert all(any(finding.hint for finding in findings) for findings in refused)


@pytest.mark.parametrize("category", dict.fromkeys(case.category for case in CASES))
def test_the_policy_is_quick_and_small_whatever_it_is_given(category: str) -> None:
    for case in CASES:
        if case.category == category:
            begun = time.process_time()
            policy.check(case.source)
            assert time.process_time() - begun < 1.5, case.name


def test_long_sources_are_not_kept() -> None:
    source = "x = 1\n" * 200_000
    tracemalloc.start()
    try:
        for k in range(20):
            policy.check(source + "#" * k)
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@on_linux
def test_nothing_that_is_accepted_does_harm() -> None:
    found = outcomes("all", QUICK)
    assert {named(case): str(o) for case, o in zip(QUICK, found, strict=True) if o.harm} == {}


@on_linux
@pytest.mark.slow
def test_no_text_of_a_kept_program_suffers_from_another() -> None:
    spoiling = [case for case in QUICK if case.harm == SPOILS]
    assert len(spoiling) > 5
    found = outcomes("all, kept", spoiling)
    assert {named(case): str(o) for case, o in zip(spoiling, found, strict=True) if o.harm} == {}


@pytest.mark.slow
@on_linux
@pytest.mark.parametrize("column", EXACT[1:])
def test_all_layers_together_let_no_harm_through(column: str) -> None:
    assert {named(case): str(o) for case, o in zip(CASES, outcomes(column), strict=True) if o.harm} == {}


def cells(case: Case) -> list[str]:
    """Its row on the page."""
    section = PAGE.read_text("utf-8").split(f"\n## {case.category.capitalize()}\n")[1]
    row = re.search(rf"^\| {re.escape(case.name)} \|(.*)\|$", section, re.MULTILINE)
    assert row, case.name
    return [cell.strip() for cell in row[1].split("|")]


def test_the_page_has_every_case() -> None:
    assert f"{len(CASES)} programs" in PAGE.read_text("utf-8")
    assert {len(cells(case)) for case in CASES} == {len(COLUMNS)}


@pytest.mark.slow
@on_linux
@pytest.mark.parametrize("column", EXACT)
def test_the_page_is_current(column: str) -> None:
    """As far as it is the same on every machine: what an only layer makes of a bomb depends on how busy that is."""
    index = list(COLUMNS).index(column)
    kept = [case for case in CASES if column != "allow-list" or case.harm not in {TIME, MEMORY, CRASH}]
    for case, outcome in zip(kept, outcomes(column, kept), strict=True):
        cell = cells(case)[index]
        assert (cell == "refused", "**" in cell) == (str(outcome) == "refused", bool(outcome.harm)), named(case)


@pytest.mark.slow
@on_linux
@pytest.mark.parametrize("level", ["locked", "portable"])
def test_a_thousand_hostile_programs_do_not_move_a_thousand_honest_ones(level: str) -> None:
    chosen = random.Random(3)
    hostile = [
        case.source for case in CASES if case.category not in {"time", "memory bombs"} and len(case.source) < 99_999
    ]
    honest = [HONEST, *FRIENDLY.values(), *(source for source in TYPICAL.values() if not policy.check(source))]
    with Sandbox(limits=Limits(seconds=0.3, memory_bytes=192 << 20), level=level, allow_reduced=True) as sandbox:  # type: ignore[arg-type]
        sandbox.load([TEXT])
        alone = {source: sandbox.run(source) for source in honest}
        assert all(run.failed == 0 for run in alone.values())
        mixed = [source for k in range(1000) for source in (chosen.choice(hostile), honest[k % len(honest)])]
        for source, run in zip(mixed[1::2], list(sandbox.run_many(mixed))[1::2], strict=True):
            assert same(run, dataclasses.replace(alone[source])), source


def test_an_outcome_is_shown_as_harm_first() -> None:
    assert [str(o) for o in (Outcome("ran", "x"), Outcome("ran"), Outcome("error"))] == ["**x**", "–", "error"]


def test_the_columns_that_must_be_exact_exist() -> None:
    assert set(EXACT) < set(escape_layers.COLUMNS)
