"""Which rows a read returns: the as-of filter on clock and availability, and the last revision of each entity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from lake.contract import Table
from lake.errors import SealedError
from lake.storage.snapshot import Clock

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def build_predicates(
    table: Table,
    since: Clock | None = None,
    until: Clock | None = None,
    as_of: datetime | None = None,
    where: pl.Expr | None = None,
) -> list[pl.Expr]:
    """The conditions on a row: its clock within the span, available by then, and a further one."""
    clock = pl.col(table.clock)
    found = [clock >= _literal(since)] if since is not None else []
    found += [clock <= _literal(until)] if until is not None else []
    found += [pl.col(table.available) <= _literal(as_of)] if as_of is not None and table.available else []
    return found + ([where] if where is not None else [])


FACTS = frozenset({"market", "news", "features", "predictions", "feedback"})
"""Domains whose rows tell what happened in a session; others say what was done in it."""


def refuse_sealed(table: Table, until: Clock | None, as_of: datetime | None, sealed_from: date | None) -> None:
    """Refuse a read that reaches into a test window.

    Raises:
        SealedError: naming the table, what was asked for and the window.
    """
    if sealed_from is None or table.domain not in FACTS:
        return
    last = until.date() if isinstance(until, datetime) else until
    opens = datetime.combine(sealed_from, time(), UTC)
    if last is None or last >= sealed_from or (table.available and (as_of is None or as_of >= opens)):
        asked = f"up to {until}" if until is not None else "without an end"
        known = f", as known {f'at {as_of}' if as_of else 'at any time'}" if table.available else ""
        raise SealedError(
            f"{table.name} was asked for {asked}{known}; the test window begins on {sealed_from}, and what chooses"
            " models may read nothing from that day on: end the read before it, or take models.test_from out"
        )


@lru_cache(maxsize=64)
def _literal(moment: Clock) -> pl.Expr:
    """Cached for the many reads of a session: a literal with a time zone takes a query of its own."""
    return pl.lit(moment)


def select_last_revisions(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Each entity's last row, unless that withdraws it; the frame is sorted by the table's key, so by revision."""
    last = frame
    if "revision" not in frame.columns:
        last = frame.unique(subset=list(table.entity), keep="last", maintain_order=True)
    elif (superseded := _find_superseded(frame, table.entity)).size:
        import numpy as np  # here, since it takes a tenth of a second and most tables have no revisions

        kept = np.ones(frame.height, dtype=np.bool_)
        kept[superseded] = False
        last = frame.filter(pl.Series(kept))
    # A first revision may withdraw as well: what was announced and never took place.
    return last if table.withdrawal is None else last.filter(~pl.col(table.withdrawal).fill_null(value=False))


def _find_superseded(frame: pl.DataFrame, entity: Sequence[str]) -> npt.NDArray[np.int64]:
    """The rows that the next one revises: it is compared with the row before it only where it is no first revision."""
    import numpy as np  # as above

    later = (frame["revision"] > 0).arg_true().to_numpy().astype(np.int64)
    later = later[later > 0]
    if not later.size:
        return later
    revised, revising = (frame[rows].select(entity) for rows in (later - 1, later))
    alike = [(revised[name].eq_missing(revising[name])).to_numpy() for name in entity]
    return later[np.logical_and.reduce(alike)] - 1
