"""Lanes: threads that do jobs one after another, the urgent ones first, even in the middle of another.

A job that goes on for long calls `Job.check` now and then: there it ends if it was cancelled, and there more urgent
jobs of its lane are done in between.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from readhead.errors import ReadheadError


class CancelledJob(Exception):  # noqa: N818 - not an error
    """The job was cancelled."""


@dataclass
class Job:
    """One call."""

    do: Callable[[Job], Any]
    done: Callable[[Any, BaseException | None], None]
    """Called in the lane's thread with what came of it."""
    urgency: int = 0
    """0 comes first."""
    lane: Lane | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """End it at its next check, or before it begins."""
        self._cancelled.set()

    def check(self) -> None:
        """Let more urgent jobs be done first.

        Raises:
            CancelledJob: if this one was cancelled.
        """
        self.check_cancelled()
        if self.lane is not None:
            self.lane.do_urgent(self.urgency)
        self.check_cancelled()

    def check_cancelled(self) -> None:
        """The same without other jobs, for the middle of something that they would disturb.

        Raises:
            CancelledJob: if it was cancelled.
        """
        if self._cancelled.is_set():
            raise CancelledJob

    def run(self) -> None:
        """Do it, whatever comes of it."""
        try:
            self.check()
            result = self.do(self)
        except Exception as error:  # noqa: BLE001 - whatever it is, who asked gets to know, and the lane goes on
            self.done(None, error)
        else:
            self.done(result, None)


class Lane:
    """A thread with its jobs."""

    def __init__(self, name: str) -> None:
        self._jobs: list[tuple[int, int, Job]] = []
        self._numbers = itertools.count()
        self._change = threading.Condition()
        self._ends = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def add(self, job: Job) -> Job:
        """Do this job when its turn comes."""
        job.lane = self
        with self._change:
            heapq.heappush(self._jobs, (job.urgency, next(self._numbers), job))
            self._change.notify()
        return job

    @property
    def is_busy(self) -> bool:
        """Whether jobs wait."""
        return bool(self._jobs)

    def do_urgent(self, urgency: int) -> None:
        """In the lane's thread: do all waiting jobs that are more urgent than this."""
        while True:
            with self._change:
                if not self._jobs or self._jobs[0][0] >= urgency:
                    return
                job = heapq.heappop(self._jobs)[2]
            job.run()

    def close(self) -> None:
        """Cancel what waits, and end after what is being done."""
        with self._change:
            self._ends = True
            for _, _, job in self._jobs:
                job.cancel()
            self._change.notify()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._jobs or self._ends)
                if self._ends and not self._jobs:
                    return
                job = heapq.heappop(self._jobs)[2]
            job.run()


def told(error: BaseException) -> dict[str, str]:
    """An error as a front end gets it."""
    if isinstance(error, ReadheadError):
        return {"code": error.code, "message": str(error), "hint": error.hint}
    return {"code": "RH999", "message": f"{type(error).__name__}: {error}", "hint": "this is a mistake in Readhead"}
