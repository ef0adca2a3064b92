"""Never two at once, over processes, however one of them ends."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from leanix_backup import locks
from leanix_backup.clock import Clock
from leanix_backup.errors import EXIT_LOCKED, BackupError, LockedError
from leanix_backup.model import ExportType
from tests.support.fake_time import FakeTime

LOCK = locks.export_lock("acme", ExportType.AUDIT_LOG)
HOLDER = """
import sys
from pathlib import Path
import anyio
from leanix_backup import locks
from leanix_backup.clock import Clock

async def main():
    async with locks.hold(Path(sys.argv[1]), sys.argv[2], clock=Clock(), doing="job nightly", wait=False):
        print("held", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)

anyio.run(main)
"""


@contextmanager
def held_by_another_process(state_dir: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """Hold a lock in a process of its own; it lets go when its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state_dir), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)


async def can_be_held(state_dir: Path, name: str = LOCK) -> bool:
    try:
        async with locks.hold(state_dir, name, clock=FakeTime().clock, doing="x", wait=False):
            return True
    except LockedError:
        return False


async def test_one_after_the_other(tmp_path: Path) -> None:
    for _ in range(3):
        assert await can_be_held(tmp_path)


async def test_another_process_holds_it_and_says_who(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path, LOCK) as other:
        with pytest.raises(LockedError) as caught:
            async with locks.hold(tmp_path, LOCK, clock=Clock(), doing="x", wait=False):
                pytest.fail("held by two")
        assert f"process {other.pid} on " in caught.value.message
        assert "job nightly" in caught.value.message
        assert re.search(r"since \d{4}-\d\d-\d\dT.*Z", caught.value.message)
        assert (caught.value.code, caught.value.exit_status) == ("locked", EXIT_LOCKED)
        assert caught.value.hint
        assert await can_be_held(tmp_path, locks.export_lock("acme", ExportType.SNAPSHOT))
        assert await can_be_held(tmp_path, locks.SERVE)
    assert await can_be_held(tmp_path)


async def test_killed_it_lets_go_and_its_note_is_believed_by_nobody(tmp_path: Path) -> None:
    with held_by_another_process(tmp_path, LOCK) as other:
        other.send_signal(signal.SIGKILL)
        other.wait(timeout=20)
    assert (tmp_path / "locks" / f"{LOCK}.holder").exists()
    assert await can_be_held(tmp_path)


async def test_who_waits_gets_it_when_it_is_free(tmp_path: Path) -> None:
    got = anyio.Event()

    async def wait() -> None:
        clock = Clock(sleep=lambda _seconds: anyio.sleep(0.01))
        async with locks.hold(tmp_path, LOCK, clock=clock, doing="x", wait=True):
            got.set()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            with held_by_another_process(tmp_path, LOCK):
                group.start_soon(wait)
                await anyio.sleep(0.05)
                assert not got.is_set()
            await got.wait()


async def test_waiting_can_be_cancelled(tmp_path: Path) -> None:
    async with locks.hold(tmp_path, LOCK, clock=Clock(), doing="x", wait=False):
        with anyio.move_on_after(0.05) as scope:
            async with locks.hold(tmp_path, LOCK, clock=Clock(), doing="y", wait=True):
                pytest.fail("held by two")
        assert scope.cancelled_caught
        assert not await can_be_held(tmp_path)
    assert await can_be_held(tmp_path)


async def test_never_two_tasks_of_one_process(tmp_path: Path) -> None:
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        clock = Clock(sleep=lambda _seconds: anyio.sleep(0.001))
        async with locks.hold(tmp_path, LOCK, clock=clock, doing="x", wait=True):
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.002)
            inside -= 1

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(work)
    assert most == 1


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(28, "No space left on device"), BackupError("x")])
async def test_an_error_inside_comes_out_as_it_is_and_the_lock_is_free(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught:
        async with locks.hold(tmp_path, LOCK, clock=Clock(), doing="x", wait=False):
            raise error
    assert caught.value is error
    assert await can_be_held(tmp_path)


async def test_the_note(tmp_path: Path) -> None:
    note = tmp_path / "locks" / f"{LOCK}.holder"
    time = FakeTime()
    async with locks.hold(tmp_path, LOCK, clock=time.clock, doing="job x", wait=False):
        said = json.loads(note.read_text())
    assert said.keys() == {"pid", "host", "since", "doing"}
    assert (said["pid"], said["since"], said["doing"]) == (os.getpid(), "2027-03-31T12:00:00Z", "job x")
    assert not note.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"pid": 1}', "\udcff"])
async def test_a_note_that_cannot_be_read_is_no_obstacle(content: str, tmp_path: Path) -> None:
    async with locks.hold(tmp_path, LOCK, clock=Clock(), doing="x", wait=False):
        (tmp_path / "locks" / f"{LOCK}.holder").write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(LockedError, match="another process"):
            async with locks.hold(tmp_path, LOCK, clock=Clock(), doing="y", wait=False):
                pytest.fail("held by two")


async def test_for_us_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with locks.hold(tmp_path / "state", LOCK, clock=Clock(), doing="x", wait=False):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state" / "locks").iterdir()}
    finally:
        os.umask(before)
    assert modes == {f"{LOCK}.lock": 0o600, f"{LOCK}.holder": 0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


async def test_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(BackupError) as caught:
        async with locks.hold(tmp_path / "state", LOCK, clock=Clock(), doing="x", wait=False):
            pytest.fail("held in a file")
    assert caught.value.code == "state_dir_unwritable"
    assert caught.value.hint


def test_names() -> None:
    names = {locks.export_lock("acme", export) for export in ExportType}
    assert names == {"acme.snapshot", "acme.audit-log", "acme.archive"}
    assert locks.SERVE not in names
