"""Where a backup lies: its key from what it is, and what it is from its key. Pure.

`{workspace}/{export}/{yyyy}/{mm}/{name}.xlsx` with `{name}.manifest.json` beside it (design §4). Keys are what
listing, retention and coverage go by, so a key that does not parse back to itself is nobody's backup.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from leanix_backup.model import ExportType

ARTIFACT_SUFFIX = ".xlsx"
MANIFEST_SUFFIX = ".manifest.json"
_STAMP = "%Y%m%dT%H%M%SZ"
_STAMP_PATTERN = r"\d{8}T\d{6}Z"
_RUN8 = r"[0-9a-f]{8}"
_KEY = re.compile(
    r"(?P<workspace>[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*)/(?P<export>[a-z-]+)/(?P<year>\d{4})/(?P<month>\d{2})/"
    r"(?P<name>[a-z0-9_TZ-]+)(?P<suffix>\.xlsx|\.manifest\.json)"
)


@dataclass(frozen=True, slots=True)
class BackupKey:
    """What the name of a backup tells.

    Attributes:
        workspace: Our name for the workspace.
        export: What was taken.
        taken_at: When LeanIX made it; for the audit log, the end of its window. Whole seconds, UTC.
        run8: The first eight hex digits of the run's id.
        start: The start of the window; the audit log's only.
    """

    workspace: str
    export: ExportType
    taken_at: datetime
    run8: str
    start: datetime | None = None

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        end = _stamp(self.taken_at)
        times = f"{_stamp(self.start)}--{end}" if self.start else end
        return f"{self.workspace}-{self.export.slug}-{times}-{self.run8}"

    @property
    def folder(self) -> str:
        """The part of the key before the name, with the slash at its end."""
        return f"{export_prefix(self.workspace, self.export)}{self.taken_at.astimezone(UTC):%Y/%m}/"

    @property
    def artifact(self) -> str:
        """The key of the file."""
        return f"{self.folder}{self.name}{ARTIFACT_SUFFIX}"

    @property
    def manifest(self) -> str:
        """The key of the manifest."""
        return f"{self.folder}{self.name}{MANIFEST_SUFFIX}"


def export_prefix(workspace: str, export: ExportType) -> str:
    """Say under which prefix all backups of a workspace's export lie."""
    return f"{workspace}/{export.slug}/"


def backup_key(
    workspace: str, export: ExportType, *, run_id: str, taken_at: datetime, window_start: datetime | None = None
) -> BackupKey:
    """Name a backup. Fractions of seconds are dropped; `taken_at` is the window's end for the audit log.

    Raises:
        ValueError: A window is missing, runs backwards, or is given where none belongs; the key could not be read back.
    """
    if (window_start is not None) != (export is ExportType.AUDIT_LOG):
        raise ValueError(f"{export.value} and a window: the audit log has one, and nothing else has")
    if window_start is not None and window_start > taken_at:
        raise ValueError("the window runs backwards")
    return BackupKey(
        workspace=workspace,
        export=export,
        taken_at=_whole_second(taken_at),
        run8=run_id.replace("-", "")[:8],
        start=_whole_second(window_start) if window_start else None,
    )


def parse_key(key: str) -> BackupKey | None:
    """Read a key of a file or a manifest back, or say None: whatever lies there is not ours.

    Only what `BackupKey` would have written is taken: a right name in the wrong folder is not ours either.
    """
    match = _KEY.fullmatch(key)
    if match is None or (export := ExportType.from_slug(match["export"])) is None:
        return None
    head = re.escape(f"{match['workspace']}-{export.slug}-")
    times = rf"(?P<start>{_STAMP_PATTERN})--(?P<end>{_STAMP_PATTERN})"
    if export is not ExportType.AUDIT_LOG:
        times = rf"(?P<end>{_STAMP_PATTERN})"
    parts = re.fullmatch(rf"{head}{times}-(?P<run8>{_RUN8})", match["name"])
    if parts is None:
        return None
    try:
        start = _parse_stamp(parts["start"]) if export is ExportType.AUDIT_LOG else None
        found = BackupKey(match["workspace"], export, _parse_stamp(parts["end"]), parts["run8"], start)
    except ValueError:  # digits that are no date
        return None
    if start is not None and start > found.taken_at:
        return None
    return found if key in (found.artifact, found.manifest) else None


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime(_STAMP)


def _parse_stamp(text: str) -> datetime:
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


def _whole_second(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
