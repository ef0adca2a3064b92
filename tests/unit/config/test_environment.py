"""environment: variables over the file, and what is no variable of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanix_backup.config import LocalDestination, Secret, load
from leanix_backup.model import RetentionPolicy, RetentionSpan
from tests.unit.config.support import ENVIRONMENT, WHOLE, problems_of, written

JOB = "LEANIX_BACKUP__JOBS__NIGHTLY__"


def test_a_variable_means_the_files_name(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE.replace("nightly:", "acme-nightly:"))
    config = load(path, {"LEANIX_BACKUP__JOBS__ACME_NIGHTLY__SCHEDULE": "@hourly"})
    assert {name: job.schedule.text for name, job in config.jobs.items()} == {"acme-nightly": "@hourly"}


def test_a_new_name_is_in_small_letters(tmp_path: Path) -> None:
    environ = {
        "LEANIX_BACKUP__DESTINATIONS__SECOND_DISK__TYPE": "local",
        "LEANIX_BACKUP__DESTINATIONS__SECOND_DISK__PATH": "/second",
    }
    destination = load(written(tmp_path, WHOLE), environ).destinations["second_disk"]
    assert destination == LocalDestination("second_disk", Path("/second"))


@pytest.mark.parametrize("value", ["disk, second", '["disk", "second"]', "disk,second,"])
def test_lists(tmp_path: Path, value: str) -> None:
    environ = {
        "LEANIX_BACKUP__DESTINATIONS__SECOND": '{"type": "local", "path": "/second"}',
        f"{JOB}DESTINATIONS": value,
    }
    assert load(written(tmp_path, WHOLE), environ).jobs["nightly"].destinations == ("disk", "second")


@pytest.mark.parametrize(
    ("variables", "policy"),
    [
        ({"": "forever"}, RetentionPolicy(forever=True)),
        (
            {"": '{"keep_last": 3, "delete_after": "6y"}'},
            RetentionPolicy(keep_last=3, delete_after=RetentionSpan(years=6)),
        ),
        ({"__KEEP_LAST": "4"}, RetentionPolicy(keep_last=4)),
        ({"": '{"keep_last": 3, "keep_daily": 1}', "__KEEP_LAST": "4"}, RetentionPolicy(keep_last=4, keep_daily=1)),
    ],
)
def test_maps_as_json_or_one_by_one(tmp_path: Path, variables: dict[str, str], policy: RetentionPolicy) -> None:
    environ = {f"{JOB}RETENTION{rest}": value for rest, value in variables.items()}
    assert load(written(tmp_path, WHOLE), environ).jobs["nightly"].retention == {"disk": policy}


@pytest.mark.parametrize("value", ["", "null", " "])
def test_unset_takes_back_what_the_file_says(tmp_path: Path, value: str) -> None:
    text = WHOLE + "    attempts: 7\n"
    assert load(written(tmp_path, text), {}).jobs["nightly"].attempts == 7
    assert load(written(tmp_path, text), {f"{JOB}ATTEMPTS": value}).jobs["nightly"].attempts == 3


def test_unset_takes_back_a_whole_job(tmp_path: Path) -> None:
    text = WHOLE + "  second: {workspace: acme, export: ARCHIVE, schedule: '@weekly'}\n"
    assert set(load(written(tmp_path, text), {"LEANIX_BACKUP__JOBS__SECOND": ""}).jobs) == {"nightly"}


def test_unsetting_what_nobody_said_is_nothing(tmp_path: Path) -> None:
    environ = {"LEANIX_BACKUP__NETWORK__PROXY": "", "LEANIX_BACKUP__WORKSPACES__OTHER__API_TOKEN": ""}
    assert set(load(written(tmp_path, WHOLE), environ).workspaces) == {"acme"}


@pytest.mark.parametrize(("value", "off"), [("null", True), ("", False)])
@pytest.mark.parametrize("variable", ["HTTP__LISTEN", "HTTP"])
def test_null_switches_http_off_and_empty_does_not(tmp_path: Path, variable: str, value: str, off: bool) -> None:  # noqa: FBT001 - a table's column
    config = load(written(tmp_path, WHOLE), {f"LEANIX_BACKUP__{variable}": value})
    assert (config.http is None) is off


def test_the_variable_wins_in_whichever_form(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    variable = "LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN"
    config = load(written(tmp_path, WHOLE), {f"{variable}_FILE": str(token)})
    assert config.workspaces["acme"].api_token == Secret(path=token)
    config = load(written(tmp_path, WHOLE.replace("api_token: ", "api_token_file: /")), {variable: "mine"})
    assert config.workspaces["acme"].api_token == Secret(literal="mine")


def test_both_forms_as_variables_are_refused(tmp_path: Path) -> None:
    variable = "LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN"
    found = problems_of(written(tmp_path, WHOLE), {variable: "a", f"{variable}_FILE": __file__})
    assert [(problem.path, problem.message) for problem in found] == [(f"{variable}_FILE", "stands beside api_token")]


def test_text_stays_text(tmp_path: Path) -> None:
    environ = {"LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN": "0123", "LEANIX_BACKUP__WORKSPACES__ACME__USER_ID": "{1}"}
    workspace = load(written(tmp_path, WHOLE), environ).workspaces["acme"]
    assert (workspace.api_token.read(), workspace.user_id) == ("0123", "{1}")


def test_notify_and_tags_as_json(tmp_path: Path) -> None:
    environ = {
        "LEANIX_BACKUP__NOTIFY": '[{"url": "slack://a,b", "levels": ["success"]}]',
        "LEANIX_BACKUP__DESTINATIONS__S3": '{"type": "s3", "bucket": "abc", "tags": {"Owner": "x", "n": 1}}',
        f"{JOB}CATCH_UP": "false",
    }
    config = load(written(tmp_path, WHOLE), environ)
    assert config.notify[0].url.read() == "slack://a,b"
    assert getattr(config.destinations["s3"], "tags", None) == {"Owner": "x", "n": "1"}
    assert config.jobs["nightly"].catch_up is False


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("LEANIX_BACKUP__WORKSPCES__ACME__API_TOKEN", "LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN"),
        ("LEANIX_BACKUP__WORKSPACES__ACME__API_TOKN", "LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN"),
        ("LEANIX_BACKUP__LOG__LEVEL__X", "LEANIX_BACKUP__LOG__LEVEL"),
        ("LEANIX_BACKUP__LOG_LEVEL", "LEANIX_BACKUP__LOG__LEVEL"),
        ("LEANIX_BACKUP__WORKSPACES_ACME__URL", "LEANIX_BACKUP__WORKSPACES__ACME__URL"),
        ("LEANIX_BACKUP__STATEDIR", "LEANIX_BACKUP__STATE_DIR"),
        ("LEANIX_BACKUP__log__level", "LEANIX_BACKUP__LOG__LEVEL"),
        ("LEANIX_BACKUP_LOG__LEVEL", "LEANIX_BACKUP__LOG__LEVEL"),
        ("leanix_backup__log__level", "LEANIX_BACKUP__LOG__LEVEL"),
        ("LEANIX_BACKUP__JOBS__1X__EXPORT", ""),
        ("LEANIX_BACKUP__JOBS__A___B", ""),
        ("LEANIX_BACKUP__", ""),
        ("LEANIX_BACKUP__XYZZY", ""),
        ("LEANIX_BACKUP__CONFIG", ""),
    ],
)
def test_unknown_variables_are_refused_with_the_nearest(tmp_path: Path, variable: str, hint: str) -> None:
    found = problems_of(written(tmp_path, WHOLE), {variable: "canary-value"})
    assert [problem.path for problem in found] == [variable]
    assert found[0].source == "environment"
    assert found[0].hint.startswith(f"did you mean {hint}") if hint else not found[0].hint
    assert "canary" not in str(found[0])


@pytest.mark.parametrize(
    "variable",
    [
        "LEANIX_BACKUP_CONFIG_DIR",
        "LEANIX_BACKUP_PORT",
        "LEANIX_BACKUP_SERVICE_HOST",
        "LEANIX_BACKUP",
        "LEANIX_TOKEN",
        "PATH",
    ],
)
def test_other_peoples_variables_are_left_alone(variable: str) -> None:
    assert load(None, ENVIRONMENT | {variable: "x"}).sha256 == load(None, ENVIRONMENT).sha256


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        (f"{JOB}DESTINATIONS", '["disk"', "must be a JSON list"),
        ("LEANIX_BACKUP__DESTINATIONS__DISK__RETENTION", '{"keep_last": 1', "must be a JSON map"),
        ("LEANIX_BACKUP__DESTINATIONS__DISK__RETENTION", '{"keep_last": 1, "keep_last": 2}', "no key is there twice"),
        ("LEANIX_BACKUP__DESTINATIONS__DISK__RETENTION", '{"keep_lst": 1}', "keep_lst: unknown key"),
        ("LEANIX_BACKUP__DESTINATIONS__DISK__RETENTION", "forevr", "must be a policy"),
        ("LEANIX_BACKUP__JOBS", "nightly", "must be a JSON map"),
        ("LEANIX_BACKUP__LOG", "debug", "must be a JSON map"),
        ("LEANIX_BACKUP__NOTIFY", "slack://x", "must be a JSON list"),
        ("LEANIX_BACKUP__LOG__LEVEL", "loud", "must be one of"),
        (f"{JOB}ATTEMPTS", "0", "between 1 and 100"),
        (f"{JOB}CATCH_UP", "1", "true or false"),
    ],
)
def test_wrong_values_are_told_by_the_variables_name(tmp_path: Path, variable: str, value: str, words: str) -> None:
    found = problems_of(written(tmp_path, WHOLE), {variable: value})
    assert [problem.path for problem in found] == [variable]
    assert words in found[0].message
    assert found[0].line is None


def test_two_variables_for_one_setting(tmp_path: Path) -> None:
    environ = {"LEANIX_BACKUP__LOG__LEVEL": "info", "LEANIX_BACKUP__log__level": "debug"}
    assert len(problems_of(written(tmp_path, WHOLE), environ)) == 1


def test_what_is_missing_without_a_file_names_its_variable() -> None:
    for variable in ENVIRONMENT:
        environ = {name: value for name, value in ENVIRONMENT.items() if name != variable}
        found = problems_of(None, environ)
        assert found, variable
        if "DESTINATIONS__DISK" not in variable and not variable.endswith(("RETENTION", "DESTINATIONS", "API_TOKEN")):
            assert variable in found[0].hint
