"""What stays and what goes, each with its reasons: the keep rules, and what stands above them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from leanix_backup.model import RetentionPolicy
from leanix_backup.retention import rules
from leanix_backup.retention.spans import EVER, reach_back

# The time of a backup is LeanIX's: as much as its clock may be ahead of ours before that is worth a word.
FUTURE_GRACE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One backup at one destination.

    Attributes:
        id: What the caller knows it by; it comes back in the plan.
        taken_at: When it was made; for the audit log the end of its window.
        good: False where it failed its verification.
        locked_until: Until when the destination refuses to delete it, where it does.
        held: Somebody said that it stays.
    """

    id: str
    taken_at: datetime
    good: bool = True
    locked_until: datetime | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup that stays, and everything that speaks for it."""

    candidate: Candidate
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """A backup that goes, and why."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What stays and what goes, the oldest first; `notes` say what somebody should look at."""

    keep: tuple[Kept, ...]
    remove: tuple[Removed, ...]
    notes: tuple[str, ...] = ()


def plan(
    candidates: Iterable[Candidate],
    policy: RetentionPolicy,
    *,
    zone: ZoneInfo,
    now: datetime,
    latest: datetime | None = None,
    unbroken: bool = False,
) -> Plan:
    """Decide over the backups of one workspace's export at one destination.

    What stands above the keep rules, strongest first: a hold, a lock, a date in the future; the newest good one;
    `keep_min`; `delete_after`. Where there is any backup, at least one stays.

    Args:
        candidates: All that are there, in any order.
        policy: What to keep.
        zone: Whose days count.
        now: What `delete_after` is measured from. A clock that is ahead deletes too early: where the server's time is
            known as well, hand in the earlier of the two.
        latest: What is later than this is dated in the future: the later of the two clocks; `now` where None.
        unbroken: Keep everything between the oldest that is kept and the newest, for a changelog.
    """
    return _Decision(candidates, policy, zone, now, latest or now).made(unbroken=unbroken)


class _Decision:
    """The reasons as they come together; backups go by their place in the list, the newest first."""

    def __init__(
        self, candidates: Iterable[Candidate], policy: RetentionPolicy, zone: ZoneInfo, now: datetime, latest: datetime
    ) -> None:
        self._all = sorted(candidates, key=lambda each: (each.taken_at, each.id), reverse=True)
        self._policy, self._zone, self._now = policy, zone, now
        self._reasons: dict[int, list[str]] = {}
        self._latest = latest + FUTURE_GRACE
        self._past = [place for place, each in enumerate(self._all) if each.taken_at <= self._latest]
        good = [place for place in self._past if self._all[place].good]
        self._newest = next(iter(good or self._past), None)
        ceiling = EVER if policy.delete_after is None else reach_back(now, policy.delete_after, zone)
        self._current = [place for place in self._past if self._all[place].taken_at > ceiling]

    def made(self, *, unbroken: bool) -> Plan:
        if self._newest is not None:
            self._say({self._newest: ["newest"]})
        self._ask_the_rules()
        self._protect()
        self._keep_the_newest()
        if unbroken:
            self._close_gaps()
        return self._plan()

    def _say(self, reasons: Mapping[int, Sequence[str]]) -> None:
        for place, more in reasons.items():
            self._reasons.setdefault(place, []).extend(more)

    def _ask_the_rules(self) -> None:
        policy = self._policy
        if policy.forever or (policy.delete_after is None and not rules.has_rules(policy)):
            word = "forever" if policy.forever else "no rule"
            self._say({place: [word] for place in self._past})
        elif not rules.has_rules(policy):
            self._say({place: [f"younger than {policy.delete_after}"] for place in self._current})
        else:
            good = self._held([place for place in self._current if self._all[place].good])
            self._say(good)
            if any(not self._all[place].good for place in self._current):
                self._say(self._without_a_better(good))

    def _held(self, places: Sequence[int]) -> dict[int, list[str]]:
        """Ask the keep rules about some of the backups."""
        if self._newest is None:
            return {}
        times = [self._all[place].taken_at for place in places]
        found = rules.held(times, self._policy, zone=self._zone, newest=self._all[self._newest].taken_at)
        return {places[index]: reasons for index, reasons in found.items()}

    def _without_a_better(self, good: Mapping[int, Sequence[str]]) -> dict[int, list[str]]:
        """Find those that failed their verification and whose hour, day, … no good one stands for.

        They take no place from a good one: the rules are asked about the good ones alone first. But what is left of
        them may be all that there is of that time, and another destination may have it whole: they are not deleted
        sooner than a good one would be.
        """
        bad = [place for place in self._current if not self._all[place].good]
        taken = {reason for reasons in good.values() for reason in reasons}
        found = self._held(self._current)
        left: dict[int, list[str]] = {}
        for free, place in enumerate(bad, start=len(self._current) - len(bad)):
            reasons = [f"last {free + 1} of {self._policy.keep_last}"] if free < self._policy.keep_last else []
            reasons += [reason for reason in found.get(place, ()) if _is_free(reason, taken)]
            if reasons:
                left[place] = [*reasons, "failed its verification"]
        return left

    def _protect(self) -> None:
        for place, each in enumerate(self._all):
            if each.held:
                self._say({place: ["held"]})
            if each.locked_until is not None and each.locked_until > self._now:
                self._say({place: [f"locked until {_utc(each.locked_until)}"]})
            if each.taken_at > self._latest:
                self._say({place: ["in the future"]})

    def _keep_the_newest(self) -> None:
        """Keep the newest good ones, as many as `keep_min`, whatever their age.

        They are always the newest, not a number that older ones could make up as well: what stays would then depend on
        how often pruning ran.
        """
        good = [place for place in self._past if self._all[place].good]
        self._say({place: [f"keep_min {self._policy.keep_min}"] for place in good[1 : self._policy.keep_min]})

    def _close_gaps(self) -> None:
        kept = [place for place in self._current if place in self._reasons]
        if kept:
            between = [place for place in self._current if place < kept[-1] and place not in self._reasons]
            self._say({place: ["no gap"] for place in between})

    def _plan(self) -> Plan:
        places = range(len(self._all) - 1, -1, -1)
        current = set(self._current)
        keep = [Kept(self._all[place], tuple(self._reasons[place])) for place in places if place in self._reasons]
        remove = [
            Removed(self._all[place], self._why_not(place, overdue=place not in current))
            for place in places
            if place not in self._reasons
        ]
        return Plan(tuple(keep), tuple(remove), tuple(self._notes(current)))

    def _why_not(self, place: int, *, overdue: bool) -> str:
        if overdue:
            return f"older than delete_after {self._policy.delete_after}"
        return "no rule keeps it" if self._all[place].good else "failed its verification"

    def _notes(self, current: set[int]) -> list[str]:
        notes = []
        for place in sorted(self._reasons, reverse=True):
            each = self._all[place]
            if each.taken_at > self._latest:
                notes.append(f"{each.id} is dated {_utc(each.taken_at)}, in the future: kept, and no rule counts it")
            elif place not in current:
                why = ", ".join(self._reasons[place])
                notes.append(f"{each.id} is older than delete_after {self._policy.delete_after}, and kept: {why}")
        return notes


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _is_free(reason: str, taken: set[str]) -> bool:
    """Tell whether a reason is no place that a good backup has; a stretch has room for all."""
    return not reason.startswith("last ") and (reason.startswith("within ") or reason not in taken)
