"""One point of the crash matrix: a real process dies there, another one starts, and rules must hold.

The rules. Every run that the ledger knows has ended well and has exactly one backup at each destination, and nothing
else lies there. There is one run: the second process went on with what the first had left, or began the only one. Only
where the first process died *after* its run had ended in the ledger are there two, since the second command was then
asked for a backup of its own. A file at a destination is, bit for bit, what the server handed out for the export that
its manifest names. The spool is empty. The server was asked for one export more than without the crash at most, and for
none more where what the first process had started could still be used: its key unspent, or its file whole in the spool.
An old backup that retention does not keep is gone, file and manifest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leanix_backup.model import ExportType
from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread
from tests.faults import look, shim
from tests.faults.relay import Aim, Relay, relaying
from tests.support import installed
from tests.support.backups import made

_OTHER_VOLUME = Path("/dev/shm")
_DIES_WITHIN_S = 60.0
_PADDING_BYTES = 2_300_000  # so that a download's half fills a block of the spool
_MOST_KEYS = 2
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process dies: at a counted step, or during an exchange.

    `late`: the next one starts an hour later by the server's clock, when every export that was left has gone.
    `then`: the next one dies, too, before that step; where it has fewer steps it ends well.
    """

    export: ExportType
    step: int | None = None
    when: str = "before"
    aim: Aim | None = None
    late: bool = False
    then: int | None = None


@dataclass(slots=True)
class Verdict:
    """What came of a point.

    Attributes:
        kind: What kind of point it was, for the table: `fsync ledger`, `POST`.
        reached: Whether the process died there, by SIGKILL.
        wrong: Every rule that was broken, in words.
    """

    point: Point
    kind: str = "not reached"
    reached: bool = False
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scene:
    """A fresh folder, a fresh server, and a configuration with two destinations."""

    folder: Path
    other: Path
    leanix: SimulatedLeanixThread
    relay: Relay
    env: dict[str, str]

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def destinations(self) -> tuple[Path, Path]:
        return self.folder / "backups", self.other / "backups"

    @property
    def roots(self) -> tuple[Path, Path]:
        return self.folder, self.other


@contextmanager
def scene(exports: str, *, aim: Aim | None = None, more: Mapping[str, str] | None = None) -> Iterator[Scene]:
    """Set a scene; everything of it is removed afterwards. `more` is for `installed.environment`."""
    elsewhere = _OTHER_VOLUME if os.access(_OTHER_VOLUME, os.W_OK) else None
    settings = SimulatorSettings(fact_sheets=8, changes_per_hour=2, history=timedelta(days=2))
    switches = Switches(duration_s=0.0, padding_bytes=_PADDING_BYTES)
    with (
        tempfile.TemporaryDirectory(prefix="crash-") as folder,
        tempfile.TemporaryDirectory(prefix="crash-", dir=elsewhere) as other,
        simulated_leanix_thread(settings, switches) as leanix,
        relaying(leanix.url, aim) as relay,
    ):
        said = {
            "DESTINATIONS__OTHER__TYPE": "local",
            "DESTINATIONS__OTHER__PATH": str(Path(other) / "backups"),
            "DEFAULTS__DESTINATIONS": "disk,other",
            "DEFAULTS__EXPORT_TIMEOUT": "9s",  # a third of it is how long a row is looked for that may not be there
            "DEFAULTS__ATTEMPTS": "3",
            "DEFAULTS__RETENTION": '{"keep_within": "1d"}',
            "LOG__FORMAT": "json",
        }
        env = installed.environment(Path(folder), relay.url, exports=exports, **(said | dict(more or {})))
        yield Scene(Path(folder), Path(other), leanix, relay, env)


def count_steps(export: ExportType, library: Path) -> tuple[list[shim.Step], list[str]]:
    """Run once without dying: the steps there are, and the exchanges."""
    with scene(export.value) as here:
        _lay_an_old_one(here, export)
        log = here.folder.with_name(here.folder.name + ".steps")
        try:
            done = installed.run(
                "backup", export.value.lower(), env=shim.aimed(here.env, here.roots, log, shim.Aim(library))
            )
            if done.status != 0:
                raise RuntimeError(f"a backup without a crash failed: {done.err}")
            return shim.steps(log), list(here.relay.exchanges)
        finally:
            log.unlink(missing_ok=True)


def try_point(point: Point, library: Path) -> Verdict:
    """Let a process die at a point, start another one, and hold what is then against the rules."""
    verdict = Verdict(point)
    job = point.export.value.lower()
    with scene(point.export.value, aim=point.aim) as here:
        _lay_an_old_one(here, point.export)
        said = _die(here, job, shim.Aim(library, point.step, point.when), verdict)
        if point.then is not None:
            said += _die(here, job, shim.Aim(library, point.then, "before"), Verdict(point))
        died_with = {run.run_id: run.outcome for run in look.runs(here.state_dir)}
        if point.late:
            here.leanix.clock.advance(_HOUR_S)
        in_hand = None in died_with.values() and _usable(here, late=point.late)
        most = here.leanix.counters["exports_started"] + (0 if in_hand else 1)
        again = installed.run("backup", job, env=here.env)
        if again.status != 0:
            verdict.wrong.append(f"the next start ended with {again.status}: {again.err[-1500:]}")
        finished = Counter(line["run_id"] for line in said + again.events if line["event"] == "run_finished")
        verdict.wrong += _broken_rules(here, died_with, finished)
        if here.leanix.counters["exports_started"] > most:
            verdict.wrong.append(f"{here.leanix.counters['exports_started']} exports were started, not {most}")
        if here.leanix.counters["keys_spent"] > _MOST_KEYS + (point.then is not None):
            verdict.wrong.append(f"{here.leanix.counters['keys_spent']} keys were spent")
    return verdict


def check_left(here: Scene) -> list[str]:
    """Hold what lies around against the rules that know nothing of a crash; every run must have ended."""
    wrong = [f"{name} is in the spool" for name in look.spool(here.state_dir)]
    wrong += [f"{name} was set aside" for name in look.set_aside(here.state_dir)]
    known = {run.run_id: run.outcome for run in look.runs(here.state_dir)}
    wrong += [
        f"run {run_id} is {outcome or 'unfinished'}" for run_id, outcome in known.items() if outcome != "succeeded"
    ]
    served = {export.id: here.relay.served.get(export.key) for export in here.leanix.default.book.exports if export.key}
    for folder in here.destinations:
        found, strange = look.copies(folder)
        wrong += strange
        held = Counter(copy.run_id for copy in found)
        wrong += [f"run {run_id} has {held[run_id]} backups at {folder}" for run_id in known if held[run_id] != 1]
        wrong += [
            f"{folder} has a backup of {run_id}, which the ledger does not know" for run_id in held.keys() - known
        ]
        wrong += [
            f"{copy.key} is not what was handed out" for copy in found if served.get(copy.export_id) != copy.sha256
        ]
    return wrong


def _lay_an_old_one(here: Scene, export: ExportType) -> None:
    """Have the run prune: a backup of last month lies at both destinations, which no run of this ledger made."""
    if export is ExportType.AUDIT_LOG:  # it would say what is held
        return
    old = made("0ddba11e", export=export, taken_at=datetime.now(UTC) - timedelta(days=30))

    def of_this_workspace(said: dict[str, Any]) -> None:
        said["workspace"]["id"] = here.leanix.workspace_id

    for folder in here.destinations:
        old.with_manifest(of_this_workspace).lay(folder)


def _broken_rules(here: Scene, died_with: dict[str, str | None], finished: Counter[str]) -> list[str]:
    wrong = check_left(here)
    known = {run.run_id for run in look.runs(here.state_dir)}
    ended_before = {run_id for run_id, outcome in died_with.items() if outcome is not None}
    if missing := died_with.keys() - known:
        wrong.append(f"the ledger forgot {missing}")
    if len(known) != 1 + len(ended_before):
        wrong.append(f"{len(known)} runs, of which {len(ended_before)} had ended when the process died")
    # The line is written right before the ledger's: a process that dies between them leaves it to be written again.
    wrong += [
        f"run_finished of {run_id} was written {finished[run_id]} times"
        for run_id in known
        if not 1 <= finished[run_id] <= 2
    ]
    return wrong


def _die(here: Scene, job: str, aim: shim.Aim, verdict: Verdict) -> list[dict[str, Any]]:
    """Start a process that dies; return the events that it wrote."""
    log = here.folder.with_name(here.folder.name + ".steps")
    try:
        with subprocess.Popen(
            [installed.COMMAND, "backup", job],
            env=shim.aimed(here.env, here.roots, log, aim),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            here.relay.victim = process.pid
            _, err = process.communicate(timeout=_DIES_WITHIN_S)
            here.relay.victim = None
        verdict.reached = process.returncode == -signal.SIGKILL
        if verdict.reached and here.relay.killed_during is not None:
            verdict.kind = kind_of_exchange(here.relay.killed_during)
        elif verdict.reached:
            verdict.kind = kind_of_step(next(step for step in shim.steps(log) if step.number == aim.at), here)
        elif process.returncode != 0:
            verdict.wrong.append(f"it was not killed, and ended with {process.returncode}: {err[-1500:]}")
        return installed.parse_events(err[: err.rfind("\n") + 1])  # its last line may be half a line
    finally:
        log.unlink(missing_ok=True)


def kind_of_step(step: shim.Step, here: Scene) -> str:
    """Say what a step was done to, in the words of the table."""
    names = {"ledger.sqlite": "ledger", "ledger.sqlite-journal": "ledger journal"}
    place = "state_dir"
    if step.path.name in names:
        place = names[step.path.name]
    elif here.state_dir / "spool" in (step.path, *step.path.parents):
        place = "spool"
    elif "backups" in step.path.parts:
        folder = not step.path.suffix
        place = (
            "folder at a destination"
            if folder
            else "partial at a destination"
            if step.path.name[0] == "."
            else "file at a destination"
        )
    return f"{step.kind} {place}"


def kind_of_exchange(what: str) -> str:
    """Say what an exchange was, in the words of the table."""
    method, _, path = what.partition(" ")
    for end, name in (("/token", "token"), ("/fullExport", "request"), ("/exports", "list")):
        if path.endswith(end):
            return f"HTTP {name}"
    return "HTTP download" if "/downloads/" in path else f"HTTP {method}"


def _usable(here: Scene, *, late: bool) -> bool:
    """Say whether the process that died had started something that can still be used."""
    unspent = not late and any(not export.spent for export in here.leanix.default.book.exports if export.user is None)
    return unspent or any(name.endswith(".xlsx") for name in look.spool(here.state_dir))
