"""`verify.schedule`: the service reads stored backups back, and what is damaged takes no good one's place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leanix_backup.simulator import SimulatedLeanixThread
from tests.support import installed
from tests.support.backups import made
from tests.support.skipped_time import SkippedTime, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "")


def remembered(ledger: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT destination, key FROM damages").fetchall()


def test_the_service_reads_back_on_its_schedule(tmp_path: Path, leanix: SimulatedLeanixThread) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    backups = [made(f"{day:08x}", taken_at=now - timedelta(days=day)) for day in (3, 2, 1)]
    paths = [each.lay(tmp_path / "backups") for each in backups]
    paths[2].write_bytes(b"\0" + paths[2].read_bytes()[1:])
    env = installed.environment(
        tmp_path,
        leanix.url,
        VERIFY__SCHEDULE="*/10 * * * *",
        VERIFY__NEWEST="2",
        DEFAULTS__RETENTION='{"keep_last": 1}',
    )
    with SkippedTime() as skipped, installed.started("serve", env=env | skipped.env()) as service:
        (bad,) = service.wait_for("backup_damaged")
        (good,) = service.wait_for("backup_verified")
        while not remembered(tmp_path / "state" / "ledger.sqlite"):
            assert service.process.poll() is None
        assert service.stop() == 0
    assert (bad["key"], bad["destination"]) == (backups[2].key.artifact, "disk")
    assert bad["hint"]
    assert good["key"] == backups[1].key.artifact
    done = installed.run("prune", "--json", env=env)
    (plan,) = done.report["plans"]
    assert backups[1].key.artifact in {each["key"] for each in plan["keep"]}, "the newest that is good stays"
    assert backups[0].key.artifact in plan["removed"]
