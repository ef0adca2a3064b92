"""What a bucket does besides the contract: checksums, what goes with an object, memory, keys that change."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leanix_backup.config import Network, Secret
from leanix_backup.config.words import Checksum, Encryption
from leanix_backup.errors import StoreError
from leanix_backup.stores.s3 import S3Store
from tests.contract.support import KEY, MANIFEST, MIB, SMALL_PARTS, put, read, scan
from tests.support.seaweed import ADMIN, SeaweedFS, secret_of

LARGE = 12 * MIB


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@pytest.mark.parametrize("kind", Checksum)
async def test_each_checksum_goes_with_each_part_and_is_checked(
    kind: Checksum, server: SeaweedFS, source: Callable[[bytes], Path]
) -> None:
    bucket, prefix = server.place()
    destination = server.destination(bucket, prefix=prefix, part_size=SMALL_PARTS, checksum=kind)
    store = S3Store(destination, Network())
    data = os.urandom(LARGE)
    await put(store, KEY, source(data))
    await store.put_bytes(MANIFEST, b"{}")
    assert await read(store, KEY) == data
    small, large = (
        server.client().head_object(Bucket=bucket, Key=f"{prefix}/{key}", ChecksumMode="ENABLED")
        for key in (MANIFEST, KEY)
    )
    assert large["Metadata"]["sha256"] == sha256(data).hex()
    if kind in (Checksum.AUTO, Checksum.SHA256):
        parts = [sha256(data[start : start + SMALL_PARTS]) for start in range(0, LARGE, SMALL_PARTS)]
        assert large["ChecksumSHA256"] == f"{base64.b64encode(sha256(b''.join(parts))).decode()}-{len(parts)}"
        assert small["ChecksumSHA256"] == base64.b64encode(sha256(b"{}")).decode()
    assert ("ChecksumCRC32" in small) == (kind is Checksum.CRC32)


async def test_a_prefix_is_not_part_of_a_key(server: SeaweedFS) -> None:
    bucket = server.new_bucket()
    inner, outer = (S3Store(server.destination(bucket, prefix=prefix), Network()) for prefix in ("a/b", ""))
    await inner.put_bytes(KEY, b"x")
    await outer.put_bytes("a/bc", b"other")
    assert await scan(inner) == {KEY: 1}
    assert set(await scan(outer)) == {f"a/b/{KEY}", "a/bc"}


async def test_what_is_configured_goes_with_files_in_parts_too(
    server: SeaweedFS, source: Callable[[bytes], Path]
) -> None:
    bucket = server.new_bucket()
    destination = server.destination(
        bucket,
        part_size=SMALL_PARTS,
        storage_class="STANDARD_IA",
        server_side_encryption=Encryption.AES256,
        tags={"owner": "architecture", "cost": "1 + 1"},
    )
    data = os.urandom(LARGE)
    await put(S3Store(destination, Network()), KEY, source(data))
    client = server.client()
    head = client.head_object(Bucket=bucket, Key=KEY)
    assert head["StorageClass"] == "STANDARD_IA"
    tags = client.get_object_tagging(Bucket=bucket, Key=KEY)["TagSet"]
    assert {each["Key"]: each["Value"] for each in tags} == {"owner": "architecture", "cost": "1 + 1"}
    assert client.get_object(Bucket=bucket, Key=KEY)["Body"].read() == data


async def test_a_secret_that_is_renewed_needs_no_new_store(server: SeaweedFS, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not the right one")
    bucket, prefix = server.place()
    destination = server.destination(bucket, prefix=prefix, secret_access_key=Secret(path=secret))
    store = S3Store(destination, Network())
    with pytest.raises(StoreError) as caught:
        await store.put_bytes(KEY, b"x")
    assert (caught.value.code, caught.value.retryable) == ("s3_credentials_invalid", False)
    secret.write_text(f"{secret_of(ADMIN)}\n")
    await store.put_bytes(KEY, b"x")


async def test_a_bucket_that_is_not_there(server: SeaweedFS, source: Callable[[bytes], Path]) -> None:
    store = S3Store(server.destination("no-such-bucket", part_size=SMALL_PARTS), Network())
    for attempt in (
        scan(store),
        store.put_bytes(KEY, b"x"),
        put(store, KEY, source(os.urandom(LARGE))),
        read(store, KEY),
        store.tidy(KEY),
    ):
        with pytest.raises(StoreError) as caught:
            await attempt
        assert (caught.value.code, caught.value.retryable) == ("s3_bucket_missing", False)
        assert "destinations.s3.bucket" in caught.value.hint


UPLOADING = """
import hashlib, re, sys
from pathlib import Path
import anyio
from leanix_backup.config import Network, S3Destination, Secret
from leanix_backup.stores.s3 import S3Store

url, bucket, path, user, secret = sys.argv[1:]
destination = S3Destination(
    "s3", bucket, region="us-east-1", endpoint_url=url, access_key_id=user, secret_access_key=Secret(secret)
)

def most_resident():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024

async def main():
    store, digest = S3Store(destination, Network()), hashlib.sha256()
    await store.put_bytes("warm", b"x")
    before = most_resident()
    with open(path, "rb") as file:
        while block := file.read(1024 * 1024):
            digest.update(block)
    size = Path(path).stat().st_size
    await store.put_file("large", Path(path), sha256=digest.hexdigest(), size_bytes=size)
    print(before, most_resident())

anyio.run(main)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what a process once had resident")
def test_a_large_file_is_never_in_memory(server: SeaweedFS, tmp_path: Path) -> None:
    """With the settings that count by default, five parts of 32 MiB, four of them at once."""
    path = tmp_path / "large"
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for _ in range(160):
            file.write(block)
    arguments = [server.url, server.new_bucket(), str(path), ADMIN, secret_of(ADMIN)]
    done = subprocess.run(
        [sys.executable, "-c", UPLOADING, *arguments], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert after - before < 25
    assert after < 150
