"""The artifact as a file that is read at given places, with its failures translated.

The only door to the file system in this package.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leanix_backup.errors import SpoolError

from . import faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Source:
    """An open file and its size in bytes."""

    file: BinaryIO
    size: int

    def at(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes from `offset`.

        Raises:
            ArtifactError: The file ends before (`artifact_truncated`).
            SpoolError: The file can't be read.
        """
        if offset < 0 or offset + length > self.size:
            raise faults.truncated("it says that there is more than the file holds")
        try:
            self.file.seek(offset)
            data = self.file.read(length)
        except OSError as error:
            raise _unreadable(error) from error
        if len(data) != length:
            raise faults.truncated("the file became shorter while it was read")
        return data


@contextmanager
def open_source(artifact: Path | BinaryIO) -> Iterator[Source]:
    """Open a file for proving; closed again on leaving, whatever happened, unless it was open before."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(artifact.open("rb")) if isinstance(artifact, Path) else artifact
            size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise _unreadable(error) from error
        yield Source(file, size)


def _unreadable(error: OSError) -> SpoolError:
    return SpoolError(
        f"the artifact could not be read from the spool: {error.strerror or 'unknown error'}",
        hint="look at the disk and the permissions of the spool folder",
    )
