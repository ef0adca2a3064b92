"""The crash matrix, thinned: every export, every kind of point now and then. The whole of it: `make crash-matrix`."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanix_backup.model import ExportType
from tests.faults import shim
from tests.faults.crash import explain, points_of, thinned, try_points

# It shares no divisor with the ten points of each step of the ledger, so that all their phases are met; each export
# begins elsewhere, so that the three together are three times as dense.
_EVERY = 47


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (reason := shim.why_not()) is not None:
        pytest.skip(reason)
    return shim.build(tmp_path_factory.mktemp("shim"))


@pytest.mark.timeout(300)  # some thirty processes, which take their time where others use the machine
@pytest.mark.parametrize(
    ("export", "begin"), [(ExportType.SNAPSHOT, 0), (ExportType.AUDIT_LOG, 9), (ExportType.ARCHIVE, 18)]
)
def test_killed_anywhere_the_next_start_leaves_what_should_be_there(
    export: ExportType, begin: int, library: Path
) -> None:
    points = thinned(points_of(export, library), _EVERY, begin)
    verdicts = list(try_points(points, library, at_once=2))
    assert not [explain(verdict) for verdict in verdicts if verdict.wrong]
    missed = [verdict.point for verdict in verdicts if not verdict.reached]
    assert len(missed) <= 1, f"of the points that were counted these were not reached: {missed}"
