"""A bucket and a folder: the same bytes at both, whatever dies while they are on their way."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from leanix_backup.simulator import SimulatedLeanixThread
from tests.e2e import many_backups
from tests.support import installed
from tests.support.s3_place import S3Place, line_to, run_ids
from tests.support.s3_proxy import BadLine, Fault
from tests.support.seaweed import SeaweedFS
from tests.support.skipped_time import SkippedTime, why_not

LARGE = 12 * 1024 * 1024  # three parts


@pytest.fixture
def place(weed: SeaweedFS, tmp_path: Path) -> S3Place:
    return S3Place(weed, weed.new_bucket(), tmp_path)


@pytest.fixture
def large(leanix: SimulatedLeanixThread) -> SimulatedLeanixThread:
    leanix.switches.merge({"padding_bytes": LARGE})
    return leanix


@pytest.fixture
def line(weed: SeaweedFS) -> Iterator[BadLine]:
    """A line to the server; when the test ends, the server is there again."""
    with line_to(weed) as made:
        yield made
        if not weed.runs:
            weed.start()


def die_at_a_part(line: BadLine, server: SeaweedFS) -> None:
    """Have the server die, once, when one part has come and another one is on its way."""

    async def die() -> None:
        if line.seen["UploadPart"] > 1:
            line.faults.clear()
            server.kill()

    line.faults["UploadPart"] = Fault(pause=die)


def test_one_run_gives_the_same_bytes_at_both(place: S3Place, large: SimulatedLeanixThread) -> None:
    done = installed.run("backup", "snapshot", "--json", env=place.env(large.url))
    assert done.status == 0, done.err
    (run,) = done.report["runs"]
    assert [copy["destination"] for copy in run["stored"]] == ["disk", "offsite"]
    assert len({copy["key"] for copy in run["stored"]}) == 1
    assert place.is_whole()
    assert sorted(len(data) > LARGE for data in place.objects().values()) == [False, True]
    assert len(place.versions()) == 2


def test_what_a_server_missed_that_died_arrives_after_restarts(
    place: S3Place, large: SimulatedLeanixThread, line: BadLine
) -> None:
    env = place.env(large.url, DESTINATIONS__OFFSITE__ENDPOINT_URL=line.url)
    die_at_a_part(line, place.server)
    done = installed.run("backup", "snapshot", "--json", env=env)
    assert not place.server.runs
    assert done.status == 3, done.err
    (run,) = done.report["runs"]
    assert (run["outcome"], [copy["destination"] for copy in run["stored"]]) == ("partial", ["disk"])
    (failed,) = run["failed"]
    assert failed["destination"] == "offsite"
    assert failed["error"]["code"] in {"connect_failed", "connection_lost"}
    assert "destinations.offsite" in failed["error"]["hint"] or "network" in failed["error"]["hint"]
    (kept,) = place.spool()
    assert kept.read_bytes() in place.files().values()

    place.end_waits()
    with installed.started("serve", env=env) as service:  # the server is still away
        (again,) = service.wait_for("destination_failed")
        assert again["run_id"] == run["run_id"]
        assert service.stop() == 0
    assert place.spool() == [kept]

    place.server.start()
    assert len(place.uploads()) == 1, "it was on its way when the server died"
    assert place.objects() == {}
    place.end_waits()
    with installed.started("serve", env=env) as service:
        (stored,) = service.wait_for("backup_stored")
        assert service.stop() == 0
    assert (stored["destination"], stored["late"], stored["run_id"]) == ("offsite", True, run["run_id"])
    assert place.is_whole()
    assert run_ids(place.objects()) == [run["run_id"]]
    assert large.counters["posts"] == 1


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "")
def test_a_service_brings_it_by_itself_once_the_server_is_back(
    place: S3Place, large: SimulatedLeanixThread, line: BadLine
) -> None:
    env = place.env(large.url, DESTINATIONS__OFFSITE__ENDPOINT_URL=line.url)
    place.miss_a_run()
    die_at_a_part(line, place.server)
    with (
        SkippedTime() as skipped,
        skipped.busy(),  # time goes as it goes, but for one jump
        installed.started("serve", env=env | skipped.env()) as service,
    ):
        (ended,) = service.wait_for("run_finished")
        assert (ended["outcome"], [copy["destination"] for copy in ended["stored"]]) == ("partial", ["disk"])
        assert not place.server.runs
        assert len(place.spool()) == 1
        place.server.start()
        assert len(place.uploads()) == 1
        skipped.advance(90)
        (stored,) = service.wait_for("backup_stored", destination="offsite")
        assert service.stop() == 0
    assert (stored["late"], stored["run_id"]) == (True, ended["run_id"])
    assert place.is_whole()
    assert run_ids(place.objects()) == [ended["run_id"]]


def test_a_service_that_is_killed_while_parts_are_sent_goes_on(
    place: S3Place, large: SimulatedLeanixThread, line: BadLine
) -> None:
    env = place.env(large.url, DESTINATIONS__OFFSITE__ENDPOINT_URL=line.url)
    sending = threading.Event()

    async def tell() -> None:
        if line.seen["UploadPart"] > 1:
            sending.set()

    line.faults["UploadPart"] = Fault(pause=tell)
    with installed.started("backup", "snapshot", env=env) as run:
        assert sending.wait(30)
        assert run.stop(signal.SIGKILL) == -signal.SIGKILL
    line.faults.clear()
    assert len(place.uploads()) == 1
    assert place.objects() == {}
    with installed.started("serve", env=env) as service:
        service.wait_for("run_resumed")
        (ended,) = service.wait_for("run_finished")
        assert service.stop() == 0
    assert ended["outcome"] == "succeeded"
    assert place.is_whole()
    assert run_ids(place.objects()) == [ended["run_id"]]
    assert large.counters["posts"] == 1


def test_a_server_that_does_not_answer_keeps_no_service_from_ending(
    place: S3Place, leanix: SimulatedLeanixThread, line: BadLine
) -> None:
    asked = threading.Event()

    async def never() -> None:
        asked.set()
        await anyio.sleep_forever()

    line.faults["PutObject"] = Fault(pause=never)
    env = place.env(leanix.url, DESTINATIONS__OFFSITE__ENDPOINT_URL=line.url, SHUTDOWN_GRACE="1s")
    place.miss_a_run()
    with installed.started("serve", env=env) as service:
        assert asked.wait(30)
        assert service.stop(timeout=25) == 0
    assert service.events[-1]["event"] == "service_stopped"
    assert service.events[-1]["forced"] is True
    line.faults.clear()
    done = installed.run("backup", "snapshot", "--json", env=env)
    assert done.status == 0, done.err
    assert place.is_whole()
    assert len(run_ids(place.objects())) == 1, "what was left became the run"


def test_many_backups_take_one_request_for_a_thousand_keys(
    weed: SeaweedFS, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert many_backups.report(weed, tmp_path, backups=1100, keep=90) == 0
    listed, pruned = capsys.readouterr().out.splitlines()
    assert re.match(r"list +1100 backups: 3 ListObjectVersions;", listed)
    assert re.match(r"prune +1010 backups: 4 DeleteObjects, 1011 GetObject, 3 ListObjectVersions;", pruned)
