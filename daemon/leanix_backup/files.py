"""Files that survive a power cut and that nobody else can read: what spool, stores and locks share."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_CANT_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM}


def make_folders(folder: Path) -> None:
    """Make a folder and those above it that are missing, mode 0700, each flushed into the one that holds it."""
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        with suppress(FileExistsError):  # somebody else made it just now, or it is a file: then the next step says so
            path.mkdir(mode=_FOLDER_MODE)
        flush_folder(path.parent)


def open_new(path: Path) -> BinaryIO:
    """Make a file with mode 0600 and open it for writing; one that is there already, or a link, is an error."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE), "wb")


def flush(file: BinaryIO) -> None:
    """Have what was written on disk."""
    file.flush()
    os.fsync(file.fileno())


def flush_path(path: Path) -> None:
    """Have a file's content, or a folder's entries, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Have a folder's entries on disk, where the file system can do that.

    Some network file systems can't and say so: there the rename itself is all that they promise. A folder that may be
    written and not read can't be opened for it.
    """
    try:
        flush_path(folder)
    except OSError as error:
        if error.errno not in _CANT_FLUSH:
            raise
