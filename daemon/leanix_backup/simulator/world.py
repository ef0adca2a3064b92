"""A simulated workspace's truth over time: seeded, and the same at an instant however one gets there.

History is one stream of happenings in the order of time, so how often `advance` is called makes no difference. The
world's time never goes back; a cut is taken when the world stands exactly at its instant.

The convention for replaying: the changelog entries with `earlier cut < at <= later cut`, applied in their order to the
earlier snapshot, give exactly the later one.
"""

from __future__ import annotations

import bisect
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from leanix_backup.simulator import schema
from leanix_backup.simulator.archiving import delete
from leanix_backup.simulator.changelog import Entry, Row
from leanix_backup.simulator.happenings import happen
from leanix_backup.simulator.populate import RETENTION, made_users, pick, populate
from leanix_backup.simulator.scribe import Scribe
from leanix_backup.simulator.settings import WorkspaceSettings
from leanix_backup.simulator.state import State


@dataclass(frozen=True, slots=True)
class Cut:
    """What is in the workspace at one instant, or in its archive: rows by sheet."""

    at: datetime
    columns: int
    fact_sheets: dict[str, list[Row]]
    relations: dict[str, list[Row]]
    tag_groups: tuple[Row, ...]
    tags: tuple[Row, ...]
    documents: tuple[Row, ...]
    comments: tuple[Row, ...]


class World:
    """Simulate one workspace from `start - history` on.

    Not safe for use from several threads at once.

    Args:
        settings: Size, rate, seed, name: together with `start` they decide everything.
        start: When the server was started; the history lies before it.
        stopped: Asked now and then while much history is made; True ends it with InterruptedError.
    """

    def __init__(
        self, settings: WorkspaceSettings, start: datetime, *, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._settings = settings
        self._stopped = stopped
        self._chance = random.Random(f"{settings.seed}/{settings.name}/world")
        self._times = random.Random(f"{settings.seed}/{settings.name}/times")
        self.time = start - settings.history
        self.state = State(settings.columns, made_users(self._chance))
        populate(self.state, self._chance, fact_sheets=settings.fact_sheets, archiving=settings.archiving, at=self.time)
        self.entries: list[Entry] = []
        self._expiries = [(kept.at + RETENTION, identifier) for identifier, kept in self.state.archived.items()]
        heapq.heapify(self._expiries)
        self._next = self._after(self.time)

    def advance(self, to: datetime) -> None:
        """Let everything happen up to and including that instant.

        Raises:
            ValueError: The instant lies before the world's time.
        """
        if to < self.time:
            raise ValueError(f"the world is at {self.time} already and can't go back to {to}")
        while True:
            expiry = self._expiries[0][0] if self._expiries else None
            at = self._next if expiry is None or (self._next is not None and self._next < expiry) else expiry
            if at is None or at > to:
                break
            if at == expiry:
                self._expire(*heapq.heappop(self._expiries))
            else:
                self._happen(at)
        self.time = to

    def snapshot(self) -> Cut:
        """What is active now."""
        state = self.state
        fact_sheets: dict[str, list[Row]] = {kind: [] for kind in schema.FACT_SHEET_TYPES}
        for row in state.active.values():
            fact_sheets[row[schema.TYPE]].append(row)
        relations: dict[str, list[Row]] = {kind: [] for kind in schema.RELATION_TYPES}
        for relation in state.relations.values():
            relations[relation.row[schema.REL_TYPE]].append(relation.row)
        return Cut(
            self.time,
            state.columns,
            fact_sheets,
            relations,
            tuple(state.tag_groups.values()),
            tuple(state.tags.values()),
            tuple(row for rows in state.documents.values() for row in rows),
            tuple(row for rows in state.comments.values() for row in rows),
        )

    def archive(self) -> Cut:
        """What is archived now; tags and tag groups are not archived, so their sheets are empty."""
        fact_sheets: dict[str, list[Row]] = {kind: [] for kind in schema.FACT_SHEET_TYPES}
        relations: dict[str, list[Row]] = {kind: [] for kind in schema.RELATION_TYPES}
        for kept in self.state.archived.values():
            fact_sheets[kept.row[schema.TYPE]].append(kept.row)
            for relation in kept.relations:
                relations[relation.row[schema.REL_TYPE]].append(relation.row)
        archived = self.state.archived.values()
        return Cut(
            self.time,
            self.state.columns,
            fact_sheets,
            relations,
            (),
            (),
            tuple(row for kept in archived for row in kept.documents),
            tuple(row for kept in archived for row in kept.comments),
        )

    def changes(
        self, start: datetime, end: datetime, *, start_inclusive: bool = True, end_inclusive: bool = True
    ) -> list[Entry]:
        """The changelog between two instants, oldest first, up to the world's time."""
        from_side = bisect.bisect_left if start_inclusive else bisect.bisect_right
        to_side = bisect.bisect_right if end_inclusive else bisect.bisect_left
        first = from_side(self.entries, start, key=lambda entry: entry.at)
        last = to_side(self.entries, end, key=lambda entry: entry.at)
        return self.entries[first:last]

    def _after(self, at: datetime) -> datetime | None:
        rate = self._settings.changes_per_hour
        if not rate:
            return None
        seconds = self._times.expovariate(rate / 3600)
        return at + timedelta(seconds=seconds) + timedelta.resolution  # strictly later, whatever chance says

    def _happen(self, at: datetime) -> None:
        if self._stopped():
            raise InterruptedError("told to stop")
        entries = happen(self.state, self._chance, at, archiving=self._settings.archiving)
        self.entries.extend(entries)
        for entry in entries:
            if entry.event == "FACT_SHEET_ARCHIVED":
                heapq.heappush(self._expiries, (at + RETENTION, entry.object_id))
        self._next = self._after(at)

    def _expire(self, at: datetime, identifier: str) -> None:
        """Delete for good what has been archived for 90 days, unless it was recovered in between."""
        kept = self.state.archived.get(identifier)
        if kept and kept.at + RETENTION == at:
            scribe = Scribe(self.state, self._chance, at, pick(self._chance, self.state.users))
            delete(scribe, identifier)
            self.entries.extend(scribe.entries)
