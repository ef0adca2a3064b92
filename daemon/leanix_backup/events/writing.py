"""The one door to structlog: lines in one shape, through the redaction, to one stream."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import structlog

from leanix_backup.events.catalogue import CATALOGUE, Event
from leanix_backup.events.redaction import redactor

_CONTEXT_FIELDS = ("timestamp", "level", "event", "run_id", "job", "workspace", "export", "stage")
_NOT_FOR_PEOPLE = ("workspace", "export", "stage", "trigger", "attempts_max", "pruned", "fact_sheets_by_type")


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
    handler = _Handler(stream)
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


class _Handler(logging.StreamHandler[TextIO]):
    """Write to a stream; to whatever standard error is now where none is given.

    A progress display puts itself in between while it is shown.
    """

    def __init__(self, stream: TextIO | None) -> None:
        logging.Handler.__init__(self)
        self._stream = stream

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # the library's attribute, looked up at each line
        return self._stream or sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- the library's name
        """Say that a line could not be written, and not what was in it: the library would print its arguments."""
        with suppress(OSError, ValueError):
            self.stream.write(f'{{"level": "error", "event": "{Event.LINE_LOST.value}", "logger": "{record.name}"}}\n')


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
