"""Remove from the store what no working copy can ask for any more."""

from __future__ import annotations

from datetime import timedelta

from lake.remote import changes
from lake.remote.differences import TABLES
from lake.remote.exchange import Pruned
from lake.remote.index import Index
from lake.remote.lease import LEASE
from lake.remote.objects import Listed, Objects

KEPT_STATES = 2
"""States that stay: a working copy that is being made reads the one before the newest to its end."""


def prune(objects: Objects, index: Index, min_age_seconds: float) -> Pruned:
    """Remove old changes, contents that only they need, and files that belong to no state.

    Args:
        objects: of the store; the caller holds the lease, and has followed all changes.
        index: the files of the present state.
        min_age_seconds: younger objects stay: somebody may be about to name them in a change.
    """
    before = objects.now() - timedelta(seconds=min_age_seconds)
    known = index.files()
    states = [one.key for one in objects.list(changes.SNAPSHOTS)]
    oldest = int(states[-KEPT_STATES][-25:-5]) if len(states) >= KEPT_STATES else -1
    # A working copy that lacks a change which is gone begins anew from a state.
    needed = {LEASE, *known, *states[-KEPT_STATES:]}
    floor = changes.change_key(oldest)

    def is_needed(one: Listed) -> bool:
        if one.key.startswith(f"{changes.CHANGES}/"):
            return one.key > floor
        if one.key.startswith(f"{changes.BLOBS}/"):
            return one.modified >= before or oldest < 0
        return one.key in needed

    ours = (f"{TABLES}/", f"{changes.ROOT}/")  # a bucket may hold other things beside the lake
    left = [
        one for one in objects.list("") if one.key.startswith(ours) and not is_needed(one) and one.modified < before
    ]
    objects.delete(one.key for one in left)
    return Pruned(len(left), sum(one.size for one in left))
