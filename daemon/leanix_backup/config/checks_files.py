"""Whether the files that settings name are there. Looks at them; reads none."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from leanix_backup.config.leaves import Leaf
from leanix_backup.config.report import Report
from leanix_backup.config.settings import Purpose
from leanix_backup.config.shape import ROOT, Many, Named, Node, known_keys
from leanix_backup.config.shape import Path as SettingPath

_FILE: Final = "_file"


def check_files(report: Report) -> None:
    """Refuse files that are missing or may not be read; under CHECK they are warnings."""
    if report.root.network.ca_bundle is not None:
        _check(report, ("network", "ca_bundle"), report.root.network.ca_bundle, secret=False)
    if report.purpose is Purpose.READ:
        return
    for path, file in _secret_files(ROOT, report.root, ()):
        _check(report, path, file, secret=True)


def _secret_files(node: Node, value: object, path: SettingPath) -> list[tuple[SettingPath, Path]]:
    if isinstance(node, Named) and isinstance(value, dict):
        return [found for name, item in value.items() for found in _secret_files(node.each, item, (*path, name))]
    if isinstance(node, Many) and isinstance(value, tuple):
        return [found for index, item in enumerate(value) for found in _secret_files(node.each, item, (*path, index))]
    found: list[tuple[SettingPath, Path]] = []
    known = known_keys(node)
    for key, entry in known.items():
        item = getattr(value, key, None)
        if isinstance(entry.node, Leaf):
            partner = known.get(key.removesuffix(_FILE))
            secret = (
                key.endswith(_FILE) and partner is not None and isinstance(partner.node, Leaf) and partner.node.secret
            )
            if secret and isinstance(item, Path):
                found.append(((*path, key), item))
        elif item is not None:
            found += _secret_files(entry.node, item, (*path, key))
    return found


def _check(report: Report, path: SettingPath, file: Path, *, secret: bool) -> None:
    tell = report.warn if report.purpose is Purpose.CHECK else report.refuse
    try:
        status = file.stat()
    except PermissionError:
        tell(path, "the file may not be looked at by this user", "check the modes of its folders")
        return
    except OSError:
        tell(path, "the file does not exist", "check the path, and whether it is mounted")
        return
    if stat.S_ISDIR(status.st_mode):
        tell(path, "is a folder, not a file", "name the file in it")
    elif not os.access(file, os.R_OK):
        tell(path, "the file may not be read by this user", "check its owner and mode")
    elif secret and status.st_mode & stat.S_IROTH:
        report.warn(path, "everybody on this machine may read the secret file", "chmod o-r")
