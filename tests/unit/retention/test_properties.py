"""What holds for every policy and every set of backups."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from leanix_backup.model import RetentionPolicy, RetentionSpan
from leanix_backup.retention import FUTURE_GRACE, Candidate, plan, simulate
from leanix_backup.retention.spans import reach_ahead, reach_back
from tests.unit.retention.making import (
    COUNTED,
    DAY,
    HOUR,
    NOW,
    OTHERS,
    POLICIES,
    SPANS,
    UTC_ZONE,
    WITHIN,
    ZONES,
    candidates,
    kept,
    removed,
)


@given(candidates(), POLICIES, ZONES, st.booleans())
def test_each_backup_either_stays_or_goes(
    backups: list[Candidate],
    policy: RetentionPolicy,
    zone: ZoneInfo,
    unbroken: bool,  # noqa: FBT001 - drawn
) -> None:
    made = plan(backups, policy, zone=zone, now=NOW, unbroken=unbroken)
    assert sorted(kept(made) + removed(made)) == sorted(each.id for each in backups)
    assert all(each.reasons for each in made.keep)
    for half in (made.keep, made.remove):
        times = [each.candidate.taken_at for each in half]
        assert times == sorted(times)


@given(candidates(), POLICIES, ZONES)
def test_what_never_goes(backups: list[Candidate], policy: RetentionPolicy, zone: ZoneInfo) -> None:
    made = plan(backups, policy, zone=zone, now=NOW)
    gone = [each.candidate for each in made.remove]
    assert not any(each.held for each in gone)
    assert not any(each.locked_until and each.locked_until > NOW for each in gone)
    assert not any(each.taken_at > NOW + FUTURE_GRACE for each in gone)
    past = [each for each in backups if each.taken_at <= NOW + FUTURE_GRACE]
    good = [each for each in past if each.good]
    newest = max((each.taken_at for each in good or past), default=None)
    assert newest is None or any(each.candidate.taken_at == newest for each in made.keep)
    assert bool(made.keep) == bool(backups), "never all"
    last = sorted(good, key=lambda each: (each.taken_at, each.id))[-policy.keep_min :]
    assert {each.id for each in last} <= set(kept(made))


@given(candidates(), POLICIES, ZONES)
def test_nothing_beyond_the_ceiling_stays_by_a_keep_rule(
    backups: list[Candidate], policy: RetentionPolicy, zone: ZoneInfo
) -> None:
    if policy.delete_after is None:
        return
    edge = reach_back(NOW, policy.delete_after, zone)
    for each in plan(backups, policy, zone=zone, now=NOW).keep:
        if each.candidate.taken_at <= edge:
            assert all(reason.startswith(("newest", "keep_min", "held", "locked until")) for reason in each.reasons)


@given(candidates(), POLICIES, ZONES, st.booleans())
def test_planning_again_over_what_stayed_removes_nothing(
    backups: list[Candidate],
    policy: RetentionPolicy,
    zone: ZoneInfo,
    unbroken: bool,  # noqa: FBT001 - drawn
) -> None:
    first = plan(backups, policy, zone=zone, now=NOW, unbroken=unbroken)
    again = plan([each.candidate for each in first.keep], policy, zone=zone, now=NOW, unbroken=unbroken)
    assert removed(again) == []


@given(candidates(), POLICIES, ZONES, st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(
    backups: list[Candidate], policy: RetentionPolicy, zone: ZoneInfo, random: object
) -> None:
    shuffled = list(backups)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' Random has no type of its own
    assert plan(shuffled, policy, zone=zone, now=NOW) == plan(backups, policy, zone=zone, now=NOW)


@given(candidates(plain=True), POLICIES, ZONES, st.sampled_from(sorted(COUNTED)))
def test_a_larger_count_keeps_no_less(
    backups: list[Candidate], policy: RetentionPolicy, zone: ZoneInfo, rule: str
) -> None:
    rules = {name: getattr(policy, name) for name in (*COUNTED, *WITHIN, *OTHERS)}
    if not rules[rule] or policy.forever:  # from no rule at all to one is from all to less
        return
    more = RetentionPolicy(**{**rules, rule: rules[rule] + 1})
    less, made = (set(kept(plan(backups, each, zone=zone, now=NOW))) for each in (policy, more))
    # A count that is used up keeps no oldest one: with one more it may be used up by others.
    oldest = {each.id for each in backups if each.taken_at == min(other.taken_at for other in backups)}
    assert less <= made | oldest


@given(candidates(plain=True), SPANS, ZONES, st.booleans())
def test_a_stretch_leaves_no_hole(
    backups: list[Candidate],
    span: RetentionSpan,
    zone: ZoneInfo,
    ceiling: bool,  # noqa: FBT001 - drawn
) -> None:
    policy = RetentionPolicy(delete_after=span) if ceiling else RetentionPolicy(keep_within=span)
    made = plan(backups, policy, zone=zone, now=NOW)
    if made.keep:
        oldest = made.keep[0].candidate.taken_at
        assert all(each.candidate.taken_at < oldest for each in made.remove)


@given(candidates(), POLICIES, ZONES)
def test_an_unbroken_chain_loses_its_oldest_end_only(
    backups: list[Candidate], policy: RetentionPolicy, zone: ZoneInfo
) -> None:
    made = plan(backups, policy, zone=zone, now=NOW, unbroken=True)
    edge = reach_back(NOW, policy.delete_after, zone) if policy.delete_after else None
    free = [each.candidate.taken_at for each in made.keep if edge is None or each.candidate.taken_at > edge]
    if free:
        assert all(each.candidate.taken_at <= min(free) for each in made.remove)


@given(candidates(), POLICIES, ZONES)
def test_what_failed_takes_nothing_from_what_is_good(
    backups: list[Candidate], policy: RetentionPolicy, zone: ZoneInfo
) -> None:
    good = [each for each in backups if each.good]
    if not any(each.taken_at <= NOW + FUTURE_GRACE for each in good):
        return
    alone, among = (plan(some, policy, zone=zone, now=NOW) for some in (good, backups))
    assert {each.id for each in good} & set(kept(among)) == set(kept(alone))


# Days and hours only: with months "a month before 31 March" lies after "a month before 1 April".
STEADY = st.builds(RetentionSpan, days=st.integers(0, 40), hours=st.integers(1, 30))
STEADY_POLICIES = st.builds(
    RetentionPolicy, **COUNTED, **dict.fromkeys(WITHIN, st.none() | STEADY), keep_min=st.integers(1, 6),
    delete_after=st.none() | STEADY,
)  # fmt: skip


@given(
    STEADY_POLICIES,
    st.lists(st.sampled_from((1, 1, 1, 6, 24, 24, 100)), max_size=150),
    st.booleans(),
    st.none() | STEADY,
)
@example(RetentionPolicy(keep_within_yearly=RetentionSpan(hours=2)), [1, 6, 1], False, None)  # noqa: FBT003 - a column
@example(RetentionPolicy(keep_monthly=12, delete_after=RetentionSpan(hours=30)), [6] * 40, False, None)  # noqa: FBT003
@example(RetentionPolicy(keep_last=2, keep_min=4, delete_after=RetentionSpan(hours=9)), [6, 1] * 20, False, None)  # noqa: FBT003
def test_a_simulation_holds_what_pruning_after_each_run_would_leave(
    policy: RetentionPolicy,
    gaps: list[int],
    unbroken: bool,  # noqa: FBT001 - drawn
    lock: RetentionSpan | None,
) -> None:
    runs = [NOW + sum(gaps[:number]) * HOUR for number in range(1, len(gaps) + 1)]
    held: list[Candidate] = []
    for run in runs:
        until = reach_ahead(run, lock, UTC_ZONE) if lock else None
        held.append(Candidate(run.isoformat(), run, locked_until=until))
        held = [each.candidate for each in plan(held, policy, zone=UTC_ZONE, now=run, unbroken=unbroken).keep]
    simulated = simulate(policy, runs, zone=UTC_ZONE, unbroken=unbroken, lock=lock)
    assert [each.candidate.taken_at for each in simulated.keep] == [each.taken_at for each in held]
    assert simulated.runs == len(runs)


@given(candidates(plain=True), STEADY_POLICIES, st.integers(0, 1000))
def test_pruning_in_steps_keeps_all_that_pruning_once_would(
    backups: list[Candidate], policy: RetentionPolicy, hours: int
) -> None:
    """Without a ceiling, which makes another one "the oldest" with time."""
    policy = replace(policy, delete_after=None)
    early = [each for each in backups if each.taken_at <= NOW - timedelta(hours=hours)]
    late = [each for each in backups if each.taken_at > NOW - timedelta(hours=hours)]
    first = plan(early, policy, zone=UTC_ZONE, now=NOW - timedelta(hours=hours))
    second = plan([*(each.candidate for each in first.keep), *late], policy, zone=UTC_ZONE, now=NOW)
    assert set(kept(plan(backups, policy, zone=UTC_ZONE, now=NOW))) <= set(kept(second))


def test_years_of_hourly_runs() -> None:
    runs = [NOW + hour * HOUR for hour in range(3 * 8766)]
    policy = RetentionPolicy(
        keep_last=3, keep_daily=14, keep_weekly=8, keep_monthly=12, delete_after=RetentionSpan(years=2)
    )
    held = simulate(policy, runs, zone=UTC_ZONE)
    assert held.runs == len(runs)
    assert 14 + 6 + 10 <= len(held.keep) <= 3 + 14 + 8 + 12 + 1
    assert held.keep[-1].candidate.taken_at == runs[-1]
    assert all(each.candidate.taken_at > runs[-1] - 366 * DAY for each in held.keep[1:])
