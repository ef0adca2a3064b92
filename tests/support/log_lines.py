"""What was logged, as the JSON lines that machines read."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from leanix_backup import events


class Captured:
    """Everything that was written while the log went to this stream."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: events.Event) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event.value]

    @property
    def names(self) -> list[str]:
        return [line["event"] for line in self.lines]


@contextmanager
def captured_log(*, level: str = "debug", style: str = "json") -> Iterator[Captured]:
    """Send the log to memory, and put everything back as it was afterwards."""
    captured = Captured()
    root, ours = logging.getLogger(), logging.getLogger("leanix_backup")
    before = root.handlers[:], root.level, ours.level
    events.configure(level=level, style=style, stream=captured.stream)
    try:
        yield captured
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        logging.captureWarnings(capture=False)
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])
