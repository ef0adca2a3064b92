"""A short pass of each benchmark, so that it can't rot; only memory is held against anything, never time."""

from __future__ import annotations

import shutil

import pytest

from tests.benchmarks import upload
from tests.benchmarks.__main__ import main


def test_the_benchmark_runs_and_memory_stays_flat(capfd: pytest.CaptureFixture[str]) -> None:
    missing = [tool for tool in ("curl", "sha256sum", "unzip") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the peers {missing} are not installed")
    assert main(["--sizes", "5,80"]) == 0
    rows = [line.split("|") for line in capfd.readouterr().out.splitlines() if line[:3].strip("| ").isdigit()]
    small, large = (float(row[5]) for row in rows)
    assert large < small + 20, "the peak does not grow with the file"


def test_the_benchmark_of_uploads_runs_and_memory_stays_flat(capfd: pytest.CaptureFixture[str]) -> None:
    if missing := upload.missing():
        pytest.skip(f"the peers {missing} are not installed: make test does that")
    assert upload.main(["--sizes", "5,200", "--rounds", "1"]) == 0
    rows = [line.split("|") for line in capfd.readouterr().out.splitlines() if line[:3].strip("| ").isdigit()]
    peaks = [float(row[7].split(",")[0]) for row in rows]
    assert len(peaks) == 2
    assert all(0 < peak < 200 for peak in peaks)
