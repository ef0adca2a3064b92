"""Progress bars for what is read back: on a terminal only, and only where it takes a while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from leanix_backup.cli.common import human_size, printable
from leanix_backup.reading import Progress as Report

_SHOWN_AFTER_S = 2.0


class Bars:
    """A bar for each copy that is being read; none where nobody looks."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def add(self, name: str) -> Report:
        """Add a bar and return what moves it; it goes away once it is full, or with `clear`."""
        progress = self._progress
        if progress is None:
            return lambda _done, _of: None
        task = progress.add_task(escape(printable(name)), amount="", total=None)

        def report(done: int, of: int) -> None:
            # A workbook is read and then proved: what is counted is its size twice.
            progress.update(task, completed=done, total=of, amount=human_size(of // 2), visible=done < of)

        return report

    def clear(self) -> None:
        """Take every bar away: what was tried here is over."""
        if self._progress is not None:
            for task in list(self._progress.task_ids):
                self._progress.remove_task(task)


@contextmanager
def bars(console: Console | None = None, *, after_s: float = _SHOWN_AFTER_S) -> Iterator[Bars]:
    """Show bars on standard error after a while, if that is a terminal, until the block ends; needs an event loop.

    Args:
        console: Where to.
        after_s: How long to wait before anything is shown.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Bars(None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
    )
    # Standard output is left alone: it may lead into a file.
    progress = Progress(*columns, console=console, transient=True, redirect_stdout=False)
    starting = asyncio.get_running_loop().call_later(after_s, progress.start)
    try:
        yield Bars(progress)
    finally:
        starting.cancel()
        progress.stop()
