"""Try again what another try may cure: the one door to stamina.

Only errors that say so (`retryable`) are tried again, at the pace of `pacing.retry_wait`, never sooner than the other
side asked, and never beyond the deadline: where the wait would pass it, the error comes out at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from leanix_backup import pacing
from leanix_backup.clock import Clock, Deadline
from leanix_backup.errors import BackupError
from leanix_backup.events import Event, Log

T = TypeVar("T")

set_on_retry_hooks(
    []
)  # stamina's own hooks write the call's arguments, which may hold secrets; we log in the hook below


async def retrying(
    call: Callable[[], Awaitable[T]],
    *,
    what: str,
    clock: Clock,
    log: Log,
    deadline: Deadline,
    tries: int = 6,
) -> T:
    """Await `call()` until it works, tries are used up, or the deadline would pass.

    Args:
        call: What to try; called anew for each try.
        what: A few words for the log: what is being tried.
        clock: Chance for the spread of waits.
        log: Where `retry_scheduled` goes.
        deadline: No wait ends after it.
        tries: How often in all.

    Raises:
        BackupError: The last try's own error; not retryable any more where the other side asked for more time than
            there is.
    """
    done = 0

    def hook(error: Exception) -> bool | float:
        nonlocal done
        done += 1
        if not isinstance(error, BackupError) or not error.retryable or done >= tries:
            return False
        wait = pacing.retry_wait(done, retry_after=error.retry_after, spread=clock.uniform(-1, 1))
        if wait > deadline.remaining:
            if error.retry_after is not None and error.retry_after > deadline.remaining:
                error.retryable = False
                error.hint = (
                    f"it asks to wait {error.retry_after:.0f} s, longer than the {deadline.remaining:.0f} s left"
                )
            return False
        log.emit(
            Event.RETRY_SCHEDULED,
            what=what,
            attempt=done,
            wait_s=round(wait, 3),
            error_code=error.code,
            error=error.message,
        )
        return wait

    return await stamina.AsyncRetryingCaller(attempts=None, timeout=None).on(hook)(call)
