"""The rules that hold whatever goes wrong: never a success without a whole file, never a failure without a reason."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from leanix_backup.simulator import SimulatedLeanixThread
from tests.faults import look, pace
from tests.faults.fault import FAILED, PARTIAL, STORED, Fault, Verdict
from tests.support import installed

_STATUS = {STORED: 0, FAILED: 1, PARTIAL: 3}
_ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
DOCUMENTED = frozenset(re.findall(r"`([a-z_0-9]+)`", _ERRORS.read_text())) - {"internal_error"}
_NEW_ATTEMPT = "a new attempt"
_TOKEN_MARGIN_S = 60.0
_GRACE_S = 5.0  # a process needs some time that is not skipped


@dataclass(frozen=True, slots=True)
class Scene:
    """A command that has ended, and where."""

    fault: Fault
    folder: Path
    leanix: SimulatedLeanixThread
    done: installed.Result


def judge(scene: Scene, verdict: Verdict) -> None:
    """Fill in what came of it, and every rule that was broken."""
    try:
        events = installed.parse_events(scene.done.err)
        (run,) = scene.done.report["runs"]
    except (AssertionError, ValueError, KeyError) as error:
        verdict.wrong.append(
            f"it said what nobody expects ({error!r:.200}): {scene.done.out[-300:]}{scene.done.err[-1500:]}"
        )
        return
    verdict.outcome, verdict.attempts = run["outcome"], run["attempts"]
    if run["error"]:
        verdict.code, verdict.hint = run["error"]["code"], run["error"]["hint"]
    verdict.exports = scene.leanix.counters["exports_started"]
    verdict.keys = scene.leanix.counters["keys_spent"]
    verdict.requests = Counter(pace.endpoint_of(noted) for noted in scene.leanix.journal)
    verdict.wrong += _as_expected(scene.fault, verdict)
    verdict.wrong += _agreed(scene, run, events)
    verdict.wrong += _left_behind(scene, run)
    verdict.wrong += _in_time(scene, events, verdict)


def _as_expected(fault: Fault, verdict: Verdict) -> list[str]:
    wrong = []
    if verdict.outcome != fault.outcome:
        wrong.append(f"it {verdict.outcome} ({verdict.code or 'no error'}), and should have {fault.outcome}")
    elif (fault.codes or verdict.code) and verdict.code not in fault.codes:
        wrong.append(f"its code is {verdict.code or 'none'}, not {' or '.join(sorted(fault.codes)) or 'none'}")
    if fault.attempts is not None and verdict.attempts != fault.attempts:
        wrong.append(f"{verdict.attempts} attempts, not {fault.attempts}")
    if verdict.exports > min(fault.exports, max(verdict.attempts, 1)):
        wrong.append(f"{verdict.exports} exports were started in {verdict.attempts} attempts, not {fault.exports}")
    if verdict.keys > min(fault.keys, max(verdict.attempts, 1)):
        wrong.append(f"{verdict.keys} keys were spent in {verdict.attempts} attempts, not {fault.keys}")
    return wrong


def _agreed(scene: Scene, run: dict[str, Any], events: list[dict[str, Any]]) -> list[str]:
    """Hold exit status, report, log and ledger against each other."""
    wrong = []
    outcome, error = run["outcome"], run["error"] or {"code": None, "hint": None}
    if scene.done.status != _STATUS.get(outcome):
        wrong.append(f"it {outcome}, and the exit status is {scene.done.status}")
    finished = [line for line in events if line["event"] == "run_finished"]
    told = [(line["outcome"], line.get("error_code"), line["attempts"]) for line in finished]
    if told != [(outcome, error["code"], run["attempts"])]:
        wrong.append(f"run_finished says {told}")
    noted = [each.outcome for each in look.runs(scene.folder / "state")]
    if noted != [outcome] and not (outcome == FAILED and not noted and run["attempts"] == 0):
        wrong.append(f"the ledger says {noted}")
    if outcome == FAILED:
        if error["code"] not in DOCUMENTED:
            wrong.append(f"{error['code']} is no error that a user is told of")
        if not error["hint"]:
            wrong.append(f"{error['code']} comes without a hint")
    if "Traceback" in scene.done.err:
        wrong.append(f"a traceback: {scene.done.err[-1500:]}")
    return wrong


def _left_behind(scene: Scene, run: dict[str, Any]) -> list[str]:
    """Look at destination and spool: a whole file that the server handed out, or nothing at all."""
    found, wrong = look.copies(scene.folder / "backups")
    wrong += [f"{name} is in the spool" for name in look.spool(scene.folder / "state")]
    if run["outcome"] == FAILED:
        return wrong + [f"{copy.key} is at the destination" for copy in found]
    if [copy.key for copy in found] != [stored["key"] for stored in run["stored"]]:
        wrong.append(f"at the destination are {[copy.key for copy in found]}")
    exports = {export.id: export for export in scene.leanix.default.book.exports}
    for copy in found:
        export = exports.get(copy.export_id)
        if export is None or export.user is not None or export.file is None:
            wrong.append(f"{copy.export_id} is no export of ours")
        elif not copy.sha256 == run["sha256"] == hashlib.sha256(export.file.read_bytes()).hexdigest():
            wrong.append(f"{copy.key} is not what was handed out")
    if taken := scene.leanix.counters["foreign_downloads"]:
        wrong.append(f"{taken} exports of others were downloaded")
    return wrong


def _in_time(scene: Scene, events: list[dict[str, Any]], verdict: Verdict) -> list[str]:
    fault, wrong = scene.fault, []
    longest = pace.longest(max(verdict.attempts, 1), fault.export_timeout)
    if fault.within is not None:
        longest = min(longest, fault.within)
    if verdict.took_s > longest.total_seconds() + _GRACE_S:
        wrong.append(f"it took {verdict.took_s:.0f} s, longer than {longest}")
    lifetime = float(scene.leanix.switches.token_expires_in_s)
    granted = max(lifetime - _TOKEN_MARGIN_S, lifetime / 2)
    most = pace.most_requests(verdict.took_s, verdict.attempts, granted)
    wrong += [
        f"{times} requests to {endpoint}, not {most.get(endpoint, 0)}"
        for endpoint, times in verdict.requests.items()
        if times > most.get(endpoint, 0)
    ]
    asked = pace.read_journal(scene.leanix.journal, fault.skew)
    if not asked:
        return wrong
    first = scene.leanix.journal[0].asked_at
    began = [
        (datetime.fromisoformat(line["timestamp"]) - first).total_seconds() + line.get("wait_s", 0)
        for line in events
        if line["event"] == "run_started" or line.get("what") == _NEW_ATTEMPT
    ]
    return wrong + pace.too_soon(asked, began, timeout_s=fault.export_timeout.total_seconds())
