"""Faults of the export itself: how it ends, its row, its key; and those that all three kinds of export may meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from leanix_backup.model import ExportType
from tests.faults.fault import ATTEMPTS, SHORT, SOON, Fault

_NEVER_S = 1e6
_LOST = {"post_fault": "works_cut"}


def without() -> Iterator[Fault]:
    """Nothing goes wrong."""
    for export in ExportType:
        yield Fault("none", export.value, export=export).stored(attempts=1).but(within=SOON)


def ends() -> Iterator[Fault]:
    """It ends in another way than COMPLETED, says what nobody has heard of, or does not end."""
    group = "end"
    codes = {
        "ERROR": "export_failed",
        "CANCELED": "export_canceled",
        "DELETED": "export_deleted",
        "DOWNLOADED": "export_downloaded_elsewhere",
    }
    for status, code in codes.items():
        yield Fault(group, f"{status}, once", {"end_status": status}).stored(attempts=2, exports=2)
        always = Fault(group, f"{status}, always", {"end_status": status, "end_status_times": -1})
        yield always.fails(code, attempts=ATTEMPTS, exports=ATTEMPTS)
    odd: dict[str, Any] = {"odd_status": "THINKING", "odd_status_s": 60.0, "duration_s": 90.0}
    yield Fault(group, "a status never heard of, for a minute", odd).stored(attempts=1)
    for_ever = odd | {"odd_status_s": _NEVER_S, "duration_s": _NEVER_S}
    yield Fault(group, "a status never heard of, for ever", for_ever, SHORT).fails(
        "export_timeout", attempts=1, exports=1
    )
    yield Fault(group, "STARTED for ever", {"duration_s": _NEVER_S}).fails("export_timeout", attempts=1, exports=1)
    yield Fault(group, "after an hour", {"duration_s": 3600.0}).stored(attempts=1)


def rows() -> Iterator[Fault]:
    """Its row is late, gone, not told from others, or says little."""
    group = "row"
    yield Fault(group, "late by 90 s", {"row_delay_s": 90.0}).stored(attempts=1)
    yield Fault(group, "late by 90 s, answer lost", _LOST | {"row_delay_s": 90.0}).stored(attempts=1)
    yield Fault(group, "late by 150 s, answer lost", _LOST | {"row_delay_s": 150.0}).stored(exports=2)
    fault = Fault(group, "never", {"row_delay_s": _NEVER_S})
    yield fault.fails("export_not_found", attempts=ATTEMPTS, exports=ATTEMPTS)
    never = _LOST | {"row_delay_s": _NEVER_S, "post_fault_times": -1}
    fault = Fault(group, "never, answer lost", never)
    yield fault.fails("export_outcome_unknown", attempts=ATTEMPTS, exports=ATTEMPTS)
    for after in ("vanishes", "DELETED"):
        gone = {"lifetime_s": 0.0, "duration_s": 30.0, "after_delete": after}
        fault = Fault(group, f"gone before it was seen COMPLETED ({after})", gone)
        yield fault.fails("export_deleted", attempts=ATTEMPTS, exports=ATTEMPTS)
    for user in ("both", "userId_only", "absent"):
        yield Fault(group, f"names its user otherwise ({user})", {"row_user": user}).stored(attempts=1)
    yield Fault(group, "names another user", {"row_user": "other_id"}).fails("export_not_found", exports=1)
    others = {"foreign_newer": True, "extra_rows": 150}
    yield Fault(group, "among 150, with a newer one of somebody else", others).stored(attempts=1)
    nameless = {"foreign_newer": True, "row_user": "absent"}
    yield Fault(group, "nameless, and another such", nameless).fails("export_ambiguous", exports=1)
    little = {"row_fields": "minimal", "row_shows_created_at": False}
    yield Fault(group, "with nothing but id, type and status", little).stored(attempts=1)


def keys() -> Iterator[Fault]:
    """Its key is late, never comes, or was used by somebody else."""
    group = "key"
    yield Fault(group, "null for a minute after COMPLETED", {"key_delay_s": 60.0}).stored(attempts=1)
    for after in ("vanishes", "DELETED"):
        never = {"key_delay_s": _NEVER_S, "after_delete": after}
        fault = Fault(group, f"null until deleteAt ({after})", never)
        yield fault.fails("export_deleted", attempts=ATTEMPTS, exports=ATTEMPTS)
    for_ever = {"key_delay_s": _NEVER_S, "lifetime_s": _NEVER_S}
    yield Fault(group, "null for ever", for_ever, SHORT).fails("export_timeout", attempts=1, exports=1)
    for status in (400, 404, 409, 410):
        taken = {"key_taken_times": 1, "second_use_status": status}
        yield Fault(group, f"used by somebody else, {status}, once", taken).stored(attempts=2, exports=2)
    always = Fault(group, "used by somebody else, always", {"key_taken_times": -1})
    yield always.fails("key_refused", attempts=ATTEMPTS, exports=ATTEMPTS)


def clocks() -> Iterator[Fault]:
    """The server's clock is hours off."""
    group = "server's clock"
    for hours in (-5, 5):
        off, skew = f"{abs(hours)} h {'ahead' if hours > 0 else 'behind'}", timedelta(hours=hours)
        for export in ExportType:
            fault = Fault(group, f"{off}, {export.value}", {"duration_s": 30.0}, export=export, skew=skew)
            yield fault.stored(attempts=1)
        date = {"list_fault": "status", "list_fault_status": 429, "retry_after": "date", "retry_after_s": 40}
        yield Fault(group, f"{off}, Retry-After: a date in 40 s", date, skew=skew).stored(attempts=1)
        yield Fault(group, f"{off}, row late by 90 s", {"row_delay_s": 90.0}, skew=skew).stored(attempts=1)


def other_exports() -> Iterator[Fault]:
    """Some faults of each kind with the other two exports, which go the same way but for what they ask for."""
    some = [
        Fault("", "POST cut though it worked, once", _LOST).stored(attempts=1),
        Fault("", "POST 503, once", {"post_fault": "refuse", "post_fault_status": 503}).stored(attempts=1),
        Fault("", "list 502, once", {"list_fault": "status", "list_fault_status": 502}).stored(attempts=1),
        Fault("", "closed mid-body, key spent, once", {"download_fault": "cut"}).stored(attempts=2, exports=2, keys=2),
        Fault("", "ERROR, once", {"end_status": "ERROR"}).stored(attempts=2, exports=2),
        Fault("", "row late by 90 s", {"row_delay_s": 90.0}).stored(attempts=1),
    ]
    for export in (ExportType.AUDIT_LOG, ExportType.ARCHIVE):
        yield from (replace(fault, group=export.value, export=export) for fault in some)
    dates = Fault("AUDIT_LOG", "takes dates only", {"audit_dates": "date_only"}, export=ExportType.AUDIT_LOG)
    yield dates.stored(attempts=1)
    too_long = {"audit_max_days": 7.0}
    yield Fault("AUDIT_LOG", "window too long", too_long, export=ExportType.AUDIT_LOG).fails("request_refused")
