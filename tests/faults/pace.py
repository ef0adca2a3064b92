"""How often LeanIX may be asked: what was noted of every request, held against the pace that is promised.

The bounds are stated here on their own, from design §2 and the defaults of the configuration, and share no code with
the daemon.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise

from leanix_backup.simulator import Exchange

FIRST_S, FACTOR, CEILING_S = 2.0, 1.2, 60.0
SPREAD = 0.95  # a wait is 5 % shorter at most
TRIES = 6  # of one request
LEAST_RETRY_S = 0.25
ROW_WAIT_S = 120.0
FETCH_S = 600.0
TRANSFERS = 3  # of one key
ATTEMPT_WAIT_S = 72.0  # the longest wait between two attempts
REQUEST_TIMEOUT_S = 60.0
_LAST_LOOK_S = 2.0
_CURED_AT_ONCE = {400, 401}  # by asking with dates only, and by a new token; both once
_STALLED_S = 1.0
_GRACE_S = 0.1  # between the instant that the daemon waits for and that at which the server notes the request


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its endpoint, when it came and when its answer ended, in seconds since the first one."""

    endpoint: str
    at: float
    ended: float
    status: int | None
    retry_after_s: float | None


def endpoint_of(exchange: Exchange) -> str:
    """Name an exchange's endpoint: `token`, `post`, `list`, `download`, `blob`."""
    path = exchange.path
    for end, name in (("/oauth2/token", "token"), ("/fullExport", "post"), ("/exports", "list")):
        if path.endswith(end):
            return name
    return "download" if "/downloads/" in path else "blob" if path.startswith("/blob/") else path


def read_journal(journal: Sequence[Exchange], server_skew: timedelta) -> list[Asked]:
    """Put what was noted into seconds since the first request."""
    if not journal:
        return []
    began = journal[0].asked_at

    def since(instant: datetime) -> float:
        return (instant - began).total_seconds()

    return [
        Asked(
            endpoint_of(noted),
            since(noted.asked_at),
            since(noted.ended_at or noted.asked_at),
            noted.status,
            _retry_after_s(noted, server_skew),
        )
        for noted in journal
    ]


def most_polls(seconds: float) -> int:
    """Say how often the list may be looked at while that many seconds pass, by the shortest waits there may be."""
    looks, at = 1, 0.0
    while at < seconds:
        at += SPREAD * shortest_wait(at)
        looks += 1
    return looks


def shortest_wait(elapsed_s: float) -> float:
    """Say how long the wait after that much of an attempt is, without its spread."""
    return min(max(FIRST_S, (FACTOR - 1) * elapsed_s), CEILING_S)


def most_requests(took_s: float, attempts: int, granted_s: float) -> dict[str, int]:
    """Say how often each endpoint may be asked at most.

    list: in each attempt six tries before the request, the looks that the pace allows, and after each broken transfer
    six tries to see whether the key is still there. post: six tries an attempt, each once more with a new token.
    download: as often as waits that double from half a second to half a minute allow in ten minutes, and for each of
    three transfers, with a new token each. token: one when the last one has ended or was refused, six tries at first;
    each other request may have asked for one in vain.

    Args:
        took_s: How long it all took.
        attempts: How many attempts there were.
        granted_s: How long a token is used.
    """
    attempts = max(attempts, 1)
    lists = attempts * (TRIES + TRIES * TRANSFERS) + most_polls(took_s) + (attempts - 1) * most_polls(0) + attempts
    posts = 2 * TRIES * attempts
    downloads = 2 * attempts * (TRANSFERS + _most_retries(FETCH_S))
    tokens = TRIES + lists + posts + downloads if took_s > granted_s else TRIES + 2 * TRIES * attempts + TRIES
    return {"list": lists, "post": posts, "download": downloads, "blob": downloads * 6, "token": tokens}


def longest(attempts: int, export_timeout: timedelta) -> timedelta:
    """Say how long a run may take: each attempt its time-out, its download, and the wait before the next one."""
    fetch = timedelta(seconds=FETCH_S + TRANSFERS * REQUEST_TIMEOUT_S + TRIES * (REQUEST_TIMEOUT_S + 30))
    first = timedelta(seconds=TRIES * (REQUEST_TIMEOUT_S + 30))
    return first + attempts * (export_timeout + fetch + timedelta(seconds=ATTEMPT_WAIT_S))


def too_soon(asked: Sequence[Asked], attempts_began: Iterable[float], *, timeout_s: float) -> list[str]:
    """Find the requests that came sooner than the pace allows, in words.

    The last look before an attempt's time is over may come sooner.

    Args:
        asked: Every request, in its order.
        attempts_began: When each attempt began, in seconds since the first request.
        timeout_s: How long an attempt may take.
    """
    plain = [each.at for each in asked if each.endpoint != "token"]
    # An attempt's waits count from its first request; what comes before it, as the first token, is no part of it.
    began = sorted(min((at for at in plain if at >= start - _GRACE_S), default=start) for start in attempts_began)
    last_looks = {
        place
        for place, each in enumerate(asked)
        if each.endpoint == "list" and any(abs(each.at - at - timeout_s) < _LAST_LOOK_S for at in began)
    }
    timely = [each for place, each in enumerate(asked) if place not in last_looks]
    return [*_polls_too_soon(timely, began), *_retries_too_soon(timely), *_retry_after_not_heeded(timely)]


def _polls_too_soon(asked: Sequence[Asked], began: list[float]) -> list[str]:
    """Look at each two looks of one attempt between which nothing else was asked for but tokens.

    The last look for a row comes when its time is over, and may come sooner: one in each attempt is let pass.
    """
    wrong = []
    spared: Counter[float] = Counter()
    plain = [each for each in asked if each.endpoint != "token"]
    posted = False
    for earlier, later in pairwise(plain):
        posted = earlier.endpoint == "post" or (posted and earlier.endpoint == "list")
        start = max((at for at in began if at <= earlier.at + _GRACE_S), default=0.0)
        between = any(earlier.at + _GRACE_S < at <= later.at + _GRACE_S for at in began)
        if not posted or between or (earlier.endpoint, later.endpoint) != ("list", "list") or _unauthorized(earlier):
            continue
        least = SPREAD * shortest_wait(earlier.at - start) - _GRACE_S
        if later.at - earlier.at < least:
            spared[start] += 1
            if spared[start] > 1:
                wrong.append(
                    f"a look at {later.at:.1f} s came {later.at - earlier.at:.2f} s after one, not {least:.2f}"
                )
    return wrong


def _retries_too_soon(asked: Sequence[Asked]) -> list[str]:
    """Look at each two requests of one endpoint of which the first one failed."""
    wrong = []
    for endpoint in {each.endpoint for each in asked}:
        for earlier, later in pairwise(each for each in asked if each.endpoint == endpoint):
            # The server sees late that whoever it kept waiting has gone.
            waited = later.at - (earlier.ended if earlier.ended - earlier.at < _STALLED_S else earlier.at)
            cured = earlier.status in _CURED_AT_ONCE
            if earlier.status != 200 and not cured and waited < LEAST_RETRY_S - _GRACE_S:
                wrong.append(f"{endpoint} at {later.at:.1f} s came {waited:.2f} s after one that failed")
    return wrong


def _retry_after_not_heeded(asked: Sequence[Asked]) -> list[str]:
    wrong = []
    for place, each in enumerate(asked):
        if not each.retry_after_s:
            continue
        next_one = next((later for later in asked[place + 1 :] if later.endpoint == each.endpoint), None)
        if (
            next_one is not None and next_one.at - each.at < each.retry_after_s - 1 - _GRACE_S
        ):  # dates are to the second
            wrong.append(
                f"{each.endpoint} was asked {next_one.at - each.at:.1f} s after it said {each.retry_after_s:.0f}"
            )
    return wrong


def _unauthorized(asked: Asked) -> bool:
    return asked.status == 401


def _most_retries(seconds: float) -> int:
    tries, at, wait = 1, 0.0, 0.5
    while at < seconds:
        at, wait, tries = at + wait / 2, min(wait * 2, 30.0), tries + 1
    return tries


def _retry_after_s(noted: Exchange, skew: timedelta) -> float | None:
    text = noted.retry_after
    if text is None:
        return None
    if text.lstrip("-").isdigit():
        return max(0.0, float(text))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until - skew - noted.asked_at).total_seconds())
