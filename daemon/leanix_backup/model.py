"""The words of this project as plain data: exports, windows, artifacts, manifests, what a run came to.

Nothing here reads, writes or waits. Instants are aware and in UTC; sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ExportType(StrEnum):
    """What is taken, as LeanIX names it."""

    SNAPSHOT = "SNAPSHOT"
    AUDIT_LOG = "AUDIT_LOG"
    ARCHIVE = "ARCHIVE"

    @property
    def slug(self) -> str:
        """The name in keys and selectors: `snapshot`, `audit-log`, `archive`."""
        return self.value.lower().replace("_", "-")

    @classmethod
    def from_slug(cls, slug: str) -> ExportType | None:
        """Find the export that a slug names, or None."""
        return next((member for member in cls if member.slug == slug), None)


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"  # stored somewhere, not everywhere
    FAILED = "failed"  # stored nowhere
    SKIPPED = "skipped"


class Stage(StrEnum):
    """Where a run stands."""

    REQUESTED = "requested"
    EXPORTING = "exporting"
    FETCHING = "fetching"
    VERIFIED = "verified"
    SHIPPING = "shipping"
    RECORDED = "recorded"
    PRUNED = "pruned"


class Trigger(StrEnum):
    """Why a run was started."""

    SCHEDULE = "schedule"
    CATCH_UP = "catch_up"
    MANUAL = "manual"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time, from `start` up to `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What was sent as `startDate` and `endDate`: date-times, or dates; no end is up to now."""

    start: str
    end: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch that a changelog covers, and what the server was asked for, which may be more."""

    start: datetime
    end: datetime
    asked: Asked


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook: its data rows (without keys and labels) and its field keys in their order."""

    name: str
    rows: int
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What a verified workbook holds."""

    empty: bool
    sheets: tuple[Sheet, ...] = ()
    fact_sheets: dict[str, int] = field(default_factory=dict)

    @property
    def fact_sheet_count(self) -> int:
        """All fact sheets, over all types."""
        return sum(self.fact_sheets.values())


@dataclass(frozen=True, slots=True)
class WorkspaceRef:
    """Which workspace a backup is of: our name for it, LeanIX's id, and its URL."""

    name: str
    id: str
    url: str


@dataclass(frozen=True, slots=True)
class ExportRef:
    """Which export a backup came from; `id` and `job_id` are LeanIX's and never the same.

    `job_id` is None where the request was never answered and the list alone told that it had worked.
    """

    type: ExportType
    id: str
    job_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FileRef:
    """The artifact as a file: its name at a destination, its size in bytes and its SHA-256 in hex."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ToolRef:
    """What made a backup."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What lies beside every artifact at every destination and makes it a backup (design §4)."""

    run_id: str
    job: str
    workspace: WorkspaceRef
    export: ExportRef
    window: Window | None
    file: FileRef
    content: Content
    scheduled_at: datetime
    started_at: datetime
    finished_at: datetime
    attempts: int
    trigger: Trigger
    host: str
    technical_user_id: str | None
    config_sha256: str
    tool: ToolRef
    manifest_version: int = 1


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """One backup's file at one destination."""

    destination: str
    key: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as plain data, for reports and logs."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class FailedCopy:
    """A destination that did not take a backup, and why."""

    destination: str
    error: Failure


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run came to: the canonical line `run_finished` and `backup --json` both say this."""

    run_id: str
    job: str
    workspace: str
    export: ExportType
    outcome: Outcome
    error: Failure | None = None
    attempts: int = 0
    polls: int = 0
    size_bytes: int | None = None
    sha256: str | None = None
    fact_sheets: int | None = None
    stored: tuple[StoredCopy, ...] = ()
    failed: tuple[FailedCopy, ...] = ()
    pruned: int = 0
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RetentionSpan:
    """A stretch in calendar units, as retention counts it; weeks are seven days each."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    def __str__(self) -> str:
        """Format as the configuration writes it: `1y6mo`, `14d`, `6h`."""
        parts = ((self.years, "y"), (self.months, "mo"), (self.days, "d"), (self.hours, "h"))
        return "".join(f"{count}{unit}" for count, unit in parts if count) or "0d"


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What to keep of one job's backups at one destination (design §3); a count of 0 is a rule that is not used.

    `forever` keeps everything, and then nothing else is set. Without any keep rule, everything younger than
    `delete_after` is kept.
    """

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    keep_within: RetentionSpan | None = None
    keep_within_hourly: RetentionSpan | None = None
    keep_within_daily: RetentionSpan | None = None
    keep_within_weekly: RetentionSpan | None = None
    keep_within_monthly: RetentionSpan | None = None
    keep_within_yearly: RetentionSpan | None = None
    keep_min: int = 1
    delete_after: RetentionSpan | None = None
    forever: bool = False
