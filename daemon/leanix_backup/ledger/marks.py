"""What is remembered beside runs: deletions that were begun, copies found damaged, orphans, and shrunk snapshots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection

from leanix_backup.ledger.entry import Counted, Standing
from leanix_backup.ledger.schema import accepted, damages, orphans, removals, standings

Write = Callable[[Callable[[Connection], Any]], Awaitable[None]]
Read = Callable[[sa.Executable], Awaitable[list[dict[str, Any]]]]


class Marks:
    """A part of the ledger; the ledger makes it.

    Args:
        write: Runs one transaction.
        read: Reads rows.
    """

    def __init__(self, write: Write, read: Read) -> None:
        self._write = write
        self._read = read

    async def begin_removals(self, destination: str, keys: Collection[str], *, at: datetime) -> None:
        """Write down that these files are about to be deleted, manifests first: what is left of them is to go, too."""
        if not keys:
            return
        rows = [{"destination": destination, "key": key, "begun_at": at} for key in keys]
        insert = sqlite_insert(removals).on_conflict_do_nothing()
        await self._write(lambda connection: connection.execute(insert, rows))

    async def end_removals(self, destination: str, keys: Collection[str]) -> None:
        """Write down that nothing is left of these, or that they stay."""
        await self._forget(removals, destination, keys)

    async def removals(self, destination: str) -> frozenset[str]:
        """Read which deletions were begun at a destination, and not ended."""
        return await self._keys(removals, destination)

    async def accept(self, run_id: str, reason: str, *, at: datetime) -> None:
        """Write down that a backup which shrank was meant to; the first reason stays."""
        insert = sqlite_insert(accepted).on_conflict_do_nothing()
        row = {"run_id": run_id, "reason": reason, "accepted_at": at}
        await self._write(lambda connection: connection.execute(insert, row))

    async def accepted(self) -> frozenset[str]:
        """Read the runs that were accepted although they shrank."""
        return frozenset(row["run_id"] for row in await self._read(sa.select(accepted.c.run_id)))

    async def standing(self, workspace: str) -> Standing | None:
        """Read which snapshot of a workspace was the last good one, and whether a newer one shrank."""
        found = await self._read(standings.select().where(standings.c.workspace == workspace))
        if not found:
            return None
        row = found[0]
        shrunk = row["shrunk_run_id"] and Counted(row["shrunk_run_id"], row["shrunk_fact_sheets"])
        return Standing(Counted(row["good_run_id"], row["good_fact_sheets"]), shrunk)

    async def note_standing(self, workspace: str, standing: Standing) -> None:
        """Write down which snapshot was the last good one, and whether a newer one shrank."""
        shrunk = standing.shrunk
        said = {
            "good_run_id": standing.good.run_id,
            "good_fact_sheets": standing.good.fact_sheets,
            "shrunk_run_id": shrunk.run_id if shrunk else None,
            "shrunk_fact_sheets": shrunk.fact_sheets if shrunk else None,
        }
        insert = sqlite_insert(standings).values(workspace=workspace, **said)
        upsert = insert.on_conflict_do_update(index_elements=["workspace"], set_=said)
        await self._write(lambda connection: connection.execute(upsert))

    async def note_orphans(self, destination: str, keys: Collection[str], *, at: datetime) -> dict[str, datetime]:
        """Write down which files without a manifest were seen just now; return since when each has been.

        Those that are not among them any more are forgotten.
        """
        rows = [{"destination": destination, "key": key, "seen_at": at} for key in keys]
        insert = sqlite_insert(orphans).on_conflict_do_nothing()
        gone = orphans.delete().where(orphans.c.destination == destination, orphans.c.key.not_in(list(keys)))

        def work(connection: Connection) -> None:
            connection.execute(gone)
            if rows:
                connection.execute(insert, rows)

        await self._write(work)
        query = orphans.select().where(orphans.c.destination == destination)
        return {row["key"]: row["seen_at"] for row in await self._read(query)}

    async def note_damage(self, destination: str, key: str, *, error_code: str, at: datetime) -> None:
        """Write down that a copy was read back and is not what was stored."""
        insert = sqlite_insert(damages).on_conflict_do_nothing()
        row = {"destination": destination, "key": key, "error_code": error_code, "found_at": at}
        await self._write(lambda connection: connection.execute(insert, row))

    async def forget_damages(self, destination: str, keys: Collection[str]) -> None:
        """Write down that these copies are good, or gone."""
        await self._forget(damages, destination, keys)

    async def damaged(self, destination: str) -> frozenset[str]:
        """Read which copies at a destination were found damaged."""
        return await self._keys(damages, destination)

    async def _keys(self, table: sa.Table, destination: str) -> frozenset[str]:
        query = sa.select(table.c.key).where(table.c.destination == destination)
        return frozenset(row["key"] for row in await self._read(query))

    async def _forget(self, table: sa.Table, destination: str, keys: Collection[str]) -> None:
        if not keys:
            return
        delete = table.delete().where(table.c.destination == destination, table.c.key == sa.bindparam("which"))
        rows = [{"which": key} for key in keys]
        await self._write(lambda connection: connection.execute(delete, rows))
