"""Where a backup that is brought back lands: a file that has its name only once it is whole and proved."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from leanix_backup.errors import BackupError, UsageError
from leanix_backup.files import flush, flush_folder

_FILE_MODE = 0o600
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}
_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def target_in(place: Path, name: str) -> Path:
    """Say which file is meant by a path: itself, or in a folder the one with this name."""
    return place / name if place.is_dir() else place


def require_free(target: Path, *, force: bool) -> None:
    """Refuse a target that can't be written to without harm.

    Raises:
        UsageError: `target_exists` where it is there and `force` was not said, `target_missing` where its folder is
            not, `target_invalid` where it is no file.
    """
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", code="target_missing", hint="make it first")
    if target.is_symlink() or target.is_file():
        if not force:
            raise _exists(target)
    elif target.exists() or not target.name:
        raise UsageError(f"{target} is no file", code="target_invalid", hint="name a file, a folder, or - for a pipe")


@dataclass(frozen=True, slots=True)
class Landing:
    """A file under a name of its own beside its target, open for writing and reading."""

    file: BinaryIO
    target: Path
    _partial: Path
    _force: bool

    def write(self, data: bytes) -> None:
        """Write some bytes.

        Raises:
            BackupError: See `landing`.
        """
        with _translated(self.target):
            self.file.write(data)

    def keep(self) -> None:
        """Give the file its name, once all of it is on disk.

        Raises:
            UsageError: `target_exists`: something else took the name meanwhile, and was left alone.
            BackupError: See `landing`.
        """
        with _translated(self.target):
            flush(self.file)
            if self._force:
                self._partial.rename(self.target)
            else:
                _publish(self._partial, self.target)
            flush_folder(self.target.parent)


@contextmanager
def landing(target: Path, *, force: bool) -> Iterator[Landing]:
    """Open a file with mode 0600 beside a target; it is gone at the end of the block unless it was kept.

    Raises:
        BackupError: `target_full`, `target_denied`, `target_error`; also for a write to it within the block.
    """
    partial = target.with_name(f".leanix-backup-{secrets.token_hex(4)}.partial")
    with _translated(target):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        file = os.fdopen(os.open(partial, flags, _FILE_MODE), "w+b")
        try:
            with file:
                yield Landing(file, target, partial, force)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def _publish(partial: Path, target: Path) -> None:
    """Give a file its name, where nothing has it."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise _exists(target) from None
        partial.rename(target)


def _exists(target: Path) -> UsageError:
    return UsageError(f"{target} is there already", code="target_exists", hint="--force replaces it")


@contextmanager
def _translated(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _ROOM:
            raise BackupError(
                f"there is no room for {target}", code="target_full", hint="make room, or bring it back elsewhere"
            ) from error
        reason = error.strerror or type(error).__name__
        if error.errno in _DENIED:
            raise BackupError(
                f"{target} can't be written ({reason})", code="target_denied", hint="name a folder that you may write"
            ) from error
        raise BackupError(
            f"{target} can't be written ({reason})", code="target_error", hint="look at that volume and its log"
        ) from error
