"""A bucket and a folder as the destinations of one job, and a look into the bucket that is none of ours."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.from_thread import start_blocking_portal

from leanix_backup.ledger import FILE_NAME, Ledger
from tests.support import installed
from tests.support.backups import Made
from tests.support.s3_proxy import BadLine, bad_line
from tests.support.seaweed import ADMIN, SeaweedFS, secret_of
from tests.support.stored import leftovers

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "leanix"


@dataclass(frozen=True, slots=True)
class S3Place:
    """The destinations `disk` and `offsite`, with everything else in a folder of its own.

    Attributes:
        server: Where the bucket is.
        bucket: The bucket of `offsite`.
        folder: What holds `disk` (its `backups`) and the `state`.
    """

    server: SeaweedFS
    bucket: str
    folder: Path

    @property
    def client(self) -> S3Client:
        return self.server.client()

    @property
    def disk(self) -> Path:
        return self.folder / "backups"

    def env(self, url: str = "https://acme.leanix.net", *, user: str = ADMIN, **more: str) -> dict[str, str]:
        """Say everything by environment; `more` as for `installed.environment`."""
        said = {
            "TYPE": "s3",
            "BUCKET": self.bucket,
            "PREFIX": PREFIX,
            "ENDPOINT_URL": self.server.url,
            "REGION": "us-east-1",
            "ACCESS_KEY_ID": user,
            "SECRET_ACCESS_KEY": secret_of(user),
            "PART_SIZE": "5MiB",
            "CONCURRENCY": "1",
        }
        offsite = {f"DESTINATIONS__OFFSITE__{name}": text for name, text in said.items()}
        return installed.environment(self.folder, url, **offsite | {"DEFAULTS__DESTINATIONS": "disk,offsite"} | more)

    def objects(self) -> dict[str, bytes]:
        """Read whatever a reader without versions sees, by key without the prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return {key.removeprefix(f"{PREFIX}/"): self.get(key) for key in keys}

    def files(self) -> dict[str, bytes]:
        """Read whatever lies in the folder, by key."""
        found = sorted(path for path in self.disk.rglob("*") if path.is_file())
        return {path.relative_to(self.disk).as_posix(): path.read_bytes() for path in found}

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def versions(self) -> list[tuple[str, str]]:
        """List every version and every delete marker."""
        found = []
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
            found += [(each["Key"], each["VersionId"]) for each in page.get("Versions", [])]
            found += [(each["Key"], each["VersionId"]) for each in page.get("DeleteMarkers", [])]
        return found

    def uploads(self) -> list[str]:
        """List the multipart uploads that were begun and not ended."""
        return [each["Key"] for each in self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])]

    def lay(self, *backups: Made, until: datetime | None = None) -> None:
        """Put backups into the bucket, locked where an instant is given."""
        lock: dict[str, Any] = {}
        if until is not None:
            lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until, "ChecksumAlgorithm": "SHA256"}
        for each in backups:
            for key, data in ((each.key.artifact, each.data), (each.key.manifest, each.manifest_bytes)):
                self.client.put_object(Bucket=self.bucket, Key=f"{PREFIX}/{key}", Body=data, **lock)

    def spool(self) -> list[Path]:
        return leftovers(self.folder / "state")

    def miss_a_run(self) -> None:
        """Have the first start of the service catch a run up."""

        async def answer() -> None:
            (self.folder / "state").mkdir()
            async with Ledger(self.folder / "state" / FILE_NAME) as ledger:
                await ledger.answer("snapshot", datetime(2020, 1, 1, tzinfo=UTC))

        anyio.run(answer)

    def end_waits(self) -> None:
        """Have what waits for its next try be due."""
        with closing(sqlite3.connect(self.folder / "state" / FILE_NAME)) as ledger, ledger:
            ledger.execute("UPDATE shipments SET next_try_at = '2020-01-01T00:00:00.000000Z' WHERE stored_at IS NULL")

    def is_whole(self) -> bool:
        """Say whether both hold the same bytes under the same keys, and nothing is left of how they came there."""
        return self.objects() == self.files() and not self.uploads() and not self.spool()


def run_ids(objects: dict[str, bytes]) -> list[str]:
    """Say of which runs there are manifests."""
    return [json.loads(data)["run_id"] for key, data in objects.items() if key.endswith(".manifest.json")]


@contextmanager
def line_to(server: SeaweedFS) -> Iterator[BadLine]:
    """Stand before the server, in a thread: for commands that are processes of their own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(bad_line(server.ports["s3.port"])) as line,
    ):
        yield line
