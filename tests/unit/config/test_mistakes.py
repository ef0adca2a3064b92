"""load: every kind of wrong configuration is refused, with path, line and hint, and all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanix_backup.config import Purpose, load
from leanix_backup.errors import EXIT_USAGE, ConfigError
from tests.unit.config.support import WHOLE, problems_of, told, written

S3 = "  s3: {type: s3, bucket: abc, %s}\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "    url: https://acme.leanix.net",
            "    ulr: https://acme.leanix.net",
            "workspaces.acme.ulr: unknown key (did you mean `url`?)",
        ),
        ("workspaces:", "worckspaces:", "worckspaces: unknown key (did you mean `workspaces`?)"),
        ("https://acme", "http://acme", "workspaces.acme.url: must be https"),
        ("leanix.net", "leanix.net/Prod", "workspaces.acme.url: must end after the host"),
        ("api_token: token-of-acme", "api_token: {a: b}", "workspaces.acme.api_token: must be text (a single value"),
        ("api_token: token-of-acme", "api_token: yes", "workspaces.acme.api_token: must be text (a bare true"),
        ("api_token: token-of-acme", "api_token: ''", "workspaces.acme.api_token: must not be empty"),
        (
            "    api_token: token-of-acme\n",
            "",
            "workspaces.acme.api_token: the workspace needs an API token (say api_token or api_token_file)",
        ),
        (
            "    api_token: token-of-acme\n",
            "    api_token: x\n    api_token_file: /etc/hostname\n",
            "workspaces.acme.api_token_file: stands beside api_token",
        ),
        (
            "api_token: token-of-acme",
            "api_token_file: /nowhere/token",
            "workspaces.acme.api_token_file: the file does not exist",
        ),
        ("api_token: token-of-acme", "api_token_file: /etc", "workspaces.acme.api_token_file: is a folder"),
        ("  acme:", "  Acme:", "workspaces.Acme: is no valid name"),
        (
            "  acme:",
            "  acme-x: {url: 'https://a', api_token: b}\n  acme_x: {url: 'https://b', api_token: b}\n  acme:",
            "workspaces.acme_x: differs from acme-x only in - and _ (a variable",
        ),
        (
            "destinations:\n",
            "  again: {url: 'https://acme.leanix.net/', api_token: token-of-acme}\ndestinations:\n",
            "workspaces.again: is the same workspace as acme",
        ),
        ("type: local", "type: lokal", "destinations.disk.type: must be one of local, s3 (did you mean `local`?)"),
        ("    type: local\n", "", "destinations.disk.type: the destination needs a type"),
        ("    path: /backups\n", "", "destinations.disk.path: a local destination needs a path"),
        ("path: /backups", "path: ~/backups", "destinations.disk.path: begins with ~"),
        ("path: /backups", "bucket: abc", "destinations.disk.bucket: unknown key"),
        ("path: /backups", "path: /var/lib", "destinations.disk.path: holds the spool"),
        ("path: /backups", "path: /var/lib/leanix-backup/spool/x", "destinations.disk.path: lies in the spool"),
        (
            "defaults:",
            "  second: {type: local, path: /x/../backups/}\ndefaults:",
            "destinations.second: is the same place as disk",
        ),
        (
            "defaults:",
            S3 % "kms_key_id: x" + "defaults:",
            "destinations.s3.kms_key_id: is for the encryptions by aws:kms only",
        ),
        (
            "defaults:",
            S3 % "secret_access_key: x" + "defaults:",
            "destinations.s3.access_key_id: secret_access_key needs",
        ),
        ("defaults:", S3 % "access_key_id: x" + "defaults:", "destinations.s3.secret_access_key: access_key_id needs"),
        ("defaults:", S3 % "session_token: x" + "defaults:", "destinations.s3.access_key_id: session_token needs"),
        ("defaults:", S3 % "part_size: 1MiB" + "defaults:", "destinations.s3.part_size: must be between"),
        ("defaults:", S3 % "object_lock: {}" + "defaults:", "destinations.s3.object_lock.retain: an object lock needs"),
        ("defaults:", S3 % "prefix: a//b" + "defaults:", "destinations.s3.prefix: must be a key prefix"),
        ("defaults:", S3 % "tags: [a]" + "defaults:", "destinations.s3.tags: must be a map"),
        ("defaults:", S3 % "tags: {a: {b: c}}" + "defaults:", "destinations.s3.tags: must be a map of texts"),
        ("retention: forever", "retention: {}", "defaults.retention: says nothing that would be kept"),
        ("retention: forever", "retention: {keep_last: 0}", "defaults.retention: says nothing that would be kept"),
        ("retention: forever", "retention: forevr", "defaults.retention: must be a policy (a map) or forever"),
        (
            "retention: forever",
            "retention: {keep_within: 6m}",
            "defaults.retention.keep_within: may not use the unit m (m means months",
        ),
        ("retention: forever", "retention: {keep_last: -1}", "defaults.retention.keep_last: must be a whole number"),
        ("retention: forever", "retention: {keep_min: 0}", "defaults.retention.keep_min: must be between 1"),
        ("  retention: forever\n", "", "jobs.nightly.retention: nothing says what is kept at disk"),
        ("  destinations: [disk]\n", "", "jobs.nightly.destinations: nothing says where"),
        ("[disk]", "[disc]", "defaults.destinations[0]: there is no destination of this name (did you mean `disk`?)"),
        ("[disk]", "[disk, disk]", "defaults.destinations[1]: names a destination twice"),
        ("[disk]", "[]", "defaults.destinations: names no destination"),
        ("[disk]", "disk", "defaults.destinations: must be a list"),
        (
            "workspace: acme",
            "workspace: amce",
            "jobs.nightly.workspace: there is no workspace of this name (did you mean `acme`?)",
        ),
        ("    workspace: acme\n", "", "jobs.nightly.workspace: the job needs a workspace"),
        (
            "SNAPSHOT",
            "snapshot",
            "jobs.nightly.export: must be one of SNAPSHOT, AUDIT_LOG, ARCHIVE (did you mean `SNAPSHOT`?)",
        ),
        ('    schedule: "30 2 * * *"\n', "", "jobs.nightly.schedule: the job needs a schedule"),
        ("30 2 * * *", "0 0 30 2 *", "jobs.nightly.schedule: the schedule never fires"),
        ("30 2 * * *", "0 30 2 * * *", "jobs.nightly.schedule: a schedule has five fields, this one has 6"),
        ("30 2 * * *", "", "jobs.nightly.schedule: must not be empty"),
        (
            "SNAPSHOT",
            "SNAPSHOT\n    timezone: Europe/Berln",
            "jobs.nightly.timezone: there is no time zone of this name (did you mean `Europe/Berlin`?)",
        ),
        ("SNAPSHOT", "SNAPSHOT\n    attempts: true", "jobs.nightly.attempts: must be a whole number"),
        ("SNAPSHOT", "SNAPSHOT\n    attempts: '3'", "jobs.nightly.attempts: must be a whole number"),
        ("SNAPSHOT", "SNAPSHOT\n    attempts: 010", "jobs.nightly.attempts: must be a whole number"),
        ("SNAPSHOT", "SNAPSHOT\n    attempts: 0", "jobs.nightly.attempts: must be between 1 and 100"),
        ("SNAPSHOT", "SNAPSHOT\n    catch_up: 1", "jobs.nightly.catch_up: must be true or false"),
        ("SNAPSHOT", "SNAPSHOT\n    enabled: 'true'", "jobs.nightly.enabled: must be true or false"),
        ("SNAPSHOT", "SNAPSHOT\n    export_timeout: 4", "jobs.nightly.export_timeout: must be a duration"),
        ("SNAPSHOT", "SNAPSHOT\n    export_timeout: 0s", "jobs.nightly.export_timeout: must be longer than zero"),
        ("SNAPSHOT", "SNAPSHOT\n    poll: {factor: 1}", "jobs.nightly.poll.factor: must be more than 1"),
        ("SNAPSHOT", "SNAPSHOT\n    poll: {first: 2m}", "jobs.nightly.poll: first is longer than ceiling"),
        ("SNAPSHOT", "SNAPSHOT\n    shrink_guard: 0.2", "jobs.nightly.shrink_guard: must be a percentage"),
        ("SNAPSHOT", "SNAPSHOT\n    audit_log: {overlap: 1d}", "jobs.nightly.audit_log: is for AUDIT_LOG only"),
        ("SNAPSHOT", "AUDIT_LOG\n    shrink_guard: 20%", "jobs.nightly.shrink_guard: an audit log has no fact sheets"),
        ("SNAPSHOT", "AUDIT_LOG\n    audit_log: {overlap: 30d}", "jobs.nightly.audit_log: overlap is not shorter"),
        (
            "SNAPSHOT",
            "AUDIT_LOG\n    retention: {keep_daily: 3}",
            "jobs.nightly.retention: an audit log must not be thinned out: keep_daily",
        ),
        (
            "SNAPSHOT",
            "AUDIT_LOG\n    retention: {keep_within: 1y, keep_within_daily: 3y}",
            "jobs.nightly.retention: an audit log must not be thinned out: keep_within_daily",
        ),
        ("SNAPSHOT", "SNAPSHOT\n    heartbeat: {start: ping}", "jobs.nightly.heartbeat.start: must be a URL"),
        ("jobs:", "notify: [{levels: [failure]}]\njobs:", "notify[0].url: the receiver needs its URL"),
        ("jobs:", "notify: [{url: 'a://b', levels: [failed]}]\njobs:", "notify[0].levels[0]: must be one of"),
        ("jobs:", "http: {listen: 8080}\njobs:", "http.listen: must be a host and a port"),
        ("jobs:", "network: {ca_bundle: /nowhere.pem}\njobs:", "network.ca_bundle: the file does not exist"),
        ("jobs:", "verify: {schedule: '@never'}\njobs:", "verify.schedule: there is no schedule of this name"),
        ("jobs:", "spool: {max_size: 20}\njobs:", "spool.max_size: must be a size"),
        ("jobs:", "spool: {max_size: 0GiB}\njobs:", "spool.max_size: must be more than zero"),
        ("jobs:", "log: info\njobs:", "log: must be a map of settings"),
        ("jobs:", "log: [info]\njobs:", "log: must be a map of settings"),
        ("jobs:", "state_dir: {a: b}\njobs:", "state_dir: must be a path"),
        ("  nightly:\n", "  nightly:\n    <<: {attempts: 3}\n", "jobs.nightly: << merges nothing here"),
        ("SNAPSHOT", "!!str SNAPSHOT\n    attempts: !!binary 3", "jobs.nightly.attempts: a YAML tag has no meaning"),
    ],
)
def test_one_mistake_one_message(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = WHOLE.replace(old, new, 1)
    assert text != WHOLE
    messages = [
        f"{problem.path}: {problem.message} ({problem.hint})" for problem in problems_of(written(tmp_path, text))
    ]
    matching = [message for message in messages if message.startswith(expected)]
    assert len(matching) == 1, messages
    # What hides a section makes others point at nothing; anything else is one mistake, one message.
    tolerated = ("worckspaces", "ulr", "lokal", "bucket: abc", "Acme", "[disc]", "binary")
    assert messages == matching or any(word in new for word in tolerated), messages


def test_all_mistakes_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = (
        WHOLE.replace("https:", "http:")
        .replace("path:", "pth:")
        .replace("forever", "{keep_within: 6m}")
        .replace("workspace: acme", "workspace: other")
        .replace("30 2", "99 2")
    )
    found = problems_of(written(tmp_path, text), {"LEANIX_BACKUP__LOGG__LEVEL": "info"})
    assert [(problem.line, problem.path) for problem in found] == [
        (3, "workspaces.acme.url"),
        (6, "destinations.disk.path"),
        (8, "destinations.disk.pth"),
        (11, "defaults.retention.keep_within"),
        (14, "jobs.nightly.workspace"),
        (16, "jobs.nightly.schedule"),
        (None, "LEANIX_BACKUP__LOGG__LEVEL"),
    ]


def test_the_error_is_one_of_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "nowhere.yaml", {})
    assert refused.value.exit_status == EXIT_USAGE
    assert str(refused.value) == "the configuration has 1 mistake"


def test_duplicate_keys_name_both_lines(tmp_path: Path) -> None:
    text = WHOLE + '    schedule: "@daily"\njobs: {}\n'
    assert told(problems_of(written(tmp_path, text))) == [
        "17: jobs.nightly.schedule: the key is there twice, first on line 16 ()",
        "18: jobs: the key is there twice, first on line 12 ()",
    ]


JOBS = """\
  second:
    workspace: acme
    export: SNAPSHOT
    schedule: "@weekly"
"""


@pytest.mark.parametrize(
    ("more", "paths"),
    [
        ("", []),
        ("    retention: {keep_last: 1}\n", ["jobs.second.retention"]),
        ("    timezone: Europe/Berlin\n", ["jobs.second.timezone"]),
        ("    retention: {keep_last: 1}\n    destinations: [other]\n", []),
    ],
)
def test_jobs_that_fill_one_place_must_agree(tmp_path: Path, more: str, paths: list[str]) -> None:
    text = WHOLE.replace("defaults:", "  other: {type: local, path: /other}\ndefaults:") + JOBS + more
    if paths:
        found = problems_of(written(tmp_path, text))
        assert [problem.path for problem in found] == paths
        assert "disagrees with job nightly" in found[0].message
    else:
        assert set(load(written(tmp_path, text), {}).jobs) == {"nightly", "second"}


def test_a_destination_must_not_thin_an_audit_log_either(tmp_path: Path) -> None:
    text = WHOLE.replace("/backups", "/backups\n    retention: {keep_last: 2}").replace("SNAPSHOT", "AUDIT_LOG")
    (found,) = problems_of(written(tmp_path, text))
    assert found.path == "jobs.nightly.retention"
    assert found.message == "an audit log must not be thinned out (at destination disk): keep_last"


@pytest.mark.parametrize(
    ("retain", "delete_after", "fine"),
    [
        ("400d", "6y", True),
        ("1y", "1y", True),
        ("12mo", "1y", True),
        ("366d", "1y", False),
        ("365d", "1y", True),
        ("30d", "1mo", False),
        ("28d", "1mo", True),
        ("99999y", "99999y", True),
    ],
)
def test_a_lock_must_not_outlive_deletion(tmp_path: Path, retain: str, delete_after: str, fine: bool) -> None:  # noqa: FBT001 - a table's column
    lock = f"  locked: {{type: s3, bucket: abc, object_lock: {{retain: {retain}}}}}\ndefaults:"
    text = WHOLE.replace("defaults:", lock).replace("[disk]", "[disk, locked]")
    path = written(tmp_path, text + f"    retention: {{keep_last: 1, delete_after: {delete_after}}}\n")
    if fine:
        assert load(path, {}).jobs["nightly"].destinations == ("disk", "locked")
    else:
        assert [problem.path for problem in problems_of(path)] == ["jobs.nightly.retention"]


@pytest.mark.parametrize("purpose", [Purpose.RUN, Purpose.CHECK])
def test_nothing_configured(tmp_path: Path, purpose: Purpose) -> None:
    found = problems_of(written(tmp_path, "log: {level: info}\n"), purpose=purpose)
    assert sorted(problem.path for problem in found) == ["destinations", "jobs", "workspaces"]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "is empty"),
        (b"# nothing\n", None, "is empty"),
        (b"- a\n", None, "not a map"),
        (b"text\n", None, "not a map"),
        (b"a: \xff\n", None, "not UTF-8"),
        (b"a: \x01\n", None, "does not allow"),
        (b"x" * 1_100_000, None, "larger than 1 MiB"),
        (b"a:\n  b: @daily\n", 2, 'quote it: schedule: "@daily"'),
        (b"a:\n  b: */5 * * * *\n", 2, 'quote it: "*/5 * * * *"'),
        (b"a:\n  b: * * * * *\n", 2, 'quote it: "*/5 * * * *"'),
        (b"a:\n\tb: c\n", 2, "a tab"),
        (b"a: 'b\n", 2, "a quote that is not closed"),
        (b"a: [b\n", 2, "not closed"),
        (b"a: b: c\n", 1, "a colon"),
        (b"a:\n  b: c\n d: e\n", 3, "indentation"),
        (b"a: b\n---\na: b\n", 2, "more than one document"),
        (b"a: &x [*x]\n", None, "too deeply"),
        (b"[" * 5000, None, ""),
        (b"a: " + b"[" * 3000 + b"]" * 3000, None, "too deeply"),
        (b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % ((n + 1, n + 1) + (n,) * 9) for n in range(97, 107)
        ), None, "repeats itself"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_file(tmp_path: Path, content: bytes, line: int | None, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    found = problems_of(path)
    assert len(found) == 1
    assert (found[0].line, found[0].source) == (line, str(path)) or not words
    assert words in str(found[0])


def test_a_broken_file_hides_no_wrong_variable(tmp_path: Path) -> None:
    found = problems_of(written(tmp_path, "a: ["), {"LEANIX_BACKUP__LOGG": "x"})
    assert [problem.path for problem in found] == ["", "LEANIX_BACKUP__LOGG"]


def test_missing_folder_and_unreadable(tmp_path: Path) -> None:
    assert "does not exist" in problems_of(tmp_path / "nowhere.yaml")[0].message
    assert "does not exist" in problems_of(None, {"LEANIX_BACKUP_CONFIG": str(tmp_path / "nowhere")})[0].message
    assert "is a folder" in problems_of(tmp_path)[0].message
    (tmp_path / "file").touch()
    assert "can't be read" in problems_of(tmp_path / "file" / "config.yaml")[0].message
