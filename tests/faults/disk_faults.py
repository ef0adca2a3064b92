"""Every fault of a disk: full, read-only, closed, slow, gone; where the spool, the destination or the state lies.

After the fault the command is started again with the fault mended, and must then store a backup: no fault may leave
anything behind that keeps the next run from its work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.faults.fault import FAILED, STORED
from tests.faults.place import Place

Act = Callable[[Place], None]
_MIB = 1024 * 1024
_LARGE = {"padding_bytes": 3 * _MIB}
_BIG_SPOOL = {"spool-volume": "24m"}
_SPOOL_THERE = {"SPOOL__PATH": "spool-volume/spool"}


def nothing(_place: Place) -> None:
    """Do nothing."""


def sh(script: str) -> Act:
    """Run a line in the place's folder."""
    return lambda place: place.shell(script)


@dataclass(frozen=True, slots=True)
class DiskFault:
    """A fault of a disk, and what must come of it.

    Attributes:
        group: Whose disk it is: the heading in the table.
        name: What it is called there.
        volumes: Folders that are volumes of their own, with their sizes.
        earlier: Whether a backup is stored before anything goes wrong; it is counted in `stored` only.
        again: How many runs there are with the fault before the one that is looked at; they must fail.
        before: What is done to the place before the first run.
        at: When something is done during it: once that many requests to an endpoint came.
        act: What is done then.
        mend: What is done before the second run.
        settings: Further settings, as variables without their prefix; a path in them lies in the place.
        slow: How slow the disk is, in the words of `slow_disk.c`; as fast as it is where empty.
        switches: How the simulated LeanIX behaves.
        mended: Switches for the second run.
        outcome: What the first run must come to.
        codes: Its code must be one of these.
        exports: How many exports the first run may start at most.
        keys: How many keys it may spend at most.
        kept: How many artifacts must lie in the spool after it.
        orphans: Whether a file without a manifest may lie at the destination after it.
        stored: How many backups must lie at the destination in the end.
        all_exports: How many exports both runs may start.
    """

    group: str
    name: str
    volumes: Mapping[str, str] = field(default_factory=dict)
    earlier: bool = False
    again: int = 0
    before: Act = nothing
    at: tuple[str, int] | None = None
    act: Act = nothing
    mend: Act = nothing
    settings: Mapping[str, str] = field(default_factory=dict)
    slow: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, Any] = field(default_factory=dict)
    mended: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = FAILED
    codes: frozenset[str] = frozenset()
    exports: int = 0
    keys: int = 0
    kept: int = 0
    orphans: bool = False
    stored: int = 1
    all_exports: int = 1

    def fails(self, *codes: str, exports: int = 0, keys: int = 0, kept: int = 0) -> DiskFault:
        """Say that the first run must fail with one of these codes."""
        return replace(self, codes=frozenset(codes), exports=exports, keys=keys, kept=kept)

    def then(self, *, stored: int = 1, exports: int = 1) -> DiskFault:
        """Say what there must be after the second run."""
        return replace(self, stored=stored, all_exports=exports)


def disk_faults() -> list[DiskFault]:
    """List them all, in the order of the table."""
    return [*_spool(), *_destination(), *_state(), *_slow()]


def _spool() -> Iterator[DiskFault]:
    group = "spool"
    yield (
        DiskFault(
            group,
            "its volume is nearly full",
            _BIG_SPOOL,
            before=sh("head -c 10M /dev/zero > spool-volume/other"),
            mend=sh("rm spool-volume/other"),
            settings=_SPOOL_THERE,
        )
        .fails("spool_full")
        .then(exports=1)
    )
    yield (
        DiskFault(
            group,
            "its volume fills up while the export goes on",
            _BIG_SPOOL,
            at=("post", 1),
            act=sh("head -c 10M /dev/zero > spool-volume/other"),
            mend=sh("rm spool-volume/other"),
            settings=_SPOOL_THERE,
        )
        .fails("spool_full", exports=1)
        .then(exports=1)
    )
    yield (
        DiskFault(
            group,
            "its volume fills up during the download",
            _BIG_SPOOL,
            settings=_SPOOL_THERE,
            switches={"padding_bytes": 40 * _MIB},
            mended={"padding_bytes": 0},
        )
        .fails("spool_full", exports=1, keys=1)
        .then(exports=2)
    )
    yield (
        DiskFault(
            group,
            "the download is larger than spool.max_size",
            settings={"SPOOL__MAX_SIZE": "2MiB"},
            switches=_LARGE,
            mended={"padding_bytes": 0},
        )
        .fails("spool_full", exports=1, keys=1)
        .then(exports=2)
    )
    for earlier in (True, False):
        stuck = DiskFault(
            group,
            f"spool.max_size is reached by what can't be shipped{', after a backup' if earlier else ''}",
            {"backups": "20m"},
            earlier=earlier,
            again=1,
            before=sh("mount -o remount,ro backups"),
            mend=sh("mount -o remount,rw backups"),
            settings={"SPOOL__MAX_SIZE": "5MiB"},
            switches=_LARGE,
        )
        # Both the one that was stuck and a new one are stored, as soon as there is room.
        yield stuck.fails("spool_full", kept=1).then(stored=2 + earlier, exports=1)
    yield (
        DiskFault(
            group,
            "mounted read-only",
            _BIG_SPOOL,
            before=sh("mkdir -m 700 spool-volume/spool && mount -o remount,ro spool-volume"),
            mend=sh("mount -o remount,rw spool-volume"),
            settings=_SPOOL_THERE,
        )
        .fails("spool_unwritable")
        .then(exports=1)
    )
    yield (
        DiskFault(
            group,
            "becomes read-only while the export goes on",
            _BIG_SPOOL,
            at=("post", 1),
            act=sh("mount -o remount,ro spool-volume"),
            mend=sh("mount -o remount,rw spool-volume"),
            settings=_SPOOL_THERE,
        )
        .fails("spool_unwritable", exports=1)
        .then(exports=1)
    )
    there = {"SPOOL__PATH": "spool"}
    closed = DiskFault(
        group,
        "no permission",
        before=lambda place: place.close("spool"),
        mend=lambda place: place.open("spool"),
        settings=there,
    )
    yield closed.fails("spool_unwritable").then(exports=1)
    in_its_place = DiskFault(
        group, "a file in its place", before=sh("touch spool"), mend=sh("rm spool"), settings=there
    )
    yield in_its_place.fails("spool_unwritable").then(exports=1)
    vanishes = DiskFault(
        group, "vanishes while the export goes on", at=("post", 1), act=sh("rm -r spool"), settings=there
    )
    yield vanishes.fails("spool_unwritable", exports=1).then(exports=1)


def _destination() -> Iterator[DiskFault]:
    group = "destination"
    kept = {"exports": 1, "keys": 1, "kept": 1}
    both = {"stored": 2, "exports": 2}  # what was kept, and what the second run is there for
    with_earlier = {"stored": 3, "exports": 2}
    full = DiskFault(group, "full", {"backups": "1m"}, mend=sh("mount -o remount,size=20m backups"), switches=_LARGE)
    yield full.fails("destination_full", **kept).then(**both)
    no_manifest = DiskFault(
        group,
        "room for the file and none for its manifest",
        {"backups": "20m,nr_inodes=7"},  # its root, four folders, the file, and one that is in the making
        mend=sh("mount -o remount,nr_inodes=1000 backups"),
    )
    yield replace(no_manifest.fails("destination_full", **kept).then(**both), orphans=True)
    read_only = DiskFault(
        group,
        "mounted read-only",
        {"backups": "20m"},
        before=sh("mount -o remount,ro backups"),
        mend=sh("mount -o remount,rw backups"),
    )
    yield read_only.fails("destination_denied", **kept).then(**both)
    closed = DiskFault(
        group,
        "no permission",
        before=lambda place: place.close("backups"),
        mend=lambda place: place.open("backups"),
    )
    yield closed.fails("destination_denied", **kept).then(**both)
    moved = DiskFault(
        group,
        "vanishes while the export goes on",
        at=("post", 1),
        act=sh("mv backups gone"),
        mend=sh("mv gone backups"),
        earlier=True,
    )
    yield moved.fails("destination_missing", **kept).then(**with_earlier)
    unmounted = DiskFault(
        group,
        "unmounted while the export goes on",
        {"backups": "20m"},
        at=("post", 1),
        act=sh("mkdir kept && mount --bind backups kept && umount backups"),
        mend=sh("mount --bind kept backups"),
        earlier=True,
    )
    yield unmounted.fails("destination_missing", **kept).then(**with_earlier)
    in_its_place = DiskFault(group, "a file in its place", before=sh("touch backups"), mend=sh("rm backups"))
    yield in_its_place.fails("destination_invalid", **kept).then(**both)


def _state() -> Iterator[DiskFault]:
    group = "state_dir"
    unusable = ("ledger_unusable", "state_dir_unwritable", "spool_unwritable")
    volume = {"state": "24m"}
    read_only = DiskFault(
        group,
        "mounted read-only",
        volume,
        before=sh("mount -o remount,ro state"),
        mend=sh("mount -o remount,rw state"),
    )
    yield read_only.fails(*unusable).then(exports=1)
    later = DiskFault(
        group,
        "becomes read-only while the export goes on",
        volume,
        at=("post", 1),
        act=sh("mount --bind state state && mount -o remount,ro,bind state"),  # what is open stays so
        mend=sh("umount state"),
    )
    yield later.fails(*unusable, exports=1).then(exports=1)
    closed = DiskFault(
        group, "no permission", before=lambda place: place.close("state"), mend=lambda place: place.open("state")
    )
    yield closed.fails(*unusable).then(exports=1)
    in_its_place = DiskFault(group, "a file in its place", before=sh("touch state"), mend=sh("rm state"))
    yield in_its_place.fails(*unusable).then(exports=1)
    full = DiskFault(
        group,
        "full while the export goes on, the spool elsewhere",
        volume,
        at=("post", 1),
        act=sh("head -c 24M /dev/zero > state/other; true"),
        mend=sh("rm state/other"),
        settings={"SPOOL__PATH": "spool"},
    )
    yield full.fails(*unusable, exports=1).then(exports=1)
    vanishes = DiskFault(
        group,
        "vanishes while the export goes on",
        at=("post", 1),
        act=sh("mv state gone"),
        mend=sh("rm -rf state && mv gone state"),
    )
    yield vanishes.fails(*unusable, exports=1).then(exports=1)


def _slow() -> Iterator[DiskFault]:
    for name, slow in (("writes", {"SLOW_WRITE_MS": "20"}), ("fsyncs", {"SLOW_FSYNC_MS": "100"})):
        fault = DiskFault("slow", name, slow=slow, switches=_LARGE, outcome=STORED)
        yield replace(fault, exports=1, keys=1).then(stored=2, exports=2)
