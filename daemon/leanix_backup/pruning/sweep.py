"""Pruning of many places, as the command does it: what would go, and what went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leanix_backup.catalog import read_manifest
from leanix_backup.clock import Clock
from leanix_backup.config import Config, Prune
from leanix_backup.errors import BackupError
from leanix_backup.events import Log
from leanix_backup.ledger import Counted, Ledger
from leanix_backup.model import FailedCopy, Failure
from leanix_backup.pruning.decision import Decision, decide
from leanix_backup.pruning.guard import MOST_LOOKED_AT, stand
from leanix_backup.pruning.removal import Pruned, carry_out
from leanix_backup.pruning.scope import Scope
from leanix_backup.pruning.shelf import Shelf, take_stock
from leanix_backup.stores import Store


@dataclass(frozen=True, slots=True)
class Place:
    """What was decided for one place, and what came of it; `pruned` is None where nothing was to be done yet."""

    decision: Decision
    pruned: Pruned | None


async def decide_by(
    ledger: Ledger | None,
    scope: Scope,
    shelf: Shelf,
    *,
    now: datetime,
    latest: datetime | None = None,
    waits: str,
    remember: bool = True,
) -> Decision:
    """Decide what goes, with what the ledger knows beside what lies there.

    Args:
        ledger: None where there is none: then nothing is known of damage, and no orphan goes.
        scope: Whose backups, and the rules.
        shelf: What lies there.
        now: The time, by the earlier clock where two are known.
        latest: The time by the later clock.
        waits: Why nothing may go at present; empty where it may.
        remember: Whether the orphans may be written down.

    Raises:
        BackupError: The ledger can't be used.
    """
    name = scope.destination
    if ledger is None:
        return decide(scope, shelf, now=now, latest=latest, waits=waits)
    orphaned: dict[str, datetime] = {}
    if remember:
        where = f"{name}/{scope.workspace}/{scope.export.slug}"
        orphaned = await ledger.marks.note_orphans(where, [each.key for each in shelf.orphans], at=now)
    return decide(
        scope,
        shelf,
        now=now,
        latest=latest,
        damaged=await ledger.marks.damaged(name),
        begun=await ledger.marks.removals(name),
        owed=await ledger.unshipped(name),
        orphaned=orphaned,
        waits=waits,
    )


class Sweep:
    """Prune place after place.

    Args:
        config: The jobs, for their shrink guards; and who may delete where.
        stores: The destinations, by name.
        ledger: What is known beside what lies there; None where there is none.
        dry_run: Decide only.
        clock: The time.
        log: Where deletions go.
    """

    def __init__(
        self,
        config: Config,
        stores: Mapping[str, Store],
        *,
        ledger: Ledger | None,
        dry_run: bool,
        clock: Clock,
        log: Log,
    ) -> None:
        self._config = config
        self._stores = stores
        self._ledger = ledger
        self._dry_run = dry_run
        self._clock = clock
        self._log = log

    async def prune(self, scope: Scope) -> Place | FailedCopy:
        """Prune one place, or say why its destination can't be read."""
        store = self._stores[scope.destination]
        try:
            shelf = await take_stock(store, scope.workspace, scope.export)
            decision = await self._decide(scope, shelf, store)
            if self._dry_run or not (decision.remove or decision.orphans):
                return Place(decision, None)
            pruned = await carry_out(
                decision,
                store,
                workspace_id=self._config.workspaces[scope.workspace].workspace_id
                if scope.workspace in self._config.workspaces
                else None,
                marks=self._ledger.marks if self._ledger else None,
                clock=self._clock,
                log=self._log,
            )
        except BackupError as error:
            return FailedCopy(scope.destination, Failure(error.code, error.message, error.hint))
        return Place(decision, pruned)

    async def _decide(self, scope: Scope, shelf: Shelf, store: Store) -> Decision:
        waits = ""
        if scope.prune is Prune.NEVER:
            waits = f"destinations.{scope.destination}.prune is never"
        elif scope.guard is not None and await self._shrank(scope, scope.guard, shelf, store):
            waits = "pruning waits: the newest snapshot shrank, see `leanix-backup accept`"
        return await decide_by(
            self._ledger, scope, shelf, now=self._clock.utc_now(), waits=waits, remember=not self._dry_run
        )

    async def _shrank(self, scope: Scope, guard: float, shelf: Shelf, store: Store) -> bool:
        """Say whether the newest snapshot shrank: by the ledger, else by what the manifests there say."""
        if self._ledger is not None and (known := await self._ledger.marks.standing(scope.workspace)) is not None:
            return known.shrunk is not None
        history: list[Counted] = []
        for each in shelf.backups[-MOST_LOOKED_AT:]:
            try:
                found = await read_manifest(store, each.key)
            except BackupError:  # what can't be read says nothing; `verify` names it
                continue
            history.append(Counted(found.run_id, found.content.fact_sheet_count))
        accepted = await self._ledger.marks.accepted() if self._ledger else frozenset()
        standing = stand(history, guard=guard, accepted=accepted)
        return standing is not None and standing.shrunk is not None
