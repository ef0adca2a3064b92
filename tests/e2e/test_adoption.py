"""No export that we started and could still use is started again, and none is taken that is not ours (design §2.1).

Waits are the usual ones, and skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread
from tests.support import installed
from tests.support.skipped_time import SkippedTime, why_not
from tests.support.stored import leftovers, stored

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "")

REFUSALS = ["refuse_409", "refuse_429", "refuse_400", "deduplicate"]
AS_CODES = {"refuse_409": "export_refused", "refuse_400": "request_refused"}


@dataclass(frozen=True)
class Place:
    """A workspace and a machine that live in one time."""

    folder: Path
    leanix: SimulatedLeanixThread
    skipped: SkippedTime

    def backup(self, job: str = "snapshot", **said: str) -> installed.Result:
        env = installed.environment(
            self.folder,
            self.leanix.url,
            exports=job.upper(),
            DEFAULTS__POLL='{"first": "2s", "factor": 1.2, "ceiling": "60s"}',
            DEFAULTS__ATTEMPTS=said.pop("attempts", "3"),
            **said,
        )
        return installed.run("backup", job, "--json", env=env | self.skipped.env())

    @property
    def manifests(self) -> list[dict[str, Any]]:
        return list(stored(self.folder / "backups").values())

    def another_tool_starts_one(self) -> None:
        """Start an export as somebody would who was given the same API token."""
        with httpx.Client(base_url=self.leanix.url, trust_env=False) as http:
            form = {"grant_type": "client_credentials"}
            reply = http.post("/services/mtm/v1/oauth2/token", auth=("apitoken", self.leanix.api_token), data=form)
            http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
            asked = http.post("/services/pathfinder/v1/exports/fullExport", params={"exportType": "SNAPSHOT"})
            assert asked.status_code == 200


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    settings = SimulatorSettings(fact_sheets=40, changes_per_hour=2, history=timedelta(days=10))
    with (
        SkippedTime() as skipped,
        simulated_leanix_thread(settings, Switches(duration_s=60.0), timing=skipped.timing) as leanix,
    ):
        yield Place(tmp_path, leanix, skipped)


def events(result: installed.Result, name: str) -> list[dict[str, Any]]:
    return [line for line in result.events if line["event"] == name]


@pytest.mark.parametrize("job", ["snapshot", "audit_log"])
def test_what_a_run_left_under_way_is_adopted(job: str, place: Place) -> None:
    place.leanix.switches.merge({"duration_s": 3600})
    first = place.backup(job, DEFAULTS__EXPORT_TIMEOUT="50m")
    assert (first.status, first.report["runs"][0]["error"]["code"]) == (1, "export_timeout")
    again = place.backup(job, DEFAULTS__EXPORT_TIMEOUT="50m")
    assert again.status == 0, again.err
    (adopted,) = events(again, "export_adopted")
    assert adopted["of_run"] == first.report["runs"][0]["run_id"]
    assert place.leanix.counters["exports_started"] == 1
    (manifest,) = place.manifests
    assert manifest["trigger"] == "adopted"
    assert manifest["run_id"] == again.report["runs"][0]["run_id"]
    if job == "audit_log":
        (asked,) = events(first, "export_requested")
        assert manifest["window"]["asked"]["end"] == asked["asked_end"], "it holds no more than the first one asked for"
        assert datetime.fromisoformat(manifest["window"]["end"]) <= datetime.fromisoformat(asked["server_time"])


@pytest.mark.parametrize("second", ["refuse_409", "deduplicate"])
def test_where_it_is_too_old_to_be_waited_for_it_is_adopted_when_another_is_refused(second: str, place: Place) -> None:
    place.leanix.switches.merge({"second_export": second, "duration_s": 3600})
    assert place.backup(DEFAULTS__EXPORT_TIMEOUT="20m").status == 1
    place.skipped.advance(1500)
    again = place.backup(DEFAULTS__EXPORT_TIMEOUT="20m")
    assert again.status == 0, again.err
    started = place.leanix.counters["exports_started"]
    if second == "deduplicate":  # nobody can see that: once the first is gone from under way, another is started
        assert started <= 2
    else:
        assert started == 1
        assert len(events(again, "export_adopted")) == 1


def test_one_that_was_left_and_is_ready_is_used_without_asking(place: Place) -> None:
    place.leanix.switches.merge({"duration_s": 600})
    assert place.backup(DEFAULTS__EXPORT_TIMEOUT="9m").status == 1
    place.skipped.advance(120)
    again = place.backup()
    assert again.status == 0
    assert len(events(again, "export_adopted")) == 1
    assert place.leanix.counters["posts"] == 1
    third = place.backup()
    assert third.status == 0
    assert events(third, "export_adopted") == []
    assert place.leanix.counters["posts"] == 2
    assert len(place.manifests) == 2


@pytest.mark.parametrize("second", REFUSALS)
def test_somebody_elses_is_waited_for_and_never_taken(second: str, place: Place) -> None:
    place.leanix.switches.merge({"second_export": second, "duration_s": 1800})
    place.another_tool_starts_one()
    place.leanix.switches.merge({"duration_s": 60})
    done = place.backup()
    assert done.status == 0, done.err
    (manifest,) = place.manifests
    assert manifest["trigger"] == "manual"
    assert place.leanix.counters["exports_started"] == 2
    theirs, ours = place.leanix.default.book.exports
    assert manifest["export"]["id"] == ours.id
    assert (theirs.spent, ours.spent) == (False, True)
    assert len([line for line in events(done, "retry_scheduled") if "under way" in line["what"]]) >= 1


@pytest.mark.parametrize("second", ["refuse_409", "refuse_400"])
def test_one_that_does_not_end_in_time_fails_the_run_once(second: str, place: Place) -> None:
    place.leanix.switches.merge({"second_export": second, "duration_s": 36000})
    place.another_tool_starts_one()
    before = place.skipped.monotonic()
    done = place.backup(DEFAULTS__EXPORT_TIMEOUT="1h")
    (run,) = done.report["runs"]
    assert (done.status, run["outcome"], run["attempts"]) == (1, "failed", 1)
    assert run["error"]["code"] == AS_CODES[second]
    assert run["error"]["hint"]
    assert 3600 <= place.skipped.monotonic() - before < 3900
    assert place.leanix.counters["exports_started"] == 1
    assert place.leanix.counters["posts"] < 50
    assert leftovers(place.folder / "state") == []


def test_a_row_that_comes_after_it_was_given_up_is_used_by_the_next_attempt(place: Place) -> None:
    place.leanix.switches.merge({"post_fault": "works_cut", "row_delay_s": 123})
    done = place.backup()
    assert done.status == 0, done.err
    assert done.report["runs"][0]["attempts"] == 2
    assert place.leanix.counters["exports_started"] == 1
    (manifest,) = place.manifests
    assert manifest["trigger"] == "manual"


def test_two_requests_that_both_worked_are_no_doubt(place: Place) -> None:
    place.leanix.switches.merge({"post_fault": "works_cut", "row_delay_s": 150, "second_export": "parallel"})
    done = place.backup()
    assert done.status == 0, done.err
    assert place.leanix.counters["exports_started"] == 2
    assert place.leanix.counters["keys_spent"] == 1


def test_one_that_is_queued_behind_another_tools_is_asked_for_once(place: Place) -> None:
    place.leanix.switches.merge({"second_export": "queue", "duration_s": 3600})
    place.another_tool_starts_one()
    place.leanix.switches.merge({"duration_s": 60})
    done = place.backup()
    assert done.status == 0, done.err
    assert place.leanix.counters["posts"] == 2, "theirs and ours"
    _, ours = place.leanix.default.book.exports
    (manifest,) = place.manifests
    assert manifest["export"]["id"] == ours.id


def test_a_changelog_claims_no_more_than_an_earlier_request_asked_for(place: Place) -> None:
    """The row that appears may be that of the request that nobody answered: the window of a run before."""
    place.leanix.switches.merge({"post_fault": "works_cut", "row_delay_s": 300, "second_export": "parallel"})
    first = place.backup("audit_log", attempts="1")
    assert first.report["runs"][0]["error"]["code"] == "export_outcome_unknown"
    place.skipped.advance(60)
    place.leanix.switches.merge({"row_delay_s": 0.0, "duration_s": 600})
    again = place.backup("audit_log", attempts="1")
    assert again.status == 0, again.err
    (started,) = events(first, "run_started")
    (manifest,) = place.manifests
    assert manifest["window"]["end"] <= started["window_end"]
