"""The workbook behind other users' exports: sound, and plainly not ours."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

from leanix_backup.simulator import schema
from leanix_backup.simulator.populate import made_fact_sheet, made_users
from leanix_backup.simulator.state import State, replaced
from leanix_backup.simulator.workbooks import write_cut
from leanix_backup.simulator.world import Cut

FOREIGN_NAME = "Somebody else's export"


def write_foreign(path: Path) -> None:
    """Write a workbook with a single Application, whose name says whose it is."""
    chance = random.Random(FOREIGN_NAME)
    at = datetime(2020, 1, 1, tzinfo=UTC)
    row = made_fact_sheet(State(0, made_users(chance)), chance, "Application", at=at, parent=None)
    row = replaced(row, schema.NAME, FOREIGN_NAME)
    fact_sheets = {kind: [row] if kind == "Application" else [] for kind in schema.FACT_SHEET_TYPES}
    write_cut(path, Cut(at, 0, fact_sheets, {kind: [] for kind in schema.RELATION_TYPES}, (), (), (), ()))
