"""load: what a right configuration comes to, from the file, from the environment, from both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from leanix_backup.config import (
    Checksum,
    LocalDestination,
    LockMode,
    NotifyLevel,
    Prune,
    Purpose,
    S3Destination,
    Secret,
    example,
    load,
    show,
)
from leanix_backup.config.pending import pending
from leanix_backup.errors import BackupError, ConfigError
from leanix_backup.model import ExportType, RetentionPolicy, RetentionSpan
from tests.unit.config.support import ENVIRONMENT, WHOLE, told, written

FULL = """\
workspaces:
  acme:
    url: https://acme.leanix.net/
    api_token: 0123
    workspace_id: 4711
    user_id: abc
destinations:
  disk: {type: local, path: /backups, prune: command, retention: {keep_last: 2}}
  offsite:
    type: s3
    bucket: acme-backups
    prefix: /leanix/prod/
    region: eu-central-1
    access_key_id: key
    secret_access_key: secret
    server_side_encryption: aws:kms
    kms_key_id: alias/x
    tags: {owner: architecture, cost: 12}
    checksum: sha256
    part_size: 64MiB
    concurrency: 8
    object_lock: {mode: compliance, retain: 400d}
defaults:
  timezone: Europe/Berlin
  poll: {first: 3s, factor: 2}
  attempts: 5
jobs:
  nightly:
    workspace: acme
    export: SNAPSHOT
    schedule: "30 2 * * *"
    destinations: [offsite, disk]
    poll: {ceiling: 10s}
    jitter: 5m
    catch_up: no
    retention: {keep_daily: 14, delete_after: 6y}
    shrink_guard: 20%
    heartbeat: {success: "https://ping.example/a"}
  changelog:
    workspace: acme
    export: AUDIT_LOG
    schedule: "@every 6h"
    timezone: UTC
    destinations: [offsite]
    retention: forever
    audit_log: {overlap: 2d}
    enabled: false
    export_timeout: 3m
state_dir: /srv/state
verify: {schedule: "@weekly", newest: 3}
network: {proxy: "http://user:pass@proxy:3128", no_proxy: [a.example, 10.0.0.1]}
http: {listen: "[::1]:9000", token: t}
notify: [{url: "slack://a/b", levels: [failure, gap]}]
heartbeat: {start: "https://ping.example/start", success: "https://ping.example/b"}
shutdown_grace: 1m
"""


def test_every_setting_arrives(tmp_path: Path) -> None:
    config = load(written(tmp_path, FULL), {})
    acme = config.workspaces["acme"]
    assert (acme.url, acme.workspace_id, acme.user_id) == ("https://acme.leanix.net", "4711", "abc")
    assert acme.api_token.read() == "0123"
    disk, offsite = config.destinations["disk"], config.destinations["offsite"]
    assert disk == LocalDestination("disk", Path("/backups"), Prune.COMMAND, RetentionPolicy(keep_last=2))
    assert isinstance(offsite, S3Destination)
    assert (offsite.bucket, offsite.prefix, offsite.part_size) == ("acme-backups", "leanix/prod", 64 * 1024**2)
    assert (offsite.tags, offsite.checksum) == ({"owner": "architecture", "cost": "12"}, Checksum.SHA256)
    assert offsite.secret_access_key == Secret(literal="secret")
    assert offsite.object_lock is not None
    assert (offsite.object_lock.mode, offsite.object_lock.retain) == (LockMode.COMPLIANCE, RetentionSpan(days=400))
    nightly, changelog = config.jobs["nightly"], config.jobs["changelog"]
    assert nightly.schedule.next_after(datetime(2027, 1, 1, tzinfo=UTC)) == datetime(2027, 1, 1, 1, 30, tzinfo=UTC)
    assert (nightly.zone, nightly.jitter, nightly.catch_up) == (ZoneInfo("Europe/Berlin"), timedelta(minutes=5), False)
    assert (nightly.attempts, nightly.enabled, nightly.shrink_guard) == (5, True, 0.2)
    assert (nightly.poll.first, nightly.poll.factor, nightly.poll.ceiling) == (
        timedelta(seconds=3),
        2,
        timedelta(seconds=10),
    )
    assert nightly.destinations == ("offsite", "disk")
    assert nightly.retention == {
        "offsite": RetentionPolicy(keep_daily=14, delete_after=RetentionSpan(years=6)),
        "disk": RetentionPolicy(keep_last=2),
    }
    assert nightly.heartbeat.start == Secret(literal="https://ping.example/start")
    assert nightly.heartbeat.success == Secret(literal="https://ping.example/a")
    assert config.heartbeat.success == Secret(literal="https://ping.example/b")
    assert (changelog.export, changelog.enabled) == (ExportType.AUDIT_LOG, False)
    assert changelog.retention == {"offsite": RetentionPolicy(forever=True)}
    assert (changelog.audit_log.overlap, changelog.audit_log.max_window) == (timedelta(days=2), timedelta(days=30))
    assert (nightly.row_wait, changelog.row_wait) == (timedelta(minutes=2), timedelta(minutes=1))
    assert (config.spool.path, config.spool.max_size) == (Path("/srv/state/spool"), 20 * 1024**3)
    assert config.verify.schedule is not None
    assert (config.verify.schedule.zone, config.verify.newest) == (ZoneInfo("Europe/Berlin"), 3)
    assert config.network.proxy is not None
    assert config.network.proxy.read() == "http://user:pass@proxy:3128"
    assert config.network.no_proxy == ("a.example", "10.0.0.1")
    assert config.http is not None
    assert (config.http.host, config.http.port, config.http.token) == ("::1", 9000, Secret(literal="t"))
    assert [target.levels for target in config.notify] == [(NotifyLevel.FAILURE, NotifyLevel.GAP)]
    assert config.shutdown_grace == timedelta(minutes=1)
    assert config.warnings == pending(config)


def test_the_defaults_are_the_designs(tmp_path: Path) -> None:
    config = load(written(tmp_path, WHOLE), {})
    job = config.jobs["nightly"]
    assert (job.zone.key, job.jitter, job.catch_up, job.attempts) == ("UTC", timedelta(0), True, 3)
    assert (job.export_timeout, job.request_timeout) == (timedelta(hours=4), timedelta(seconds=60))
    assert (job.poll.first, job.poll.factor, job.poll.ceiling) == (timedelta(seconds=2), 1.2, timedelta(seconds=60))
    assert (config.state_dir, config.spool.path) == (
        Path("/var/lib/leanix-backup"),
        Path("/var/lib/leanix-backup/spool"),
    )
    assert (config.verify.max_members, config.verify.max_unpacked, config.verify.max_ratio) == (
        10_000,
        50 * 1024**3,
        200,
    )
    assert (config.log.level, config.log.format) == ("info", "auto")
    assert config.http is not None
    assert (config.http.host, config.http.port, config.http.token) == ("127.0.0.1", 8080, None)
    assert config.shutdown_grace == timedelta(seconds=30)


def test_the_sample_is_valid_where_its_secret_lies(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.touch(mode=0o600)
    config = load(written(tmp_path, example().replace("/run/secrets/leanix-acme", str(secret))), {})
    assert set(config.jobs) == {"nightly", "changelog", "archive"}
    assert config.warnings == pending(config)


def test_the_commented_part_of_the_sample_is_valid_too(tmp_path: Path) -> None:
    lines = example().splitlines()
    begin = lines.index("  # offsite:")
    end = lines.index("", begin)
    lines[begin:end] = [line.replace("  # ", "  ", 1) for line in lines[begin:end]]
    text = "\n".join(lines).replace("notify: []\n# ", "notify:\n").replace("#   levels", "  levels")
    config = load(written(tmp_path, text), {}, Purpose.CHECK)
    offsite = config.destinations["offsite"]
    assert isinstance(offsite, S3Destination)
    assert offsite.object_lock is not None
    assert len(config.notify) == 1


def test_the_environment_alone_says_the_same_as_the_file(tmp_path: Path) -> None:
    from_file, from_environment = load(written(tmp_path, WHOLE), {}), load(None, ENVIRONMENT)
    assert from_environment.jobs == from_file.jobs
    assert from_environment.workspaces["acme"].api_token.read() == "token-of-acme"
    assert from_environment.sha256 == from_file.sha256


def test_a_variable_names_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    assert load(None, {"LEANIX_BACKUP_CONFIG": str(path)}).jobs == load(path, {}).jobs


def test_reading_needs_no_url_no_token_no_job(tmp_path: Path) -> None:
    text = "destinations: {disk: {type: local, path: /backups}}\nworkspaces: {acme: }\n"
    config = load(written(tmp_path, text), {}, Purpose.READ)
    assert config.workspaces["acme"].url == ""
    with pytest.raises(BackupError) as missing:
        config.workspaces["acme"].api_token.read()
    assert missing.value.code == "secret_missing"
    assert config.jobs == {}
    with pytest.raises(ConfigError):
        load(written(tmp_path, text.replace("path", "pth")), {}, Purpose.READ)


def test_a_job_without_retention_can_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE.replace("  retention: forever\n", ""))
    assert load(path, {}, Purpose.READ).jobs["nightly"].retention == {}


@pytest.mark.parametrize("text", ["http: null", "http: {listen: null}", "http: {listen: null, token: x}"])
def test_http_can_be_switched_off(tmp_path: Path, text: str) -> None:
    config = load(written(tmp_path, WHOLE + text + "\n"), {})
    assert config.http is None
    assert yaml.safe_load(show(config))["http"] is None


def test_null_is_as_if_it_were_not_said(tmp_path: Path) -> None:
    text = (
        WHOLE + "    attempts: null\n    retention: ~\nlog: \nspool: {path: null, max_size: }\nnetwork: {proxy: null}\n"
    )
    assert load(written(tmp_path, text), {}).sha256 == load(written(tmp_path, WHOLE), {}).sha256


def test_names_that_yaml_takes_for_something_else(tmp_path: Path) -> None:
    text = WHOLE.replace("disk:", "off:").replace("[disk]", "[off]").replace("nightly:", "no:")
    assert set(load(written(tmp_path, text), {}).jobs) == {"no"}


def test_an_alias_repeats_what_its_anchor_says(tmp_path: Path) -> None:
    text = WHOLE.replace("retention: forever", "retention: &keep {keep_last: 3}") + "    retention: *keep\n"
    assert load(written(tmp_path, text), {}).jobs["nightly"].retention["disk"].keep_last == 3


def test_show_can_be_loaded_and_means_the_same(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    text = FULL.replace("api_token: 0123", f"api_token_file: {token}")
    text = text.replace("    secret_access_key: secret\n", "").replace("    access_key_id: key\n", "")
    text = "\n".join(
        line for line in text.splitlines() if not line.strip().startswith(("heartbeat", "notify", "network"))
    )
    config = load(written(tmp_path, text), {})
    shown = load(written(tmp_path, show(config).replace("token: '********'", "token: t")), {})
    assert shown.sha256 == config.sha256
    assert (shown.jobs, shown.destinations) == (config.jobs, config.destinations)


def test_show_masks_every_secret(tmp_path: Path) -> None:
    shown = show(load(written(tmp_path, FULL), {}))
    for secret in ("0123", "secret\n", "user:pass", "slack://", "ping.example", "token: t"):
        assert secret not in shown
    assert shown.count("********") == 11


def test_the_digest_leaves_secrets_out_and_nothing_else(tmp_path: Path) -> None:
    digest = load(written(tmp_path, FULL), {}).sha256
    assert load(written(tmp_path, FULL.replace("0123", "4567").replace("user:pass@", "")), {}).sha256 == digest
    assert load(written(tmp_path, FULL.replace("jitter: 5m", "jitter: 300s")), {}).sha256 == digest
    assert load(written(tmp_path, FULL.replace("jitter: 5m", "jitter: 6m")), {}).sha256 != digest


def test_a_rare_archive_is_a_warning(tmp_path: Path) -> None:
    text = WHOLE.replace("SNAPSHOT", "ARCHIVE")
    assert load(written(tmp_path, text), {}).warnings == ()
    rarer = "runs rarer than every 90 days, after which LeanIX deletes archived fact sheets"
    for rare in ("0 0 1 */3 *", "@yearly", "@every 91d"):
        config = load(written(tmp_path, text.replace("30 2 * * *", rare)), {})
        assert told(config.warnings) == [
            f"16: jobs.nightly.schedule: {rarer} (for example @weekly)",
        ]
    for often in ("0 0 1 */2 *", "@monthly", "@every 90d", "*/5 2-4 * * mon"):
        assert load(written(tmp_path, text.replace("30 2 * * *", often)), {}).warnings == ()


def test_a_secret_file_open_to_all_is_a_warning(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch()
    token.chmod(0o644)
    text = WHOLE.replace("api_token: token-of-acme", f"api_token_file: {token}")
    assert "everybody" in load(written(tmp_path, text), {}).warnings[0].message
    token.chmod(0o640)
    assert load(written(tmp_path, text), {}).warnings == ()


def test_checking_elsewhere_takes_a_missing_secret_file_as_a_warning(tmp_path: Path) -> None:
    text = WHOLE.replace("api_token: token-of-acme", "api_token_file: /nowhere/token")
    assert [warning.path for warning in load(written(tmp_path, text), {}, Purpose.CHECK).warnings] == [
        "workspaces.acme.api_token_file"
    ]
    assert load(written(tmp_path, text), {}, Purpose.READ).warnings == ()
    with pytest.raises(ConfigError):
        load(written(tmp_path, text), {}, Purpose.RUN)


def test_what_this_version_does_not_do_yet_is_a_warning(tmp_path: Path) -> None:
    text = WHOLE + 'heartbeat: {success: "https://ping.example/x"}\n'
    found = [warning.path for warning in load(written(tmp_path, text), {}).warnings]
    assert found == ["heartbeat"]


def test_plain_http_is_a_warning_unless_it_stays_on_this_machine(tmp_path: Path) -> None:
    s3 = '  offsite: {type: s3, bucket: some-bucket, endpoint_url: "http://s3.example.com:9000"}\ndefaults:'
    text = WHOLE.replace("defaults:", s3)
    assert [each.path for each in load(written(tmp_path, text), {}).warnings] == ["destinations.offsite.endpoint_url"]
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert load(written(tmp_path, text.replace("s3.example.com", host)), {}).warnings == ()
