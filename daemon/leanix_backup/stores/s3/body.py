"""What is sent: a stretch of a file, hashed on one way and read again on the other.

The bytes are read twice and held never: once in order, for the SHA-256 of the whole and the checksum of each part, and
once when a part is sent. The server refuses a part that is not what its checksum says, so what it keeps is what was
hashed, whatever happens to the file or the memory in between.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Protocol

from leanix_backup.config.words import Checksum
from leanix_backup.errors import StoreError

_HASH_BYTES = 1024 * 1024


class _Digest(Protocol):
    def update(self, data: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc32:
    """CRC-32 with the methods of a hash."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Sum:
    """A checksum as S3 wants it said.

    Attributes:
        parameter: Its name as a parameter of a request: `ChecksumSHA256`, `ChecksumCRC32` or `ContentMD5`.
        algorithm: Its name where a multipart upload begins; None for MD5, which is nobody's but the request's.
        value: In base64.
    """

    parameter: str
    algorithm: str | None
    value: str


_KINDS: dict[Checksum, tuple[str, str | None, Callable[[], _Digest]]] = {
    Checksum.AUTO: ("ChecksumSHA256", "SHA256", hashlib.sha256),
    Checksum.SHA256: ("ChecksumSHA256", "SHA256", hashlib.sha256),
    Checksum.CRC32: ("ChecksumCRC32", "CRC32", _Crc32),
    Checksum.MD5: ("ContentMD5", None, lambda: hashlib.md5(usedforsecurity=False)),
}


def algorithm_of(kind: Checksum) -> str | None:
    """Say what a multipart upload must be told about the checksums of its parts."""
    return _KINDS[kind][1]


def sum_of(data: bytes, kind: Checksum) -> Sum:
    """Take the checksum of a few bytes."""
    parameter, algorithm, make = _KINDS[kind]
    digest = make()
    digest.update(data)
    return Sum(parameter, algorithm, base64.b64encode(digest.digest()).decode())


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of an open file, and the checksum of what was read there."""

    descriptor: int
    offset: int
    size_bytes: int
    sum: Sum


def hash_stretch(descriptor: int, offset: int, size_bytes: int, *, kind: Checksum, whole: _Digest) -> Stretch:
    """Read a stretch once, for its own checksum and for that of the whole, to which stretches must come in order.

    Raises:
        StoreError: The file can't be read; `checksum_mismatch` where it ends before the stretch does.
    """
    parameter, algorithm, make = _KINDS[kind]
    digest, done = make(), 0
    while done < size_bytes:
        try:
            block = os.pread(descriptor, min(_HASH_BYTES, size_bytes - done), offset + done)
        except OSError as error:
            raise unreadable(error) from error
        if not block:
            raise mismatch("the file")
        digest.update(block)
        whole.update(block)
        done += len(block)
    return Stretch(descriptor, offset, done, Sum(parameter, algorithm, base64.b64encode(digest.digest()).decode()))


def unreadable(error: OSError) -> StoreError:
    """Say that the file which is to be stored can't be read."""
    reason = error.strerror or type(error).__name__
    return StoreError(f"the file to be stored can't be read: {reason}", hint="look at the spool's volume and its log")


def mismatch(what: str) -> StoreError:
    """Say that what would be stored is not what was verified."""
    return StoreError(
        f"{what} is not what was verified",
        code="checksum_mismatch",
        hint="look at the memory and the disks of this machine; nothing was stored",
    )


class Body(io.RawIOBase):
    """A stretch of a file as what a request sends; several may read one file at once.

    Args:
        stretch: Which bytes.
        stop: Once it is set, the next read breaks the request off. CancelledError is what botocore passes on as it is
            and does not try again.
    """

    def __init__(self, stretch: Stretch, stop: threading.Event) -> None:
        super().__init__()
        self._stretch = stretch
        self._stop = stop
        self._at = 0

    def __len__(self) -> int:
        return self._stretch.size_bytes

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sent again."""
        return True

    def tell(self) -> int:
        """Say how far it was read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self)}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on.

        Raises:
            CancelledError: Nobody waits for it any more.
        """
        if self._stop.is_set():
            raise CancelledError
        left = len(self) - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        block = os.pread(self._stretch.descriptor, wanted, self._stretch.offset + self._at)
        self._at += len(block)
        return block
