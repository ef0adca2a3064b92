"""A simulated LeanIX: a real HTTP server over a simulated world, for the demo, for drills and for tests.

    async with SimulatedLeanix(SimulatorSettings(fact_sheets=500)) as sim:
        ...  # sim.url, sim.api_token, sim.switches, sim.clock, sim.counters

Needs the extra `demo`. It knows nothing of this project but its vocabulary, so that it can't share its mistakes.
"""

from leanix_backup.simulator.clock import SimClock
from leanix_backup.simulator.replies import Exchange
from leanix_backup.simulator.server import SimulatedLeanix, SimulatedLeanixThread, simulated_leanix_thread
from leanix_backup.simulator.settings import DEFAULT_API_TOKEN, SimulatorSettings, WorkspaceSettings
from leanix_backup.simulator.switches import SwitchError, Switches
from leanix_backup.simulator.timing import Timing

__all__ = [
    "DEFAULT_API_TOKEN",
    "Exchange",
    "SimClock",
    "SimulatedLeanix",
    "SimulatedLeanixThread",
    "SimulatorSettings",
    "SwitchError",
    "Switches",
    "Timing",
    "WorkspaceSettings",
    "simulated_leanix_thread",
]
