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
        name, ledger = scope.destination, self._ledger
        waits = ""
        if scope.prune is Prune.NEVER:
            waits = f"destinations.{name}.prune is never"
        elif scope.guard is not None and await self._shrank(scope, scope.guard, shelf, store):
            waits = "pruning waits: the newest snapshot shrank, see `leanix-backup accept`"
        now = self._clock.utc_now()
        orphaned: dict[str, datetime] = {}
        if ledger is not None and not self._dry_run:
            keys = [each.key for each in shelf.orphans]
            orphaned = await ledger.marks.note_orphans(f"{name}/{scope.workspace}/{scope.export.slug}", keys, at=now)
        return decide(
            scope,
            shelf,
            now=now,
            damaged=await ledger.marks.damaged(name) if ledger else (),
            begun=await ledger.marks.removals(name) if ledger else (),
            owed=await ledger.unshipped(name) if ledger else (),
            orphaned=orphaned,
            waits=waits,
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
