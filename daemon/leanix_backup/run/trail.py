"""The trail of a run: what the ledger is told before each act that can't be taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leanix_backup import events
from leanix_backup.errors import BackupError, ExportLostError
from leanix_backup.ledger import Entry, Ledger
from leanix_backup.model import Stage
from leanix_backup.run.order import Progress

_MAY_STILL_APPEAR = {"export_outcome_unknown", "export_not_found"}


class Trail:
    """How far a run is, in memory and in the ledger.

    Args:
        entry: What is known of the run.
        ledger: Where it is written down.
        progress: Told of each stage.
    """

    def __init__(self, entry: Entry, *, ledger: Ledger, progress: Progress) -> None:
        self.entry = entry
        self.progress = progress
        self.polls = 0
        self._ledger = ledger

    async def note(self, **facts: Any) -> None:
        """Write facts down; when this returns they survive a power cut. Names are those of `Entry`."""
        await self._ledger.note(self.entry.run_id, **facts)
        self.entry = replace(self.entry, **facts)
        if "stage" in facts:
            self.show(facts["stage"])

    async def forget_attempt(self, error: BackupError | None = None, *, counted: bool = True) -> None:
        """Begin the next attempt. What a process that died had begun is not counted.

        Args:
            error: What ended the attempt before; None where there was none. It says what is worth remembering: the
                list before a request that may have worked all the same, and an export that could still be had.
            counted: Whether the attempt that ended counts.
        """
        entry = self.entry
        left = entry.left_ids or frozenset()
        if error is not None and entry.export_id is not None and entry.sha256 is None:
            lost = isinstance(error, ExportLostError)
            left = left - {entry.export_id} if lost else left | {entry.export_id}
        forgotten: dict[str, Any] = {}
        if error is None or error.code not in _MAY_STILL_APPEAR:
            forgotten = {"seen_ids": None, "server_time": None, "user_id": None, "posts": 0}
        await self.note(
            stage=Stage.REQUESTED,
            attempt=entry.attempt + counted,
            left_ids=left or None,
            posting=False,
            job_id=None,
            export_id=None,
            export_created_at=None,
            spending=False,
            size_bytes=None,
            sha256=None,
            manifest=None,
            **forgotten,
        )

    def show(self, stage: Stage) -> None:
        """Say where the run stands, to the log and to whoever watches."""
        events.set_stage(stage)
        self.progress(stage, 0, None)
