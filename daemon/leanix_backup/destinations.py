"""From the configuration of a destination to its store."""

from __future__ import annotations

from collections.abc import Iterable

from leanix_backup.config import Config, LocalDestination
from leanix_backup.stores import LocalStore, Store


def open_store(config: Config, name: str) -> Store:
    """Make the store of a destination; nothing is touched yet, and no secret is read."""
    destination = config.destinations[name]
    if isinstance(destination, LocalDestination):
        return LocalStore(name, destination.path)
    from leanix_backup.stores.s3 import S3Store  # noqa: PLC0415 -- boto3 takes most of a second to import

    return S3Store(destination, config.network)


def open_stores(config: Config, names: Iterable[str]) -> dict[str, Store]:
    """Make the stores of several destinations, by their names."""
    return {name: open_store(config, name) for name in names}
