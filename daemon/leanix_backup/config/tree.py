"""The configuration as it was said, before anybody judged it: a tree of texts, and where each part of it was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from leanix_backup.config.shape import Path, dotted
from leanix_backup.errors import Problem

ENVIRONMENT: Final = "environment"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was said: a line of the file, or a variable."""

    line: int | None = None
    variable: str = ""


@dataclass
class Tree:
    """What was said, and where.

    Attributes:
        values: Maps, lists, `str`, `Plain` and None.
        origins: For each path, where it was said; the longest known start of a path counts.
        source: The file's name, or empty where there is no file.
        problems: What went wrong while reading.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Origin] = field(default_factory=dict)
    source: str = ""
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str, hint: str = "") -> Problem:
        """Say what is wrong at a path: by its variable where one said it, else by path and line."""
        origin, known = self._origin(path)
        if origin.variable:
            rest = dotted(path, known)
            return Problem(origin.variable, f"{rest}: {message}" if rest else message, hint, source=ENVIRONMENT)
        return Problem(dotted(path), message, hint, line=origin.line, source=self.source)

    def get(self, *path: str | int) -> Any:
        """Return what was said at a path, or None."""
        value: Any = self.values
        for part in path:
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def names(self, section: str) -> list[str]:
        """List the names in `workspaces`, `destinations` or `jobs`."""
        value = self.values.get(section)
        return list(value) if isinstance(value, dict) else []

    def _origin(self, path: Path) -> tuple[Origin, int]:
        for length in range(len(path), 0, -1):
            if origin := self.origins.get(path[:length]):
                return origin, length
        return Origin(), 0
