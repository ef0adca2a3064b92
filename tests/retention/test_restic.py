"""A short pass of the oracle; the whole of it: `python -m tests.retention.oracle`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.retention.oracle import compare
from tests.retention.restic import why_not

_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


def test_restic_would_keep_the_same(tmp_path: Path) -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    tally = compare(tmp_path, policies=24, seed=20261122, zones=_ZONES)
    assert tally.policies == 24
    assert tally.thinned > tally.sets / 2, "most sets lose something, or little was compared"
    assert not tally.differences, "\n".join(map(str, tally.differences))
