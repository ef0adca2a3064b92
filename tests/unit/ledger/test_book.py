"""The ledger on a real file: what is written is there, for whoever opens it next, and never a wrong answer."""

# ruff: noqa: ASYNC220, ASYNC240 -- a test looks at the disk between two steps; nobody else waits for this event loop

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from leanix_backup.errors import BackupError
from leanix_backup.ledger import Entry, Ledger, LedgerBrokenError, Shipment
from leanix_backup.ledger.schema import MIGRATIONS, VERSION, metadata
from leanix_backup.model import Asked, ExportType, Outcome, Stage, Trigger, Window
from tests.support.small_volume import on_small_volume

WHEN = datetime(2027, 3, 31, 2, 30, 4, 378194, tzinfo=UTC)
BARE = Entry(
    run_id="deadbeef-0000-4000-8000-000000000000",
    job="nightly",
    workspace="acme",
    export=ExportType.SNAPSHOT,
    trigger=Trigger.SCHEDULE,
    scheduled_at=WHEN,
    started_at=WHEN + timedelta(seconds=1),
)
FULL = replace(
    BARE,
    run_id="feedface-0000-4000-8000-000000000000",
    job="changelog",
    export=ExportType.AUDIT_LOG,
    trigger=Trigger.CATCH_UP,
    window=Window(WHEN - timedelta(days=1), WHEN, Asked("2027-03-30", None)),
    stage=Stage.SHIPPING,
    attempt=2,
    workspace_id="ws-1",
    seen_ids=frozenset({"b", "a"}),
    server_time=WHEN,
    user_id="user-1",
    posting=True,
    job_id="job:1:abc",
    export_id="export-1",
    export_created_at=WHEN,
    spending=True,
    size_bytes=6_000_000_000,
    sha256="ab" * 32,
    manifest='{"näme": 1}\n',
    outcome=Outcome.PARTIAL,
    error_code="destination_full",
    finished_at=WHEN + timedelta(minutes=1),
    posts=2,
    left_ids=frozenset({"export-0"}),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with Ledger(path) as opened:
        yield opened


def _tables(engine: sa.Engine) -> dict[str, Any]:
    """Say what a database consists of, whatever the order in which it came about."""
    seen = sa.inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], str(column["default"]).strip("'"))
                for column in seen.get_columns(table)
            },
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "foreign": [(key["referred_table"], key["options"]) for key in seen.get_foreign_keys(table)],
            "indexes": sorted((str(each["name"]), tuple(each["column_names"])) for each in seen.get_indexes(table)),
        }
        for table in seen.get_table_names()
    }


def number(count: int, **facts: Any) -> Entry:
    """Make one of many runs, each a minute after the one before."""
    return replace(
        BARE, run_id=f"{count:08x}-0000-4000-8000-000000000000", started_at=WHEN + timedelta(minutes=count), **facts
    )


class TestRuns:
    @pytest.mark.parametrize("entry", [BARE, FULL, replace(BARE, seen_ids=frozenset())], ids=["bare", "full", "empty"])
    async def test_what_is_written_is_there_for_whoever_opens_it_next(self, path: Path, entry: Entry) -> None:
        async with Ledger(path) as first:
            await first.begin(entry, answers=False)
        async with Ledger(path) as second:
            assert await second.entry(entry.run_id) == entry
            assert await second.entry("another") is None

    async def test_every_fact_can_be_noted_and_unnoted(self, ledger: Ledger) -> None:
        await ledger.begin(replace(BARE, run_id=FULL.run_id), answers=False)
        names = [name for name in Entry.__slots__ if getattr(FULL, name) != getattr(BARE, name) and name != "run_id"]
        assert len(names) > 15
        for name in names:
            await ledger.note(FULL.run_id, **{name: getattr(FULL, name)})
            found = await ledger.entry(FULL.run_id)
            assert found is not None
            assert getattr(found, name) == getattr(FULL, name)
        assert await ledger.entry(FULL.run_id) == FULL
        await ledger.note(FULL.run_id, seen_ids=None, window=None, manifest=None)
        assert await ledger.entry(FULL.run_id) == replace(FULL, seen_ids=None, window=None, manifest=None)

    async def test_unfinished_are_those_of_the_export_without_an_outcome_the_oldest_first(self, ledger: Ledger) -> None:
        for entry in (
            number(3),
            number(1),
            number(2, outcome=Outcome.FAILED),
            number(4, export=ExportType.ARCHIVE),
            number(5, workspace="umbrella"),
        ):
            await ledger.begin(entry, answers=False)
        assert await ledger.unfinished("acme", ExportType.SNAPSHOT) == (number(1), number(3))

    async def test_history_is_a_jobs_the_newest_first(self, ledger: Ledger) -> None:
        for count in (2, 1, 3):
            await ledger.begin(number(count), answers=False)
        await ledger.begin(number(9, job="another"), answers=False)
        assert await ledger.history("nightly", most=2) == (number(3), number(2))

    async def test_a_run_is_begun_once(self, ledger: Ledger) -> None:
        await ledger.begin(BARE, answers=False)
        with pytest.raises(BackupError):
            await ledger.begin(BARE, answers=True)
        assert await ledger.last_due("nightly") is None, "both or neither"


class TestShipments:
    async def test_planning_again_forgets_nothing(self, ledger: Ledger) -> None:
        await ledger.begin(BARE, answers=False)
        planned = [Shipment(BARE.run_id, name, "a/key.xlsx") for name in ("offsite", "disk")]
        await ledger.ship(planned)
        await ledger.note_shipment(BARE.run_id, "disk", stored_at=WHEN)
        await ledger.note_shipment(BARE.run_id, "offsite", tries=3, next_try_at=WHEN, error_code="destination_full")
        await ledger.ship(planned)
        assert await ledger.shipments(BARE.run_id) == (
            replace(planned[1], stored_at=WHEN),
            replace(planned[0], tries=3, next_try_at=WHEN, error_code="destination_full"),
        )

    async def test_owed_is_what_ended_runs_still_have_to_bring_somewhere(self, ledger: Ledger) -> None:
        for count, outcome in ((1, Outcome.PARTIAL), (2, Outcome.FAILED), (3, None), (4, Outcome.SUCCEEDED)):
            entry = number(count, outcome=outcome)
            await ledger.begin(entry, answers=False)
            await ledger.ship([Shipment(entry.run_id, name, "key") for name in ("disk", "offsite")])
            if outcome in (Outcome.PARTIAL, Outcome.SUCCEEDED):
                await ledger.note_shipment(entry.run_id, "disk", stored_at=WHEN)
            if outcome is Outcome.SUCCEEDED:
                await ledger.note_shipment(entry.run_id, "offsite", stored_at=WHEN)
        owed = [(entry.run_id[:8], shipment.destination) for entry, shipment in await ledger.owed()]
        assert owed == [("00000001", "offsite"), ("00000002", "disk"), ("00000002", "offsite")]
        assert {run_id[:8] for run_id in await ledger.open_run_ids()} == {"00000001", "00000002", "00000003"}


class TestTrim:
    async def test_the_newest_stay_and_whatever_is_open(self, ledger: Ledger) -> None:
        for count in range(10):
            await ledger.begin(number(count, outcome=None if count == 1 else Outcome.SUCCEEDED), answers=False)
            await ledger.ship([Shipment(number(count).run_id, "disk", "key")])
            if count != 2:
                await ledger.note_shipment(number(count).run_id, "disk", stored_at=WHEN)
        await ledger.begin(number(99, job="another", outcome=Outcome.SUCCEEDED), answers=False)
        await ledger.trim("nightly", keep=3)
        assert [int(entry.run_id[:8], 16) for entry in await ledger.history("nightly")] == [9, 8, 7, 2, 1]
        assert await ledger.shipments(number(3).run_id) == (), "they go with their run"
        assert len(await ledger.history("another")) == 1


class TestSchedules:
    async def test_an_answer_never_goes_back(self, ledger: Ledger) -> None:
        assert await ledger.last_due("nightly") is None
        for due in (WHEN, WHEN - timedelta(days=1), WHEN):
            await ledger.answer("nightly", due)
            assert await ledger.last_due("nightly") == WHEN
        later = WHEN + timedelta(microseconds=1)
        await ledger.begin(replace(BARE, scheduled_at=later), answers=True)
        assert await ledger.last_due("nightly") == later
        await ledger.begin(replace(BARE, run_id="other", scheduled_at=WHEN), answers=True)
        assert await ledger.last_due("nightly") == later
        assert await ledger.last_due("another") is None

    async def test_a_run_by_hand_answers_no_schedule(self, ledger: Ledger) -> None:
        await ledger.begin(BARE, answers=False)
        assert await ledger.last_due("nightly") is None

    async def test_the_first_workspace_id_stays(self, ledger: Ledger) -> None:
        assert await ledger.pinned("acme") is None
        await ledger.pin("acme", "ws-1")
        await ledger.pin("acme", "ws-2")
        assert await ledger.pinned("acme") == "ws-1"


class TestLeft:
    async def test_an_export_that_a_run_left_is_remembered_until_its_key_was_spent(self, ledger: Ledger) -> None:
        ended = {"outcome": Outcome.FAILED, "attempt": 1}
        await ledger.begin(number(1, export_id="left", **ended), answers=False)
        await ledger.begin(number(2, export_id="spent", spending=True, **ended), answers=False)
        await ledger.begin(number(3, export_id="under way"), answers=False)
        await ledger.begin(number(4, export_id="spent too", spending=True, left_ids=frozenset({"e"})), answers=False)
        await ledger.begin(number(5, export=ExportType.ARCHIVE, export_id="another kind", **ended), answers=False)
        left = await ledger.left_exports("acme", ExportType.SNAPSHOT)
        assert {export_id: entry.run_id for export_id, entry in left.items()} == {
            "left": number(1).run_id,
            "e": number(4).run_id,
        }

    async def test_only_recent_ones(self, ledger: Ledger) -> None:
        for count in range(60):
            await ledger.begin(number(count, export_id=f"e{count}", outcome=Outcome.FAILED), answers=False)
        left = await ledger.left_exports("acme", ExportType.SNAPSHOT)
        assert set(left) == {f"e{count}" for count in range(10, 60)}


class TestReadOnly:
    async def test_it_reads_and_changes_nothing(self, path: Path, ledger: Ledger) -> None:
        await ledger.begin(FULL, answers=True)
        before = path.read_bytes()
        async with Ledger(path, read_only=True) as looked:
            assert await looked.history("changelog") == (FULL,)
            with pytest.raises(BackupError) as caught:
                await looked.pin("acme", "ws-1")
        assert caught.value.code == "ledger_unusable"
        assert path.read_bytes() == before

    async def test_it_waits_for_nobody_who_writes_at_the_same_time(self, path: Path, ledger: Ledger) -> None:
        await ledger.begin(BARE, answers=False)
        with closing_connection(path) as other:
            other.execute("BEGIN IMMEDIATE")
            async with Ledger(path, read_only=True, busy_timeout_s=0.1) as looked:
                assert await looked.history("nightly") == (BARE,)

    async def test_one_that_is_missing_or_of_another_version_is_not_made(self, path: Path) -> None:
        for version in (None, 0, 1):
            if version is not None:
                path.parent.mkdir(exist_ok=True)
                with closing_connection(path) as connection:
                    connection.execute(f"PRAGMA user_version = {version}")
            with pytest.raises(BackupError) as caught:
                async with Ledger(path, read_only=True):
                    pass
            assert caught.value.code == ("ledger_unusable" if version is None else "ledger_too_old")
            assert caught.value.hint
            assert path.exists() == (version is not None)


class TestFile:
    async def test_it_is_made_for_us_alone_with_a_rollback_journal(self, path: Path, ledger: Ledger) -> None:
        await ledger.begin(BARE, answers=True)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert [each.name for each in path.parent.iterdir()] == ["ledger.sqlite"], "no journal, no WAL is left"
        with closing_connection(path) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)

    async def test_an_empty_file_as_a_killed_process_leaves_it_becomes_a_ledger(self, path: Path) -> None:
        path.parent.mkdir()
        path.touch()
        async with Ledger(path) as opened:
            await opened.begin(BARE, answers=False)
            assert await opened.is_new()
            await opened.note_learned()
        async with Ledger(path) as again:
            assert await again.entry(BARE.run_id) == BARE
            assert not await again.is_new()

    async def test_the_migrations_end_in_the_tables_that_the_code_uses(self, path: Path) -> None:
        async with Ledger(path):
            pass
        wanted = sa.create_engine("sqlite://")
        metadata.create_all(wanted)
        found = sa.create_engine(f"sqlite:///{path}")
        try:
            assert _tables(found) == _tables(wanted)
        finally:
            found.dispose()
            wanted.dispose()

    async def test_a_file_of_the_first_version_becomes_one_of_this(self, path: Path) -> None:
        path.parent.mkdir()
        with closing_connection(path) as connection:
            for statement in MIGRATIONS[0]:
                connection.execute(statement)
            connection.execute(
                'INSERT INTO runs (run_id, job, workspace, export, "trigger", scheduled_at, started_at, stage, attempt,'
                " posting, spending, seen_ids) VALUES (?, 'nightly', 'acme', 'SNAPSHOT', 'schedule', ?, ?, 'requested',"
                " 1, 1, 0, '[\"e1\"]')",
                (BARE.run_id, "2027-03-31T02:30:04.378194Z", "2027-03-31T02:30:05.378194Z"),
            )
            connection.execute("PRAGMA user_version = 1")
        async with Ledger(path) as ledger:
            (entry,) = await ledger.unfinished("acme", ExportType.SNAPSHOT)
        expected = replace(BARE, attempt=1, posting=True, seen_ids=frozenset({"e1"}), posts=1)
        assert entry == expected, "a request was on its way: it may have started one export"

    async def test_one_of_a_newer_version_is_refused_and_left_alone(self, path: Path) -> None:
        async with Ledger(path):
            pass
        with closing_connection(path) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        before = path.read_bytes()
        with pytest.raises(BackupError) as caught:
            await opened(path)
        assert (caught.value.code, caught.value.retryable) == ("ledger_too_new", False)
        assert caught.value.hint
        assert path.read_bytes() == before

    @pytest.mark.parametrize("damage", ["not a database", "torn", "cut off"])
    async def test_a_damaged_one_is_told_and_left_alone(self, path: Path, damage: str) -> None:
        async with Ledger(path) as made:
            for count in range(40):
                await made.begin(number(count), answers=False)
        data = bytearray(path.read_bytes())
        if damage == "not a database":
            data[:] = b"this is no ledger\n" * 1000
        elif damage == "torn":
            data[4096:] = os.urandom(len(data) - 4096)
        else:
            del data[len(data) // 2 :]
        path.write_bytes(data)
        with pytest.raises(LedgerBrokenError) as caught:
            await opened(path)
        assert caught.value.code == "ledger_broken"
        assert path.read_bytes() == data

    async def test_a_folder_that_can_not_be_one(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(BackupError) as caught:
            await opened(tmp_path / "file" / "ledger.sqlite")
        assert caught.value.code == "ledger_unusable"
        assert caught.value.hint

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    async def test_a_folder_that_may_not_be_written(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(BackupError) as caught:
                await opened(tmp_path / "ledger.sqlite")
        finally:
            tmp_path.chmod(0o700)
        assert caught.value.code == "ledger_unusable"

    def test_a_volume_that_is_full_and_one_that_turned_read_only(self, tmp_path: Path) -> None:
        (tmp_path / "volume").mkdir()
        said = on_small_volume(tmp_path / "volume", _ON_A_VOLUME, size="1m")
        assert said == {"full": "ledger_unusable", "after": 1, "read": 1, "written": "ledger_unusable"}


class TestTogether:
    async def test_one_waits_for_the_others_transaction(self, path: Path, ledger: Ledger) -> None:
        with holding(path) as release:
            timer = threading.Timer(0.3, release)
            timer.start()
            await ledger.begin(BARE, answers=False)
            timer.join()
        assert await ledger.entry(BARE.run_id) == BARE

    async def test_one_that_never_ends_is_told_and_may_be_tried_again(self, path: Path, ledger: Ledger) -> None:
        async with Ledger(path, busy_timeout_s=0.1) as impatient:
            with holding(path):
                with pytest.raises(BackupError) as caught:
                    await impatient.begin(BARE, answers=False)
                assert (caught.value.code, caught.value.retryable) == ("ledger_unusable", True)
            await impatient.begin(BARE, answers=False)
        assert await ledger.entry(BARE.run_id) == BARE

    async def test_two_processes_make_it_and_write_at_the_same_time(self, path: Path) -> None:
        started = [subprocess.Popen([sys.executable, "-c", _WRITER, path, str(first)]) for first in (0, 100)]
        assert [process.wait(60) for process in started] == [0, 0]
        async with Ledger(path) as both:
            found = {int(entry.run_id[:8], 16) for entry in await both.history("nightly")}
        assert found == {*range(20), *range(100, 120)}

    async def test_many_tasks_at_once(self, ledger: Ledger) -> None:
        await asyncio.gather(*(ledger.begin(number(count), answers=True) for count in range(20)))
        assert len(await ledger.history("nightly")) == 20


async def opened(path: Path) -> None:
    """Open a ledger, and close it."""
    async with Ledger(path):
        pass


@contextmanager
def closing_connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def holding(path: Path) -> Iterator[Any]:
    """Have somebody else in the middle of a transaction."""
    with closing_connection(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield lambda: connection.execute("COMMIT")
        if connection.in_transaction:
            connection.execute("COMMIT")


_WRITER = """
import asyncio, sys
from pathlib import Path
from leanix_backup.ledger import Ledger
from tests.unit.ledger.test_book import number

async def write():
    async with Ledger(Path(sys.argv[1])) as ledger:
        for count in range(int(sys.argv[2]), int(sys.argv[2]) + 20):
            await ledger.begin(number(count), answers=True)

asyncio.run(write())
"""

_ON_A_VOLUME = """
import asyncio, json, subprocess, sys
from pathlib import Path
from leanix_backup.errors import BackupError
from leanix_backup.ledger import Ledger
from tests.unit.ledger.test_book import number

async def refused(work):
    try:
        await work
    except BackupError as error:
        return error.code

async def main():
    folder, said = Path(sys.argv[1]), {}
    async with Ledger(folder / "ledger.sqlite") as ledger:
        await ledger.begin(number(1), answers=False)
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        said["full"] = await refused(ledger.begin(number(2, manifest="x" * 100_000), answers=False))
        ballast.unlink()
        said["after"] = len(await ledger.history("nightly"))
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    async with Ledger(folder / "ledger.sqlite") as ledger:
        said["read"] = len(await ledger.history("nightly"))
        said["written"] = await refused(ledger.begin(number(3), answers=False))
    print(json.dumps(said))

asyncio.run(main())
"""
