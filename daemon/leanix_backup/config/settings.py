"""The configuration as the rest of the house sees it: complete, checked, frozen.

Durations are `timedelta`, sizes are bytes, paths are absolute. A secret is a `Secret`: where it is, not what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from leanix_backup.config.secret import Secret
from leanix_backup.config.words import (
    Addressing,
    Checksum,
    DestinationType,
    Encryption,
    LockMode,
    LogFormat,
    LogLevel,
    NotifyLevel,
    Prune,
)
from leanix_backup.cron import Schedule
from leanix_backup.errors import Problem
from leanix_backup.model import ExportType, RetentionPolicy, RetentionSpan

_ROW_WAIT = timedelta(minutes=2)


class Purpose(StrEnum):
    """What the configuration is read for, and so what it must say.

    RUN needs everything. READ (list, show, verify, fetch, coverage, prune) does without workspaces' URLs and tokens,
    jobs, retention and secret files that are not there. CHECK asks what RUN asks, but on another machine than the one
    that runs: a file that a setting names may be missing, which is then a warning. Typos are refused by all.
    """

    RUN = "run"
    READ = "read"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One LeanIX workspace; `url` has no slash at its end and is empty where only READ left it out."""

    name: str
    url: str
    api_token: Secret
    workspace_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class LocalDestination:
    """A folder that keeps backups."""

    name: str
    path: Path
    prune: Prune = Prune.SERVICE
    retention: RetentionPolicy | None = None
    type: DestinationType = DestinationType.LOCAL


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """How long each object is locked, from its upload on."""

    mode: LockMode
    retain: RetentionSpan


@dataclass(frozen=True, slots=True)
class S3Destination:
    """A bucket that keeps backups; `prefix` has no slash around it, `part_size` is in bytes."""

    name: str
    bucket: str
    prefix: str = ""
    region: str | None = None
    endpoint_url: str | None = None
    addressing_style: Addressing = Addressing.AUTO
    access_key_id: str | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    server_side_encryption: Encryption | None = None
    kms_key_id: str | None = None
    storage_class: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    checksum: Checksum = Checksum.AUTO
    part_size: int = 32 * 1024**2
    concurrency: int = 4
    object_lock: ObjectLock | None = None
    prune: Prune = Prune.SERVICE
    retention: RetentionPolicy | None = None
    type: DestinationType = DestinationType.S3


Destination = LocalDestination | S3Destination


@dataclass(frozen=True, slots=True)
class Poll:
    """How long to wait between two looks at an export."""

    first: timedelta
    factor: float
    ceiling: timedelta


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Which stretch of the changelog a run asks for."""

    overlap: timedelta
    initial_lookback: timedelta
    max_window: timedelta
    date_only: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """URLs that are called when a run starts and ends."""

    start: Secret | None = None
    success: Secret | None = None
    failure: Secret | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One job with everything resolved: its own words, else the defaults'.

    Attributes:
        workspace: The workspace's name.
        destinations: The destinations' names, in the order said.
        retention: What counts at each destination: the destination's own policy, else the job's, else the default.
            Under READ a destination may be absent from it.
        shrink_guard: A share: 0.2 for 20 %.
    """

    name: str
    workspace: str
    export: ExportType
    schedule: Schedule
    zone: ZoneInfo
    jitter: timedelta
    catch_up: bool
    export_timeout: timedelta
    request_timeout: timedelta
    attempts: int
    poll: Poll
    destinations: tuple[str, ...]
    retention: Mapping[str, RetentionPolicy]
    shrink_guard: float | None
    audit_log: AuditLog
    heartbeat: Heartbeat
    enabled: bool

    @property
    def row_wait(self) -> timedelta:
        """How long our row may take to show up in the list: two minutes, at most a third of `export_timeout`."""
        return min(_ROW_WAIT, self.export_timeout / 3)


@dataclass(frozen=True, slots=True)
class Spool:
    """Where artifacts wait; `max_size` in bytes."""

    path: Path
    max_size: int


@dataclass(frozen=True, slots=True)
class VerifyLimits:
    """How large a workbook may be (`max_unpacked` in bytes), and when stored backups are read back."""

    max_members: int
    max_unpacked: int
    max_ratio: int
    schedule: Schedule | None = None
    newest: int = 1


@dataclass(frozen=True, slots=True)
class Network:
    """Authorities and proxies; None is the system's trust store, and the environment's proxy."""

    ca_bundle: Path | None = None
    proxy: Secret | None = None
    no_proxy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """What is logged, and how."""

    level: LogLevel
    format: LogFormat


@dataclass(frozen=True, slots=True)
class Http:
    """Where the status page listens, and what a caller must show."""

    host: str
    port: int
    token: Secret | None = None


@dataclass(frozen=True, slots=True)
class NotifyTarget:
    """A receiver, and what it is told of."""

    url: Secret
    levels: tuple[NotifyLevel, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, complete and checked.

    Attributes:
        retention: The default policy; None where there is none.
        http: None where it is switched off.
        warnings: What is allowed but probably not meant.
        sha256: Of the effective configuration without its secrets, in hex; for manifests.
        effective: The same configuration as the YAML file would say it, with `Secret` where a secret is.
    """

    workspaces: Mapping[str, Workspace]
    destinations: Mapping[str, Destination]
    jobs: Mapping[str, Job]
    retention: RetentionPolicy | None
    state_dir: Path
    spool: Spool
    verify: VerifyLimits
    network: Network
    log: Log
    http: Http | None
    notify: tuple[NotifyTarget, ...]
    heartbeat: Heartbeat
    shutdown_grace: timedelta
    warnings: tuple[Problem, ...]
    sha256: str
    effective: Mapping[str, object] = field(repr=False)
