"""What a run is given, and the trail it leaves while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leanix_backup import events, workbook
from leanix_backup.clock import Clock
from leanix_backup.config import Job, Workspace
from leanix_backup.events import Log
from leanix_backup.leanix import LeanixClient
from leanix_backup.model import Content, Stage, Trigger, Window
from leanix_backup.sources.full_export import Ready
from leanix_backup.spool import Artifact, Spool
from leanix_backup.stores import Store

Progress = Callable[[Stage, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What one run is to do, decided before it begins."""

    run_id: str
    job: Job
    trigger: Trigger
    scheduled_at: datetime
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run works with; opened and closed by whoever starts runs."""

    workspace: Workspace
    client: LeanixClient
    spool: Spool
    stores: tuple[Store, ...]
    limits: workbook.Limits
    rejected: Path
    config_sha256: str
    host: str
    clock: Clock
    log: Log
    progress: Progress = lambda _stage, _done, _total: None


@dataclass(frozen=True, slots=True)
class Who:
    """Which workspace an API token opens, and who its user is in the list."""

    workspace_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Home:
    """What an attempt brought home, whole and verified."""

    artifact: Artifact
    content: Content
    ready: Ready
    job_id: str | None
    taken_at: datetime


@dataclass(slots=True)
class Trail:
    """How far a run is: the number of the attempt, looks at the list so far, and the stage."""

    progress: Progress
    attempt: int = 0
    polls: int = 0

    def enter(self, stage: Stage) -> None:
        """Say where the run stands from now on, to the log and to whoever watches."""
        events.set_stage(stage)
        self.progress(stage, 0, None)
