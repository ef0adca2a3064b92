"""Whether a snapshot holds far fewer fact sheets than the last good one. Pure.

A technical user that lost rights gets a valid workbook with less in it. If pruning went on, retention would in time
have replaced every full backup by such a one.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from leanix_backup.ledger import Counted, Standing

MOST_LOOKED_AT = 2000  # manifests that are opened where no ledger knows how a workspace stands


def judge(newest: Counted, before: Standing | None, *, guard: float, accepted: Container[str] = ()) -> Standing:
    """Say how a workspace stands once it has this snapshot.

    Each is measured by the last good one, so that a second small one after a first is not normal either.

    Args:
        newest: The snapshot.
        before: How it stood; None where there was none.
        guard: The share by which the fact sheets may fall: 0.2 for a fifth.
        accepted: Runs whose shrink was meant.
    """
    fell = before is not None and newest.fact_sheets < before.good.fact_sheets * (1 - guard)
    if before is not None and fell and newest.run_id not in accepted:
        return Standing(before.good, newest)
    return Standing(newest)


def stand(history: Iterable[Counted], *, guard: float, accepted: Container[str] = ()) -> Standing | None:
    """Say how a workspace stands after these snapshots, the oldest first, from nothing else."""
    standing: Standing | None = None
    for each in history:
        standing = judge(each, standing, guard=guard, accepted=accepted)
    return standing


def accept(run: Counted, standing: Standing, *, guard: float) -> Standing:
    """Say how a workspace stands once a shrink was accepted: what was accepted is what the newest is measured by."""
    newest = standing.shrunk or run
    return judge(newest, Standing(run), guard=guard) if newest.run_id != run.run_id else Standing(run)
