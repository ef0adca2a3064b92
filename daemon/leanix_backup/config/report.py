"""What a check needs at hand: what was said, what could be read of it, and where to put what is wrong."""

from __future__ import annotations

from leanix_backup.config.environment import variable_for
from leanix_backup.config.models import Root
from leanix_backup.config.settings import Purpose
from leanix_backup.config.shape import Path
from leanix_backup.config.tree import Tree
from leanix_backup.config.validate import Validated
from leanix_backup.errors import Problem


class Report:
    """Collects mistakes in the tree and warnings beside it."""

    def __init__(self, tree: Tree, validated: Validated, purpose: Purpose) -> None:
        self.tree = tree
        self.purpose = purpose
        self.warnings: list[Problem] = []
        self._validated = validated

    @property
    def root(self) -> Root:
        """What could be read."""
        return self._validated.root

    def broken(self, *path: str | int) -> bool:
        """Whether a setting has been told to be wrong already."""
        return self._validated.broken(*path)

    def refuse(self, path: Path, message: str, hint: str = "") -> None:
        """Tell a mistake."""
        self.tree.problems.append(self.tree.problem(path, message, hint))

    def warn(self, path: Path, message: str, hint: str = "") -> None:
        """Tell what is allowed but probably not meant."""
        self.warnings.append(self.tree.problem(path, message, hint))

    def miss(self, path: Path, message: str, hint: str = "") -> None:
        """Tell that a setting is missing, unless it is there and wrong."""
        if not self.broken(*path):
            self.refuse(path, message, hint or self._how(path))

    def miss_secret(self, path: Path, message: str) -> None:
        """Tell that a secret is missing, in either form, unless one is there and wrong."""
        file = (*path[:-1], f"{path[-1]}_file")
        if not self.broken(*file):
            self.miss(path, message, f"say {path[-1]} or {path[-1]}_file")

    def _how(self, path: Path) -> str:
        return "" if self.tree.source else f"there is no file: say it as {variable_for(path)}"
