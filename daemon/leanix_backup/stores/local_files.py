"""What a folder that is a store does with files: link, publish, walk, remove. Blocking; each call is one step."""

from __future__ import annotations

import errno
import itertools
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

from leanix_backup.files import flush, flush_folder, flush_path, make_folders, open_new
from leanix_backup.naming import parse_key
from leanix_backup.stores.base import StoredObject, could_be_in_key

T = TypeVar("T")

_SCAN_BATCH = 500
_FOLDER_TRIES = 10
_PARTIAL_END = ".partial"
_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial")
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


def in_folder(folder: Path, work: Callable[..., T], *args: object) -> T:
    """Do something in a folder that is made first; a delete may take it away again as long as it is empty."""
    for _ in range(_FOLDER_TRIES):
        with suppress(FileNotFoundError):
            make_folders(folder)
            return work(*args)
    make_folders(folder)
    return work(*args)


def flush_both(path: Path) -> None:
    """Have a file and its name on disk."""
    flush_path(path)
    flush_folder(path.parent)


def link(source: Path, target: Path) -> bool:
    """Link a whole file to its final name; False where that can't be done, or something is there."""
    flush_path(source)
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    flush_folder(target.parent)
    return True


def publish(partial: Path, target: Path) -> bool:
    """Give a whole file its final name; False where something has it."""
    try:
        os.link(partial, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            return False
        partial.rename(target)
    flush_folder(target.parent)
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Write a new file and have it on disk."""
    with open_new(path) as file:
        file.write(data)
        flush(file)


def open_old(path: Path) -> BinaryIO:
    """Open a file for reading; a folder, or what lies below a file, is not there."""
    try:
        return path.open("rb")
    except (IsADirectoryError, NotADirectoryError) as error:  # a part of keys, or below one: no object
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error


def partial_of(target: Path) -> Path:
    """Name a temporary file beside its place, as no other put will."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}{_PARTIAL_END}")


def clear_partials(target: Path) -> None:
    """Remove what puts of a file left beside its place."""
    for left in target.parent.glob(f".{target.name}.*{_PARTIAL_END}"):
        left.unlink(missing_ok=True)


def walk(start: Path, root: Path, broken: list[OSError], above: frozenset[int] = frozenset()) -> Iterator[StoredObject]:
    """Go through a folder; what can't be read is noted in `broken`, and the rest still comes.

    What has a name that no key has is not looked into: a volume's own `lost+found` is nobody's backup.
    """
    try:
        here = start.stat().st_ino
        if here in above:  # a link that leads back up
            return
        entries = list(os.scandir(start))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        broken.append(error)
        return
    for entry in entries:
        if not could_be_in_key(entry.name):  # a partial, or not ours
            continue
        try:
            if entry.is_dir():
                yield from walk(Path(entry.path), root, broken, above | {here})
            elif entry.is_file():
                found = entry.stat()
                # A hard link keeps the time of the content and renews that of the entry.
                since = datetime.fromtimestamp(found.st_ctime, UTC)
                yield StoredObject(Path(entry.path).relative_to(root).as_posix(), found.st_size, since)
        except FileNotFoundError:  # gone meanwhile, or a link that leads nowhere: no object
            continue
        except OSError as error:
            broken.append(error)


def take(walk: Iterator[StoredObject]) -> list[StoredObject]:
    """Take the next few of a walk; nothing at its end."""
    return list(itertools.islice(walk, _SCAN_BATCH))


def clear_old_partials(root: Path, before: datetime) -> int:
    """Remove what puts of any backup left before an instant; return how many there were."""
    removed = 0
    for left in root.rglob(f".*{_PARTIAL_END}"):
        match = _PARTIAL.fullmatch(left.name)
        if match is None or parse_key(left.with_name(match[1]).relative_to(root).as_posix()) is None:
            continue
        with suppress(FileNotFoundError):
            if left.stat().st_ctime < before.timestamp():
                left.unlink()
                removed += 1
    return removed


def remove(path: Path, root: Path) -> None:
    """Remove a file and the folders that this leaves empty, up to the root."""
    with suppress(IsADirectoryError, NotADirectoryError):  # a part of keys, or below one: no object
        path.unlink(missing_ok=True)
    folder = path.parent
    with suppress(OSError):
        flush_folder(folder)
        while folder != root and root in folder.parents:
            folder.rmdir()
            folder = folder.parent
