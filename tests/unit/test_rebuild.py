"""A ledger that is new, lost or damaged learns from the manifests; one that is whole does not."""

# ruff: noqa: ASYNC240 -- a test looks at the disk between two steps; nobody else waits for this event loop

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from leanix_backup import manifest as manifests
from leanix_backup.config import Config, load
from leanix_backup.errors import BackupError, StoreError
from leanix_backup.events import Event, Log
from leanix_backup.ledger import FILE_NAME, Ledger
from leanix_backup.model import Manifest, Trigger
from leanix_backup.naming import backup_key
from leanix_backup.rebuild import open_ledger
from leanix_backup.stores import Store
from tests.support import samples
from tests.support.fake_time import FakeTime
from tests.support.log_lines import Captured, captured_log
from tests.support.memory_store import MemoryStore
from tests.unit.config.support import ENVIRONMENT


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(None, ENVIRONMENT | {"LEANIX_BACKUP__STATE_DIR": str(tmp_path / "state")})


async def held(*kept: Manifest) -> MemoryStore:
    """Make a destination that holds these."""
    store = MemoryStore("disk")
    for each in kept:
        key = backup_key("acme", each.export.type, run_id=each.run_id, taken_at=each.export.created_at)
        named = replace(each, file=replace(each.file, name=key.artifact.rpartition("/")[2]))
        await store.put_bytes(key.artifact, b"a workbook")
        await store.put_bytes(key.manifest, manifests.encode(named))
    return store


def of_day(day: int, *, trigger: Trigger = Trigger.SCHEDULE, workspace_id: str = "ws-1") -> Manifest:
    """Make a manifest of a backup made that many days after the sample's."""
    made = samples.manifest()
    when = samples.WHEN + timedelta(days=day)
    return replace(
        made,
        run_id=f"{day:08x}-0000-4000-8000-000000000000",
        workspace=replace(made.workspace, id=workspace_id),
        export=replace(made.export, created_at=when),
        scheduled_at=when,
        trigger=trigger,
    )


async def open_once(config: Config, *stores: Store) -> tuple[str | None, object, Captured]:
    """Open the ledger, and say which workspace it knows, and up to when the schedule was answered."""
    with captured_log() as log:
        async with open_ledger(config, stores, clock=FakeTime().clock, log=Log()) as ledger:
            return await ledger.pinned("acme"), await ledger.last_due("nightly"), log


async def test_the_first_one_of_all_learns_nothing_and_says_nothing(config: Config) -> None:
    pinned, due, log = await open_once(config, MemoryStore())
    assert (pinned, due) == (None, None)
    assert log.lines == []


async def test_one_that_was_lost_learns_from_the_newest_manifests(config: Config) -> None:
    store = await held(of_day(1), of_day(2))
    pinned, due, log = await open_once(config, store)
    assert (pinned, due) == ("ws-1", samples.WHEN + timedelta(days=2))
    (line,) = log.of(Event.LEDGER_REBUILT)
    assert line["manifests"] == 1
    assert "kept_at" not in line


async def test_a_backup_by_hand_answered_no_schedule(config: Config) -> None:
    pinned, due, _ = await open_once(config, await held(of_day(1, trigger=Trigger.MANUAL)))
    assert (pinned, due) == ("ws-1", None)


async def test_one_that_is_whole_learns_nothing_again(config: Config) -> None:
    await open_once(config, await held(of_day(1)))
    pinned, due, log = await open_once(config, await held(of_day(1, workspace_id="ws-2"), of_day(2)))
    assert (pinned, due) == ("ws-1", samples.WHEN + timedelta(days=1))
    assert log.lines == []


async def test_one_whose_maker_was_killed_before_it_had_learned_learns_now(config: Config) -> None:
    async with Ledger(config.state_dir / FILE_NAME):
        pass
    pinned, due, log = await open_once(config, await held(of_day(1)))
    assert (pinned, due) == ("ws-1", samples.WHEN + timedelta(days=1))
    assert len(log.of(Event.LEDGER_REBUILT)) == 1


async def test_a_damaged_one_is_kept_aside_and_begun_anew(config: Config) -> None:
    store = await held(of_day(1))
    await open_once(config, store)
    path = config.state_dir / FILE_NAME
    path.write_bytes(b"no ledger any more" * 500)
    journal = path.with_name(f"{FILE_NAME}-journal")
    journal.write_bytes(b"its journal")
    pinned, due, log = await open_once(config, store)
    assert (pinned, due) == ("ws-1", samples.WHEN + timedelta(days=1))
    (line,) = log.of(Event.LEDGER_REBUILT)
    assert Path(line["kept_at"]).read_bytes() == b"no ledger any more" * 500
    assert not journal.exists()


async def test_a_destination_that_is_down_hides_nothing_of_the_others(config: Config) -> None:
    down = MemoryStore("offsite")
    down.down = StoreError("offsite is not there", code="destination_missing")
    pinned, _, log = await open_once(config, down, await held(of_day(1)))
    assert pinned == "ws-1"
    assert len(log.of(Event.LEDGER_REBUILT)) == 1


async def test_one_that_can_not_be_used_is_not_set_aside(config: Config) -> None:
    config.state_dir.parent.mkdir(exist_ok=True)
    config.state_dir.write_text("a file where a folder should be")
    with pytest.raises(BackupError) as caught:
        await open_once(config, MemoryStore())
    assert caught.value.code == "ledger_unusable"
    assert config.state_dir.read_text() == "a file where a folder should be"


async def test_a_destination_that_was_down_is_asked_by_the_next_start(config: Config) -> None:
    store = await held(of_day(3))
    store.down = StoreError("it does not answer", code="destination_error")
    pinned, _, log = await open_once(config, store)
    assert (pinned, log.lines) == (None, [])
    store.down = None
    pinned, due, log = await open_once(config, store)
    assert (pinned, due) == ("ws-1", samples.WHEN + timedelta(days=3))
    assert len(log.of(Event.LEDGER_REBUILT)) == 1
    assert (await open_once(config, store))[2].lines == [], "once is enough"
