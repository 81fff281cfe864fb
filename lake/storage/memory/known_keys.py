"""Hashes of the keys that tables have: that none of some new rows repeats a key is known without reading a history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from lake.contract import Table
from lake.storage.snapshot import FileSpan, Snapshot

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Hashes = npt.NDArray[np.uint64]

MAX_KEYS = 8_000_000
"""Keys of a table whose hashes are kept, of 8 bytes each; in a longer table keys are looked up in the files."""

ReadKeys = Callable[[Sequence[FileSpan]], pl.DataFrame]


@dataclass
class _Known:
    """Of one table: the files whose keys are known."""

    paths: set[str] = field(default_factory=set)
    hashes: Hashes | None = None
    """Rising, each once."""


class KnownKeys:
    """Knows a key that is in a table; of one that is not it may be wrong, and the files then tell.

    Files never change, so the keys of each are read once. Those of files that a version takes away stay known: a
    compaction has them again, and a discarded attempt comes back with the same.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def may_have(self, table: Table, snapshot: Snapshot, rows: pl.DataFrame, read: ReadKeys) -> bool:
        """Whether a version of a table may have the key of one of the rows; False is certain.

        Args:
            table: its contract.
            snapshot: the version.
            rows: with at least the columns of the key.
            read: gives the keys in some of the version's files.
        """
        if sum(file.rows for file in snapshot.spans) > MAX_KEYS:
            self._known.pop(table.name, None)
            return True
        import numpy as np  # here, since it takes a tenth of a second and who only reads needs none of it

        known = self._known.setdefault(table.name, _Known())
        if unknown := [file for path, file in snapshot.files.items() if path not in known.paths]:
            added = np.unique(_hash(read(unknown), table))
            known.hashes = added if known.hashes is None else _merge(known.hashes, added)
            known.paths |= {file.path for file in unknown}
        if known.hashes is None or not len(known.hashes):
            return False
        asked = _hash(rows, table)
        place = np.searchsorted(known.hashes, asked)
        return bool((known.hashes[np.minimum(place, len(known.hashes) - 1)] == asked).any())


def _hash(rows: pl.DataFrame, table: Table) -> Hashes:
    """A number for each row's key, the same for equal keys; that of others is the same once in 2^64 times."""
    hashes: Hashes = rows.select(table.key).hash_rows().to_numpy()
    return hashes


def _merge(known: Hashes, added: Hashes) -> Hashes:
    """Both, rising, each once: what is added is few and has its place found, which is not to sort all anew."""
    import numpy as np  # as above

    place = np.searchsorted(known, added)
    new = added[known[np.minimum(place, len(known) - 1)] != added] if len(known) else added
    return np.insert(known, np.searchsorted(known, new), new)
