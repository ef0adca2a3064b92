"""`retention simulate`, as a user starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import installed

CONFIG = """\
workspaces: {acme: {api_token_file: /nowhere/secret}}
destinations:
  disk: {type: local, path: /backups}
  locked: {type: s3, bucket: acme-backups, object_lock: {retain: 10d}}
defaults: {timezone: Europe/Berlin, destinations: [disk]}
jobs:
  nightly:
    {workspace: acme, export: SNAPSHOT, schedule: "30 2 * * *", retention: &keep {keep_daily: 3, keep_monthly: 2}}
  noon: {workspace: acme, export: SNAPSHOT, schedule: "0 12 * * *", retention: *keep, enabled: false}
  changelog: {workspace: acme, export: AUDIT_LOG, schedule: "@daily", retention: {keep_within: 7d}}
  archive: {workspace: acme, export: ARCHIVE, schedule: "@weekly", destinations: [locked], retention: {keep_last: 1}}
"""
SPAN = ("--from", "2027-01-01", "--until", "2027-03-31")


def simulate(folder: Path, *arguments: str, config: str = CONFIG) -> installed.Result:
    path = folder / "config.yaml"
    path.write_text(config)
    environment = {
        name: value for name, value in installed.environment(folder, "").items() if "LEANIX_BACKUP" not in name
    }
    return installed.run("--config", path, "retention", "simulate", *arguments, env=environment, cwd=folder)


def test_json_for_scripts_without_any_secret(tmp_path: Path) -> None:
    done = simulate(tmp_path, *SPAN, "nightly", "--json")
    assert done.status == 0, done.err
    report = done.report
    assert (report["from"], report["until"]) == ("2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z")
    assert report["plans"] == [
        {
            "workspace": "acme",
            "export": "SNAPSHOT",
            "destination": "disk",
            "jobs": ["nightly"],
            "runs": 90,
            "kept": 4,
            "keep": [
                {"taken_at": "2027-02-28T01:30:00Z", "reasons": ["monthly 2027-02"]},
                {"taken_at": "2027-03-29T00:30:00Z", "reasons": ["daily 2027-03-29"]},
                {"taken_at": "2027-03-30T00:30:00Z", "reasons": ["daily 2027-03-30"]},
                {"taken_at": "2027-03-31T00:30:00Z", "reasons": ["newest", "daily 2027-03-31", "monthly 2027-03"]},
            ],
        }
    ]


def test_jobs_that_fill_one_place_are_taken_together(tmp_path: Path) -> None:
    (plan,) = simulate(tmp_path, *SPAN, "noon", "--json").report["plans"]
    assert (plan["jobs"], plan["runs"]) == (["nightly", "noon"], 180)
    assert [each["taken_at"][11:13] for each in plan["keep"]] == ["11", "10", "10", "10"]


def test_all_jobs_that_are_not_paused_in_words(tmp_path: Path) -> None:
    done = simulate(tmp_path, *SPAN)
    assert done.status == 0, done.err
    assert "acme/snapshot at disk (nightly): 4 of 90 backups would be held at 2027-03-31" in done.out
    assert "acme/audit-log at disk (changelog): 7 of 90 backups" in done.out
    assert "Sun 2027-02-28 02:30 CET   monthly 2027-02" in done.out
    assert "Wed 2027-03-31 02:30 CEST  newest, daily 2027-03-31, monthly 2027-03" in done.out
    assert "acme/archive at locked (archive): 2 of 13 backups" in done.out
    assert "locked until 2027-03-31T" not in done.out
    assert "  locked: 2, newest: 1, last: 1" in done.out


def test_what_is_too_long_for_a_screen_is_shortened(tmp_path: Path) -> None:
    done = simulate(tmp_path, *SPAN, "nightly", config=CONFIG.replace("{keep_daily: 3, keep_monthly: 2}", "forever"))
    assert "90 of 90 backups" in done.out
    assert "… and 30 between the oldest and the newest: --json lists them all" in done.out
    assert "Thu 2027-01-01" not in done.out
    assert "Fri 2027-01-01 02:30 CET" in done.out
    assert done.out.count(" forever\n") == 60


@pytest.mark.parametrize(
    ("arguments", "replace", "words"),
    [
        (["--until", "2027-13-01"], ("", ""), ["is no time", "2027-03-27"]),
        (["--from", "2027-03-31", "--until", "2027-01-01"], ("", ""), ["is not after", "--from"]),
        ([*SPAN, "nightli"], ("", ""), ["there is no job 'nightli'", "did you mean nightly?"]),
        ([*SPAN], ("retention: {keep_within: 7d}", "retention: null"), ["no_retention", "jobs.changelog.retention"]),
        ([*SPAN], ('"@daily"', '"@every 1s"'), ["more than 200,000 runs", "earlier --until"]),
        ([], ("", ""), ["--until"]),
    ],
)
def test_wrong_input(tmp_path: Path, arguments: list[str], replace: tuple[str, str], words: list[str]) -> None:
    done = simulate(tmp_path, *arguments, config=CONFIG.replace(*replace))
    assert done.status == 2
    assert done.out == ""
    assert all(word in done.err for word in words), done.err


def test_no_job_at_all(tmp_path: Path) -> None:
    done = simulate(tmp_path, *SPAN, config=CONFIG[: CONFIG.index("jobs:")])
    assert done.status == 2
    assert "no_job" in done.err
