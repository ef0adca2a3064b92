"""What a bucket keeps of its own accord: versions, locks, and what somebody hid."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leanix_backup.clock import format_utc
from leanix_backup.simulator import SimulatedLeanixThread
from tests.support import in_process, installed
from tests.support.backups import Made, made
from tests.support.s3_place import PREFIX, S3Place
from tests.support.seaweed import SeaweedFS

NOW = datetime.now(UTC).replace(microsecond=0)
UNTIL = NOW + timedelta(days=2)
OFFSITE_ALONE = {"DEFAULTS__DESTINATIONS": "offsite", "DEFAULTS__RETENTION": '{"keep_last": 1}'}
LOCK = {
    "DESTINATIONS__OFFSITE__OBJECT_LOCK__MODE": "governance",
    "DESTINATIONS__OFFSITE__OBJECT_LOCK__RETAIN": "2d",
}


@pytest.fixture
def locking(weed: SeaweedFS, tmp_path: Path) -> S3Place:
    return S3Place(weed, weed.new_bucket(locked=True), tmp_path)


@pytest.fixture
def versioned(weed: SeaweedFS, tmp_path: Path) -> S3Place:
    return S3Place(weed, weed.new_bucket(versioned=True), tmp_path)


def of_days_ago(*days: int, workspace_id: str = "ws-1") -> list[Made]:
    found = [made(f"{day:08x}", taken_at=NOW - timedelta(days=day)) for day in days]
    return [each.with_manifest(lambda said: said["workspace"].update(id=workspace_id)) for each in found]


def prune(place: S3Place, **more: str) -> tuple[installed.Result, dict[str, Any]]:
    done = in_process.run("prune", "--json", env=place.env(**OFFSITE_ALONE | more), cwd=place.folder)
    (plan,) = [each for each in done.report["plans"] if each["export"] == "SNAPSHOT"]
    return done, plan


def listed(place: S3Place, status: int = 0) -> list[str]:
    done = in_process.run("list", "--json", "--destination", "offsite", env=place.env(), cwd=place.folder)
    assert done.status == status, done.err
    return [each["run_id"] for each in done.report["backups"] if each["copies"]]


def verified(place: S3Place, status: int = 0) -> list[str]:
    done = in_process.run("verify", "--all", "--json", "--destination", "offsite", env=place.env(), cwd=place.folder)
    assert done.status == status, done.out
    return [each["key"] for each in done.report["checked"] if each["ok"]]


class TestLocks:
    def test_file_and_manifest_are_locked_to_the_same_instant_and_outlive_prune(
        self, locking: S3Place, leanix: SimulatedLeanixThread
    ) -> None:
        env = locking.env(leanix.url, **OFFSITE_ALONE | LOCK)
        for _ in range(2):
            done = in_process.run("backup", "snapshot", "--json", env=env, cwd=locking.folder)
            assert done.status == 0, done.err
            assert done.report["runs"][0]["pruned"] == 0
        heads = {key: locking.client.head_object(Bucket=locking.bucket, Key=key) for key, _ in locking.versions()}
        assert {head["ObjectLockMode"] for head in heads.values()} == {"GOVERNANCE"}
        for name in {key.split(".")[0] for key in heads}:
            (until,) = {head["ObjectLockRetainUntilDate"] for key, head in heads.items() if key.startswith(f"{name}.")}
            said = json.loads(locking.get(f"{name}.manifest.json"))
            expected = datetime.fromisoformat(said["finished_at"]) + timedelta(days=2)
            assert abs(until - expected) <= timedelta(seconds=1), "a server may keep whole seconds only"
        done = installed.run("prune", env=env)
        assert done.status == 0, done.err
        assert "locked until" in done.out
        assert len(locking.versions()) == 4, "no delete marker either"
        assert len(listed(locking)) == len(verified(locking)) == 2

    def test_a_lock_that_the_configuration_does_not_know_is_said_by_prune(self, locking: S3Place) -> None:
        locked, *free = of_days_ago(3, 2, 1)
        locking.lay(locked, until=UNTIL)
        locking.lay(*free)
        done = in_process.run("prune", env=locking.env(**OFFSITE_ALONE), cwd=locking.folder)
        assert done.status == 0, done.err
        assert f"locked until {format_utc(UNTIL)}" in done.err
        assert len(locking.versions()) == 4, "one is gone, and there is no marker"
        assert listed(locking) == ["00000003", "00000001"]
        assert len(verified(locking)) == 2
        done, plan = prune(locking)
        assert done.status == 0
        assert [each["locked_until"] for each in plan["refused"]] == [format_utc(UNTIL)]
        assert plan["removed"] == []

    @pytest.mark.parametrize("part", ["artifact", "manifest"])
    def test_a_hold_on_half_of_a_backup_keeps_all_of_it(self, locking: S3Place, part: str) -> None:
        held, newest = of_days_ago(2, 1)
        locking.lay(held, newest)
        key = f"{PREFIX}/{getattr(held.key, part)}"
        locking.client.put_object_legal_hold(Bucket=locking.bucket, Key=key, LegalHold={"Status": "ON"})
        try:
            for _ in range(2):
                done, plan = prune(locking)
                assert done.status == 0, done.err
                assert [each["error"]["code"] for each in plan["refused"]] == ["destination_locked"]
                assert listed(locking) == ["00000002", "00000001"]
                assert len(verified(locking)) == 2
        finally:
            locking.client.put_object_legal_hold(Bucket=locking.bucket, Key=key, LegalHold={"Status": "OFF"})
        assert prune(locking)[1]["removed"] == [held.key.artifact]
        assert listed(locking) == ["00000001"]


class TestVersions:
    def test_what_is_pruned_is_gone_with_all_its_versions(
        self, versioned: S3Place, leanix: SimulatedLeanixThread
    ) -> None:
        older, old = of_days_ago(2, 1, workspace_id=leanix.workspace_id)
        versioned.lay(older, old)
        versioned.lay(old)  # somebody wrote it again: two versions of each
        versioned.client.delete_object(Bucket=versioned.bucket, Key=f"{PREFIX}/{old.key.artifact}")
        versioned.lay(old)  # and brought it back: three, and a marker
        assert len(versioned.versions()) == 2 + 6 + 1
        env = versioned.env(leanix.url, **OFFSITE_ALONE)
        done = in_process.run("backup", "snapshot", "--json", env=env, cwd=versioned.folder)
        assert done.status == 0, done.err
        assert done.report["runs"][0]["pruned"] == 2
        assert len(versioned.versions()) == 2
        assert len(listed(versioned)) == 1

    def test_who_may_not_delete_is_not_blamed_where_others_prune(
        self, writers: S3Place, leanix: SimulatedLeanixThread
    ) -> None:
        writers.lay(*of_days_ago(2, 1, workspace_id=leanix.workspace_id))
        for who in ("command", "never"):
            env = writers.env(leanix.url, user="writer", DESTINATIONS__OFFSITE__PRUNE=who, **OFFSITE_ALONE)
            done = in_process.run("backup", "snapshot", env=env, cwd=writers.folder)
            assert done.status == 0, done.err
            loud = {line["event"] for line in done.events if line["level"] not in {"info", "debug"}}
            assert loud <= {"ledger_rebuilt"}, done.err
            assert "prune_refused" not in done.err
        assert len(listed(writers)) == 4
        done = in_process.run("prune", env=writers.env(user="pruner", **OFFSITE_ALONE), cwd=writers.folder)
        assert done.status == 0, done.err
        assert len(listed(writers)) == 1


def test_what_somebody_hid_is_named_and_brought_back(versioned: S3Place) -> None:
    hidden, seen = of_days_ago(2, 1)
    versioned.lay(hidden, seen)
    for key in (hidden.key.artifact, hidden.key.manifest):
        versioned.client.delete_object(Bucket=versioned.bucket, Key=f"{PREFIX}/{key}")
    env = versioned.env(DEFAULTS__DESTINATIONS="offsite", DESTINATIONS__DISK__TYPE="", DESTINATIONS__DISK__PATH="")
    done = installed.run("list", env=env)
    assert done.status == 1
    assert "offsite (hidden)" in done.out
    assert f"{hidden.key.artifact} is hidden by a delete marker" in done.err
    done = in_process.run("list", "--json", env=env, cwd=versioned.folder)
    assert [each["hidden"] for each in done.report["backups"]] == [
        [{"destination": "offsite", "key": hidden.key.artifact}],
        [],
    ]
    assert verified(versioned, status=1) == [seen.key.artifact]
    target = versioned.folder / "back.xlsx"
    done = in_process.run("fetch", hidden.key.artifact, "-o", target, env=env, cwd=versioned.folder)
    assert done.status == 0, done.err
    assert target.read_bytes() == hidden.data
    assert "hidden by a delete marker" in done.err
