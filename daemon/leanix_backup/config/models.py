"""The settings: one class per section of the file, one field per setting.

Every field has a default here, or None where the configuration must say it: what is missing, and what does not go
together, is the business of `checks`, so that it is told along with every other mistake. The descriptions are printed
into the JSON schema and onto the reference page.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from leanix_backup.config import leaves
from leanix_backup.config.kinds import (
    Attempts,
    Bool,
    Duration,
    Lasting,
    Name,
    NotifyUrl,
    PathText,
    PingUrl,
    ProxyUrl,
    ScheduleText,
    SecretFile,
    SecretText,
    Section,
    Size,
    Text,
    Zone,
)
from leanix_backup.config.places import Destination, Retention, WorkspaceSection
from leanix_backup.config.words import LogFormat, LogLevel, NotifyLevel
from leanix_backup.model import ExportType


class PollSection(Section):
    """How long to wait between two looks at an export: first, then growing with the time it took so far."""

    first: Lasting = Field(default=timedelta(seconds=2), description="The shortest wait.")
    factor: Annotated[float, leaves.FACTOR] = Field(
        default=1.2, description="The next look is at this times the elapsed time."
    )
    ceiling: Lasting = Field(default=timedelta(seconds=60), description="The longest wait.")


class PollOverrides(Section):
    """A job's own words about polling; what it leaves out comes from `defaults.poll`."""

    first: Lasting | None = Field(default=None, description="The shortest wait.")
    factor: Annotated[float, leaves.FACTOR] | None = Field(default=None, description="How fast waits grow.")
    ceiling: Lasting | None = Field(default=None, description="The longest wait.")


class HeartbeatSection(Section):
    """URLs that are called when a run starts and ends."""

    start: PingUrl | None = Field(default=None, description="Called when a run starts.")
    start_file: SecretFile | None = Field(default=None, description="A file with that URL.")
    success: PingUrl | None = Field(default=None, description="Called when a run succeeded.")
    success_file: SecretFile | None = Field(default=None, description="A file with that URL.")
    failure: PingUrl | None = Field(default=None, description="Called when a run failed or stayed partial.")
    failure_file: SecretFile | None = Field(default=None, description="A file with that URL.")


class DefaultsSection(Section):
    """What every job does unless it says otherwise."""

    timezone: Zone = Field(default=ZoneInfo("UTC"), description="The zone of schedules and of retention's days.")
    jitter: Duration = Field(default=timedelta(0), description="A random wait of up to this before a start.")
    catch_up: Bool = Field(default=True, description="Run once at start for a schedule missed while down.")
    export_timeout: Lasting = Field(
        default=timedelta(hours=4), description="How long one attempt may wait for its export."
    )
    request_timeout: Lasting = Field(
        default=timedelta(seconds=60), description="The longest HTTP exchange; for a download, the longest silence."
    )
    attempts: Attempts = Field(default=3, description="How many exports a run may ask for before it has failed.")
    poll: PollSection = Field(default=PollSection(), description="How often to look whether an export is done.")
    destinations: tuple[Name, ...] | None = Field(default=None, description="Where backups go.")
    retention: Retention | None = Field(default=None, description="What to keep: a policy or `forever`.")


class AuditLogSection(Section):
    """Which stretch of the changelog a run asks for."""

    overlap: Duration = Field(
        default=timedelta(days=1), description="How far a window reaches back into the one before."
    )
    initial_lookback: Lasting = Field(default=timedelta(days=30), description="How far the first run looks back.")
    max_window: Lasting = Field(default=timedelta(days=30), description="The longest stretch of one export.")
    date_only: Bool = Field(default=False, description="Ask with dates from the start, not with date-times.")


class JobSection(Section):
    """One job: workspace, export, schedule, destinations, retention."""

    workspace: Name | None = Field(default=None, description="The name of the workspace. Required.")
    export: Annotated[ExportType, leaves.choice(ExportType)] | None = Field(
        default=None, description="What is taken. Required."
    )
    schedule: ScheduleText | None = Field(
        default=None,
        description="Five cron fields as Debian's cron reads them, `@daily` and its like, or `@every 6h`. Required.",
    )
    enabled: Bool = Field(default=True, description="`false` pauses the job.")
    timezone: Zone | None = Field(default=None, description="Overrides the default.")
    jitter: Duration | None = Field(default=None, description="Overrides the default.")
    catch_up: Bool | None = Field(default=None, description="Overrides the default.")
    export_timeout: Lasting | None = Field(default=None, description="Overrides the default.")
    request_timeout: Lasting | None = Field(default=None, description="Overrides the default.")
    attempts: Attempts | None = Field(default=None, description="Overrides the default.")
    poll: PollOverrides | None = Field(default=None, description="Overrides the defaults, one by one.")
    destinations: tuple[Name, ...] | None = Field(
        default=None, description="Overrides the default. Required in one of the two."
    )
    retention: Retention | None = Field(
        default=None, description="Overrides the default as a whole. Required in one of the two."
    )
    shrink_guard: Annotated[float, leaves.PERCENT] | None = Field(
        default=None, description="How much smaller than the last good backup one may be before pruning waits."
    )
    audit_log: AuditLogSection | None = Field(default=None, description="For AUDIT_LOG only: the stretch of a run.")
    heartbeat: HeartbeatSection | None = Field(default=None, description="Overrides the global URLs, one by one.")


class SpoolSection(Section):
    """Where artifacts wait until they are shipped."""

    path: PathText | None = Field(default=None, description="The folder; `state_dir/spool` unless given.")
    max_size: Size = Field(default=20 * 1024**3, description="No new export once it holds more than this.")


class VerifySection(Section):
    """How large a workbook may be, and when stored backups are read back."""

    max_members: Annotated[int, leaves.integer(1, 10_000_000)] = Field(
        default=10_000, description="Files in the workbook."
    )
    max_unpacked: Size = Field(default=50 * 1024**3, description="The size of the workbook once unpacked.")
    max_ratio: Annotated[int, leaves.integer(1, 1_000_000)] = Field(
        default=200, description="Unpacked against packed size."
    )
    schedule: ScheduleText | None = Field(
        default=None, description="When stored backups are read back; never unless given."
    )
    newest: Annotated[int, leaves.integer(1, 100_000)] = Field(
        default=1, description="How many of the newest are read back."
    )


class NetworkSection(Section):
    """How to reach LeanIX, S3, STS and the receivers of notifications."""

    ca_bundle: PathText | None = Field(default=None, description="A PEM file of authorities, instead of the system's.")
    proxy: ProxyUrl | None = Field(default=None, description="The proxy, instead of `HTTPS_PROXY`; never for loopback.")
    proxy_file: SecretFile | None = Field(default=None, description="A file with the proxy's URL.")
    no_proxy: tuple[Text, ...] = Field(default=(), description="Hosts that are reached directly.")


class LogSection(Section):
    """What is logged, and how."""

    level: Annotated[LogLevel, leaves.choice(LogLevel)] = Field(
        default=LogLevel.INFO, description="From which level on."
    )
    format: Annotated[LogFormat, leaves.choice(LogFormat)] = Field(
        default=LogFormat.AUTO, description="`auto`: console on a terminal, JSON lines otherwise."
    )


class HttpSection(Section):
    """The status page and the endpoints; `null` in place of the section or of `listen` switches them off."""

    listen: Annotated[tuple[str, int], leaves.LISTEN] | None = Field(
        default=("127.0.0.1", 8080), description="Host and port; `null` switches it off."
    )
    token: SecretText | None = Field(
        default=None,
        description="What a caller must show, on any but a loopback address, beyond `/healthz` and `/readyz`.",
    )
    token_file: SecretFile | None = Field(default=None, description="A file with the token.")


class NotifySection(Section):
    """Who is told, and of what."""

    url: NotifyUrl | None = Field(default=None, description="An apprise URL. Required.")
    url_file: SecretFile | None = Field(default=None, description="A file with it.")
    levels: tuple[Annotated[NotifyLevel, leaves.choice(NotifyLevel)], ...] = Field(
        default=(NotifyLevel.FAILURE, NotifyLevel.PARTIAL, NotifyLevel.RECOVERED, NotifyLevel.OVERDUE, NotifyLevel.GAP),
        description="What this receiver is told of.",
    )


class Root(Section):
    """The whole configuration."""

    workspaces: dict[str, WorkspaceSection] = Field(default={}, description="The LeanIX workspaces, by name.")
    destinations: dict[str, Destination] = Field(default={}, description="The places that keep backups, by name.")
    defaults: DefaultsSection = Field(
        default=DefaultsSection(), description="What every job does unless it says otherwise."
    )
    jobs: dict[str, JobSection] = Field(default={}, description="The jobs, by name.")
    state_dir: PathText = Field(
        default=Path("/var/lib/leanix-backup"), description="Where the service keeps its ledger."
    )
    spool: SpoolSection = Field(default=SpoolSection(), description="Where artifacts wait until they are shipped.")
    verify: VerifySection = Field(default=VerifySection(), description="Limits of a workbook, and reading back.")
    network: NetworkSection = Field(default=NetworkSection(), description="Authorities and proxies.")
    log: LogSection = Field(default=LogSection(), description="The log.")
    http: HttpSection | None = Field(
        default=HttpSection(), description="The status page and the endpoints; `null`: off."
    )
    notify: tuple[NotifySection, ...] = Field(default=(), description="Who is told, and of what.")
    heartbeat: HeartbeatSection = Field(default=HeartbeatSection(), description="URLs called around every run.")
    shutdown_grace: Duration = Field(
        default=timedelta(seconds=30), description="How long a download or an upload may go on after SIGTERM."
    )
