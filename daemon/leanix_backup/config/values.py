"""How values are written: durations, sizes, percentages, retention spans, names, paths and URLs, read from their text.

Each reader takes text and returns the value or raises `Mistake`, whose message never quotes what it was given: any
text may be a token in the wrong place. Each writer gives back text that its reader reads as the same value.
"""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from leanix_backup import cron
from leanix_backup.config.nearest import did_you_mean
from leanix_backup.model import RetentionSpan

LONGEST_NAME: Final = 64
NAME_PATTERN: Final = r"^(?=.{1,64}$)[a-z][a-z0-9]*([_-][a-z0-9]+)*$"
DURATION_PATTERN: Final = cron.DURATION_PATTERN
SIZE_PATTERN: Final = r"^[0-9]{1,12}(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$"
SPAN_PATTERN: Final = r"^(?=[0-9])([0-9]{1,5}y)?([0-9]{1,5}mo)?([0-9]{1,5}w)?([0-9]{1,5}d)?([0-9]{1,5}h)?$"
PERCENT_PATTERN: Final = r"^[0-9]{1,2}(\.[0-9]{1,3})?%$"
PATH_PATTERN: Final = r"^[^~]"

_SIZES: Final = {
    "TiB": 1024**4,
    "GiB": 1024**3,
    "MiB": 1024**2,
    "KiB": 1024,
    "TB": 1000**4,
    "GB": 1000**3,
    "MB": 1000**2,
    "kB": 1000,
    "B": 1,
}
_PORTS: Final = 65_535


class Mistake(ValueError):  # noqa: N818 - the vocabulary calls it a mistake; whoever reads a value says where it stood
    """What is wrong with a value, in words that quote none of it, and what would be right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def parse_duration(text: str) -> timedelta:
    """Read `30s`, `5m`, `4h`, `7d`, or `1h30m`."""
    try:
        return cron.parse_duration(text)
    except ValueError as error:
        raise Mistake(str(error), "for example 30s, 5m, 4h or 7d") from None


def parse_size(text: str) -> int:
    """Read `20GiB` or `500MB` into bytes."""
    match = re.fullmatch(SIZE_PATTERN, text)
    if match is None:
        raise Mistake("must be a size: a whole number and a unit", "for example 20GiB or 500MB")
    return int(text.removesuffix(match[1])) * _SIZES[match[1]]


def format_size(size: int) -> str:
    """Write bytes in the largest unit that leaves no rest."""
    unit = next(unit for unit, bytes_ in _SIZES.items() if size % bytes_ == 0 and (size or unit == "B"))
    return f"{size // _SIZES[unit]}{unit}"


def parse_percent(text: str) -> float:
    """Read `20%` into 0.2; more than zero and less than a hundred."""
    if re.fullmatch(PERCENT_PATTERN, text) is None or not float(text[:-1]):
        raise Mistake("must be a percentage between 0% and 100%", "for example 20%")
    return float(text[:-1]) / 100


def format_percent(share: float) -> str:
    """Write 0.2 as `20%`."""
    return f"{round(share * 100, 3):g}%"


def parse_span(text: str) -> RetentionSpan:
    """Read `6y`, `1y6mo`, `8w`, `14d`, `6h`: the units of retention, longer than zero."""
    match = re.fullmatch(SPAN_PATTERN, text)
    if match is None:
        if re.fullmatch(r"([0-9]+(y|mo|w|d|h|m))+", text):
            hint = "m means months to restic and minutes elsewhere: write 6mo for six months, 6h for six hours"
            if re.search(r"[0-9]m(?!o)", text):
                raise Mistake("may not use the unit m", hint)
            raise Mistake("must name its units once each, from long to short", "for example 1y6mo")
        raise Mistake("must be a stretch in h, d, w, mo or y", "for example 14d, 8w, 6mo or 1y6mo")
    years, months, weeks, days, hours = (int(group.rstrip("ymowdh")) if group else 0 for group in match.groups())
    if not any((years, months, weeks, days, hours)):
        raise Mistake("must be longer than zero", "leave the setting out where it is not wanted")
    return RetentionSpan(years=years, months=months, days=weeks * 7 + days, hours=hours)


def parse_name(text: str) -> str:
    """Check that a name has only small letters, digits and single `-` or `_`."""
    if len(text) > LONGEST_NAME:
        raise Mistake(f"is a name of more than {LONGEST_NAME} characters", "it becomes part of the names of files")
    if re.fullmatch(NAME_PATTERN, text) is None:
        raise Mistake("is no valid name", "small letters and digits, words joined by a single - or _, a letter first")
    return text


def parse_path(text: str) -> Path:
    """Read a path; a relative one counts from the working directory, `~` is refused rather than taken literally."""
    if text.startswith("~"):
        raise Mistake("begins with ~, which is not expanded here", "write the whole path")
    if not text.strip() or "\0" in text:
        raise Mistake("must be a path")
    return Path(text).absolute()


def parse_zone(text: str) -> ZoneInfo:
    """Find a time zone by its name."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(text, available_timezones()) or "for example UTC or Europe/Berlin"
        raise Mistake("there is no time zone of this name", hint) from None


def parse_schedule(text: str) -> str:
    """Check a schedule; its zone is known only to the job, and no zone makes a schedule right or wrong."""
    try:
        return cron.parse(text, ZoneInfo("UTC")).text
    except cron.ScheduleError as error:
        raise Mistake(error.message, error.hint) from None


def parse_workspace_url(text: str) -> str:
    """Read a workspace's URL: https, or http for a loopback host; nothing after the host but a port."""
    parts = _split(text)
    if parts.path not in {"", "/"} or "?" in text or "#" in text:
        raise Mistake("must end after the host", "for example https://acme.leanix.net, without the workspace's path")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise Mistake("must be https: plain http is for a loopback host only", "write https://…")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def parse_endpoint(text: str) -> str:
    """Read the URL of an S3 server."""
    parts = _split(text)
    if "?" in text or "#" in text:
        raise Mistake("must have neither ? nor # in it")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def parse_listen(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:8080` or `[::1]:8080`; port 0 takes a free one."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not re.fullmatch(r"[0-9]{1,5}", port) or (":" in host and not bracketed):
        raise Mistake("must be a host and a port", "for example 127.0.0.1:8080 or [::1]:8080")
    if int(port) > _PORTS:
        raise Mistake("has a port above 65535")
    return host.strip("[]"), int(port)


def format_listen(listen: tuple[str, int]) -> str:
    """Write a host and a port as `parse_listen` reads them."""
    host, port = listen
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself: `localhost`, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split(text: str) -> SplitResult:
    """Take a URL apart; refuses what is no http(s) URL with a host, and credentials inside it."""
    hint = "for example https://acme.leanix.net"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Mistake("is no valid URL", hint) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s\\]", text) or port == 0:
        raise Mistake("must be a URL that begins with https://", hint)
    if "@" in parts.netloc:
        raise Mistake("must not hold a user or a password", "secrets have settings of their own")
    return parts
