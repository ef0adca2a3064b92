"""What a run is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leanix_backup import workbook
from leanix_backup.clock import Clock
from leanix_backup.config import Job, Workspace
from leanix_backup.events import Log
from leanix_backup.leanix import LeanixClient
from leanix_backup.ledger import Entry, Ledger
from leanix_backup.model import RunReport, Stage, Trigger, Window
from leanix_backup.pruning import Scope
from leanix_backup.spool import Spool
from leanix_backup.stores import Store

Progress = Callable[[Stage, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What one run is to do, decided before it begins.

    `window` is the stretch of an audit log; `up_to_now` says whether it is meant to reach up to the request. `resumed`
    is what the ledger knows of a run that a process left unfinished; None for a new one.
    """

    run_id: str
    job: Job
    trigger: Trigger
    scheduled_at: datetime
    window: Window | None = None
    up_to_now: bool = False
    resumed: Entry | None = None


@dataclass(slots=True)
class DatesOnly:
    """Whether a job's audit log is asked for with dates only; shared by its runs, as one may find that out."""

    known: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run works with; opened and closed by whoever starts runs.

    `scopes` says, by destination, which backups there belong together, and what is kept of them. `stopped` is told of
    a run that is stopped before it ended, with what is known of it.
    """

    workspace: Workspace
    client: LeanixClient
    ledger: Ledger
    spool: Spool
    stores: tuple[Store, ...]
    scopes: Mapping[str, Scope]
    limits: workbook.Limits
    rejected: Path
    dates_only: DatesOnly
    stopped: Callable[[RunReport], None]
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
