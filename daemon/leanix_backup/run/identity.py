"""Which workspace this is, and whether it is the one that was backed up under this name before."""

from __future__ import annotations

from leanix_backup import catalog
from leanix_backup.catalog import Backup, Catalog
from leanix_backup.errors import BackupError, LeanixError
from leanix_backup.model import Manifest
from leanix_backup.run.order import Order, Surroundings, Who

_TRIES = 9  # some two minutes: the run has no other attempt at this

_MOST_READ = 5  # manifests that can't be read are tried; a destination that is silent must not hold up the run


async def know_workspace(order: Order, around: Surroundings, known: Catalog) -> Who:
    """Learn which workspace the API token opens.

    Args:
        order: The run.
        around: What it works with.
        known: What lies at the destinations under this workspace's name.

    Raises:
        LeanixError: `workspace_changed` where it is another one than the configuration, the ledger or earlier backups
            say; `workspace_unknown`.
    """
    name = order.job.workspace
    deadline = around.clock.deadline(order.job.export_timeout.total_seconds())
    identity = await around.client.identity(deadline=deadline, tries=_TRIES)
    configured = around.workspace.workspace_id
    workspace_id = configured or identity.workspace_id
    if workspace_id is None:
        raise LeanixError(
            "the access token does not say which workspace it opens",
            code="workspace_unknown",
            hint=f"set workspaces.{name}.workspace_id (administration, API tokens)",
        )
    if configured and identity.workspace_id and configured != identity.workspace_id:
        raise _changed(identity.workspace_id, f"not {configured} as configured")
    pinned = await around.ledger.pinned(name)
    if pinned is not None and pinned != workspace_id:
        raise _changed(workspace_id, f"but the first backup named {name} was of {pinned}")
    earlier = await _earlier(known, around)
    if earlier is not None and earlier.workspace.id != workspace_id:
        raise _changed(workspace_id, f"but earlier backups named {name} are of {earlier.workspace.id}")
    if earlier is None and pinned is None and known.backups:
        raise LeanixError(
            f"there are backups named {name}, and none of the newest manifests can be read: whose are they?",
            code="workspace_unproved",
            hint="make a manifest readable, or give this workspace a name of its own",
        )
    return Who(workspace_id, around.workspace.user_id or identity.user_id)


async def _earlier(known: Catalog, around: Surroundings) -> Manifest | None:
    for backup in known.backups[: -_MOST_READ - 1 : -1]:
        if (found := await _manifest_of(backup, around)) is not None:
            return found
    return None


async def _manifest_of(backup: Backup, around: Surroundings) -> Manifest | None:
    for copy in backup.copies:
        store = next(store for store in around.stores if store.name == copy.destination)
        try:
            return await catalog.read_manifest(store, backup.key)
        except BackupError:  # an older one tells the same
            continue
    return None


def _changed(workspace_id: str, but: str) -> LeanixError:
    return LeanixError(
        f"the API token opens workspace {workspace_id}, {but}",
        code="workspace_changed",
        hint="is another workspace's token in this one's secret? else give the new one a name of its own",
    )
