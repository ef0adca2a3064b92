"""The life of exports: queued, in the list, finished, downloaded, gone.

Nothing here runs by itself: `ExportBook.settle` brings every export to where it stands at an instant. All instants are
world time; lengths are in the client's seconds (`SimClock.span`).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from leanix_backup.model import ExportType, Stretch
from leanix_backup.simulator.changelog import User
from leanix_backup.simulator.clock import SimClock
from leanix_backup.simulator.switches import Switches

_FOREIGN_STATUSES = ("COMPLETED", "DOWNLOADED", "ERROR", "COMPLETED", "STARTED")
_FOREIGN_GAP_S = 1.0  # between two rows that `extra_rows` asks for
_SHORTLY = timedelta(milliseconds=1)
_JOB_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(slots=True, eq=False)
class Export:
    """One export: a queued job until `created_at` is set, then a row of the list.

    `user` is None for our technical user. `key` is set once it is COMPLETED; `spent` says whether it was used.
    """

    type: ExportType
    due_at: datetime
    user: User | None = None
    window: Stretch | None = None
    after: Export | None = None
    created_at: datetime | None = None
    status: str = "STARTED"
    ends_at: datetime | None = None
    ends_as: str = "COMPLETED"
    odd_status: str = ""
    odd_until: datetime | None = None
    ready_at: datetime | None = None
    file: Path | None = None
    padding_bytes: int = 0
    labels_only: bool = False
    completed_at: datetime | None = None
    delete_at: datetime | None = None
    key: str | None = None
    key_at: datetime | None = None
    spent: bool = False
    downloads: int = 0
    gone: bool = False
    duration_s: float = 0.0
    odd_status_s: float = 0.0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    job_id: str = ""

    @property
    def under_way(self) -> bool:
        """Whether the job is queued or its row is STARTED."""
        return self.created_at is None or self.status == "STARTED"

    @property
    def usable(self) -> bool:
        """Whether its key can be used."""
        return self.status == "COMPLETED" and not self.spent and not self.gone

    def shows_key(self, now: datetime) -> bool:
        """Whether its row has a key that can be used."""
        return self.usable and (self.key_at is None or now >= self.key_at)


class ExportBook:
    """All exports of one workspace.

    Args:
        clock: For spans.
        switches: Read whenever something is decided.
        appear: Called with an export whose row has just appeared; must cut the world at its `created_at`.
        chance: For durations and job ids.
    """

    def __init__(
        self, clock: SimClock, switches: Switches, appear: Callable[[Export], None], chance: random.Random
    ) -> None:
        self._clock = clock
        self._switches = switches
        self._appear = appear
        self._chance = chance
        self.exports: list[Export] = []

    def queue(self, kind: ExportType, now: datetime, window: Stretch | None) -> Export:
        """Queue a new export of our user."""
        switches = self._switches
        before = self.under_way(kind) if switches.second_export == "queue" else None
        ends_as = "COMPLETED"
        if switches.end_status != "COMPLETED" and switches.take("end_status_times"):
            ends_as = switches.end_status
        made = Export(
            kind,
            now + self._clock.span(switches.row_delay_s),
            window=window,
            after=before,
            ends_as=ends_as,
            padding_bytes=switches.padding_bytes,
            labels_only=switches.audit_layout == "labels_only",
            duration_s=switches.duration_s + self._chance.random() * switches.duration_jitter_s,
            odd_status=switches.odd_status,
            odd_status_s=switches.odd_status_s,
            job_id=self._job_id(),
        )
        self.exports.append(made)
        self.settle(now)
        if switches.foreign_newer:
            self.add_foreign(kind, (made.created_at or made.due_at) + _SHORTLY)
        return made

    def under_way(self, kind: ExportType) -> Export | None:
        """Our newest export of that type that has not ended."""
        own = (export for export in reversed(self.exports) if export.user is None and export.type is kind)
        return next((export for export in own if export.under_way), None)

    def add_foreign(
        self,
        kind: ExportType,
        created_at: datetime,
        *,
        status: str = "COMPLETED",
        user: User | None = None,
        lives_from: datetime | None = None,
    ) -> Export:
        """Put a row of somebody else into the list."""
        ended = status != "STARTED"
        made = Export(
            kind,
            created_at,
            user=user or foreign_user(len(self.exports)),
            created_at=created_at,
            status=status,
            completed_at=created_at if ended else None,
            delete_at=(lives_from or created_at) + self._clock.span(self._switches.lifetime_s) if ended else None,
            key=str(uuid.UUID(int=self._chance.getrandbits(128), version=4)) if ended and status != "ERROR" else None,
            spent=status == "DOWNLOADED",
        )
        self.exports.append(made)
        return made

    def settle(self, now: datetime) -> None:
        """Bring every export to where it stands now; rows appear in the order of their time."""
        moved = True
        while moved:  # one that ends may let the next one begin
            moved = False
            for export in sorted(self.exports, key=lambda export: export.due_at):
                moved |= self._begin(export, now) or self._end(export, now)
        for export in self.exports:
            if export.odd_until and now >= export.odd_until:
                export.odd_until = None
            if export.delete_at and now >= export.delete_at and not export.gone:
                export.gone = True
                export.status = "DELETED"
        self._fill(now)

    def let_others_take(self, now: datetime) -> None:
        """Let somebody else use the keys of ours that the list has just shown, where the switch says so."""
        for export in self.exports:
            if export.user is None and export.shows_key(now) and self._switches.take("key_taken_times"):
                export.spent = True
                export.status = "DOWNLOADED"

    def rows(self) -> list[Export]:
        """What the list shows, oldest first."""
        shown = [
            export
            for export in self.exports
            if export.created_at and not (export.gone and self._switches.after_delete == "vanishes")
        ]
        return sorted(shown, key=lambda export: (export.created_at, export.id))

    def with_key(self, key: str) -> Export | None:
        """The export that a key belongs or belonged to."""
        return next((export for export in self.exports if export.key == key), None)

    def _begin(self, export: Export, now: datetime) -> bool:
        if export.created_at is not None:
            return False
        due = export.due_at
        if export.after is not None:
            if export.after.under_way:
                return False
            due = max(due, export.after.completed_at or due)
        if due > now:
            return False
        export.created_at = due
        self._appear(export)  # may move it to a later instant, where the world has gone on already
        export.ends_at = export.created_at + self._clock.span(export.duration_s)
        if export.odd_status:
            export.odd_until = export.created_at + self._clock.span(export.odd_status_s)
        return True

    def _end(self, export: Export, now: datetime) -> bool:
        if export.status != "STARTED" or export.ends_at is None or now < export.ends_at:
            return False
        ended_at = export.ends_at
        if export.ends_as in {"COMPLETED", "DOWNLOADED"}:
            if export.ready_at is None:
                return False
            ended_at = max(ended_at, export.ready_at)
            export.key = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
            export.key_at = ended_at + self._clock.span(self._switches.key_delay_s)
            export.spent = export.ends_as == "DOWNLOADED"
        export.status = export.ends_as
        export.completed_at = ended_at
        export.delete_at = ended_at + self._clock.span(self._switches.lifetime_s)
        return True

    def _fill(self, now: datetime) -> None:
        there = sum(1 for export in self.exports if export.user is not None and not export.gone)
        missing = self._switches.extra_rows - there
        kinds = tuple(ExportType)
        for number in range(missing, 0, -1):
            self.add_foreign(
                kinds[number % len(kinds)],
                now - self._clock.span(number * _FOREIGN_GAP_S) - _SHORTLY,
                status=_FOREIGN_STATUSES[number % len(_FOREIGN_STATUSES)],
                lives_from=now,
            )

    def _job_id(self) -> str:
        letters = "".join(self._chance.choice(_JOB_ALPHABET) for _ in range(24))
        return f"job:{self._chance.randrange(100000, 999999)}:c{letters}"


def foreign_user(number: int) -> User:
    """Somebody else who takes exports."""
    chance = random.Random(f"foreign user {number % 7}")
    return User(
        str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        f"Other User {number % 7}",
        f"other.{number % 7}@example.com",
    )
