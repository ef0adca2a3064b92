"""What ships: the wheel, built and run from a folder of its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from leanix_backup import __version__

TOP = Path(__file__).parents[2]


def test_the_wheel_holds_the_package_and_runs(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    flags = ["--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *flags, "--wheel-dir", tmp_path, TOP], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "leanix_backup/py.typed" in names
    assert {name.split("/")[0] for name in names} == {"leanix_backup", f"leanix_backup-{__version__}.dist-info"}
    target = tmp_path / "installed"
    subprocess.run([*pip, "install", *flags, "--target", target, wheel], check=True, capture_output=True)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import leanix_backup, leanix_backup.cli as c; print(leanix_backup.__file__); c.main()",
            "--version",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    where, version = done.stdout.splitlines()
    assert Path(where).is_relative_to(target)
    assert version == f"leanix-backup {__version__}"
