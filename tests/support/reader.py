"""A reader of backups: two folders that hold the same three, and a configuration that says no more than where."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from leanix_backup.model import ExportType
from tests.support import in_process, installed, samples
from tests.support.backups import made

TOKEN = "canary-0a1b2c3d4e5f"
OLD = made("00000001", taken_at=samples.WHEN - timedelta(days=1))
NEW = made("00000002")
LOG = made("00000003", export=ExportType.AUDIT_LOG)


@dataclass(frozen=True, slots=True)
class Reader:
    """The destinations `disk` and `vault`, in a folder of their own, with a folder `out` beside them."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    @property
    def vault(self) -> Path:
        return self.folder / "vault"

    @property
    def env(self) -> dict[str, str]:
        """Only destinations, and two secrets that nobody who reads backups needs: one is not even there."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LEANIX_BACKUP")}
        return clean | {
            "LEANIX_BACKUP__DESTINATIONS__DISK__TYPE": "local",
            "LEANIX_BACKUP__DESTINATIONS__DISK__PATH": str(self.disk),
            "LEANIX_BACKUP__DESTINATIONS__VAULT__TYPE": "local",
            "LEANIX_BACKUP__DESTINATIONS__VAULT__PATH": str(self.vault),
            "LEANIX_BACKUP__WORKSPACES__ACME__API_TOKEN": TOKEN,
            "LEANIX_BACKUP__WORKSPACES__OTHER__API_TOKEN_FILE": str(self.folder / "no-such-secret"),
            "LEANIX_BACKUP__STATE_DIR": str(self.folder / "no-such-state"),
        }

    def run(self, *arguments: str | Path) -> installed.Result:
        """Run a command line in this process."""
        return self._checked(in_process.run(*arguments, env=self.env, cwd=self.folder))

    def start(self, *arguments: str | Path) -> installed.Result:
        """Run the installed command."""
        return self._checked(installed.run(*arguments, env=self.env, cwd=self.folder))

    def _checked(self, done: installed.Result) -> installed.Result:
        assert TOKEN not in done.out + done.err
        assert not (self.folder / "no-such-state").exists()
        return done


def a_reader(folder: Path) -> Reader:
    """Lay the backups out."""
    for name in ("disk", "vault"):
        for each in (OLD, NEW, LOG):
            each.lay(folder / name)
    (folder / "out").mkdir()
    return Reader(folder)
