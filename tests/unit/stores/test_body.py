"""What is sent: checksums as S3 wants them, stretches hashed in order, a body that can be broken off."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from leanix_backup.config.words import Checksum
from leanix_backup.errors import StoreError
from leanix_backup.stores.s3.body import Body, Stretch, Sum, algorithm_of, hash_stretch, sum_of

DATA = os.urandom(3_000_000)


def coded(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


EXPECTED = {
    Checksum.AUTO: Sum("ChecksumSHA256", "SHA256", coded(hashlib.sha256(DATA).digest())),
    Checksum.SHA256: Sum("ChecksumSHA256", "SHA256", coded(hashlib.sha256(DATA).digest())),
    Checksum.CRC32: Sum("ChecksumCRC32", "CRC32", coded(zlib.crc32(DATA).to_bytes(4, "big"))),
    Checksum.MD5: Sum("ContentMD5", None, coded(hashlib.md5(DATA, usedforsecurity=False).digest())),
}


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    opened = os.open(path, os.O_RDONLY)
    yield opened
    os.close(opened)


@pytest.mark.parametrize("kind", Checksum)
def test_sums(kind: Checksum, descriptor: int) -> None:
    assert sum_of(DATA, kind) == EXPECTED[kind]
    assert hash_stretch(descriptor, 0, len(DATA), kind=kind, whole=hashlib.sha256()).sum == EXPECTED[kind]
    assert algorithm_of(kind) == EXPECTED[kind].algorithm


def test_stretches_in_order_make_the_whole(descriptor: int) -> None:
    whole, size = hashlib.sha256(), 1_300_000
    stretches = [
        hash_stretch(descriptor, start, min(size, len(DATA) - start), kind=Checksum.AUTO, whole=whole)
        for start in range(0, len(DATA), size)
    ]
    assert [each.size_bytes for each in stretches] == [size, size, 400_000]
    assert [each.sum for each in stretches] == [
        sum_of(DATA[start : start + size], Checksum.AUTO) for start in range(0, len(DATA), size)
    ]
    assert whole.hexdigest() == hashlib.sha256(DATA).hexdigest()


def test_a_file_that_ends_too_early(descriptor: int) -> None:
    with pytest.raises(StoreError) as caught:
        hash_stretch(descriptor, 0, len(DATA) + 1, kind=Checksum.AUTO, whole=hashlib.sha256())
    assert caught.value.code == "checksum_mismatch"


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(StoreError) as caught:
            hash_stretch(folder, 0, 1, kind=Checksum.AUTO, whole=hashlib.sha256())
    finally:
        os.close(folder)
    assert caught.value.code == "destination_error"
    assert "Is a directory" in caught.value.message


def test_a_body_is_read_like_a_file(descriptor: int) -> None:
    body = Body(Stretch(descriptor, 1000, 5000, sum_of(b"", Checksum.AUTO)), threading.Event())
    assert len(body) == 5000
    assert body.readable()
    assert body.seekable()
    assert body.read(10) == DATA[1000:1010]
    assert body.tell() == 10
    assert body.read() == DATA[1010:6000]
    assert body.read() == b""
    assert body.seek(0) == 0
    assert body.read(None) == DATA[1000:6000]
    assert body.seek(-5, os.SEEK_END) == 4995
    assert body.seek(2, os.SEEK_CUR) == 4997
    assert body.read(100) == DATA[5997:6000]


def test_a_body_that_nobody_waits_for_breaks_off(descriptor: int) -> None:
    stop = threading.Event()
    body = Body(Stretch(descriptor, 0, 5000, sum_of(b"", Checksum.AUTO)), stop)
    assert body.read(10) == DATA[:10]
    stop.set()
    with pytest.raises(CancelledError):
        body.read(10)
