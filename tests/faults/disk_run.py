"""Run the real command on a disk with a fault, then once more with the fault mended."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread
from tests.faults import look, pace
from tests.faults.disk_faults import DiskFault
from tests.faults.fault import FAILED, STORED, Verdict
from tests.faults.fault_rules import DOCUMENTED
from tests.faults.fault_run import secrets_of, written_by
from tests.faults.front import fronting
from tests.faults.place import Place, placed
from tests.support import installed
from tests.support.skipped_time import SkippedTime

_ENDS_WITHIN_S = 120.0
_PATHS = {"SPOOL__PATH", "STATE_DIR"}
_SAID = re.compile(r"\[([a-z_]+)\]")


@dataclass(slots=True)
class _Scene:
    """A place, a server, and what was there before anything went wrong."""

    fault: DiskFault
    place: Place
    leanix: SimulatedLeanixThread
    since: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    acted: bool = False
    mishaps: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Count from here."""
        self.since, self.counted = len(self.leanix.journal), Counter(self.leanix.counters)

    def requests(self) -> Counter[str]:
        """Count the requests to each endpoint."""
        return Counter(pace.endpoint_of(noted) for noted in self.leanix.journal[self.since :])

    def counter(self, name: str) -> int:
        """Say what a counter of the server has gone up by."""
        return int(self.leanix.counters[name]) - self.counted[name]

    def act_if_due(self) -> bool:
        """Do what is to be done in the midst of the run; asked before each answer, which always goes out."""
        if self.fault.at is not None and not self.acted and self.requests()[self.fault.at[0]] >= self.fault.at[1]:
            self.acted = True
            try:
                self.fault.act(self.place)
            except subprocess.CalledProcessError as error:
                self.mishaps.append(f"the fault could not be made: {error.stderr}")
        return False

    def back_up(self, env: dict[str, str]) -> installed.Result:
        """Run the command."""
        done = subprocess.run(
            self.place.command(installed.COMMAND, "backup", "snapshot", "--json"),
            env=env,
            capture_output=True,
            text=True,
            timeout=_ENDS_WITHIN_S,
            check=False,
        )
        return installed.Result(done.returncode, done.stdout, done.stderr)

    def spool(self) -> list[str]:
        """Say what lies in the spool."""
        folder = self.place.view(self.place.folder / self.fault.settings.get("SPOOL__PATH", "state/spool"))
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def stored(self) -> tuple[list[look.Copy], list[str]]:
        """Find the backups at the destination, and what else lies there; nothing where nobody may look."""
        with suppress(PermissionError):
            return look.copies(self.place.view(self.place.folder / "backups"))
        return [], []


def build_slow_disk(folder: Path) -> Path:
    """Compile the shim that makes a disk slow into a folder."""
    library = folder / "slow_disk.so"
    options = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    command: list[str | Path] = ["cc", *options, "-o", library, Path(__file__).with_name("slow_disk.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return library


def run_disk_fault(fault: DiskFault, folder: Path, slow_disk: Path) -> Verdict:
    """Run one fault in an empty folder; `slow_disk` is the shim for those disks that are slow."""
    verdict = Verdict(fault.group, fault.name)
    switches = Switches(duration_s=30.0)
    switches.merge(dict(fault.switches))
    world = SimulatorSettings(fact_sheets=8, changes_per_hour=2.0, history=timedelta(days=2))
    with (
        SkippedTime() as skipped,
        simulated_leanix_thread(world, switches, timing=skipped.timing) as leanix,
        placed(folder, fault.volumes) as place,
    ):
        scene = _Scene(fault, place, leanix)
        with fronting(leanix.url, working=skipped.busy, shuts=scene.act_if_due) as front:
            env = _environment(fault, folder, front.url) | skipped.env()
            if fault.earlier:
                scene.acted = True
                done = scene.back_up(env)
                scene.acted = False
                verdict.wrong += [] if done.status == 0 else [f"before the fault, it ended so: {done.err[-1500:]}"]
            fault.before(place)
            for _ in range(fault.again):
                verdict.wrong += [] if scene.back_up(env).status == 1 else ["a run with the fault did not fail"]
            scene.begin()
            began = skipped.monotonic()
            first = scene.back_up(env | _slow(fault, folder, slow_disk, env))
            verdict.took_s = skipped.monotonic() - began
            verdict.requests = scene.requests()
            verdict.exports, verdict.keys = scene.counter("exports_started"), scene.counter("keys_spent")
            _judge_first(scene, verdict, first)
            fault.mend(place)
            switches.merge(dict(fault.mended))
            second = scene.back_up(env)
        verdict.wrong += scene.mishaps + _judge_second(scene, second)
        verdict.secrets = secrets_of(leanix)
        verdict.written = written_by(place.view(folder), first, second)
    verdict.wrong += [f"{secret[:12]}… was written" for secret in verdict.secrets if secret.encode() in verdict.written]
    return verdict


def _environment(fault: DiskFault, folder: Path, url: str) -> dict[str, str]:
    said = {"DEFAULTS__POLL": "", "DEFAULTS__ATTEMPTS": "", "LOG__LEVEL": "debug", "LOG__FORMAT": "json"}
    said |= {name: str(folder / value) if name in _PATHS else value for name, value in fault.settings.items()}
    return installed.environment(folder, url, **said)


def _slow(fault: DiskFault, folder: Path, slow_disk: Path, env: dict[str, str]) -> dict[str, str]:
    if not fault.slow:
        return {}
    return dict(fault.slow) | {"SLOW_ROOT": str(folder), "LD_PRELOAD": f"{slow_disk}:{env['LD_PRELOAD']}"}


def _judge_first(scene: _Scene, verdict: Verdict, done: installed.Result) -> None:
    fault, wrong = scene.fault, verdict.wrong
    if done.out:
        (run,) = done.report["runs"]
        verdict.outcome, verdict.attempts = run["outcome"], run["attempts"]
        if run["error"]:
            verdict.code, verdict.hint = run["error"]["code"], run["error"]["hint"]
    else:  # what can't even begin has no run
        verdict.outcome = FAILED if done.status == 1 else str(done.status)
        verdict.code, verdict.hint = _said(done.err)
    if verdict.outcome != fault.outcome or done.status != {STORED: 0, FAILED: 1}[fault.outcome]:
        wrong.append(f"it {verdict.outcome} ({verdict.code}) with {done.status}: {done.err[-1500:]}")
    elif fault.codes and verdict.code not in fault.codes:
        wrong.append(f"its code is {verdict.code}, not {' or '.join(sorted(fault.codes))}: {done.err[-800:]}")
    if verdict.outcome == FAILED and (not verdict.hint or verdict.code not in DOCUMENTED):
        wrong.append(f"{verdict.code} is no error with a hint that a user is told of")
    if "Traceback" in done.err:
        wrong.append(f"a traceback: {done.err[-1500:]}")
    if verdict.exports > fault.exports or verdict.keys > fault.keys:
        wrong.append(f"{verdict.exports} exports and {verdict.keys} keys, not {fault.exports} and {fault.keys}")
    kept = scene.spool()
    if len(kept) != fault.kept or any(not name.endswith(".xlsx") for name in kept):
        wrong.append(f"in the spool are {kept}")
    if fault.outcome == FAILED:
        found, strange = scene.stored()
        wrong += [f"{copy.key} is at the destination" for copy in found[fault.earlier :]]
        wrong += [] if fault.orphans else strange


def _judge_second(scene: _Scene, done: installed.Result) -> list[str]:
    fault, wrong = scene.fault, []
    if done.status != 0:
        wrong.append(f"mended, it ended with {done.status}: {done.out[-300:]} {done.err[-1500:]}")
    found, strange = scene.stored()
    wrong += strange
    if len(found) != fault.stored:
        wrong.append(f"mended, {len(found)} backups are stored, not {fault.stored}")
    exports = {export.id: export for export in scene.leanix.default.book.exports}
    for copy in found:
        file = exports[copy.export_id].file
        if file is None or hashlib.sha256(file.read_bytes()).hexdigest() != copy.sha256:
            wrong.append(f"{copy.key} is not what was handed out")
    if scene.counter("exports_started") > fault.all_exports:
        wrong.append(f"{scene.counter('exports_started')} exports were started in all, not {fault.all_exports}")
    return wrong + [f"{name} is in the spool after all" for name in scene.spool()]


def _said(err: str) -> tuple[str, str]:
    """Find the code and the hint of a command that could not begin."""
    code = _SAID.search(err)
    hint = next((line.partition("hint:")[2].strip() for line in err.splitlines() if "hint:" in line), "")
    return (code[1] if code else ""), hint
