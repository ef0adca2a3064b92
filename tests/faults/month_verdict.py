"""Which runs a month must have, worked out from what befell the service, and held against those that there were.

The rules, from the design. A due time that finds the service up begins a regular run. A start catches up the newest due
time that nothing was begun for, unless the next one is near; older ones are missed. A run that was begun ends once,
however often the service dies meanwhile, with one backup where it succeeded and none where it failed; it fails only
where LeanIX was offline. What dies within moments of a due time, or of a start, may have begun its run or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.faults.month_life import Life, instant
from tests.faults.month_plan import Job, Offline

SCHEDULE, CATCH_UP = "schedule", "catch_up"
_MOMENT = timedelta(seconds=30)
_NEAR = timedelta(minutes=30)
_REFUSED_FOR = timedelta(minutes=5)  # a run that finds LeanIX offline for so long has failed
_START = timedelta(seconds=5)


class Answer(NamedTuple):
    """A due time, and why a run was begun for it."""

    due: datetime
    trigger: str


@dataclass(slots=True)
class Run:
    """One run, as the log tells of it over all processes; `spans` are when it was worked on."""

    run_id: str
    job: str
    answer: Answer | None = None
    spans: list[tuple[datetime, datetime]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    error: str | None = None
    resumed: int = 0


@dataclass(slots=True)
class Tally:
    """What became of a job's due times: how many there were, and what is wrong."""

    job: str
    due: int = 0
    regular: int = 0
    caught_up: int = 0
    missed: int = 0
    overlapped: int = 0
    failed: int = 0
    resumed: int = 0
    wrong: list[str] = field(default_factory=list)


def read_runs(lives: Iterable[Life], known: Mapping[str, Answer]) -> dict[str, Run]:
    """Put the runs of all processes together from what these have written.

    Args:
        lives: The processes.
        known: What the ledger says of runs, by their ids: one that failed before it was begun has but its last line.
    """
    runs: dict[str, Run] = {}
    for life in lives:
        working: dict[str, datetime] = {}
        for line in life.lines:
            at = instant(line["timestamp"])
            if line["event"] in {"run_started", "run_resumed"}:
                run = runs.setdefault(line["run_id"], Run(line["run_id"], line["job"]))
                run.answer = Answer(instant(line["scheduled_at"]), line["trigger"])
                run.resumed += line["event"] == "run_resumed"
                working[run.run_id] = at
            elif line["event"] in {"run_finished", "run_interrupted"}:
                run = runs.setdefault(line["run_id"], Run(line["run_id"], line["job"], known.get(line["run_id"])))
                run.spans.append((working.pop(run.run_id, at), at))
                if line["event"] == "run_finished":
                    run.outcomes.append(line["outcome"])
                    run.error = line.get("error_code")
        for run_id, since in working.items():
            runs[run_id].spans.append((since, life.ended_at or since))
    return runs


def tally(
    job: Job, lives: Sequence[Life], runs: Iterable[Run], offlines: Sequence[Offline], backups: Sequence[Answer]
) -> Tally:
    """Hold what became of a job's due times against the rules.

    Args:
        job: The job.
        lives: The processes of the service, in their order; all have ended.
        runs: The runs of that job.
        offlines: When LeanIX was offline.
        backups: What the manifests of the job's backups at the destination say.
    """
    runs = list(runs)
    found = Tally(job.name)
    dues = job.due(lives[0].started_at, lives[-1].ended_at or lives[-1].started_at)
    begun = {run.answer for run in runs if run.answer}
    overlapped = {due for life in lives for due in _overlaps(life, job.name)}

    expected = _Expected(dues, lives, begun, overlapped)
    for answer in sorted(expected.sure - begun):
        found.wrong.append(f"{job.name}: nothing was begun for {answer.due} ({answer.trigger})")
    for answer in sorted(begun - expected.possible):
        found.wrong.append(f"{job.name}: a run was begun for {answer.due} ({answer.trigger}) that nothing asked for")
    found.wrong += [f"{job.name}: {text}" for text in _overlaps_wrong(overlapped, runs)]
    found.wrong += [f"{job.name}: {text}" for run in runs for text in _wrong_with(run, offlines)]
    if job.export != "AUDIT_LOG":  # whose runs may be one for each window
        found.wrong += [f"{job.name}: {text}" for text in _wrong_with_backups(runs, backups)]
    answered = {answer.due for answer in begun}
    found.due = len(dues)
    found.regular = sum(answer.trigger == SCHEDULE for answer in begun)
    found.caught_up = sum(answer.trigger == CATCH_UP for answer in begun)
    found.overlapped = len(overlapped - answered)
    found.missed = len([due for due in dues if due not in answered | overlapped])
    found.failed = len([run for run in runs if run.outcomes[-1:] == ["failed"]])
    found.resumed = sum(run.resumed for run in runs)
    return found


class _Expected:
    """Go through the lives of a service and say what it had to begin (`sure`), and what it may have begun."""

    def __init__(
        self,
        dues: Sequence[datetime],
        lives: Sequence[Life],
        begun: set[Answer],
        overlapped: set[datetime],
    ) -> None:
        self.sure: set[Answer] = set()
        self.possible: set[Answer] = set()
        self._begun, self._overlapped = begun, overlapped
        self._answered = lives[0].started_at
        for life in lives:
            ended_at = life.ended_at or life.started_at
            self._catch_up(dues, life.started_at, ended_at)
            for due in dues:
                if life.started_at - _START < due <= ended_at and due > self._answered:
                    self._expect(Answer(due, SCHEDULE), sure=due > life.started_at and ended_at - due > _MOMENT)

    def _catch_up(self, dues: Sequence[datetime], started_at: datetime, ended_at: datetime) -> None:
        missed = [due for due in dues if self._answered < due <= started_at]
        following = [due for due in dues if due > started_at][:2]
        if not missed:
            return
        wait = following[0] - started_at if following else timedelta.max
        if wait > _NEAR - _START:
            sure = wait > _NEAR + _START and ended_at - started_at > _MOMENT
            self._expect(Answer(missed[-1], CATCH_UP), sure=sure and started_at - missed[-1] > _START)

    def _expect(self, answer: Answer, *, sure: bool) -> None:
        self.possible.add(answer)
        sure = sure and answer.due not in self._overlapped
        if sure:
            self.sure.add(answer)
        if sure or answer in self._begun or answer.due in self._overlapped:
            self._answered = answer.due


def _overlaps(life: Life, job: str) -> list[datetime]:
    return [
        instant(line["scheduled_at"])
        for line in life.lines
        if line["event"] == "run_skipped" and line["job"] == job and line["reason"] == "overlap"
    ]


def _overlaps_wrong(overlapped: set[datetime], runs: Sequence[Run]) -> list[str]:
    return [
        f"{due} was skipped as an overlap, but no run was going on"
        for due in sorted(overlapped)
        if not any(since - _START <= due <= until + _START for run in runs for since, until in run.spans)
    ]


def _is_offline(offlines: Iterable[Offline], since: datetime, until: datetime) -> bool:
    return any(each.at <= until and since <= each.until for each in offlines)


def _wrong_with(run: Run, offlines: Sequence[Offline]) -> list[str]:
    if not run.outcomes:
        return [f"run {run.run_id} never ended"]
    if set(run.outcomes) - {"succeeded", "failed"} or len(set(run.outcomes)) > 1:
        return [f"run {run.run_id} ended {run.outcomes}"]
    since, until = run.spans[-1]
    refused = any(each.at <= since and since + _REFUSED_FOR <= each.until for each in offlines)
    failed = run.outcomes[-1] == "failed"
    if failed and not _is_offline(offlines, since - _START, until):
        return [f"run {run.run_id} failed with {run.error} at {until}, while LeanIX was there"]
    if refused and not failed and run.resumed == 0:
        return [f"run {run.run_id} succeeded at {until}, while LeanIX was offline"]
    return []


def _wrong_with_backups(runs: Sequence[Run], backups: Sequence[Answer]) -> list[str]:
    succeeded = Counter(run.answer for run in runs if run.answer and run.outcomes[-1:] == ["succeeded"])
    stored = Counter(backups)
    wrong = [f"{due} was answered {times} times" for due, times in _dues(runs).items() if times > 1]
    wrong += [f"there is no backup for {answer}" for answer in succeeded - stored]
    return wrong + [f"there is a backup too many for {answer}" for answer in stored - succeeded]


def _dues(runs: Sequence[Run]) -> Counter[datetime]:
    return Counter(run.answer.due for run in runs if run.answer)
