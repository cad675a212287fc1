from __future__ import annotations

import sys

import pytest

from fuzz.fuzzer import Fuzzer, Maker
from readhead.sandbox import policy
from readhead.sandbox.client import Level

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.slow
def test_the_same_seed_makes_the_same_programs() -> None:
    one, other = Maker(7), Maker(7)
    assert [one.program() for _ in range(200)] == [other.program() for _ in range(200)]


def test_many_random_programs_are_accepted_and_many_refused() -> None:
    maker = Maker(1)
    accepted = sum(not policy.check(maker.program()) for _ in range(400))
    assert 80 < accepted < 320


@pytest.mark.fuzz
@on_linux
@pytest.mark.parametrize("level", ["locked", "portable"])
def test_random_programs_find_nothing(level: Level) -> None:
    fuzzer = Fuzzer(20261121, level)
    fuzzer.run(30.0)
    assert fuzzer.findings == []
    assert fuzzer.counts["programs"] > 200
