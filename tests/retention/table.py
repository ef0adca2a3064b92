"""What the policies in the table of `docs/retention.md` hold after two years of nightly backups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from leanix_backup.config.values import parse_span
from leanix_backup.model import RetentionPolicy
from leanix_backup.retention import simulate

PAGE = Path(__file__).parents[2] / "docs" / "retention.md"
_FIRST = datetime(2025, 1, 1, 2, 30, tzinfo=UTC)
_ROW = re.compile(r"\| `(?P<policy>[^`]+)` \| (?P<held>\d+) \| (?P<oldest>[\d-]+) \|")


def rows() -> Iterator[tuple[str, int, str]]:
    """Read the table: a policy, how many are held, and the day of the oldest."""
    for row in _ROW.finditer(PAGE.read_text()):
        yield row["policy"], int(row["held"]), row["oldest"]


def worked_out(policy: str) -> tuple[int, str]:
    """Say how many a policy holds on 31 December 2026, and the day of the oldest."""
    said = yaml.safe_load(policy)
    rules = {"forever": True} if said == "forever" else {name: _value(value) for name, value in said.items()}
    nights = [_FIRST + timedelta(days=day) for day in range(2 * 365)]
    held = simulate(RetentionPolicy(**rules), nights, zone=ZoneInfo("UTC")).keep
    return len(held), f"{held[0].candidate.taken_at:%Y-%m-%d}"


def _value(value: object) -> object:
    return parse_span(value) if isinstance(value, str) else value
