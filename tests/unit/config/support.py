"""A whole configuration to break in one place at a time."""

from __future__ import annotations

from pathlib import Path

from leanix_backup.config import Purpose, load
from leanix_backup.errors import ConfigError, Problem

WHOLE = """\
workspaces:
  acme:
    url: https://acme.leanix.net
    api_token: token-of-acme
destinations:
  disk:
    type: local
    path: /backups
defaults:
  destinations: [disk]
  retention: forever
jobs:
  nightly:
    workspace: acme
    export: SNAPSHOT
    schedule: "30 2 * * *"
"""

ENVIRONMENT = {
    "LEANIX_BACKUP__WORKSPACES__ACME__URL": "https://acme.leanix.net/",
    "LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN": " token-of-acme\n",
    "LEANIX_BACKUP__DESTINATIONS__DISK__TYPE": "local",
    "LEANIX_BACKUP__DESTINATIONS__DISK__PATH": "/backups",
    "LEANIX_BACKUP__DEFAULTS__DESTINATIONS": "disk",
    "LEANIX_BACKUP__DEFAULTS__RETENTION": "forever",
    "LEANIX_BACKUP__JOBS__NIGHTLY__WORKSPACE": "acme",
    "LEANIX_BACKUP__JOBS__NIGHTLY__EXPORT": "SNAPSHOT",
    "LEANIX_BACKUP__JOBS__NIGHTLY__SCHEDULE": "30 2 * * *",
}


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(
    path: Path | None, environ: dict[str, str] | None = None, purpose: Purpose = Purpose.RUN
) -> tuple[Problem, ...]:
    """Load what must be refused, and say why it was."""
    try:
        load(path, environ or {}, purpose)
    except ConfigError as error:
        return error.problems
    raise AssertionError("it was taken")


def told(problems: tuple[Problem, ...]) -> list[str]:
    return [f"{problem.line}: {problem.path}: {problem.message} ({problem.hint})" for problem in problems]
