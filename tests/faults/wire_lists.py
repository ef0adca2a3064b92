"""Faults of the list of exports: before the request, while our row is looked for, and while the export goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.faults.fault import ATTEMPTS, BROKEN, REFUSALS, SHORT, STATUSES, Fault

_ALWAYS = {"list_fault_times": -1}
_ODD = {
    "odd_rows": "rows that are no objects",
    "odd_ids": "ids that are numbers",
    "odd_statuses": "status null",
}


def first_lists() -> Iterator[Fault]:
    """The first list, before anything was asked for."""
    group = "first list"
    for name, switches, code, cured in _faults():
        once = Fault(group, f"{name}, once", switches)
        yield once if cured else once.fails(code)
        yield Fault(group, f"{name}, always", switches | _ALWAYS).fails(code)


def looks() -> Iterator[Fault]:
    """The looks for our row, and whether it is COMPLETED: one that fails is one that brought nothing."""
    for group, after in (("looking for the row", 1), ("mid-poll", 4)):
        for name, switches, code, _ in _faults():
            there = {**switches, "duration_s": 100.0, "list_fault_after": after}
            yield Fault(group, f"{name}, once", there).stored(attempts=1)
            yield Fault(group, f"{name}, always", there | _ALWAYS, SHORT).fails(code, exports=1)
    group = "looking for the row"
    for how, name in _ODD.items():
        there = {"list_fault": how, "duration_s": 100.0, "list_fault_after": 1}
        yield Fault(group, f"{name}, once", there).stored(attempts=1)
        always = Fault(group, f"{name}, always", there | _ALWAYS, SHORT)
        yield always.fails("export_not_found", attempts=ATTEMPTS, exports=ATTEMPTS)


def _faults() -> Iterator[tuple[str, dict[str, Any], str, bool]]:
    for status, code in STATUSES.items():
        yield str(status), {"list_fault": "status", "list_fault_status": status}, code, status not in REFUSALS
    for how, (name, code) in BROKEN.items():
        yield name, {"list_fault": how}, code, how != "odd_types"
