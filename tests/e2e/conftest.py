"""A simulated LeanIX for each test, in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread


@pytest.fixture
def leanix() -> Iterator[SimulatedLeanixThread]:
    """A small workspace in which nothing changes any more, with quick exports."""
    settings = SimulatorSettings(fact_sheets=40, changes_per_hour=2, history=timedelta(days=10))
    with simulated_leanix_thread(settings, Switches(duration_s=0.2)) as server:
        yield server
