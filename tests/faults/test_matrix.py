"""The fault matrix, thinned: some faults of each kind. The whole of it: `make fault-matrix`."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest

from tests.faults import pace, place
from tests.faults.disk_faults import DiskFault, disk_faults
from tests.faults.disk_run import build_slow_disk, run_disk_fault
from tests.faults.fault import FAILED, Fault
from tests.faults.fault_rules import DOCUMENTED
from tests.faults.fault_run import run_fault
from tests.faults.pace import Asked
from tests.faults.wire_faults import wire_faults
from tests.support import skipped_time

# Those that found something once, and those that go through the most.
_WIRE = {
    ("connection refused", "for 3 min mid-poll"),
    ("token", "expires each minute"),
    ("POST", "closed without an answer though it worked, once"),
    ("looking for the row", "400, always"),
    ("download", "404, once"),
    ("transfer", "reset mid-body, key spent, once"),
    ("redirect", "from https to http, key unspent"),
    ("Retry-After", "429 at mid-poll, Retry-After: a date in 40 s"),
}
_DISK = {
    ("destination", "full"),
    ("spool", "spool.max_size is reached by what can't be shipped"),
}


F = TypeVar("F", Fault, DiskFault)


def _thinned(faults: list[F], names: set[tuple[str, str]]) -> list[F]:
    found = [fault for fault in faults if (fault.group, fault.name) in names]
    assert len(found) == len(names), "every name is that of a fault"
    return found


needs_the_shim = pytest.mark.skipif(skipped_time.why_not() is not None, reason=skipped_time.why_not() or "")
needs_volumes = pytest.mark.skipif(place.why_not() is not None, reason=place.why_not() or "")


@pytest.fixture(scope="module")
def slow_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_slow_disk(tmp_path_factory.mktemp("slow-disk"))


@needs_the_shim
@pytest.mark.parametrize("fault", _thinned(wire_faults(), _WIRE), ids=lambda fault: f"{fault.group}-{fault.name}")
def test_a_fault_of_the_wire(fault: Fault, tmp_path: Path) -> None:
    assert run_fault(fault, tmp_path).wrong == []


@needs_the_shim
@needs_volumes
@pytest.mark.parametrize("fault", _thinned(disk_faults(), _DISK), ids=lambda fault: f"{fault.group}-{fault.name}")
def test_a_fault_of_a_disk(fault: DiskFault, tmp_path: Path, slow_disk: Path) -> None:
    assert run_disk_fault(fault, tmp_path, slow_disk).wrong == []


@needs_the_shim
def test_whoever_judges_sees_what_is_wrong(tmp_path: Path) -> None:
    """A backup that nothing disturbed, held against what must come of a fault."""
    none = wire_faults()[0]
    verdict = run_fault(none.fails("timeout", attempts=3), tmp_path)
    assert verdict.outcome == "succeeded"
    said = "; ".join(verdict.wrong)
    for what in ("it succeeded (no error), and should have failed", "1 attempts, not 3", "1 exports", "1 keys"):
        assert what in said
    assert verdict.secrets
    assert verdict.written


def test_every_fault_has_a_name_of_its_own_and_codes_that_users_are_told_of() -> None:
    faults: list[Fault | DiskFault] = [*wire_faults(), *disk_faults()]
    assert len({(fault.group, fault.name) for fault in faults}) == len(faults)
    assert all(fault.codes <= DOCUMENTED for fault in faults)
    assert all(bool(fault.codes) == (fault.outcome == FAILED) for fault in faults)


class TestPace:
    """What is held against the pace is seen where it is too fast, and let pass where it is not."""

    def _looks(self, *at: float, status: int = 200) -> list[Asked]:
        start = [Asked("list", 0.0, 0.0, 200, None), Asked("post", 0.1, 0.1, 200, None)]
        return start + [Asked("list", when, when, status, None) for when in at]

    def test_looks_as_promised(self) -> None:
        looks = self._looks(0.2, 2.2, 4.3, 6.2, 8.2, 10.2, 12.4)
        assert pace.too_soon(looks, [0.0], timeout_s=600) == []

    def test_looks_too_soon(self) -> None:
        looks = self._looks(0.2, 2.2, 3.2, 4.2, 104.2, 106.2)
        wrong = pace.too_soon(looks, [0.0], timeout_s=600)
        assert len(wrong) == 2, "one that is early may be the last one for the row"
        assert "a look at 106.2 s came 2.00 s after one, not 19.70" in wrong

    def test_the_last_look_may_be_early_and_a_new_attempt_begins_anew(self) -> None:
        assert pace.too_soon(self._looks(0.2, 2.2, 500.0, 560.0, 600.0), [0.0], timeout_s=600) == []
        again = [Asked("post", 610.0, 610.0, 200, None), Asked("list", 610.1, 610.1, 200, None)]
        again.append(Asked("list", 612.1, 612.1, 200, None))
        assert pace.too_soon(self._looks(0.2, 2.2, 500.0) + again, [0.0, 609.9], timeout_s=600) == []

    def test_what_failed_is_not_asked_again_at_once(self) -> None:
        failed = Asked("download", 5.0, 5.0, 503, None)
        assert pace.too_soon([failed, Asked("download", 5.1, 5.1, 200, None)], [0.0], timeout_s=600) != []
        assert pace.too_soon([failed, Asked("download", 5.4, 5.4, 200, None)], [0.0], timeout_s=600) == []

    def test_retry_after_is_heeded(self) -> None:
        limited = Asked("post", 5.0, 5.0, 429, 40.0)
        assert pace.too_soon([limited, Asked("post", 35.0, 35.0, 200, None)], [0.0], timeout_s=600) != []
        assert pace.too_soon([limited, Asked("post", 45.0, 45.0, 200, None)], [0.0], timeout_s=600) == []

    def test_most_polls_by_hand(self) -> None:
        """Two seconds less a twentieth each, until a fifth of what has passed is more than that."""
        assert pace.most_polls(1.0) == 2
        assert pace.most_polls(10.0) == 7
        assert pace.most_polls(4 * 3600.0) < 300
