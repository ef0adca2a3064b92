"""From the configuration of a destination to its store."""

from __future__ import annotations

from collections.abc import Iterable

from leanix_backup.config import Config, LocalDestination, S3Destination
from leanix_backup.errors import ConfigError, Problem, StoreError
from leanix_backup.stores import LocalStore, Store


def open_store(name: str, destination: LocalDestination | S3Destination) -> Store:
    """Make the store of a destination; nothing is touched yet.

    Raises:
        StoreError: `destination_unsupported`.
    """
    if isinstance(destination, LocalDestination):
        return LocalStore(name, destination.path)
    raise StoreError(
        "this version can't use a destination of type s3 yet",
        code="destination_unsupported",
        hint="use a destination of type local",
        retryable=False,
    )


def open_stores(config: Config, names: Iterable[str]) -> dict[str, Store]:
    """Make the stores that jobs need, or refuse to begin."""
    stores: dict[str, Store] = {}
    problems: list[Problem] = []
    for name in names:
        try:
            stores[name] = open_store(name, config.destinations[name])
        except StoreError as error:
            problems.append(Problem(f"destinations.{name}", error.message, error.hint))
    if problems:
        raise ConfigError(tuple(problems))
    return stores
