"""A simulated LeanIX for each test, in a thread of its own; a real S3 server for all that need one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread
from tests.contract.policies import BUCKET, users
from tests.support.s3_place import S3Place
from tests.support.seaweed import SeaweedFS, seaweedfs


@pytest.fixture
def leanix() -> Iterator[SimulatedLeanixThread]:
    """A small workspace in which nothing changes any more, with quick exports."""
    settings = SimulatorSettings(fact_sheets=40, changes_per_hour=2, history=timedelta(days=10))
    with simulated_leanix_thread(settings, Switches(duration_s=0.2)) as server:
        yield server


@pytest.fixture(scope="session")
def weed() -> Iterator[SeaweedFS]:
    """Whoever kills it starts it again. Its users are those of the documented policies."""
    with seaweedfs(users()) as running:
        yield running


@pytest.fixture
def writers(weed: SeaweedFS, tmp_path: Path) -> S3Place:
    """The bucket that the documented policies are about, with nothing in it."""
    place = S3Place(weed, BUCKET, tmp_path)
    if BUCKET not in {each["Name"] for each in place.client.list_buckets()["Buckets"]}:
        weed.new_bucket(versioned=True, name=BUCKET)
    for key, version in place.versions():
        place.client.delete_object(Bucket=BUCKET, Key=key, VersionId=version)
    return place
