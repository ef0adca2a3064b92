"""The log as an interface: every event by name, level and fields, and the one door to structlog.

Each line says `timestamp, level, event, run_id, job, workspace, export, stage` and then the event's own fields, with
their units in their names. Whatever is written, by us or by a library, passes the redaction first: a known secret or
anything that looks like one never reaches the stream.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, TextIO

import structlog

from leanix_backup.clock import format_utc

MASK = "********"
_CONTEXT_FIELDS = ("timestamp", "level", "event", "run_id", "job", "workspace", "export", "stage")
_NOT_FOR_PEOPLE = ("workspace", "export", "stage", "trigger", "attempts_max", "pruned", "fact_sheets_by_type")
_MOST_SECRETS = 512
_SHORTEST_SECRET = 6
_LOOKS_SECRET = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (
        re.compile(r"(?i)([?&;](?:key|token|access_token|api_token|signature|sig|x-amz-[a-z-]+)=)[^&\s\"'<>]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^/\s:@]*:[^/\s@]+@"), rf"\1{MASK}@"),
)


class Event(StrEnum):
    """What can stand in a line's `event`."""

    SERVICE_STARTED = "service_started"
    SERVICE_STOPPING = "service_stopping"
    SERVICE_STOPPED = "service_stopped"
    CONFIG_WARNING = "config_warning"
    RUN_STARTED = "run_started"
    RUN_SKIPPED = "run_skipped"
    RUN_FINISHED = "run_finished"
    EXPORT_REQUESTED = "export_requested"
    EXPORT_POLLED = "export_polled"
    EXPORT_COMPLETED = "export_completed"
    DOWNLOAD_STARTED = "download_started"
    DOWNLOAD_INTERRUPTED = "download_interrupted"
    ARTIFACT_FETCHED = "artifact_fetched"
    ARTIFACT_VERIFIED = "artifact_verified"
    ARTIFACT_REJECTED = "artifact_rejected"
    BACKUP_STORED = "backup_stored"
    DESTINATION_FAILED = "destination_failed"
    RETRY_SCHEDULED = "retry_scheduled"
    SPOOL_FULL = "spool_full"


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
    Event.SERVICE_STOPPED: EventSpec("info", "The service has ended.", ("duration_s",)),
    Event.CONFIG_WARNING: EventSpec(
        "warning",
        "The configuration is valid, but says something that you may not mean.",
        ("path", "message", "hint"),
        "Read the message and change the setting that `path` names.",
    ),
    Event.RUN_STARTED: EventSpec(
        "info", "A run begins.", ("trigger", "scheduled_at", "attempts_max", "window_start", "window_end")
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
        "The download broke off before it was whole.",
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
        "info", "File and manifest lie at a destination.", ("destination", "key", "size_bytes", "duration_s")
    ),
    Event.DESTINATION_FAILED: EventSpec(
        "error",
        "A destination did not take a backup, or could not be read.",
        ("destination", "error_code", "error", "hint", "kept_at"),
        "Look at `hint`. The file stays in the spool, at `kept_at`.",
    ),
    Event.RETRY_SCHEDULED: EventSpec(
        "warning",
        "Something failed that another try may cure.",
        ("what", "attempt", "wait_s", "error_code", "error"),
        "Nothing, unless `run_finished` says that it did not help.",
    ),
    Event.SPOOL_FULL: EventSpec(
        "error",
        "There is no room in the spool; no export is started and no key is spent.",
        ("needed_bytes", "free_bytes", "used_bytes", "max_size_bytes"),
        "Make room in the spool's volume, or raise `spool.max_size`.",
    ),
}


class Redactor:
    """Replace secrets in anything that is about to be written.

    Knows the newest few hundred secrets that were registered, and the shapes that secrets usually have.
    """

    def __init__(self) -> None:
        self._secrets: OrderedDict[str, None] = OrderedDict()

    def learn(self, secret: str) -> None:
        """Never let this text be written from now on; texts too short to be a secret are not remembered."""
        if len(secret) < _SHORTEST_SECRET:
            return
        self._secrets[secret] = None
        self._secrets.move_to_end(secret)
        while len(self._secrets) > _MOST_SECRETS:
            self._secrets.popitem(last=False)

    def clean(self, value: Any) -> Any:
        """Return the value with every secret in it masked, at any depth; keys of mappings are cleaned too."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.clean(key): self.clean(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(entry) for entry in value]
        if isinstance(value, datetime):
            return format_utc(value)
        return self._clean_text(str(value.value if isinstance(value, Enum) else value))

    def _clean_text(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        for pattern, replacement in _LOOKS_SECRET:
            text = pattern.sub(replacement, text)
        return text


redactor = Redactor()


class Log:
    """Write events. What `context` was given in this task, or in the task that started it, is in each line."""

    def __init__(self) -> None:
        self._logger = structlog.get_logger("leanix_backup")

    def emit(self, event: Event, *, level: str = "", **fields: Any) -> None:
        """Write one line, at the event's own level unless another is given; fields that are None are left out."""
        said = {name: value for name, value in fields.items() if value is not None}
        getattr(self._logger, level or CATALOGUE[event].level)(event.value, **said)


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """Have every line of this block, and of the tasks and threads that it starts, carry these fields."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def set_stage(stage: str) -> None:
    """Have the lines of this task say this stage from now on, until the `context` that it is in ends."""
    structlog.contextvars.bind_contextvars(stage=stage)


def configure(*, level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Send everything that is logged, by us and by libraries, to one stream through the redaction.

    Args:
        level: `debug`, `info`, `warning` or `error`; libraries are never heard below `warning`.
        style: `console` for people, `json` for machines, `auto` to look whether the stream is a terminal.
        stream: Where to write; standard error by default, since standard output belongs to `--json`.
    """
    target = stream or sys.stderr
    console = style == "console" or (style == "auto" and target.isatty())
    render: list[Any] = (
        [_for_people, structlog.dev.ConsoleRenderer(colors=target.isatty(), sort_keys=False, pad_event_to=20)]
        if console
        else [structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
        _in_order,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _CurrentStderr() if stream is None else logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("leanix_backup").setLevel(level.upper())
    logging.captureWarnings(capture=True)


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


class _CurrentStderr(logging.StreamHandler[TextIO]):
    """Write to whatever standard error is now: a progress display puts itself in between while it is shown."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # the library's attribute, looked up at each line
        return sys.stderr


def _redact(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in list(entry.items()):
        if not name.startswith("_"):
            entry[name] = redactor.clean(value)
    return entry


def _in_order(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    ordered = {name: entry[name] for name in _CONTEXT_FIELDS if name in entry}
    ordered.update((name, value) for name, value in entry.items() if name not in ordered)
    return ordered


def _for_people(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out what a person on a terminal does not look for, and shorten what is long."""
    entry["timestamp"] = str(entry.get("timestamp", ""))[11:19]
    for name in ("run_id", "sha256"):
        if name in entry:
            entry[name] = str(entry[name])[:8]
    return {name: value for name, value in entry.items() if name not in _NOT_FOR_PEOPLE and value not in ([], {})}
