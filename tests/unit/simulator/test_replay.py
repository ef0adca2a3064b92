"""SNAPSHOT, ARCHIVE and AUDIT_LOG are views of one truth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leanix_backup.simulator.settings import WorkspaceSettings
from leanix_backup.simulator.workbooks import write_changes, write_cut
from leanix_backup.simulator.world import World
from tests.support.replay import Tables, differences, read_changes, read_tables, replay

START = datetime(2027, 1, 1, tzinfo=UTC)


def views(world: World, folder: Path) -> tuple[Tables, Tables]:
    write_cut(folder / "snapshot.xlsx", world.snapshot())
    write_cut(folder / "archive.xlsx", world.archive())
    return read_tables(folder / "snapshot.xlsx"), read_tables(folder / "archive.xlsx")


@pytest.mark.parametrize(
    ("seed", "stretch", "labels_only"),
    [
        (1, timedelta(days=30), False),
        (2, timedelta(hours=2), True),
        (3, timedelta(days=100), False),  # longer than an archived fact sheet is kept
        (4, timedelta(days=7, microseconds=1), True),
    ],
)
def test_the_changelog_turns_the_earlier_workbook_into_the_later(
    *, tmp_path: Path, seed: int, stretch: timedelta, labels_only: bool
) -> None:
    settings = WorkspaceSettings(seed=seed, fact_sheets=40, changes_per_hour=1, history=timedelta(days=20))
    world = World(settings, START)
    world.advance(START)
    snapshot, archive = views(world, tmp_path)
    world.advance(START + stretch)
    later_snapshot, later_archive = views(world, tmp_path)
    # more than the stretch: the convention decides what counts
    changes = world.changes(START - timedelta(days=3), START + stretch)
    write_changes(tmp_path / "changes.xlsx", changes, labels_only=labels_only)
    log = read_changes(tmp_path / "changes.xlsx")

    replay(snapshot, log, START, START + stretch)
    replay(archive, log, START, START + stretch, archive=True)

    assert differences(snapshot, later_snapshot) == []
    # Types describes the types that are there, which no change tells
    assert differences({**archive, "Types": {}}, {**later_archive, "Types": {}}) == []


def test_a_long_stretch_has_every_kind_of_change() -> None:
    world = World(WorkspaceSettings(seed=3, fact_sheets=60, changes_per_hour=2), START)
    world.advance(START + timedelta(days=200))
    events = {entry.event for entry in world.entries}
    assert events == {
        "FACT_SHEET_CREATED",
        "FACT_SHEET_UPDATED",
        "FACT_SHEET_ARCHIVED",
        "FACT_SHEET_RECOVERED",
        "FACT_SHEET_DELETED",
        "FACT_SHEET_TAG_ADDED",
        "FACT_SHEET_TAG_REMOVED",
        "SUBSCRIPTION_CHANGED",
        "RELATION_CREATED",
        "RELATION_UPDATED",
        "RELATION_ARCHIVED",
        "RELATION_RECOVERED",
        "RELATION_DELETED",
        "TAG_CREATED",
        "TAG_UPDATED",
        "TAG_GROUP_UPDATED",
        "COMMENT_CREATED",
        "COMMENT_ARCHIVED",
        "COMMENT_RECOVERED",
        "COMMENT_DELETED",
        "DOCUMENT_CREATED",
        "DOCUMENT_ARCHIVED",
        "DOCUMENT_RECOVERED",
        "DOCUMENT_DELETED",
    }


def test_a_changelog_with_a_change_left_out_does_not_fit(tmp_path: Path) -> None:
    world = World(WorkspaceSettings(seed=5, fact_sheets=40, changes_per_hour=1), START)
    world.advance(START)
    snapshot, _ = views(world, tmp_path)
    end = START + timedelta(days=10)
    world.advance(end)
    later, _ = views(world, tmp_path)
    write_changes(tmp_path / "changes.xlsx", world.changes(START, end))
    log = read_changes(tmp_path / "changes.xlsx")
    lasting = {identifier for table in later.values() for identifier in table}
    created = next(
        change for change in log if change["eventType"] == "FACT_SHEET_CREATED" and change["objectId"] in lasting
    )
    without = [change for change in log if change["objectId"] != created["objectId"]]

    replay(snapshot, without, START, end)

    assert any(created["objectId"] in difference for difference in differences(snapshot, later))


def test_the_time_between_does_not_matter(tmp_path: Path) -> None:
    settings = WorkspaceSettings(seed=6, fact_sheets=50, changes_per_hour=3)
    at_once, in_steps = World(settings, START), World(settings, START)
    end = START + timedelta(days=3)
    at_once.advance(end)
    moment = START - settings.history
    while moment < end:
        moment = min(end, moment + timedelta(hours=7, seconds=13))
        in_steps.advance(moment)

    assert in_steps.entries == at_once.entries
    assert in_steps.snapshot() == at_once.snapshot()
    assert in_steps.archive() == at_once.archive()
    write_cut(tmp_path / "one.xlsx", at_once.snapshot())
    write_cut(tmp_path / "other.xlsx", in_steps.snapshot())
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "other.xlsx").read_bytes()


def test_another_seed_or_name_is_another_world() -> None:
    worlds = [
        World(WorkspaceSettings(seed=seed, name=name, fact_sheets=10), START)
        for seed, name in ((1, "one"), (2, "one"), (1, "two"))
    ]
    assert len({frozenset(world.state.active) for world in worlds}) == 3


def test_time_does_not_go_back() -> None:
    world = World(WorkspaceSettings(fact_sheets=1), START)
    world.advance(START)
    with pytest.raises(ValueError, match="can't go back"):
        world.advance(START - timedelta(seconds=1))
