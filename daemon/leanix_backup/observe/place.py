"""Where a service's `state_dir` is, found without reading the whole configuration.

To read it as the service does takes half a second of CPU, mostly for imports. So one top-level line is looked for; only
where the file says `state_dir` in another form is it read as YAML (docs/decisions/0014).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

VARIABLE = "LEANIX_BACKUP__STATE_DIR"
CONFIG_VARIABLE = "LEANIX_BACKUP_CONFIG"
DEFAULT_CONFIG = "/etc/leanix-backup/config.yaml"
DEFAULT_STATE_DIR = "/var/lib/leanix-backup"
_KEY = "state_dir"
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-")
_LARGEST = 1024 * 1024


def find_state_dir(config_file: str | None, environ: Mapping[str, str]) -> str:
    """Name the `state_dir` that the service of this configuration uses.

    Args:
        config_file: The file, as the command line says it; else the environment's, else the usual one if it is there.
        environ: The variables, such as `os.environ`. They win over the file.

    Raises:
        OSError: The file can't be read.
        ValueError: It is no text, or no YAML.
    """
    if (said := environ.get(VARIABLE)) is not None:
        said = said.strip()
        return os.path.join(os.getcwd(), said) if said not in {"", "null"} else DEFAULT_STATE_DIR  # noqa: PTH109, PTH118 -- see health.py
    named = config_file or environ.get(CONFIG_VARIABLE, "").strip()
    try:
        text = _read(named or DEFAULT_CONFIG)
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise
        return DEFAULT_STATE_DIR
    if _KEY not in text:
        return DEFAULT_STATE_DIR
    return plain_line(text) or _by_yaml(named or DEFAULT_CONFIG)


def plain_line(text: str) -> str | None:
    """Find the value of a line `state_dir: /a/path` that begins a line; None where there is none of so plain a form.

    Nothing else in a YAML map can look like it: what belongs to another key is indented.
    """
    for line in text.splitlines():
        if line.startswith(f"{_KEY}: "):
            value = line.removeprefix(f"{_KEY}: ").partition(" #")[0].strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            return value if value.startswith("/") and _PLAIN.issuperset(value) else None
    return None


def _by_yaml(path: str) -> str:
    from pathlib import Path  # noqa: PLC0415 -- slow, and hardly ever needed

    from leanix_backup.config.document import read_document  # noqa: PLC0415 -- the same

    tree = read_document(Path(path))
    if tree.problems:
        raise ValueError(tree.problems[0])
    found = tree.values.get(_KEY)
    return os.path.join(os.getcwd(), str(found)) if found else DEFAULT_STATE_DIR  # noqa: PTH109, PTH118 -- see health.py


def _read(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 -- see health.py
        return file.read(_LARGEST).decode()
