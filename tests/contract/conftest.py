"""What the tests of stores are given: files to store, and a real S3 server that all of them share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.policies import users
from tests.support.seaweed import SeaweedFS, seaweedfs


@pytest.fixture
def source(tmp_path: Path) -> Callable[[bytes], Path]:
    """Make a file, as the spool would."""

    def make(data: bytes) -> Path:
        path = tmp_path / f"{hashlib.sha256(data).hexdigest()[:8]}.xlsx"
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    return make


@pytest.fixture(scope="session")
def server() -> Iterator[SeaweedFS]:
    with seaweedfs(users()) as running:
        yield running
