"""Every event by name, level and fields, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Event(StrEnum):
    """What can stand in a line's `event`."""

    SERVICE_STARTED = "service_started"
    SERVICE_STOPPING = "service_stopping"
    SERVICE_STOPPED = "service_stopped"
    CONFIG_WARNING = "config_warning"
    RUN_STARTED = "run_started"
    RUN_RESUMED = "run_resumed"
    RUN_INTERRUPTED = "run_interrupted"
    RUN_SKIPPED = "run_skipped"
    RUN_FINISHED = "run_finished"
    EXPORT_REQUESTED = "export_requested"
    EXPORT_ADOPTED = "export_adopted"
    EXPORT_POLLED = "export_polled"
    EXPORT_COMPLETED = "export_completed"
    DOWNLOAD_STARTED = "download_started"
    DOWNLOAD_INTERRUPTED = "download_interrupted"
    ARTIFACT_FETCHED = "artifact_fetched"
    ARTIFACT_VERIFIED = "artifact_verified"
    ARTIFACT_REJECTED = "artifact_rejected"
    BACKUP_STORED = "backup_stored"
    BACKUP_VERIFIED = "backup_verified"
    BACKUP_DAMAGED = "backup_damaged"
    BACKUP_NOT_CHECKED = "backup_not_checked"
    BACKUP_PRUNED = "backup_pruned"
    ORPHAN_REMOVED = "orphan_removed"
    PRUNE_REFUSED = "prune_refused"
    SHRINK_FOUND = "shrink_found"
    SHRINK_ACCEPTED = "shrink_accepted"
    DESTINATION_FAILED = "destination_failed"
    RETRY_SCHEDULED = "retry_scheduled"
    COVERAGE_GAP_FOUND = "coverage_gap_found"
    ARTIFACT_SET_ASIDE = "artifact_set_aside"
    SPOOL_FULL = "spool_full"
    LEDGER_REBUILT = "ledger_rebuilt"
    LEDGER_FAILED = "ledger_failed"
    CLOCK_SET_BACK = "clock_set_back"
    LINE_LOST = "line_lost"


@dataclass(frozen=True, slots=True)
class EventSpec:
    """What an event says, how loudly, and what to do about it."""

    level: str
    meaning: str
    fields: tuple[str, ...] = ()
    action: str = "Nothing."


CATALOGUE: Mapping[Event, EventSpec] = {
    Event.SERVICE_STARTED: EventSpec(
        "info", "The service is up and its schedules are set.", ("version", "jobs", "pid")
    ),
    Event.SERVICE_STOPPING: EventSpec(
        "info", "A signal asked the service to stop; no new run starts.", ("signal", "running", "grace_s")
    ),
    Event.SERVICE_STOPPED: EventSpec(
        "info",
        "The service has ended; `forced` where something did not answer that could not be called off.",
        ("duration_s", "forced"),
    ),
    Event.CONFIG_WARNING: EventSpec(
        "warning",
        "The configuration is valid, but says something that you may not mean.",
        ("path", "message", "hint"),
        "Read the message and change the setting that `path` names.",
    ),
    Event.RUN_STARTED: EventSpec(
        "info", "A run begins.", ("trigger", "scheduled_at", "attempts_max", "window_start", "window_end")
    ),
    Event.RUN_RESUMED: EventSpec(
        "info", "A run that a process left unfinished goes on from `stage`.", ("trigger", "scheduled_at", "attempt")
    ),
    Event.RUN_INTERRUPTED: EventSpec(
        "info", "A run was stopped; the next start goes on from where it stood.", ("attempts",)
    ),
    Event.RUN_SKIPPED: EventSpec(
        "warning",
        "A run that was due did not start.",
        ("reason", "scheduled_at", "error", "hint"),
        "With `overlap`: the job takes longer than its schedule allows; schedule it more rarely.",
    ),
    Event.RUN_FINISHED: EventSpec(
        "info",
        "A run has ended, however it ended: the one line to alert on. Level `error` when `outcome` is `failed`, "
        "`warning` when it is `partial`.",
        (
            "outcome",
            "duration_s",
            "attempts",
            "polls",
            "size_bytes",
            "sha256",
            "fact_sheets",
            "stored",
            "failed",
            "pruned",
            "error_code",
            "error",
            "hint",
            "exception",
        ),
        "Alert when `outcome` is not `succeeded`, and when no such line came in time. `hint` says what to do.",
    ),
    Event.EXPORT_REQUESTED: EventSpec(
        "info",
        "LeanIX accepted the request for an export.",
        ("attempt", "job_id", "server_time", "clock_offset_s", "asked_start", "asked_end"),
    ),
    Event.EXPORT_ADOPTED: EventSpec(
        "info",
        "An export that was asked for earlier, and could still be used, was taken up instead of starting another. "
        "`of_run` asked for it.",
        ("export_id", "status", "created_at", "of_run"),
    ),
    Event.EXPORT_POLLED: EventSpec(
        "debug", "The list of exports was read.", ("polls", "status", "next_wait_s", "export_id", "error_code")
    ),
    Event.EXPORT_COMPLETED: EventSpec(
        "info", "The export is ready to be downloaded.", ("export_id", "polls", "waited_s", "created_at")
    ),
    Event.DOWNLOAD_STARTED: EventSpec(
        "info",
        "The one-time key is being spent.",
        ("export_id", "size_bytes"),
    ),
    Event.DOWNLOAD_INTERRUPTED: EventSpec(
        "warning",
        "The download broke off before it was whole, or was refused.",
        ("export_id", "received_bytes", "error_code", "error", "key_still_listed"),
        "Nothing, once. Often: look at the network between here and LeanIX.",
    ),
    Event.ARTIFACT_FETCHED: EventSpec("info", "The file is in the spool.", ("size_bytes", "sha256", "duration_s")),
    Event.ARTIFACT_VERIFIED: EventSpec(
        "info",
        "The file is a whole workbook.",
        ("sheets", "rows", "fact_sheets", "fact_sheets_by_type", "empty", "duration_s"),
    ),
    Event.ARTIFACT_REJECTED: EventSpec(
        "error",
        "What came home is not a whole workbook; nothing of it was stored.",
        ("error_code", "error", "hint", "size_bytes", "kept_at"),
        "Look at `hint`, and at the file that `kept_at` names where there is one.",
    ),
    Event.BACKUP_STORED: EventSpec(
        "info", "File and manifest lie at a destination.", ("destination", "key", "size_bytes", "duration_s", "late")
    ),
    Event.BACKUP_VERIFIED: EventSpec(
        "info",
        "A stored backup was read back, and is what was stored.",
        ("destination", "key", "size_bytes", "sha256", "duration_s"),
    ),
    Event.BACKUP_DAMAGED: EventSpec(
        "error",
        "A stored backup is not what was stored there.",
        ("destination", "key", "error_code", "error", "hint"),
        "Look at `hint`; check the other destinations' copies with `leanix-backup verify`, and take a new backup.",
    ),
    Event.BACKUP_NOT_CHECKED: EventSpec(
        "warning",
        "A stored backup could not be read back, so nothing is known of it.",
        ("destination", "key", "error_code", "error", "hint"),
        "Look at `hint`: the destination did not answer, or this machine had no room.",
    ),
    Event.BACKUP_PRUNED: EventSpec(
        "info",
        "A backup was deleted at a destination, as retention does not keep it.",
        ("destination", "key", "taken_at", "reason"),
    ),
    Event.ORPHAN_REMOVED: EventSpec(
        "info",
        "A file without a manifest was deleted: what a crash had left of a backup.",
        ("destination", "key", "modified_at"),
    ),
    Event.PRUNE_REFUSED: EventSpec(
        "warning",
        "Something stays at a destination although retention does not keep it: `count` of them for this reason, the "
        "first is `key`. Level `info` where a lock keeps it.",
        ("destination", "key", "count", "error_code", "error", "hint", "locked_until"),
        "Look at `hint`. Where the destination locks what is stored, nothing: it goes when the lock has ended.",
    ),
    Event.SHRINK_FOUND: EventSpec(
        "warning",
        "A snapshot holds far fewer fact sheets than the last good one. It is stored; nothing is pruned meanwhile.",
        ("fact_sheets", "last_good", "last_good_run"),
        "See whether the technical user lost rights. If it was meant: `leanix-backup accept RUN --reason …`.",
    ),
    Event.SHRINK_ACCEPTED: EventSpec(
        "info",
        "Somebody said that a shrink was meant: pruning goes on with the next run.",
        ("reason",),
    ),
    Event.DESTINATION_FAILED: EventSpec(
        "error",
        "A destination did not take a backup, or could not be read.",
        ("destination", "error_code", "error", "hint", "kept_at", "next_try_s"),
        "Look at `hint`. The file stays in the spool, at `kept_at`.",
    ),
    Event.RETRY_SCHEDULED: EventSpec(
        "warning",
        "Something failed that another try may cure.",
        ("what", "attempt", "wait_s", "error_code", "error"),
        "Nothing, unless `run_finished` says that it did not help.",
    ),
    Event.COVERAGE_GAP_FOUND: EventSpec(
        "warning",
        "A stretch of the changelog is not held between others that are; this run asks for it.",
        ("start", "end"),
        "Nothing, if it is gone after the run. Else see `leanix-backup coverage`.",
    ),
    Event.ARTIFACT_SET_ASIDE: EventSpec(
        "warning",
        "A file in the spool that no run explains was moved out of it.",
        ("kept_at",),
        "Look at the file: after a lost ledger it may be the only copy.",
    ),
    Event.LEDGER_REBUILT: EventSpec(
        "warning",
        "The ledger was lost or damaged and was begun anew from the manifests at the destinations.",
        ("manifests", "kept_at"),
        "Find out what happened to `state_dir`. No backup is lost.",
    ),
    Event.LEDGER_FAILED: EventSpec(
        "error",
        "The end of a run could not be written into the ledger. What `run_finished` says of it holds.",
        ("error_code", "error", "hint"),
        "Look at the volume of `state_dir`. The next start goes through the end of that run once more.",
    ),
    Event.CLOCK_SET_BACK: EventSpec(
        "warning",
        "The ledger holds a due time that lies ahead: it was answered while the clock was ahead. It is forgotten, so "
        "that the job runs again.",
        ("known_due_at",),
        "See whether this machine's time is kept right now, and look at what was stored with the wrong one.",
    ),
    Event.LINE_LOST: EventSpec(
        "error",
        "A library wrote a log line that could not be formatted; what was in it is not shown.",
        ("logger",),
        "Report it.",
    ),
    Event.SPOOL_FULL: EventSpec(
        "error",
        "There is no room in the spool; no export is started and no key is spent.",
        ("needed_bytes", "free_bytes", "used_bytes", "max_size_bytes"),
        "Make room in the spool's volume, or raise `spool.max_size`.",
    ),
}


def reference() -> str:
    """Print the list of events for people, as Markdown; `docs/log-events.md` is this text."""
    lines = [
        "# Log events",
        "",
        "Printed from the code by `make generate`. Every line also says `timestamp`, `level`, `event` and, inside a",
        "run, `run_id`, `job`, `workspace`, `export` and `stage`. Fields without a value are left out. Names that end",
        "in `_s` are seconds, in `_bytes` bytes; instants are ISO-8601 in UTC.",
        "",
        "| event | level | says | fields | what to do |",
        "|---|---|---|---|---|",
    ]
    for event, spec in CATALOGUE.items():
        fields = ", ".join(f"`{name}`" for name in spec.fields)
        lines.append(f"| `{event.value}` | {spec.level} | {spec.meaning} | {fields} | {spec.action} |")
    return "\n".join(lines) + "\n"
