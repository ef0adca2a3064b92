"""The configuration written back: every setting that counts, as the YAML file would say it, secrets masked."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import yaml

from leanix_backup.config import merge
from leanix_backup.config.leaves import Leaf
from leanix_backup.config.models import DefaultsSection, JobSection, Root
from leanix_backup.config.places import Forever
from leanix_backup.config.settings import Config
from leanix_backup.config.shape import ROOT, Many, Named, Node, Section, Variants, find
from leanix_backup.model import ExportType


def show(config: Config) -> str:
    """Write the effective configuration as YAML: secrets masked, secret files by their path."""
    return yaml.safe_dump(dict(config.effective), sort_keys=False, allow_unicode=True, width=120)


def write_effective(root: Root, *, secrets: bool = True) -> dict[str, Any]:
    """Write what counts, defaults included, each job with everything that it takes from the defaults.

    Without `secrets`, neither they nor their files' paths are in it.
    """
    written = _write_section(ROOT, root, secrets=secrets)
    jobs = find(("jobs", ""))
    written["jobs"] = {name: _write(jobs, _resolved(root, job), secrets=secrets) for name, job in root.jobs.items()}
    if root.http is None or root.http.listen is None:
        written["http"] = None
    return written


def digest(root: Root) -> str:
    """Digest the effective configuration without its secrets, in hex."""
    canonical = json.dumps(write_effective(root, secrets=False), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _resolved(root: Root, job: JobSection) -> JobSection:
    defaults = {
        name: getattr(root.defaults, name) for name in DefaultsSection.model_fields if getattr(job, name) is None
    }
    audit_log = merge.audit_log_of(job) if job.export is ExportType.AUDIT_LOG else None
    more = {"poll": merge.poll_of(root, job), "audit_log": audit_log, "heartbeat": merge.heartbeat_of(root, job)}
    return job.model_copy(update=defaults | more)


def _write(node: Node | None, value: Any, *, secrets: bool) -> Any:
    if isinstance(node, Leaf):
        return node.write(value)
    if isinstance(value, Forever):
        return node.word if isinstance(node, Section) else None
    if isinstance(node, Named):
        return {name: _write(node.each, item, secrets=secrets) for name, item in value.items()}
    if isinstance(node, Many):
        return [_write(node.each, item, secrets=secrets) for item in value]
    if isinstance(node, Variants):
        node = node.by_type[value.type]
    return _write_section(node, value, secrets=secrets) if node is not None else None


def _write_section(section: Section, value: Any, *, secrets: bool) -> dict[str, Any]:
    hidden = {name for name, entry in section.entries.items() if isinstance(entry.node, Leaf) and entry.node.secret}
    hidden |= {f"{name}_file" for name in hidden}
    return {
        name: _write(entry.node, getattr(value, name), secrets=secrets)
        for name, entry in section.entries.items()
        if getattr(value, name) is not None and (secrets or name not in hidden)
    }
