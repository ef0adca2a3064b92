"""A file for bytes that are looked at and then forgotten."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from leanix_backup.errors import BackupError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def unnamed_file(folder: Path | None = None) -> Iterator[BinaryIO]:
    """Make a temporary file without a name: nothing of it is left, however this process ends.

    Raises:
        BackupError: `temp_full`, `temp_unwritable`; also for a write to it within the block.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            yield file
    except OSError as error:
        where = folder or "the temporary folder"
        hint = "make room there, or set TMPDIR to a folder that has some: the largest workbook must fit, twice"
        if error.errno in _NO_ROOM:
            raise BackupError(f"{where} has no room for the workbook", code="temp_full", hint=hint) from error
        raise BackupError(
            f"{where} can't be used ({error.strerror or type(error).__name__})",
            code="temp_unwritable",
            hint="set TMPDIR to a folder that this user may write",
        ) from error
