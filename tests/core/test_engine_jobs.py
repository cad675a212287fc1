"""Lanes: urgent jobs come first, even in the middle of another; what fails or is cancelled does not stop the lane."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from readhead.engine.jobs import CancelledJob, Job, Lane, told
from readhead.errors import UsageError


class Bench:
    """A lane whose jobs note what they do."""

    def __init__(self) -> None:
        self.lane = Lane("test")
        self.log: list[Any] = []
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.ended = threading.Semaphore(0)
        self.wanted = 0

    def add(self, do: Callable[[Job], Any], urgency: int = 1) -> Job:
        self.wanted += 1
        return self.lane.add(Job(do, self._done, urgency))

    def _done(self, result: Any, error: BaseException | None) -> None:
        self.log.append(result if error is None else type(error).__name__)
        self.ended.release()

    def wait(self) -> list[Any]:
        for _ in range(self.wanted):
            assert self.ended.acquire(timeout=5)
        self.lane.close()
        return self.log


@pytest.fixture
def bench() -> Bench:
    return Bench()


def begin(bench: Bench, then: Callable[[Job], Any], urgency: int = 1) -> Job:
    """A job that has begun and waits for the gate."""

    def do(job: Job) -> Any:
        bench.begun.set()
        assert bench.gate.wait(5)
        return then(job)

    job = bench.add(do, urgency)
    assert bench.begun.wait(5)
    return job


def test_the_most_urgent_waiting_job_is_next_and_equals_keep_their_order(bench: Bench) -> None:
    begin(bench, lambda _: "held")
    for name, urgency in (("late", 2), ("first", 0), ("a", 1), ("b", 1)):
        bench.add(lambda _, name=name: name, urgency)
    bench.gate.set()
    assert bench.wait() == ["held", "first", "a", "b", "late"]


def test_a_job_that_checks_lets_more_urgent_ones_through(bench: Bench) -> None:
    def long(job: Job) -> str:
        job.check()
        return "long"

    begin(bench, long, urgency=2)
    bench.add(lambda _: "urgent", urgency=0)
    bench.add(lambda _: "equal", urgency=2)
    bench.gate.set()
    assert bench.wait() == ["urgent", "long", "equal"]


def test_a_job_in_the_middle_of_something_is_not_disturbed(bench: Bench) -> None:
    def long(job: Job) -> str:
        job.check_cancelled()
        return "long"

    begin(bench, long, urgency=2)
    bench.add(lambda _: "urgent", urgency=0)
    bench.gate.set()
    assert bench.wait() == ["long", "urgent"]


def test_a_cancelled_job_ends_at_its_next_check_or_never_begins(bench: Bench) -> None:
    def long(job: Job) -> str:
        job.check()
        return "not reached"

    running = begin(bench, long)
    waiting = bench.add(lambda _: "not reached")
    bench.add(lambda _: "the next")
    running.cancel()
    waiting.cancel()
    bench.gate.set()
    assert bench.wait() == [CancelledJob.__name__, CancelledJob.__name__, "the next"]


def test_a_job_that_fails_leaves_the_lane_at_work(bench: Bench) -> None:
    bench.add(lambda _: 1 // 0)
    bench.add(lambda _: "the next")
    assert bench.wait() == ["ZeroDivisionError", "the next"]


def test_errors_are_told_with_their_cure() -> None:
    assert told(UsageError("wrong", hint="do this")) == {"code": "RH100", "message": "wrong", "hint": "do this"}
    assert told(ValueError("x"))["message"] == "ValueError: x"
