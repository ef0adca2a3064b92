"""How long to wait: pure functions of what has passed, with chance as an argument.

All times are seconds of the monotonic clock. `spread` is chance: a number from -1 to 1, drawn by the caller.
"""

from __future__ import annotations

_POLL_SPREAD = 0.05
_RETRY_FIRST = 0.5
_RETRY_CEILING = 30.0
_SHIPMENT_FIRST = 60.0
_SHIPMENT_CEILING = 6 * 3600.0
_ATTEMPT_FIRST = 5.0
_ATTEMPT_CEILING = 60.0
_MOST_GROWTH = 32  # far beyond either ceiling, and far below what a float can't hold


def poll_wait(elapsed: float, *, first: float, factor: float, ceiling: float, spread: float) -> float:
    """Say how long to wait before the next look at an export that has been going on for `elapsed` seconds.

    The wait grows in proportion to what has passed, so that a finished export is found late by at most `factor - 1`
    of its own duration, between `first` and `ceiling`, give or take 5 %.
    """
    wait = min(max(first, (factor - 1) * elapsed), ceiling)
    return wait * (1 + _POLL_SPREAD * spread)


def retry_wait(tries: int, *, retry_after: float | None, spread: float) -> float:
    """Say how long to wait before a request is sent again after `tries` tries (counted from 1).

    What the server asked for (`retry_after`) is the least; else it doubles from half a second to half a minute,
    spread between half of it and all of it.
    """
    own = min(_RETRY_FIRST * 2.0 ** min(tries - 1, _MOST_GROWTH), _RETRY_CEILING) * (0.75 + 0.25 * spread)
    return max(own, retry_after or 0.0)


def attempt_wait(attempt: int, *, spread: float) -> float:
    """Say how long to wait before a new export is tried after attempt number `attempt` failed."""
    return min(_ATTEMPT_FIRST * 3.0 ** min(attempt - 1, _MOST_GROWTH), _ATTEMPT_CEILING) * (1 + 0.2 * spread)


def shipment_wait(tries: int, *, spread: float) -> float:
    """Say how long to wait before a destination that refused an artifact `tries` times is asked again.

    It doubles from a minute to six hours, give or take a tenth.
    """
    return min(_SHIPMENT_FIRST * 2.0 ** min(tries - 1, 20), _SHIPMENT_CEILING) * (1 + 0.1 * spread)
