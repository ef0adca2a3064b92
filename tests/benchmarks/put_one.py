"""Put one file into a bucket with the daemon's store, in a process of its own: what the benchmark of uploads runs."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from leanix_backup.config import Network, S3Destination, Secret
from leanix_backup.stores.s3 import S3Store


def main(arguments: list[str]) -> None:
    """Put FILE of SHA256 under KEY into BUCKET at URL as USER with SECRET."""
    file, sha256, key, bucket, url, user, secret = arguments
    destination = S3Destination(
        name="s3",
        bucket=bucket,
        region="us-east-1",
        endpoint_url=url,
        access_key_id=user,
        secret_access_key=Secret(secret),
    )

    source, size_bytes = Path(file), Path(file).stat().st_size

    async def put() -> None:
        store = S3Store(destination, Network())
        await store.put_file(key, source, sha256=sha256, size_bytes=size_bytes)

    anyio.run(put)


if __name__ == "__main__":
    main(sys.argv[1:])
