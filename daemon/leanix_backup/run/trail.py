"""The trail of a run: what the ledger is told before each act that can't be taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leanix_backup import events
from leanix_backup.ledger import Entry, Ledger
from leanix_backup.model import Stage
from leanix_backup.run.order import Progress


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

    async def forget_attempt(self, *, counted: bool = True) -> None:
        """Begin the next attempt: nothing is known of it yet. What a process that died had begun is not counted."""
        await self.note(
            stage=Stage.REQUESTED,
            attempt=self.entry.attempt + counted,
            seen_ids=None,
            server_time=None,
            user_id=None,
            posting=False,
            job_id=None,
            export_id=None,
            export_created_at=None,
            spending=False,
            size_bytes=None,
            sha256=None,
            manifest=None,
        )

    def show(self, stage: Stage) -> None:
        """Say where the run stands, to the log and to whoever watches."""
        events.set_stage(stage)
        self.progress(stage, 0, None)
