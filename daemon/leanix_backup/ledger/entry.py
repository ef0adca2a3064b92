"""What the ledger knows of a run, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from leanix_backup.model import ExportType, Outcome, Stage, Trigger, Window


@dataclass(frozen=True, slots=True)
class Entry:
    """A run as far as it got.

    What is None was not reached yet in this attempt: a fresh attempt forgets what belongs to one.

    Attributes:
        posts: How many requests may each have started an export since the list was `seen_ids`.
        left_ids: Exports that earlier attempts of this run started, and left as they were.
        posting: Whether the request for the export was about to be sent: from then on it may have been.
        seen_ids: The list before the request; with `server_time` and `user_id` it tells what is ours.
        spending: Whether the key was about to be spent.
        manifest: The manifest's text, once the artifact was proved whole; it is what every destination gets.
    """

    run_id: str
    job: str
    workspace: str
    export: ExportType
    trigger: Trigger
    scheduled_at: datetime
    started_at: datetime
    window: Window | None = None
    stage: Stage = Stage.REQUESTED
    attempt: int = 0
    workspace_id: str | None = None
    seen_ids: frozenset[str] | None = None
    server_time: datetime | None = None
    user_id: str | None = None
    posting: bool = False
    job_id: str | None = None
    export_id: str | None = None
    export_created_at: datetime | None = None
    spending: bool = False
    size_bytes: int | None = None
    sha256: str | None = None
    manifest: str | None = None
    outcome: Outcome | None = None
    error_code: str | None = None
    finished_at: datetime | None = None
    posts: int = 0
    left_ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Shipment:
    """An artifact that is to lie at a destination; `stored_at` is None while it does not."""

    run_id: str
    destination: str
    key: str
    stored_at: datetime | None = None
    tries: int = 0
    next_try_at: datetime | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many fact sheets one run's snapshot holds."""

    run_id: str
    fact_sheets: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The last good snapshot of a workspace, and the newest one where that is far smaller; None where it is not."""

    good: Counted
    shrunk: Counted | None = None
