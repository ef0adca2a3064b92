"""What a destination must say, and which places must not lie in one another."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from leanix_backup.config.hosts import is_loopback
from leanix_backup.config.places import LocalSection, S3Section
from leanix_backup.config.report import Report
from leanix_backup.config.resolve import spool_path
from leanix_backup.config.settings import Purpose
from leanix_backup.config.shape import Path as SettingPath
from leanix_backup.config.words import Encryption

_PART_SIZES: Final = (5 * 1024**2, 5 * 1024**3)  # S3's own limits


def check_places(report: Report) -> None:
    """Check every destination, and the spool among them."""
    if not report.tree.names("destinations"):
        report.miss(("destinations",), "no destination is configured")
    spool = _spool(report)
    taken: dict[object, str] = {}
    for name, section in report.root.destinations.items():
        path: SettingPath = ("destinations", name)
        if section.type is None:
            report.miss((*path, "type"), "the destination needs a type", "local or s3")
            continue
        if isinstance(section, LocalSection):
            place = _check_local(report, path, section, spool)
        elif isinstance(section, S3Section):
            place = _check_s3(report, path, section)
        else:
            continue
        if place is not None and (first := taken.setdefault(place, name)) != name:
            report.refuse(path, f"is the same place as {first}", "each destination needs a place of its own")


def _spool(report: Report) -> Path | None:
    """Tell where the spool is; None where that is unknown, or where what only reads has none."""
    if report.purpose is Purpose.READ or report.broken("state_dir") or report.broken("spool", "path"):
        return None
    return spool_path(report.root).resolve()


def _check_local(report: Report, path: SettingPath, section: LocalSection, spool: Path | None) -> object:
    if section.path is None:
        report.miss((*path, "path"), "a local destination needs a path")
        return None
    place = section.path.resolve()
    if spool is not None:
        if place.is_relative_to(spool):
            report.refuse((*path, "path"), "lies in the spool, which holds nothing else", "choose another folder")
        elif spool.is_relative_to(place):
            report.refuse((*path, "path"), "holds the spool", "set spool.path or state_dir to another folder")
    return place


def _check_s3(report: Report, path: SettingPath, section: S3Section) -> object:
    if section.bucket is None:
        report.miss((*path, "bucket"), "an s3 destination needs a bucket")
    has_secret = section.secret_access_key is not None or section.secret_access_key_file is not None
    has_token = section.session_token is not None or section.session_token_file is not None
    if has_secret and section.access_key_id is None:
        report.miss((*path, "access_key_id"), "secret_access_key needs an access_key_id beside it")
    if section.access_key_id is not None and not has_secret:
        report.miss_secret((*path, "secret_access_key"), "access_key_id needs a secret_access_key beside it")
    if has_token and not has_secret:
        report.miss((*path, "access_key_id"), "session_token needs the access key that it belongs to")
    if section.kms_key_id is not None and section.server_side_encryption in {None, Encryption.AES256}:
        hint = "say server_side_encryption: aws:kms"
        report.refuse((*path, "kms_key_id"), "is for the encryptions by aws:kms only", hint)
    if not _PART_SIZES[0] <= section.part_size <= _PART_SIZES[1]:
        report.refuse((*path, "part_size"), "must be between 5MiB and 5GiB", "S3 takes no others")
    if section.object_lock is not None and section.object_lock.retain is None:
        report.miss((*path, "object_lock", "retain"), "an object lock needs to know how long", "for example 400d")
    endpoint = urlsplit(section.endpoint_url or "")
    if endpoint.scheme == "http" and not is_loopback(endpoint.hostname or ""):
        report.warn((*path, "endpoint_url"), "is plain http: backups cross the network unencrypted", "use https")
    if section.bucket is None:
        return None
    return (section.endpoint_url, section.bucket, (section.prefix or "").strip("/"))
