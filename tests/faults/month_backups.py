"""What a month left at the destination: does the changelog lead from the first snapshot to the last, without a hole."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.faults.month_life import instant
from tests.faults.month_plan import Plan
from tests.support.replay import differences, read_changes, read_tables, replay
from tests.support.stored import stored

_DATE_LENGTH = len("2027-03-10")


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch that a changelog claims to cover, and what was sent for it."""

    path: Path
    start: datetime
    end: datetime
    asked_start: str
    asked_end: str | None


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup, as its manifest tells; `window` is a changelog's."""

    path: Path
    export: str
    trigger: str
    scheduled_at: datetime
    created_at: datetime
    window: Window | None


@dataclass(slots=True)
class Held:
    """Everything at the destination; `stretches` are the changelog's windows joined, `replayed` counts its changes."""

    backups: list[Backup]
    windows: list[Window] = field(default_factory=list)
    stretches: list[tuple[datetime, datetime]] = field(default_factory=list)
    replayed: int = 0

    def of(self, export: str) -> list[Backup]:
        """List the backups of an export, the oldest first."""
        return sorted((each for each in self.backups if each.export == export), key=lambda each: each.created_at)


def hold(folder: Path) -> Held:
    """Read every manifest; each workbook is whole, and nothing else lies there."""
    held = Held([_backup(path, manifest) for path, manifest in stored(folder).items()])
    windows = (backup.window for backup in held.backups if backup.window)
    held.windows = sorted(windows, key=lambda each: (each.start, each.end))
    for each in held.windows:
        if held.stretches and each.start <= held.stretches[-1][1]:
            held.stretches[-1] = held.stretches[-1][0], max(held.stretches[-1][1], each.end)
        else:
            held.stretches.append((each.start, each.end))
    return held


def wrong_with_changelog(held: Held, reported: dict[str, Any], plan: Plan, *, dates: bool) -> list[str]:
    """Hold the changelog against the rules.

    Args:
        held: What is at the destination.
        reported: What `coverage --json` says.
        plan: The month.
        dates: Whether the server takes dates only.
    """
    wrong = _wrong_with_coverage(held, reported)
    for each in held.windows:
        # Asked for with dates, a window up to now ends with the request, however long ago it was planned.
        if each.end - each.start > plan.max_window and each.asked_end is not None:
            wrong.append(f"a window of {each.end - each.start} was asked for")
        for sent in (each.asked_start, each.asked_end):
            if sent is not None and (len(sent) == _DATE_LENGTH) != dates:
                wrong.append(f"{sent} was sent for {each}")
    return wrong + _wrong_with_replay(held)


def _wrong_with_coverage(held: Held, reported: dict[str, Any]) -> list[str]:
    if len(held.stretches) != 1:
        return [f"the changelog is held in {len(held.stretches)} stretches: {held.stretches}"]
    (start, end), (workspace,) = held.stretches[0], reported["workspaces"]
    told = [(instant(each["start"]), instant(each["end"])) for each in workspace["held"]]
    wrong = [] if told == held.stretches else [f"coverage says {told}, held is {held.stretches}"]
    missing = [(instant(each["start"]), instant(each["end"])) for each in workspace["missing"]]
    if any(since != end for since, _ in missing):
        wrong.append(f"coverage says that {missing} is missing")
    snapshots = held.of("SNAPSHOT")
    if not start < snapshots[0].created_at <= snapshots[-1].created_at < end:
        wrong.append("the changelog does not reach from the first snapshot to the last")
    return wrong


def _wrong_with_replay(held: Held) -> list[str]:
    """Replay the changelogs in the order of their windows; what several of them hold counts once."""
    first, last = held.of("SNAPSHOT")[0], held.of("SNAPSHOT")[-1]
    changes: dict[str, dict[str, Any]] = {}
    for window in held.windows:
        for change in read_changes(window.path):
            changes.setdefault(change["id"], change)
    held.replayed = sum(
        first.created_at < instant(change["createdAt"]) <= last.created_at for change in changes.values()
    )
    tables = read_tables(first.path)
    try:
        replay(tables, list(changes.values()), first.created_at, last.created_at)
    except ValueError as error:
        return [f"a change does not fit: {error}"]
    return [f"after the replay: {text}" for text in differences(tables, read_tables(last.path))]


def _backup(path: Path, manifest: dict[str, Any]) -> Backup:
    window, told = None, manifest["window"]
    if told is not None:
        asked = told["asked"]
        window = Window(path, instant(told["start"]), instant(told["end"]), asked["start"], asked["end"])
    return Backup(
        path,
        manifest["export"]["type"],
        manifest["trigger"],
        instant(manifest["scheduled_at"]),
        instant(manifest["export"]["created_at"]),
        window,
    )
