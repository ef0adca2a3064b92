"""Looking at the list again and again until what we wait for is there, or time is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leanix_backup import pacing
from leanix_backup.clock import Clock, Deadline
from leanix_backup.errors import BackupError, LeanixError
from leanix_backup.events import Event, Log
from leanix_backup.leanix import ExportList, ExportRow, LeanixClient
from leanix_backup.model import ExportType

_MOST_REFUSALS = 3
_UNREAD_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look: seconds, and a factor; see `pacing.poll_wait`."""

    first: float
    factor: float
    ceiling: float


class Watch:
    """One attempt's looks at the list of exports.

    A look that fails is a look that brought nothing; only what waiting can't cure comes out, after it happened three
    times in a row.

    Args:
        client: The workspace.
        export: The type of export that is listed.
        pace: How often to look.
        deadline: The end of the attempt.
        clock: Time and chance.
        log: Where `export_polled` goes.
    """

    def __init__(
        self, client: LeanixClient, export: ExportType, *, pace: Pace, deadline: Deadline, clock: Clock, log: Log
    ) -> None:
        self._client = client
        self._export = export
        self._pace = pace
        self._clock = clock
        self._log = log
        self._since = clock.monotonic()
        self._refusals = 0
        self._failed: list[BackupError] = []
        self._not_before = 0.0
        self.deadline = deadline
        self.polls = 0

    async def look(self, *, stop: Callable[[ExportRow], bool]) -> ExportList | None:
        """Read the list once; None where that failed in a way that another look may cure."""
        self.polls += 1
        try:
            found = await self._client.list_exports(self._export, deadline=self.deadline, stop=stop, tries=1)
        except BackupError as error:  # LeanIX's, or the secret's file that can't be read just now
            self._failed.append(error)
            if error.retry_after is not None and error.retry_after > self.deadline.remaining:
                error.retryable = False  # else the run would wait that long before its next attempt
                error.hint = (
                    f"it asks to wait {error.retry_after:.0f} s, longer than the {self.deadline.remaining:.0f} s left"
                )
                raise
            self._refusals = 0 if error.retryable else self._refusals + 1
            if self._refusals >= _MOST_REFUSALS:
                raise
            self._not_before = error.retry_after or 0.0
            self._log.emit(Event.EXPORT_POLLED, polls=self.polls, error_code=error.code)
            return None
        self._refusals = 0
        self._failed.clear()
        return found

    async def pause(self, *, at_most: float | None = None) -> None:
        """Wait until the next look; never beyond the deadline.

        Args:
            at_most: Seconds after which something else is due.

        Raises:
            LeanixError: The deadline has passed: `export_timeout`, or why the list could not be read any more.
        """
        if self.deadline.passed:
            if len(self._failed) >= _UNREAD_LOOKS:
                error = self._failed[-1]
                raise LeanixError(
                    f"the list of exports could not be read any more: {error.message}",
                    code=error.code,
                    hint=error.hint,
                ) from error
            raise LeanixError(
                "the export was not ready in time",
                code="export_timeout",
                hint="large workspaces take long: raise export_timeout; or look at the workspace's export page",
            )
        wait = pacing.poll_wait(
            self._clock.monotonic() - self._since,
            first=self._pace.first,
            factor=self._pace.factor,
            ceiling=self._pace.ceiling,
            spread=self._clock.uniform(-1, 1),
        )
        wait = wait if at_most is None else min(wait, max(at_most, 0.0))
        wait = min(max(wait, self._not_before), self.deadline.remaining)
        self._not_before = 0.0
        await self._clock.sleep(wait)

    @property
    def waited_s(self) -> float:
        """Seconds since this attempt began to look."""
        return self._clock.monotonic() - self._since
