"""The two that are compared: a backup of ours, and the shell script that people have."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.benchmarks.measure import Leanix, Measured, measured
from tests.support import installed


def back_up(leanix: Leanix, folder: Path) -> Measured:
    """Back up to a folder with the installed command; seconds are those from asking for the file to its final name."""
    home = folder / "ours"
    log = folder / "ours.log"
    env = installed.environment(home, leanix.url, WORKSPACES__ACME__API_TOKEN=leanix.api_token, LOG__FORMAT="json")
    whole = measured([installed.COMMAND, "backup", "snapshot"], env=env, stderr=log)
    spent = [
        line["duration_s"]
        for line in installed.parse_events(log.read_text())
        if line["event"] in ("artifact_fetched", "artifact_verified", "backup_stored")
    ]
    assert len(spent) == 3
    shutil.rmtree(home)
    return Measured(sum(spent), whole.peak_rss_mib)


def script(leanix: Leanix, folder: Path) -> Measured:
    """Fetch with curl, hash with sha256sum, test with unzip; memory is the largest of the three."""
    target = folder / "script.xlsx"
    bearer = leanix.bearer()
    url = leanix.ready_export(bearer)
    steps = [
        ["curl", "-sSf", "--noproxy", "*", "-H", f"Authorization: Bearer {bearer}", "-o", str(target), url],
        ["sha256sum", str(target)],
        ["unzip", "-tq", str(target)],
    ]
    taken = [measured(step, env=os.environ, stderr=folder / "script.log") for step in steps]
    target.unlink()
    return Measured(sum(step.seconds for step in taken), max(step.peak_rss_mib for step in taken))
