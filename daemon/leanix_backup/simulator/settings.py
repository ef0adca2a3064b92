"""What a simulated LeanIX is started with."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

DEFAULT_API_TOKEN = "simulated-api-token"  # noqa: S105  (opens nothing but a simulated workspace on loopback)


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    """One simulated workspace.

    Attributes:
        name: Its name; part of its world's seed, so that two workspaces differ.
        api_token: The API token of its technical user: what tells workspaces on one server apart.
        id: The workspace's id; made from name and seed when empty.
        seed: Same seed, sizes, rate and start: same world.
        fact_sheets: Active fact sheets at the beginning of the history, 0 to 200,000.
        changes_per_hour: How often something happens in the world, on average.
        history: How long the world had been changing before the server's start.
        archiving: Whether fact sheets are ever archived; without it the ARCHIVE export has no rows.
        columns: Columns of a fact-sheet sheet at least; custom fields fill it up.
    """

    name: str = "simulated"
    api_token: str = DEFAULT_API_TOKEN
    id: str = ""
    seed: int = 1
    fact_sheets: int = 200
    changes_per_hour: float = 3.0
    history: timedelta = timedelta(days=45)
    archiving: bool = True
    columns: int = 0

    @property
    def workspace_id(self) -> str:
        """The id that LeanIX would give it."""
        return self.id or self.made_id("workspace")

    @property
    def user_id(self) -> str:
        """The id of its technical user."""
        return self.made_id("technical user")

    @property
    def row_user_id(self) -> str:
        """The id that rows carry where the switch `row_user` says `other_id`."""
        return self.made_id("technical user in rows")

    def made_id(self, what: str) -> str:
        """Make an id that is always the same for this workspace and `what`."""
        chance = random.Random(f"{self.seed}/{self.name}/{what}")
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """The server, and its workspaces.

    Where `workspaces` is empty there is one, made of the settings below it.

    Attributes:
        port: 0 takes a free one.
        host: Loopback only, since nothing here is secret.
        speed: Seconds of world time per second of ours.
        skew: How far the server's clock is off.
        start: World time at the start; by default now.
        admin: Whether `/admin` is there.
        workspaces: Several workspaces, told apart by their API tokens.
    """

    port: int = 0
    host: str = "127.0.0.1"
    speed: float = 1.0
    skew: timedelta = timedelta()
    start: datetime | None = None
    admin: bool = True
    workspaces: tuple[WorkspaceSettings, ...] = ()
    api_token: str = DEFAULT_API_TOKEN
    seed: int = 1
    fact_sheets: int = 200
    changes_per_hour: float = 3.0
    history: timedelta = timedelta(days=45)
    archiving: bool = True
    columns: int = 0
    default: WorkspaceSettings = field(init=False)

    def __post_init__(self) -> None:
        made = WorkspaceSettings(
            api_token=self.api_token,
            seed=self.seed,
            fact_sheets=self.fact_sheets,
            changes_per_hour=self.changes_per_hour,
            history=self.history,
            archiving=self.archiving,
            columns=self.columns,
        )
        object.__setattr__(self, "default", self.workspaces[0] if self.workspaces else made)

    @property
    def all_workspaces(self) -> tuple[WorkspaceSettings, ...]:
        """Every workspace; the first one is the server's own default."""
        return self.workspaces or (self.default,)
