"""How the simulated server's seconds pass, and when it works: for whoever runs it in a time of their own.

A server that runs with its clients in a time that skips over waits must say when it works, so that nothing is skipped
then, and when it holds a reply back on purpose, so that something is.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio


@dataclass(frozen=True, slots=True)
class Timing:
    """The seconds that a server and its clients live by; by default those of this machine.

    Attributes:
        monotonic: Seconds that never go back.
        utc_now: The wall clock, aware, in UTC.
        sleep: Wait for a number of seconds; can be cancelled.
        working: Entered while a request is answered or a workbook is made.
        held_back: Entered within `working`, while an answer is held back on purpose.
    """

    monotonic: Callable[[], float] = time.monotonic
    utc_now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    working: Callable[[], AbstractContextManager[None]] = nullcontext
    held_back: Callable[[], AbstractContextManager[None]] = nullcontext


_present: ContextVar[Timing | None] = ContextVar("timing of the present request", default=None)


@contextmanager
def answering(timing: Timing) -> Iterator[None]:
    """Answer a request; what is called in between may hold the answer back."""
    token = _present.set(timing)
    try:
        with timing.working():
            yield
    finally:
        _present.reset(token)


def held_back() -> AbstractContextManager[None]:
    """Hold the answer of the present request back on purpose, while the block runs."""
    timing = _present.get()
    return timing.held_back() if timing else nullcontext()
