"""From models that passed every check to the configuration that the rest of the house sees."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from leanix_backup import cron
from leanix_backup.config import merge, settings
from leanix_backup.config.models import HttpSection, JobSection, Root
from leanix_backup.config.places import LocalSection, S3Section, WorkspaceSection
from leanix_backup.config.secret import Secret
from leanix_backup.config.written import digest, write_effective
from leanix_backup.errors import Problem

T = TypeVar("T")


def resolve(root: Root, warnings: tuple[Problem, ...]) -> settings.Config:
    """Build the configuration; what the checks have let through can't fail here."""
    verify = root.verify
    return settings.Config(
        workspaces={name: _workspace(name, section) for name, section in root.workspaces.items()},
        destinations={name: _destination(name, section) for name, section in root.destinations.items()},
        jobs={name: _job(root, name, section) for name, section in root.jobs.items()},
        retention=merge.policy(root.defaults.retention),
        state_dir=root.state_dir,
        spool=settings.Spool(spool_path(root), root.spool.max_size),
        verify=settings.VerifyLimits(
            max_members=verify.max_members,
            max_unpacked=verify.max_unpacked,
            max_ratio=verify.max_ratio,
            schedule=cron.parse(verify.schedule, root.defaults.timezone) if verify.schedule else None,
            newest=verify.newest,
        ),
        network=settings.Network(
            root.network.ca_bundle, merge.secret_of(root.network.proxy, root.network.proxy_file), root.network.no_proxy
        ),
        log=settings.Log(root.log.level, root.log.format),
        http=_http(root.http),
        notify=tuple(
            settings.NotifyTarget(merge.secret_of(target.url, target.url_file) or Secret(), target.levels)
            for target in root.notify
        ),
        heartbeat=_heartbeat(root, None),
        shutdown_grace=root.shutdown_grace,
        warnings=warnings,
        sha256=digest(root),
        effective=write_effective(root),
    )


def spool_path(root: Root) -> Path:
    """Tell where the spool is."""
    return root.spool.path or root.state_dir / "spool"


def _workspace(name: str, section: WorkspaceSection) -> settings.Workspace:
    token = merge.secret_of(section.api_token, section.api_token_file) or Secret()
    return settings.Workspace(name, section.url or "", token, section.workspace_id, section.user_id)


def _destination(name: str, section: LocalSection | S3Section) -> settings.Destination:
    retention = merge.policy(section.retention)
    if isinstance(section, LocalSection):
        return settings.LocalDestination(name, section.path or Path(), section.prune, retention)
    lock = section.object_lock
    return settings.S3Destination(
        name=name,
        bucket=section.bucket or "",
        prefix=(section.prefix or "").strip("/"),
        region=section.region,
        endpoint_url=section.endpoint_url,
        addressing_style=section.addressing_style,
        access_key_id=section.access_key_id,
        secret_access_key=merge.secret_of(section.secret_access_key, section.secret_access_key_file),
        session_token=merge.secret_of(section.session_token, section.session_token_file),
        server_side_encryption=section.server_side_encryption,
        kms_key_id=section.kms_key_id,
        storage_class=section.storage_class,
        tags=section.tags or {},
        checksum=section.checksum,
        part_size=section.part_size,
        concurrency=section.concurrency,
        object_lock=settings.ObjectLock(lock.mode, lock.retain) if lock is not None and lock.retain else None,
        prune=section.prune,
        retention=retention,
    )


def _job(root: Root, name: str, job: JobSection) -> settings.Job:
    defaults, poll, window = root.defaults, merge.poll_of(root, job), merge.audit_log_of(job)
    zone, destinations = merge.zone_of(root, job), merge.destinations_of(root, job) or ()
    policies = {destination: merge.retention_of(root, job, destination) for destination in destinations}
    if job.workspace is None or job.export is None or job.schedule is None:
        raise AssertionError("the checks let an unfinished job through")  # pragma: no cover - the checks' own promise
    return settings.Job(
        name=name,
        workspace=job.workspace,
        export=job.export,
        schedule=cron.parse(job.schedule, zone),
        zone=zone,
        jitter=_own(job.jitter, defaults.jitter),
        catch_up=_own(job.catch_up, defaults.catch_up),
        export_timeout=_own(job.export_timeout, defaults.export_timeout),
        request_timeout=_own(job.request_timeout, defaults.request_timeout),
        attempts=_own(job.attempts, defaults.attempts),
        poll=settings.Poll(poll.first, poll.factor, poll.ceiling),
        destinations=destinations,
        retention={name: policy for name, policy in policies.items() if policy is not None},
        shrink_guard=job.shrink_guard,
        audit_log=settings.AuditLog(window.overlap, window.initial_lookback, window.max_window, window.date_only),
        heartbeat=_heartbeat(root, job),
        enabled=job.enabled,
    )


def _own(own: T | None, default: T) -> T:
    return default if own is None else own


def _heartbeat(root: Root, job: JobSection | None) -> settings.Heartbeat:
    said = merge.heartbeat_of(root, job)
    return settings.Heartbeat(
        merge.secret_of(said.start, said.start_file),
        merge.secret_of(said.success, said.success_file),
        merge.secret_of(said.failure, said.failure_file),
    )


def _http(section: HttpSection | None) -> settings.Http | None:
    if section is None or section.listen is None:
        return None
    return settings.Http(*section.listen, merge.secret_of(section.token, section.token_file))
