"""Read and write the ledger; every write is on disk when it returns."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import anyio
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection, Engine

from leanix_backup.errors import BackupError
from leanix_backup.files import make_folders
from leanix_backup.ledger.entry import Entry, Shipment
from leanix_backup.ledger.marks import Marks
from leanix_backup.ledger.schema import MIGRATIONS, VERSION, runs, schedules, shipments, workspaces
from leanix_backup.model import Asked, ExportType, Outcome, Stage, Trigger, Window

T = TypeVar("T")

FILE_NAME = "ledger.sqlite"
_BUSY_TIMEOUT_S = 20.0
_LEARNED = 0x4C584C47  # an application id: what lay at the destinations was written into a new ledger
_KEPT_PER_JOB = 1000
_LISTS_OF_IDS = ("seen_ids", "left_ids")
_MOST_LEFT = 50


class LedgerBrokenError(BackupError):
    """The file is no ledger: it is damaged, or something else."""

    default_code = "ledger_broken"


def is_there(path: Path) -> bool:
    """Say whether there is a ledger.

    Raises:
        BackupError: `ledger_unusable`: nobody can say, as the folder may not be looked into.
    """
    try:
        return path.exists()
    except OSError as error:
        raise _translate(error, path) from error


class Ledger:
    """The ledger of one `state_dir`; a context manager that closes it.

    Several processes may use it at the same time: each write is one short transaction that waits for the others.

    Args:
        path: The file; made where it is missing.
        busy_timeout_s: How long to wait for another process's transaction.
        read_only: Leave the file as it is, for whoever only wants to look; it must be there.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = _BUSY_TIMEOUT_S, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._engine = _engine(path, busy_timeout_s, read_only=read_only)
        self._one = anyio.CapacityLimiter(1)
        self.marks = Marks(self._write, self._read)

    async def __aenter__(self) -> Self:
        """Open the file and bring it to this version.

        Raises:
            LedgerBrokenError: It is damaged; it was left as it is.
            BackupError: `ledger_unusable` (read-only, full, locked), `ledger_too_new`; `ledger_too_old` where it is
                only to be looked at.
        """
        await self._in_thread(self._look if self._read_only else self._prepare)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._engine.dispose()

    async def begin(self, entry: Entry, *, answers: bool) -> None:
        """Write down a new run, and, in the same step, that it answers the due time it was started for."""

        def work(connection: Connection) -> None:
            connection.execute(runs.insert().values(_row(entry)))
            if answers:
                connection.execute(_answer(entry.job, entry.scheduled_at))

        await self._write(work)

    async def note(self, run_id: str, **facts: Any) -> None:
        """Write down what is known of a run from now on; names are those of `Entry`."""
        values = _values(facts)
        await self._write(
            lambda connection: connection.execute(runs.update().where(runs.c.run_id == run_id).values(values))
        )

    async def entry(self, run_id: str) -> Entry | None:
        """Read one run."""
        found = await self._read(runs.select().where(runs.c.run_id == run_id))
        return _entry(found[0]) if found else None

    async def unfinished(self, workspace: str, export: ExportType) -> tuple[Entry, ...]:
        """Read the runs of an export that have not ended, the oldest first."""
        return tuple(
            entry for entry in await self.all_unfinished() if (entry.workspace, entry.export) == (workspace, export)
        )

    async def all_unfinished(self) -> tuple[Entry, ...]:
        """Read the runs that have not ended, the oldest first."""
        query = runs.select().where(runs.c.outcome.is_(None)).order_by(runs.c.started_at)
        return tuple(_entry(row) for row in await self._read(query))

    async def left_exports(self, workspace: str, export: ExportType) -> dict[str, Entry]:
        """Read which exports runs started and left before they spent the key, by LeanIX's id; recent ones only."""
        query = (
            runs.select()
            .where(runs.c.workspace == workspace, runs.c.export == export.value)
            .order_by(runs.c.started_at.desc())
            .limit(_MOST_LEFT)
        )
        left: dict[str, Entry] = {}
        for entry in map(_entry, await self._read(query)):
            ids = entry.left_ids or frozenset()
            if entry.export_id is not None and not entry.spending and entry.outcome is not None:
                ids |= {entry.export_id}
            left |= {each: entry for each in ids if each not in left}
        return left

    async def history(self, job: str, *, most: int = 100) -> tuple[Entry, ...]:
        """Read the runs of a job, the newest first."""
        query = runs.select().where(runs.c.job == job).order_by(runs.c.started_at.desc()).limit(most)
        return tuple(_entry(row) for row in await self._read(query))

    async def ship(self, planned: Iterable[Shipment]) -> None:
        """Write down where an artifact is to lie; what is known of it already stays."""
        rows = [dataclasses.asdict(each) for each in planned]
        insert = sqlite_insert(shipments).on_conflict_do_nothing()
        await self._write(lambda connection: connection.execute(insert, rows))

    async def note_shipment(self, run_id: str, destination: str, **facts: Any) -> None:
        """Write down how a shipment goes; names are those of `Shipment`."""
        where = (shipments.c.run_id == run_id, shipments.c.destination == destination)
        await self._write(lambda connection: connection.execute(shipments.update().where(*where).values(facts)))

    async def shipments(self, run_id: str) -> tuple[Shipment, ...]:
        """Read a run's shipments, by destination."""
        query = shipments.select().where(shipments.c.run_id == run_id).order_by(shipments.c.destination)
        return tuple(Shipment(**row) for row in await self._read(query))

    async def open_run_ids(self) -> frozenset[str]:
        """Say which runs have not ended, or are still to be shipped somewhere."""
        owed = sa.select(shipments.c.run_id).where(shipments.c.stored_at.is_(None))
        query = sa.select(runs.c.run_id).where(runs.c.outcome.is_(None) | runs.c.run_id.in_(owed))
        return frozenset(row["run_id"] for row in await self._read(query))

    async def owed(self) -> tuple[tuple[Entry, Shipment], ...]:
        """Read every shipment that is still to be made of runs that have ended, the oldest run first."""
        query = (
            sa.select(runs, shipments.c.destination)
            .join(shipments)
            .where(shipments.c.stored_at.is_(None), runs.c.outcome.is_not(None))
            .order_by(runs.c.started_at)
        )
        found = []
        for row in await self._read(query):
            destination = row.pop("destination")
            entry = _entry(row)
            found += [(entry, each) for each in await self.shipments(entry.run_id) if each.destination == destination]
        return tuple(found)

    async def unshipped(self, destination: str) -> frozenset[str]:
        """Say which files are still to lie at a destination, whether their runs have ended or not."""
        query = sa.select(shipments.c.key).where(
            shipments.c.destination == destination, shipments.c.stored_at.is_(None)
        )
        return frozenset(row["key"] for row in await self._read(query))

    async def unship(self, run_id: str) -> None:
        """Forget the shipments of a run that were not made: there is nothing left to ship."""
        delete = shipments.delete().where(shipments.c.run_id == run_id, shipments.c.stored_at.is_(None))
        await self._write(lambda connection: connection.execute(delete))

    async def has_stored(self, destination: str) -> bool:
        """Say whether anything was stored at a destination that is known of."""
        query = (
            sa.select(shipments.c.key)
            .where(shipments.c.destination == destination, shipments.c.stored_at.is_not(None))
            .limit(1)
        )
        return bool(await self._read(query))

    async def unanswered(self, workspace: str, export: ExportType, *, since: datetime) -> tuple[Entry, ...]:
        """Read the runs that ended although an export of theirs may still appear: nobody answered their request."""
        query = runs.select().where(
            runs.c.workspace == workspace,
            runs.c.export == export.value,
            runs.c.outcome.is_not(None),
            runs.c.posts > 0,
            runs.c.export_id.is_(None),
            runs.c.finished_at >= since,
        )
        return tuple(_entry(row) for row in await self._read(query))

    async def is_new(self) -> bool:
        """Say whether nobody has written into it yet what lay at the destinations when it was made."""

        def work() -> bool:
            with self._engine.begin() as connection:
                return bool(connection.exec_driver_sql("PRAGMA application_id").scalar_one() != _LEARNED)

        return await self._in_thread(work)

    async def note_learned(self) -> None:
        """Write down that it is not new any more."""
        await self._write(lambda connection: connection.exec_driver_sql(f"PRAGMA application_id = {_LEARNED}"))

    async def pinned(self, workspace: str) -> str | None:
        """Read which workspace id the first success under a name had."""
        found = await self._read(workspaces.select().where(workspaces.c.name == workspace))
        return found[0]["id"] if found else None

    async def pin(self, workspace: str, workspace_id: str) -> None:
        """Write down a workspace's id; one that is pinned stays."""
        insert = sqlite_insert(workspaces).on_conflict_do_nothing()
        await self._write(lambda connection: connection.execute(insert, {"name": workspace, "id": workspace_id}))

    async def last_due(self, job: str) -> datetime | None:
        """Read the last time that a job's schedule was answered, by a run or a skip."""
        found = await self._read(schedules.select().where(schedules.c.job == job))
        return found[0]["due_at"] if found else None

    async def answer(self, job: str, due_at: datetime) -> None:
        """Write down that a due time was answered; it never goes back."""
        await self._write(lambda connection: connection.execute(_answer(job, due_at)))

    async def reset_due(self, job: str, due_at: datetime) -> None:
        """Write down a due time although a later one was answered: that was by a clock that was wrong."""
        update = schedules.update().where(schedules.c.job == job).values(due_at=due_at)
        await self._write(lambda connection: connection.execute(update))

    async def trim(self, job: str, *, keep: int = _KEPT_PER_JOB) -> None:
        """Forget all but the newest runs of a job, but none that is unfinished or still to be shipped."""
        newest = sa.select(runs.c.run_id).where(runs.c.job == job).order_by(runs.c.started_at.desc()).limit(keep)
        owed = sa.select(shipments.c.run_id).where(shipments.c.stored_at.is_(None))
        query = runs.delete().where(
            runs.c.job == job,
            runs.c.outcome.is_not(None),
            runs.c.run_id.not_in(newest),
            runs.c.run_id.not_in(owed),
        )
        await self._write(lambda connection: connection.execute(query))

    def _look(self) -> None:
        version = self._version()
        if version < VERSION:
            raise BackupError(
                f"the ledger {self._path} is of version {version}, and this version reads {VERSION}",
                code="ledger_too_old",
                hint="it is brought up to date when `serve` or `backup` of this version is started",
            )

    def _version(self) -> int:
        with self._engine.begin() as connection:
            version: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > VERSION:
            raise BackupError(
                f"the ledger {self._path} is of version {version}, and this version knows {VERSION}",
                code="ledger_too_new",
                hint="a newer leanix-backup wrote it: use that one, or another state_dir",
            )
        return version

    def _prepare(self) -> None:
        make_folders(self._path.parent)
        if not self._path.exists():
            self._path.touch(mode=0o600)
        version = self._version()
        for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
            with self._engine.begin() as connection:
                if connection.exec_driver_sql("PRAGMA user_version").scalar_one() < number:  # else another process did
                    for statement in migration:
                        connection.exec_driver_sql(statement)
                    connection.exec_driver_sql(f"PRAGMA user_version = {number}")
        with self._engine.begin() as connection:
            if connection.exec_driver_sql("PRAGMA quick_check").scalar_one() != "ok":
                raise _broken(self._path)

    async def _write(self, work: Callable[[Connection], Any]) -> None:
        def transaction() -> None:
            with self._engine.begin() as connection:
                work(connection)

        await self._in_thread(transaction)

    async def _read(self, query: sa.Executable) -> list[dict[str, Any]]:
        def transaction() -> list[dict[str, Any]]:
            with self._engine.begin() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]

        return await self._in_thread(transaction)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            # A thread is not cancelled on its way: what is being written down is written down.
            return await anyio.to_thread.run_sync(work, limiter=self._one)
        except (sa.exc.DatabaseError, sqlite3.DatabaseError, OSError) as error:
            raise _translate(error, self._path) from error


def _engine(path: Path, busy_timeout_s: float, *, read_only: bool) -> Engine:
    mode = "ro" if read_only else "rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}",
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.StaticPool)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        if read_only:
            return
        # A rollback journal, not a WAL: that needs shared memory, which network file systems do not have.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: one that begins by reading and turns to writing fails "locked" at once, whatever the timeout.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _answer(job: str, due_at: datetime) -> sa.Executable:
    insert = sqlite_insert(schedules).values(job=job, due_at=due_at)
    return insert.on_conflict_do_update(
        index_elements=["job"],
        set_={"due_at": insert.excluded.due_at},
        where=schedules.c.due_at < insert.excluded.due_at,
    )


def _row(entry: Entry) -> dict[str, Any]:
    facts = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
    return _values(facts)


def _values(facts: dict[str, Any]) -> dict[str, Any]:
    values = dict(facts)
    if "window" in values:
        window: Window | None = values.pop("window")
        values |= {
            "window_start": window and window.start,
            "window_end": window and window.end,
            "asked_start": window and window.asked.start,
            "asked_end": window and window.asked.end,
        }
    for name in _LISTS_OF_IDS:
        if values.get(name) is not None:
            values[name] = sorted(values[name])
    return {name: getattr(value, "value", value) for name, value in values.items()}


def _entry(row: dict[str, Any]) -> Entry:
    values = dict(row)
    start, end = values.pop("window_start"), values.pop("window_end")
    asked_start, asked_end = values.pop("asked_start"), values.pop("asked_end")
    outcome = values.pop("outcome")
    return Entry(
        **values
        | {
            "export": ExportType(values["export"]),
            "trigger": Trigger(values["trigger"]),
            "stage": Stage(values["stage"]),
            "outcome": Outcome(outcome) if outcome else None,
            "window": Window(start, end, Asked(asked_start, asked_end)) if start else None,
        }
        | {name: None if values[name] is None else frozenset(values[name]) for name in _LISTS_OF_IDS}
    )


def _broken(path: Path) -> LedgerBrokenError:
    return LedgerBrokenError(
        f"the ledger {path} is damaged",
        hint="it is set aside and begun anew from what lies at the destinations; no backup is lost",
    )


def _translate(error: Exception, path: Path) -> BackupError:
    cause = getattr(error, "orig", None) or error
    text = str(cause).lower()
    if isinstance(cause, sqlite3.DatabaseError) and ("malformed" in text or "not a database" in text):
        return _broken(path)
    reason = cause.strerror if isinstance(cause, OSError) else str(cause)
    return BackupError(
        f"the ledger {path} can't be used ({reason})",
        code="ledger_unusable",
        hint="state_dir must be a folder of this user, on a volume with room that is mounted read-write",
        retryable="locked" in text,
    )
