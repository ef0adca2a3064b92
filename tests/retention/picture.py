"""`python -m tests.retention.picture`: draw what a policy keeps of a year of nightly backups, for the docs.

One row a month, one square a night. The colours are of middling brightness, so that the picture can be read on a light
and on a dark page.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from leanix_backup.model import RetentionPolicy
from leanix_backup.retention import Kept, simulate

POLICY = RetentionPolicy(keep_last=3, keep_daily=14, keep_weekly=8, keep_monthly=12, keep_yearly=5)
_FIRST = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
_NIGHTS = [_FIRST + timedelta(days=day) for day in range(365)]
# The rule that keeps a backup longest gives it its colour and its letter.
_KINDS = {
    "oldest": ("O", "#9a6700", "oldest (a count is not used up)"),
    "yearly": ("Y", "#bf3989", "keep_yearly: 5"),
    "monthly": ("M", "#8250df", "keep_monthly: 12"),
    "weekly": ("W", "#2da44e", "keep_weekly: 8"),
    "daily": ("D", "#2f81f7", "keep_daily: 14"),
}
_CELL, _LEFT, _TOP = 20, 44, 8
_TEXT = "#7d8590"


def picture() -> str:
    """Draw the picture."""
    held = simulate(POLICY, _NIGHTS, zone=ZoneInfo("UTC"))
    kept = {each.candidate.taken_at: _kind(each) for each in held.keep}
    legend = _TOP + 12 * _CELL + 22
    dots = "".join("M{} {}h0".format(*_middle(night)) for night in _NIGHTS if night not in kept)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + 31 * _CELL + 8} {legend + 40}">',
        '<g font-family="sans-serif" font-size="11" text-anchor="middle">',
        f"<title>Of 365 nightly backups, {len(kept)} are held on 31 December</title>",
        f'<path d="{dots}" stroke="{_TEXT}" stroke-opacity=".55" stroke-width="4" stroke-linecap="round"/>',
    ]
    for month in range(1, 13):
        name = datetime(2026, month, 1, tzinfo=UTC).strftime("%b")
        lines.append(_text(_LEFT - 22, _TOP + month * _CELL - 6, name))
    for night, kind in kept.items():
        lines.append(_square(*_middle(night), kind))
    for number, (kind, (_, _, words)) in enumerate(_KINDS.items()):
        x, y = _LEFT + 10 + (number % 3) * 220, legend + (number // 3) * 22
        lines += [_square(x, y, kind), _text(x + 14, y + 4, words, anchor="start")]
    x, y = _LEFT + 450, legend + 22
    lines.append(f'<path d="M{x} {y}h0" stroke="{_TEXT}" stroke-width="4" stroke-linecap="round"/>')
    lines.append(_text(x + 14, y + 4, "removed since", anchor="start"))
    return "\n".join([*lines, "</g></svg>\n"])


def _kind(each: Kept) -> str:
    return next(kind for kind in _KINDS if any(reason.startswith(kind) for reason in each.reasons))


def _middle(night: datetime) -> tuple[int, int]:
    return _LEFT + (night.day - 1) * _CELL + _CELL // 2, _TOP + (night.month - 1) * _CELL + _CELL // 2


def _square(x: int, y: int, kind: str) -> str:
    letter, colour, _ = _KINDS[kind]
    shape = f'<rect x="{x - 8}" y="{y - 8}" width="16" height="16" rx="3" fill="{colour}"/>'
    return shape + f'<text x="{x}" y="{y + 4}" fill="#fff" font-weight="bold">{letter}</text>'


def _text(x: int, y: int, words: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" fill="{_TEXT}" text-anchor="{anchor}">{words}</text>'


if __name__ == "__main__":
    sys.stdout.write(picture())
