"""What a run looks like on a terminal while it goes on: waiting, bytes, verifying."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from leanix_backup.cli.common import human_size
from leanix_backup.model import Stage
from leanix_backup.run import Progress as Report

_WORDS = {
    Stage.REQUESTED: "asking for the export",
    Stage.EXPORTING: "waiting for LeanIX",
    Stage.FETCHING: "downloading",
    Stage.VERIFIED: "verifying",
    Stage.SHIPPING: "storing",
    Stage.RECORDED: "done",
    Stage.PRUNED: "done",
}


class Watch:
    """A line per job on a terminal; nothing elsewhere."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    @property
    def shown(self) -> bool:
        """Whether anybody sees it."""
        return self._progress is not None

    def job(self, name: str) -> Report:
        """Add a job's line and return what moves it."""
        progress = self._progress
        if progress is None:
            return lambda _stage, _done, _total: None
        task = self._tasks[name] = progress.add_task("", job=name, doing=_WORDS[Stage.REQUESTED], amount="", total=None)

        def report(stage: Stage, done: int, total: int | None) -> None:
            amount = human_size(done) + (f" of {human_size(total)}" if total else "") if done else ""
            if done == 0:  # another stage: the bar and its clock would stay where the last one ended
                progress.reset(task, total=None)
            progress.update(task, doing=_WORDS[stage], amount=amount, completed=done, total=total)

        return report

    def done(self, name: str) -> None:
        """Take a job's line away: what it came to is said elsewhere."""
        if self._progress is not None and name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))


@contextmanager
def watching() -> Iterator[Watch]:
    """Show progress on standard error while the block runs, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Watch(None)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[job]}"),
        TextColumn("{task.fields[doing]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Watch(progress)
