"""Run the real command against a fault, in a time that skips over its waits, and judge what comes of it."""

from __future__ import annotations

import base64
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from leanix_backup.simulator import SimulatedLeanixThread, SimulatorSettings, Switches, simulated_leanix_thread
from tests.faults import fault_rules, pace
from tests.faults.fault import Fault, Verdict
from tests.faults.front import fronting
from tests.support import installed
from tests.support.private_ca import make_ca
from tests.support.skipped_time import SkippedTime

_ENDS_WITHIN_S = 240.0  # of real time: most of a run's waits are skipped


def run_fault(fault: Fault, folder: Path) -> Verdict:
    """Run one fault in an empty folder; what is left there may be looked at afterwards."""
    verdict = Verdict(fault.group, fault.name)
    switches = Switches()
    switches.merge(dict(fault.switches))
    settings = SimulatorSettings(fact_sheets=8, changes_per_hour=2.0, history=timedelta(days=2), skew=fault.skew)
    with (
        SkippedTime() as skipped,
        simulated_leanix_thread(settings, switches, timing=skipped.timing) as leanix,
        _door(fault, leanix, skipped, folder) as (url, more),
    ):
        said = {
            "DEFAULTS__POLL": "",  # what these tests of others' say: here, the waits are those of a user
            "DEFAULTS__ATTEMPTS": "",
            "LOG__LEVEL": "debug",
            "LOG__FORMAT": "json",
        }
        env = installed.environment(folder, url, exports=fault.export.value, **(said | dict(fault.settings) | more))
        began = skipped.monotonic()
        done = _back_up(fault, env | (skipped.env() if fault.skips else {}), verdict)
        verdict.took_s = skipped.monotonic() - began
        if done is not None:
            scene = fault_rules.Scene(fault, folder, leanix, done)
            fault_rules.judge(scene, verdict)
        verdict.secrets = secrets_of(leanix)
        verdict.written = written_by(folder, done)
        verdict.wrong += [
            f"{secret[:12]}… was written" for secret in verdict.secrets if secret.encode() in verdict.written
        ]
    return verdict


def _back_up(fault: Fault, env: dict[str, str], verdict: Verdict) -> installed.Result | None:
    try:
        done = subprocess.run(
            [installed.COMMAND, "backup", fault.export.value.lower(), "--json"],
            env=env,
            capture_output=True,
            timeout=_ENDS_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        verdict.wrong.append(f"it did not end: {(late.stderr or b'')[-2000:].decode(errors='replace')}")
        return None
    return installed.Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


@contextmanager
def _door(
    fault: Fault, leanix: SimulatedLeanixThread, skipped: SkippedTime, folder: Path
) -> Iterator[tuple[str, dict[str, str]]]:
    """Say where the server is, and what must be configured for it; a door before it only where the fault needs one."""
    if fault.refusal is None and not fault.tls:
        yield leanix.url, {}
        return
    with ExitStack() as stack:
        more: dict[str, str] = {}
        tls = None
        if fault.tls:
            (folder / "ca").mkdir()
            ca = make_ca(folder / "ca")
            tls, more = ca.server_context(), {"NETWORK__CA_BUNDLE": str(ca.certificate)}
            tls.num_tickets = 0  # else they would look like the answer that is waited for
        shuts, opens = _hours(fault, leanix, skipped)
        shut = fault.refusal is not None and fault.refusal.after is None
        front = stack.enter_context(
            fronting(leanix.url, working=skipped.busy, shut=shut, shuts=shuts, opens=opens, tls=tls)
        )
        yield front.url, more


def _hours(
    fault: Fault, leanix: SimulatedLeanixThread, skipped: SkippedTime
) -> tuple[Callable[[], bool], Callable[[], bool]]:
    """Say when the door is shut and opened again."""
    refusal = fault.refusal
    shut_at: list[float] = [skipped.monotonic()]

    def shuts() -> bool:
        if refusal is None or refusal.after is None or len(shut_at) > 1:
            return False
        endpoint, times = refusal.after
        if _came(leanix)[endpoint] < times:
            return False
        shut_at.append(skipped.monotonic())
        return True

    def opens() -> bool:
        lasts = refusal.lasts if refusal else None
        return lasts is not None and skipped.monotonic() >= shut_at[-1] + lasts.total_seconds()

    return shuts, opens


def _came(leanix: SimulatedLeanixThread) -> Counter[str]:
    """Count the requests to each endpoint, and the exports that are `completed`."""
    came = Counter(pace.endpoint_of(noted) for noted in leanix.journal)
    came["completed"] = sum(export.status == "COMPLETED" for export in leanix.default.book.exports)
    return came


def secrets_of(leanix: SimulatedLeanixThread) -> tuple[str, ...]:
    """List what must never be written: the API token, what is made of it, every bearer, every key."""
    token = leanix.api_token
    keys = [export.key for export in leanix.default.book.exports if export.key]
    tickets = [noted.path.removeprefix("/blob/") for noted in leanix.journal if noted.path.startswith("/blob/")]
    return (token, base64.b64encode(f"apitoken:{token}".encode()).decode(), *leanix.bearers, *keys, *tickets)


def written_by(folder: Path, *results: installed.Result | None) -> bytes:
    """Put together what a process wrote: its outputs, and its files but for workbooks."""
    said = b"".join((done.out + done.err).encode() for done in results if done is not None)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in {".xlsx", ".partial"}]
    return said + b"".join(path.read_bytes() for path in files if "ca" not in path.parts)
