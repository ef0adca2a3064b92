"""The one way to a configuration: file, environment, every mistake at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from leanix_backup.config.checks import check
from leanix_backup.config.document import read_document
from leanix_backup.config.environment import CONFIG_VARIABLE, apply_environment
from leanix_backup.config.pending import pending
from leanix_backup.config.resolve import resolve
from leanix_backup.config.settings import Config, Purpose
from leanix_backup.config.tree import Tree
from leanix_backup.config.validate import validate
from leanix_backup.errors import ConfigError, Problem

DEFAULT_PATH: Final = Path("/etc/leanix-backup/config.yaml")


def load(path: Path | None, environ: Mapping[str, str], purpose: Purpose = Purpose.RUN) -> Config:
    """Read the configuration: the file, with the environment over it.

    Args:
        path: The file. None: the one that `LEANIX_BACKUP_CONFIG` names, else `/etc/leanix-backup/config.yaml` where
            it exists, else none at all.
        environ: The variables, such as `os.environ`.
        purpose: What the configuration must say.

    Reads no secret's content. Raises ConfigError with every mistake at once, in the order of the file's lines; what
    has no line comes last.
    """
    tree = _read(path, environ)
    unreadable = bool(tree.problems) and not tree.values
    apply_environment(tree, environ)
    if unreadable:
        # Without the file, everything that it says would be told to be missing.
        raise ConfigError(tuple(sorted(set(tree.problems), key=_place)))
    validated = validate(tree)
    warnings = check(tree, validated, purpose)
    if tree.problems:
        raise ConfigError(tuple(sorted(set(tree.problems), key=_place)))
    config = resolve(validated.root, tuple(sorted(warnings, key=_place)))
    return replace(config, warnings=(*config.warnings, *pending(config)))


def _read(path: Path | None, environ: Mapping[str, str]) -> Tree:
    if path is not None:
        return read_document(path)
    if named := environ.get(CONFIG_VARIABLE, "").strip():
        return read_document(Path(named))
    return read_document(DEFAULT_PATH) if _is_there(DEFAULT_PATH) else Tree()


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # What may not be looked at is there, and must not be passed over in silence.
        return True
    return True


def _place(problem: Problem) -> tuple[bool, int, str, str]:
    return (problem.line is None, problem.line or 0, problem.path, problem.message)
