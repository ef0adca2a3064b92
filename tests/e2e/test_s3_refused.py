"""An S3 server that refuses: one message that names action and setting, the status as promised, nothing lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from leanix_backup.simulator import SimulatedLeanixThread
from tests.contract.policies import without
from tests.support import in_process, installed
from tests.support.backups import Made, made
from tests.support.s3_place import S3Place
from tests.support.seaweed import ADMIN

OFFSITE = "DESTINATIONS__OFFSITE__"
BOTH = {"DEFAULTS__DESTINATIONS": "disk,offsite"}
ALONE = {"DEFAULTS__DESTINATIONS": "offsite", "DESTINATIONS__DISK__TYPE": "", "DESTINATIONS__DISK__PATH": ""}
KEEP_ONE = {"DEFAULTS__RETENTION": '{"keep_last": 1}'}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is wrong, and what a message about it says."""

    code: str
    names: str
    setting: str
    user: str = ADMIN
    more: tuple[tuple[str, str], ...] = ()

    def env(self, place: S3Place, url: str = "https://acme.leanix.net", **more: str) -> dict[str, str]:
        return place.env(url, user=self.user, **dict(self.more) | more)


EVERYWHERE = {
    "a wrong key": Refusal(
        "s3_credentials_invalid",
        "InvalidAccessKeyId",
        "destinations.offsite.access_key_id",
        more=((f"{OFFSITE}ACCESS_KEY_ID", "nobody"),),
    ),
    "a wrong secret": Refusal(
        "s3_credentials_invalid",
        "SignatureDoesNotMatch",
        "destinations.offsite.access_key_id",
        more=((f"{OFFSITE}SECRET_ACCESS_KEY", "not-the-secret"),),
    ),
    "a wrong bucket": Refusal(
        "s3_bucket_missing",
        "no bucket acme-leanix-backup",
        "destinations.offsite.bucket",
        more=((f"{OFFSITE}BUCKET", "acme-leanix-backup"),),
    ),
}
NO_LISTING = Refusal("destination_denied", "s3:ListBucket", "destinations.offsite", user="stranger")
TO_BACK_UP = EVERYWHERE | {
    action: Refusal("destination_denied", action, "destinations.offsite", user=without("writer", action))
    for action in ("s3:PutObject", "s3:ListBucketMultipartUploads")
}
NO_SECRET = Refusal(  # `backup` does not begin with such a configuration
    "secret_unreadable",
    "not-there",
    "destinations.offsite.secret_access_key_file",
    more=((f"{OFFSITE}SECRET_ACCESS_KEY", ""), (f"{OFFSITE}SECRET_ACCESS_KEY_FILE", "/not-there")),
)
TO_LIST = EVERYWHERE | {"s3:ListBucket": NO_LISTING}
TO_READ = Refusal("destination_denied", "s3:GetObject", "destinations.offsite", user=without("reader", "s3:GetObject"))
TO_DELETE = Refusal(
    "destination_denied",
    "s3:DeleteObjectVersion",
    "destinations.offsite",
    user=without("pruner", "s3:DeleteObjectVersion"),
)


@pytest.fixture
def held(writers: S3Place) -> tuple[S3Place, list[Made]]:
    """Three backups in the bucket."""
    backups = [made(f"{day:08x}", taken_at=datetime(2026, 3, day, tzinfo=UTC)) for day in (1, 2, 3)]
    writers.lay(*backups)
    return writers, backups


def require_one(text: str, refusal: Refusal) -> None:
    """See that there is one message, which names what it is about and where to look."""
    assert text.count(f"[{refusal.code}]") == 1, text
    assert refusal.names in text
    assert refusal.setting in text


@pytest.mark.parametrize("wrong", TO_BACK_UP)
def test_backup(writers: S3Place, leanix: SimulatedLeanixThread, wrong: str) -> None:
    refusal = TO_BACK_UP[wrong]
    done = in_process.run("backup", "snapshot", env=refusal.env(writers, leanix.url, **BOTH), cwd=writers.folder)
    assert done.status == 3, done.err
    require_one(done.out, refusal)
    (ended,) = done.finished()
    assert ended["outcome"] == "partial"
    assert [each["error_code"] for each in ended["failed"]] == [refusal.code]
    (kept,) = writers.spool()
    assert kept.read_bytes() in writers.files().values()
    assert (writers.versions(), writers.uploads()) == ([], [])


def test_backup_with_nowhere_else_to_go(writers: S3Place, leanix: SimulatedLeanixThread) -> None:
    refusal = EVERYWHERE["a wrong bucket"]
    done = installed.run("backup", "snapshot", env=refusal.env(writers, leanix.url, **ALONE))
    assert done.status == 1, done.err
    require_one(done.out, refusal)
    (ended,) = done.finished()
    assert (ended["outcome"], ended["error_code"]) == ("failed", refusal.code)
    assert len(writers.spool()) == 1, "nothing is lost"
    done = in_process.run("backup", "snapshot", env=writers.env(leanix.url, **ALONE), cwd=writers.folder)
    assert done.status == 0, done.err
    assert len(writers.objects()) == 4, "that one, and the new one"
    assert writers.spool() == []


@pytest.mark.parametrize("wrong", [*TO_LIST, "a secret that is not there"])
def test_list_prune_verify_and_fetch(held: tuple[S3Place, list[Made]], wrong: str) -> None:
    (place, backups), refusal = held, TO_LIST.get(wrong, NO_SECRET)
    backups[-1].lay(place.disk)
    env, folder = refusal.env(place, **BOTH, **KEEP_ONE), place.folder
    for command in (("list",), ("prune",), ("verify", "--all"), ("fetch", "acme/snapshot@latest", "-o", "x.xlsx")):
        done = in_process.run(*command, env=env, cwd=folder)
        assert done.status == 3, (command, done.out, done.err)
        require_one(done.err, refusal)
        done = in_process.run(*command, "--json", *(["--force"] if command[0] == "fetch" else []), env=env, cwd=folder)
        assert done.status == 3
        (error,) = done.report["errors"]
        assert (error["destination"], error["error"]["code"]) == ("offsite", refusal.code)
    assert (folder / "x.xlsx").read_bytes() == backups[-1].data, "the other destination has it"
    assert len(place.objects()) == 6


def test_what_may_be_listed_and_not_read(held: tuple[S3Place, list[Made]]) -> None:
    place, backups = held
    env = TO_READ.env(place, **ALONE, **KEEP_ONE)
    assert in_process.run("list", env=env, cwd=place.folder).status == 0
    done = in_process.run("verify", "--all", env=env, cwd=place.folder)
    assert done.status == 3, done.err
    require_one(done.err, TO_READ)
    done = in_process.run("fetch", backups[0].key.artifact, "-o", "x.xlsx", env=env, cwd=place.folder)
    assert done.status == 1
    require_one(done.err, TO_READ)
    done = in_process.run("prune", env=env, cwd=place.folder)
    assert done.status == 3, done.err
    require_one(done.err, TO_READ)
    assert not (place.folder / "x.xlsx").exists()
    assert len(place.objects()) == 6


def test_what_may_not_be_deleted(held: tuple[S3Place, list[Made]], leanix: SimulatedLeanixThread) -> None:
    place, _ = held
    before = place.versions()
    env = TO_DELETE.env(place, **ALONE, **KEEP_ONE)
    done = in_process.run("prune", env=env, cwd=place.folder)
    assert done.status == 1, done.err
    require_one(done.err, TO_DELETE)
    assert place.versions() == before
    done = in_process.run("prune", "--json", env=env, cwd=place.folder)
    assert {each["error"]["code"] for each in done.report["plans"][0]["refused"]} == {"destination_denied"}
    assert leanix.counters["posts"] == 0


def test_a_service_that_may_not_delete_says_so_once_and_goes_on(
    writers: S3Place, leanix: SimulatedLeanixThread
) -> None:
    env = writers.env(leanix.url, user="writer", **ALONE, **KEEP_ONE)
    earlier = [made(f"{day:08x}", taken_at=datetime(2026, 3, day, tzinfo=UTC)) for day in (1, 2)]
    writers.lay(
        *(each.with_manifest(lambda said: said["workspace"].update(id=leanix.workspace_id)) for each in earlier)
    )
    done = installed.run("backup", "snapshot", env=env)
    assert done.status == 0, done.err
    (said,) = [line for line in done.events if line["event"] == "prune_refused"]
    assert (said["error_code"], said["count"]) == ("destination_denied", 2)
    assert "s3:DeleteObject" in said["error"]
    assert "destinations.offsite" in said["hint"]
    assert len(writers.objects()) == 6
