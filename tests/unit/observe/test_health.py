"""The beat: what it says, how it is judged, and that it can be written where there is no room."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from leanix_backup.clock import Clock
from leanix_backup.errors import BackupError
from leanix_backup.observe.beating import beating
from leanix_backup.observe.health import (
    FILE_NAME,
    Beat,
    boot_id,
    judge,
    look,
    remove_beat,
    started_at,
    write_beat,
)
from tests.support.small_volume import on_small_volume

BEAT = Beat(1000.0, 7, "123", "boot-a")


def beat_now(pid: int = 0, *, ago: float = 0.0) -> Beat:
    pid = pid or os.getpid()
    return Beat(time.monotonic() - ago, pid, started_at(pid) or "", boot_id())


@pytest.mark.parametrize(
    ("now", "boot", "started", "healthy", "word"),
    [
        (1000.0, "boot-a", "123", True, "process 7"),
        (1029.9, "boot-a", "123", True, "30 s ago"),
        (1030.0, "boot-a", "123", False, "stuck"),
        (9999.0, "boot-a", "123", False, "stuck"),
        (999.0, "boot-a", "123", False, "start"),
        (1001.0, "boot-b", "123", False, "another"),
        (1001.0, "", "123", True, "process 7"),  # nobody can see the boot
        (1001.0, "boot-a", None, False, "ended"),
        (1001.0, "boot-a", "124", False, "ended"),  # the number is another process's by now
        (1001.0, "boot-a", "", True, "process 7"),  # nobody can see when it was started
    ],
)
def test_a_beat_is_judged(now: float, boot: str, started: str | None, *, healthy: bool, word: str) -> None:
    verdict = judge(BEAT, now=now, boot=boot, started=started)
    assert verdict.healthy is healthy
    assert word in verdict.message


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_beat(str(tmp_path), beat_now())
    assert look(str(tmp_path)).healthy
    write_beat(str(tmp_path), beat_now(ago=40))
    verdict = look(str(tmp_path))
    assert not verdict.healthy
    assert "40 s" in verdict.message
    assert look(str(tmp_path), oldest_s=60).healthy
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    remove_beat(str(tmp_path))
    assert "no service" in look(str(tmp_path)).message
    remove_beat(str(tmp_path))


@pytest.mark.parametrize(
    "content", [b"", b"beat", b"1 2 3", b"x 7 1 b", b"1.0 -1 1 b", b"1.0 0 1 b", b"\xff\xfe 1 1 1"]
)
def test_what_is_no_beat_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    verdict = look(str(tmp_path))
    assert not verdict.healthy
    assert "no beat" in verdict.message


def test_a_place_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    assert "can't be read" in look(str(tmp_path)).message
    assert "no service" in look(str(tmp_path / "missing")).message


def test_a_process_that_ended_is_not_alive_before_or_after_its_parent_looked() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert started_at(child.pid)
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert started_at(child.pid) is None, "what is left of it beats no more"
        child.wait(10)
    assert started_at(child.pid) is None
    assert started_at(2**40) is None


def test_a_full_volume_takes_a_beat_over_the_last_one(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    script = """
import json, os, sys
from leanix_backup.observe.health import Beat, look, write_beat, boot_id, started_at
import time
folder = sys.argv[1]
pid = os.getpid()
write_beat(folder, Beat(time.monotonic() - 50, pid, started_at(pid), boot_id()))
before = look(folder).healthy
try:
    with open(folder + "/filler", "wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
except OSError:
    pass
write_beat(folder, Beat(time.monotonic(), pid, started_at(pid), boot_id()))
print(json.dumps({"before": before, "after": look(folder).healthy}))
"""
    assert on_small_volume(volume, script, size="64k") == {"before": False, "after": True}


async def test_the_loop_beats_until_the_block_is_left(tmp_path: Path) -> None:
    beats = 0
    moved = anyio.Event()

    async def sleep(_seconds: float) -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            moved.set()
        await anyio.lowlevel.checkpoint()

    async with beating(tmp_path, replace(Clock(), sleep=sleep)):
        await moved.wait()
        assert look(str(tmp_path)).healthy
    assert not (tmp_path / FILE_NAME).exists()


async def test_what_the_block_raises_comes_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="a reason") as raised:
        async with beating(tmp_path, Clock()):
            raise BackupError("a reason")
    assert raised.value.__context__ is None
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_block_is_left_when_it_is_cancelled(tmp_path: Path) -> None:
    with anyio.move_on_after(0.05) as scope:
        async with beating(tmp_path, Clock()):
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_place_that_takes_no_beat_ends_nothing(tmp_path: Path) -> None:
    tried = anyio.Event()

    async def sleep(_seconds: float) -> None:
        tried.set()
        await anyio.sleep_forever()

    async with beating(tmp_path / "missing", replace(Clock(), sleep=sleep)):
        await tried.wait()
    assert not (tmp_path / "missing").exists()
