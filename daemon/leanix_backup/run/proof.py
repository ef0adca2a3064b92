"""The proof that what came home is whole, as a step of a run."""

from __future__ import annotations

import functools
import threading
from pathlib import Path

import anyio

from leanix_backup import workbook
from leanix_backup.config import Job
from leanix_backup.errors import ArtifactError
from leanix_backup.events import Event
from leanix_backup.model import Content, Stage
from leanix_backup.run.order import Surroundings
from leanix_backup.run.trail import Trail
from leanix_backup.spool import Artifact

_WORTHLESS = {"artifact_html", "artifact_json", "artifact_empty"}


async def prove(artifact: Artifact, job: Job, around: Surroundings, trail: Trail) -> Content:
    """Prove the artifact whole; one that is not leaves the spool, and is kept aside where it may be of use."""
    since, stop = around.clock.monotonic(), threading.Event()
    work = functools.partial(
        workbook.verify,
        artifact.path,
        job.export,
        around.limits,
        progress=lambda done: trail.progress(Stage.VERIFIED, done, artifact.size_bytes),
        cancelled=stop.is_set,
    )
    try:
        # Given up on a cancellation, the thread sees `stop` within a few MiB and ends; the file stays in the spool.
        content = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    except ArtifactError as error:
        kept: Path | None = None
        if error.code in _WORTHLESS:
            around.spool.drop(artifact)
        else:
            kept = await around.spool.keep_rejected(artifact, around.rejected, job.name)
        around.log.emit(
            Event.ARTIFACT_REJECTED,
            error_code=error.code,
            error=error.message,
            hint=error.hint,
            size_bytes=artifact.size_bytes,
            kept_at=kept,
        )
        raise
    finally:
        stop.set()
    around.log.emit(
        Event.ARTIFACT_VERIFIED,
        sheets=len(content.sheets),
        rows=sum(sheet.rows for sheet in content.sheets),
        fact_sheets=content.fact_sheet_count,
        fact_sheets_by_type=content.fact_sheets,
        empty=content.empty,
        duration_s=round(around.clock.monotonic() - since, 3),
    )
    return content
