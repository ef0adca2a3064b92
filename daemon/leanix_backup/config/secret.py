"""Secrets: where one is, not what it is, until somebody has to use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from typing_extensions import override

from leanix_backup.errors import BackupError

MASK: Final = "********"
_LARGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A secret that was written down (`literal`), or lies in a file (`path`), or was not said at all.

    Compares like data, prints as a mask. A file is read anew at each `read`, so that a rotated token needs no restart.
    """

    literal: str | None = field(default=None)
    path: Path | None = None

    @property
    def said(self) -> bool:
        """Whether the configuration says anything about it."""
        return self.literal is not None or self.path is not None

    def read(self) -> str:
        """Return the secret, without blanks around it.

        Raises BackupError with the code `secret_unreadable` where the file can't be read, `secret_empty` where
        there is nothing in it, `secret_missing` where the configuration says nothing.
        """
        if self.path is not None:
            text, where = self._read_file(self.path), f"the secret file {self.path}"
        elif self.literal is not None:
            text, where = self.literal, "a secret in the configuration"
        else:
            raise BackupError(
                "a secret is needed that the configuration does not give",
                code="secret_missing",
                hint="say it, or name a file that holds it",
            )
        if not (stripped := text.strip()):
            raise BackupError(f"{where} is empty", code="secret_empty", hint="write the secret into it")
        return stripped

    @staticmethod
    def _read_file(path: Path) -> str:
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise BackupError(f"the secret file {path} is too large for a secret", code="secret_unreadable")
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            # The decoder's own error would carry the bytes, so it is no cause of ours.
            raise BackupError(f"the secret file {path} is not UTF-8 text", code="secret_unreadable") from None
        except OSError as error:
            raise BackupError(
                f"the secret file {path} can't be read: {error.strerror}",
                code="secret_unreadable",
                hint="check that it exists and that this user may read it",
                retryable=True,
            ) from error

    @override
    def __repr__(self) -> str:
        return f"Secret(path={str(self.path)!r})" if self.path else f"Secret({MASK!r})"

    @override
    def __str__(self) -> str:
        return MASK
