"""What a policy and a schedule would hold at a later date: years of runs, each followed by pruning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from leanix_backup.model import RetentionPolicy, RetentionSpan
from leanix_backup.retention import rules
from leanix_backup.retention.plan import Candidate, Kept, Plan, plan
from leanix_backup.retention.spans import reach_ahead, reach_back


@dataclass(frozen=True, slots=True)
class Simulation:
    """What would be held after the last run: out of how many, and each with its reasons, the oldest first."""

    runs: int
    keep: tuple[Kept, ...]


def simulate(
    policy: RetentionPolicy,
    runs: Iterable[datetime],
    *,
    zone: ZoneInfo,
    unbroken: bool = False,
    lock: RetentionSpan | None = None,
) -> Simulation:
    """Make a backup at each of these times and prune after each, and say what is held in the end.

    Args:
        policy: What to keep.
        runs: When a backup is made, in their order; the last one is when the plan is looked at.
        zone: Whose days count.
        unbroken: As for `plan`.
        lock: How long the destination locks each backup, where it does.
    """
    return _Shelf(policy, zone, unbroken=unbroken, lock=lock).after(runs)


class _Shelf:
    """What is held, pruned now and then, as pruning after each run would leave it.

    What the rules hold at a later time they hold at every time before, so runs can come in and be pruned together. Only
    "the oldest" is another matter: once it goes, the next one is it, which must be there if, and only if, pruning had
    left it until then. So the shelf is pruned just before and just after each run that may cost it its oldest.
    """

    def __init__(self, policy: RetentionPolicy, zone: ZoneInfo, *, unbroken: bool, lock: RetentionSpan | None) -> None:
        self._policy, self._zone, self._unbroken, self._lock = policy, zone, unbroken, lock
        self._spans = [span for span in rules.spans_of(policy) if span is not None]
        self._counts = rules.counts_of(policy)
        self._careful = rules.depends_on_the_way(policy)
        self._held: list[Candidate] = []
        self._new: list[Candidate] = []
        self._distinct = [0] * len(self._counts)  # how many buckets there are of each rule, without the oldest backup
        self._last: tuple[int, ...] = ()

    def after(self, runs: Iterable[datetime]) -> Simulation:
        count = 0
        for count, run in enumerate(runs, start=1):  # noqa: B007 - how many there were
            both_sides = self._careful and self._may_lose_the_oldest(run)
            if both_sides and self._new:
                self._prune()
            until = None if self._lock is None else reach_ahead(run, self._lock, self._zone)
            if self._careful:
                self._distinct, self._last = self._counted(run)
            self._new.append(Candidate(run.astimezone(UTC).isoformat(), run, locked_until=until))
            if both_sides or len(self._new) > len(self._held):
                self._prune()
        return Simulation(count, self._prune().keep if self._held or self._new else ())

    def _may_lose_the_oldest(self, run: datetime) -> bool:
        oldest = next(iter(self._held or self._new), None)
        if oldest is None:
            return False
        if oldest.locked_until is not None and oldest.locked_until > run:
            return False
        ceiling = self._policy.delete_after
        if ceiling is not None and oldest.taken_at <= reach_back(run, ceiling, self._zone):
            return True
        if any(oldest.taken_at > reach_back(run, span, self._zone) for span in self._spans):
            return False
        distinct, _ = self._counted(run)
        return all(number >= count for number, count in zip(distinct, self._counts, strict=True))

    def _counted(self, run: datetime) -> tuple[list[int], tuple[int, ...]]:
        """Count the buckets as they are with one more run."""
        place = len(self._held) + len(self._new)
        buckets = rules.buckets_of(run.astimezone(self._zone), place)
        if not place:
            return self._distinct, buckets
        pairs = zip(self._distinct, self._last, buckets, strict=True)
        return [number + (not number or before != now) for number, before, now in pairs], buckets

    def _prune(self) -> Plan:
        both = self._held + self._new
        made = plan(both, self._policy, zone=self._zone, now=both[-1].taken_at, unbroken=self._unbroken)
        held = [each.candidate for each in made.keep]
        self._held, self._new, self._distinct, self._last = [], [], [0] * len(self._counts), ()
        if self._careful:
            for each in held:
                self._distinct, self._last = self._counted(each.taken_at)
                self._held.append(each)
        self._held = held
        return made
