"""What `fetch` does: try one copy after the other, until one is proved and has its name."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio

from leanix_backup.catalog import Catalog
from leanix_backup.cli.bars import bars
from leanix_backup.cli.looking import choose, look, require_same_run
from leanix_backup.clock import Clock
from leanix_backup.config import Config, LocalDestination
from leanix_backup.errors import EXIT_FAILED, EXIT_PARTIAL, DamagedError, StoreError, UsageError
from leanix_backup.model import FailedCopy, Failure
from leanix_backup.naming import ARTIFACT_SUFFIX, MANIFEST_SUFFIX, BackupKey
from leanix_backup.reading import (
    Copy,
    Progress,
    Proved,
    copies_of,
    landing,
    limits_of,
    prove,
    require_free,
    target_in,
    unnamed_file,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: which backup, and where to; None is standard output, or not at all."""

    selector: str
    file: Path | None
    manifest: Path | None
    force: bool

    def at(self, key: BackupKey) -> Wish:
        """Say it again with the files' own names, where folders were named.

        Raises:
            UsageError: They can't be written to without harm.
        """
        file = target_in(self.file, f"{key.name}{ARTIFACT_SUFFIX}") if self.file else None
        manifest = target_in(self.manifest, f"{key.name}{MANIFEST_SUFFIX}") if self.manifest else None
        for target in (file, manifest):
            if target is not None:
                require_free(target, force=self.force)
        if file is not None and manifest is not None and file.resolve() == manifest.resolve():
            raise UsageError("file and manifest can't both be the same file", hint="name a folder, or two files")
        return Wish(self.selector, file, manifest, self.force)


@dataclass(slots=True)
class Outcome:
    """What came of it: the copy that was brought back, and what was wrong with others."""

    catalog: Catalog
    wish: Wish
    key: BackupKey
    failed: list[FailedCopy]
    taken: Copy | None = None
    proved: Proved | None = None
    content: BinaryIO | None = None  # for standard output

    @property
    def status(self) -> int:
        """The exit status: 3 where the file is there, and a destination that was asked has trouble."""
        if self.proved is None:
            return EXIT_FAILED
        return EXIT_PARTIAL if self.failed or self.catalog.errors else 0


async def until_stopped(config: Config, wish: Wish, destination: str | None, stopped: list[int]) -> Outcome | None:
    """Bring it back; on a signal that ends it, None, with nothing left behind and the signal in `stopped`."""
    loop = asyncio.get_running_loop()
    # One that is ignored, as under nohup, stays so; SIGINT is Python's own.
    heeded = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    with anyio.CancelScope() as scope:

        def stop(number: int) -> None:
            stopped.append(number)
            scope.cancel()

        for number in heeded:
            loop.add_signal_handler(number, stop, number)
        try:
            return await _fetch(config, wish, destination)
        finally:
            for number in heeded:
                loop.remove_signal_handler(number)
    return None


async def _fetch(config: Config, wish: Wish, destination: str | None) -> Outcome:
    catalog, stores = await look(config, destination)
    key = choose(catalog, wish.selector, config, halves=True, unfound=EXIT_FAILED).key
    outcome = Outcome(catalog, wish.at(key), key, [])
    copies = [copy for copy in copies_of(catalog, stores) if copy.key == key]
    with bars() as shown:
        for copy in sorted(copies, key=lambda copy: _rank(copy, config)):
            try:
                await _bring(copy, config, outcome, shown.add(f"{copy.store.name}: {key.name}"))
            except (DamagedError, StoreError) as error:
                outcome.failed.append(FailedCopy(copy.store.name, Failure(error.code, error.message, error.hint)))
                shown.clear()
            else:
                break
    return outcome


def _rank(copy: Copy, config: Config) -> tuple[bool, bool, int]:
    """Order copies: those that look sound first, local ones among them, then as the configuration lists them."""
    names = list(config.destinations)
    name = copy.store.name
    return (not copy.sound, not isinstance(config.destinations[name], LocalDestination), names.index(name))


async def _bring(copy: Copy, config: Config, outcome: Outcome, progress: Progress) -> None:
    """Bring one copy back, file and manifest; after an error nothing of either is there.

    Raises:
        DamagedError: The copy is not what was stored.
        StoreError: Its destination did not answer.
        UsageError: It is another run's than the one that was named; or something took the name meanwhile.
        BackupError: This machine can't take it.
    """
    wish = outcome.wish
    with ExitStack() as stack:
        note = stack.enter_context(landing(wish.manifest, force=wish.force)) if wish.manifest else None
        landed = stack.enter_context(landing(wish.file, force=wish.force)) if wish.file else None
        file = landed.file if landed else stack.enter_context(unnamed_file())
        proved = await prove(copy, file, limits=limits_of(config.verify), now=Clock().utc_now(), progress=progress)
        require_same_run(wish.selector, proved.manifest.run_id)
        if landed is not None:
            await anyio.to_thread.run_sync(landed.keep)
        else:
            outcome.content = os.fdopen(os.dup(file.fileno()), "rb")
        if note is not None:
            note.write(proved.manifest_bytes)
            note.keep()
        outcome.proved, outcome.taken = proved, copy
