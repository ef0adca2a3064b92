"""Values of our own types for tests that need some, whole and valid."""

from __future__ import annotations

from datetime import UTC, datetime

from leanix_backup.model import (
    Asked,
    Content,
    ExportRef,
    ExportType,
    FileRef,
    Manifest,
    Sheet,
    Stretch,
    ToolRef,
    Trigger,
    Window,
    WorkspaceRef,
)

WHEN = datetime(2027, 3, 31, 2, 30, 4, 378194, tzinfo=UTC)
RUN_ID = "deadbeef-0000-4000-8000-000000000000"


def manifest(export: ExportType = ExportType.SNAPSHOT) -> Manifest:
    """Make a manifest; that of an audit log has a window."""
    day = Stretch(datetime(2027, 3, 30, tzinfo=UTC), datetime(2027, 3, 31, tzinfo=UTC))
    return Manifest(
        run_id=RUN_ID,
        job="nightly",
        workspace=WorkspaceRef("acme", "ws-1", "https://acme.leanix.net"),
        export=ExportRef(export, "export-1", "job:1:abc", WHEN),
        window=Window(day.start, day.end, Asked("2027-03-30T00:00:00Z", "2027-03-31T00:00:00Z"))
        if export is ExportType.AUDIT_LOG
        else None,
        file=FileRef("acme-snapshot-20270331T023004Z-deadbeef.xlsx", 1234, "ab" * 32),
        content=Content(
            empty=False,
            sheets=(Sheet("ReadMe", 3), Sheet("Application", 2, ("id", "type", "näme"))),
            fact_sheets={"Application": 2},
        ),
        scheduled_at=WHEN,
        started_at=WHEN,
        finished_at=WHEN,
        attempts=1,
        trigger=Trigger.SCHEDULE,
        host="box",
        technical_user_id="user-1",
        config_sha256="cd" * 32,
        tool=ToolRef("leanix-backup", "0.1.0"),
    )
