"""Recent rows of tables, sorted by key: laid out once, extended by what each version adds, and read in slices."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from lake.contract import Table
from lake.storage.memory.file_cache import collect_rows
from lake.storage.snapshot import FileSpan, Snapshot, select_overlapping

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]

MAX_TABLE_BYTES = 256 * 1024 * 1024
"""Bytes of one table that are kept; a read of more goes to the files."""
MAX_BYTES = 1024 * 1024 * 1024
"""Bytes of all tables that are kept; one for which there is no room is read from the files."""
STALE_READS = 2_000
"""Reads of all tables after which one that none of them read makes room for others: some sessions' worth."""
CELL_BYTES = 8
"""Of a value, roughly, where nobody has looked yet."""
READS_OF_A_ROUND = 64
"""Reads of a table after which what none of them reached back to is dropped: some sessions' worth."""

FEW_ROWS = 20_000
"""Rows that are sorted anew sooner than what is added to them is put in its place."""

ScanFiles = Callable[[Sequence[FileSpan]], pl.LazyFrame]


@dataclass
class _Kept:
    """A table's rows from a day on, at one version."""

    snapshot: Snapshot
    since: date
    rows: pl.DataFrame
    asked: list[date]
    """Where the reads of this round began."""
    size: int = 0
    """Bytes of the rows, counted once: a table's columns take longer to count than to extend."""
    read_at: int = 0
    """Which of all reads was the last of it."""
    part: tuple[date, pl.DataFrame] | None = None
    """The rows from a day on that were handed out last: who asks for the same gets the same frame."""

    def leads_to(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot has all of these files: then it has the same rows and perhaps some more."""
        return snapshot.columns == self.snapshot.columns and snapshot.files.keys() >= self.snapshot.files.keys()

    def begin_at(self, table: Table, since: date | None) -> pl.DataFrame:
        """Of many rows those without the ones before a day, where the key begins with the day: no row is copied."""
        if since is None or table.key[0] != table.clock or self.rows.height <= FEW_ROWS:
            return self.rows
        if self.part is None or self.part[0] != since:
            begin = self.rows.get_column(table.clock).search_sorted(since, side="left")
            self.part = since, self.rows.slice(begin)
        return self.part[1]

    def has(self, rows: pl.DataFrame) -> bool:
        """Whether it is these rows that were handed out."""
        return rows is self.rows or (self.part is not None and rows is self.part[1])


class KeptRows:
    """A pure copy of what data files hold: a read through it gives the rows that a read of the files gives.

    Files never change, so what is kept is known by the files that it is from. A version that only adds files extends
    it; one that takes files away, such as a restatement or an attempt that was discarded, is laid out anew.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._row_bytes: dict[str, float] = {}
        """Table -> bytes that a row of it took when rows were last laid out."""
        self._last: Answer | None = None
        self._reads = 0

    def find(self, table: Table, snapshot: Snapshot, since: date | None, scan: ScanFiles) -> pl.DataFrame | None:
        """The table's rows at a version, sorted by key, at least those from `since` on; None where they are not kept.

        Args:
            table: its contract, with the columns of the version; its clock is a day.
            snapshot: the version.
            since: the first day; all rows where None.
            scan: gives the rows of data files, in any order, in all stored columns.
        """
        first = since or date.min
        self._reads += 1
        kept = self._kept.get(table.name)
        if kept is not None and kept.snapshot.version > snapshot.version:
            return None  # somebody looks back; what comes next goes on with the newest
        if kept is None or kept.since > first or not kept.leads_to(snapshot):
            if kept is not None:
                self._forget_answer(kept)
            kept = self._lay_out(table, snapshot, first, scan)
        else:
            kept.asked.append(first)
            kept = kept if kept.snapshot is snapshot else self._extend(kept, table, snapshot, scan)
        if kept is None:
            return None
        kept.read_at = self._reads
        self._kept.move_to_end(table.name)
        return kept.begin_at(table, since)

    def select(self, rows: pl.DataFrame, conditions: Sequence[pl.Expr], columns: Sequence[str]) -> pl.DataFrame:
        """Columns of those of the rows that meet all conditions."""
        if not conditions:
            return rows.select(columns)
        if rows.height <= FEW_ROWS:
            return rows.lazy().filter(*conditions).select(columns).collect(engine="in-memory")
        if self._last is None or not self._last.is_to(rows, conditions, columns):
            self._last = Answer.of(rows, conditions, columns)
        return self._last.found

    def _lay_out(self, table: Table, snapshot: Snapshot, since: date, scan: ScanFiles) -> _Kept | None:
        files = select_overlapping(snapshot.spans, since, None)
        row_bytes = self._row_bytes.get(table.name, CELL_BYTES * len(snapshot.columns))
        if not files or not self._has_room(table, int(sum(_count_rows(file, since) for file in files) * row_bytes)):
            return None
        rows = _cut(scan(files), table, since).sort(table.key)
        return self._keep(table, _Kept(snapshot, since, collect_rows(rows, files), [since]))

    def _extend(self, kept: _Kept, table: Table, snapshot: Snapshot, scan: ScanFiles) -> _Kept | None:
        self._forget_answer(kept)
        kept.part = None
        if len(kept.asked) >= READS_OF_A_ROUND:
            kept.since, kept.asked = max(kept.since, min(kept.asked)), []
            kept.rows = _cut(kept.rows.lazy(), table, kept.since).collect(engine="in-memory")
        added = [snapshot.files[path] for path in snapshot.files.keys() - kept.snapshot.files.keys()]
        if added := select_overlapping(added, kept.since, None):
            kept.rows = add_rows(kept.rows, _cut(scan(added), table, kept.since), table.key)
        kept.snapshot = snapshot
        del self._kept[table.name]  # until it is known that it is not too much by now
        return self._keep(table, kept)

    def _forget_answer(self, kept: _Kept) -> None:
        """Before rows are replaced: an answer from them would keep them as they were."""
        if self._last is not None and kept.has(self._last.rows):
            self._last = None

    def _keep(self, table: Table, kept: _Kept) -> _Kept | None:
        """Keep it, where there is room for it."""
        kept.size = int(kept.rows.estimated_size())
        self._row_bytes[table.name] = kept.size / max(kept.rows.height, 1)
        if not self._has_room(table, kept.size):
            return None
        self._kept[table.name] = kept
        return kept

    def _has_room(self, table: Table, size: int) -> bool:
        """Whether so many bytes of a table can be kept, once tables that nobody reads any more are dropped for them.

        None that is read is dropped: a cycle reads all of them in turn, and each would be gone when its turn came.
        """
        others = {name: kept for name, kept in self._kept.items() if name != table.name}
        taken = size + sum(kept.size for kept in others.values())
        for name, kept in others.items():
            if taken <= MAX_BYTES or self._reads - kept.read_at < STALE_READS:
                break
            self._forget_answer(kept)
            del self._kept[name]
            taken -= kept.size
        return size <= MAX_TABLE_BYTES and taken <= MAX_BYTES


@dataclass(frozen=True)
class Answer:
    """What was read last of many rows: several stages in turn ask for the same."""

    rows: pl.DataFrame
    conditions: Sequence[pl.Expr]
    columns: Sequence[str]
    found: pl.DataFrame

    @classmethod
    def of(cls, rows: pl.DataFrame, conditions: Sequence[pl.Expr], columns: Sequence[str]) -> Answer:
        """Columns of the rows that meet all conditions; where all rows do, none is copied."""
        met = rows.select(pl.all_horizontal(*conditions)).to_series()
        chosen = rows.select(columns)
        return cls(rows, conditions, columns, chosen if met.sum() == rows.height else chosen.filter(met))

    def is_to(self, rows: pl.DataFrame, conditions: Sequence[pl.Expr], columns: Sequence[str]) -> bool:
        """Whether the same is asked again of the same rows."""
        alike = rows is self.rows and columns == self.columns and len(conditions) == len(self.conditions)
        return alike and all(one.meta.eq(other) for one, other in zip(conditions, self.conditions, strict=True))


def add_rows(rows: pl.DataFrame, scan: pl.LazyFrame, key: Sequence[str]) -> pl.DataFrame:
    """Rows that are sorted by the key, and others, whose keys are not among theirs, sorted by it.

    What is added mostly lies behind all that has the same first value of the key, as a new session's bar does behind
    its ticker's: then each row has its place without sorting them all.
    """
    import numpy as np  # here, since it takes a tenth of a second and who only reads needs none of it

    added = scan.sort(key).collect(engine="in-memory")
    if _lies_behind_all(rows, added, key):
        return pl.concat([rows, added], rechunk=True)
    if rows.height <= FEW_ROWS:
        return pl.concat([rows, added]).sort(key)
    keys, new = rows.select(key), added.select(key)
    first, wanted = keys[key[0]], new[key[0]]
    if first.null_count() or wanted.null_count():
        return pl.concat([rows, added]).sort(key)
    begin, place = (first.search_sorted(wanted, side=side).to_numpy().astype(np.int64) for side in ("left", "right"))
    among = (begin < place) & ~_lies_behind(keys[np.maximum(place - 1, 0)], new, key)
    if among.any():
        place[among] = _find_places(keys, new.filter(pl.Series(among)), begin[among], place[among])
    both = pl.concat([rows, added], rechunk=True)
    return both[pl.Series(np.insert(np.arange(len(rows)), place, len(rows) + np.arange(len(added))))]


def _find_places(keys: pl.DataFrame, new: pl.DataFrame, begin: Places, end: Places) -> Places:
    """Before which of the rows each new one comes, whose first value of the key the rows from begin to end have."""
    import numpy as np  # as above

    near = np.unique(np.concatenate([np.arange(*span) for span in zip(begin, end, strict=True)]))
    number, place = pl.Series("number", np.arange(len(new))), pl.Series("place", near)
    beside = keys[near].with_columns(place, number=pl.lit(None, pl.Int64))
    both = pl.concat([beside, new.with_columns(number, place=pl.lit(None, pl.Int64)).select(beside.columns)])
    ordered = both.sort(new.columns).with_columns(pl.col("place").backward_fill().fill_null(len(keys)))
    found: Places = ordered.filter(pl.col("number").is_not_null()).sort("number")["place"].to_numpy()
    return np.minimum(found, end, dtype=np.int64)


def _lies_behind_all(rows: pl.DataFrame, added: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether the first row added comes after the last one there is, as where a key begins with the session."""
    if rows.is_empty() or added.is_empty():
        return True
    last, first = ([frame.item(at, name) for name in key] for frame, at in ((rows, -1), (added, 0)))
    return None not in last and None not in first and last < first


def _lies_behind(rows: pl.DataFrame, added: pl.DataFrame, key: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether the key of each row added is greater than that of the row beside it; not where a null says nothing."""
    beside = pl.concat([added, rows.select(pl.all().name.suffix(" before"))], how="horizontal")
    after: pl.Expr = pl.lit(value=False)
    for name in reversed(key):
        new, old = pl.col(name), pl.col(f"{name} before")
        after = (new > old) | ((new == old) & after)
    return beside.select(after.fill_null(value=False).alias("behind"))["behind"].to_numpy()


def _cut(rows: pl.LazyFrame, table: Table, since: date) -> pl.LazyFrame:
    return rows if since == date.min else rows.filter(pl.col(table.clock) >= since)


def _count_rows(file: FileSpan, since: date) -> float:
    """How many rows of a file lie there, if they lie evenly."""
    if file.first is None or file.last is None or file.first >= since:
        return file.rows
    return file.rows * ((file.last - since).days + 1) / ((file.last - file.first).days + 1)
