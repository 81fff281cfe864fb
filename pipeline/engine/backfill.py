"""History that is loaded in several parts: each part folds all of them anew, so that their order leaves no trace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.store import CommitResult, Lake


def commit_fold(
    lake: Lake, table: Table, rows: pl.DataFrame, since: date, run_id: str, recipe: Mapping[str, Any]
) -> CommitResult:
    """Make the rows all that the table holds from `since` on, in one commit.

    A row that stays as it was keeps the run that wrote it. What an earlier load derived without knowing this one's
    landings, and the fold no longer gives, goes; earlier versions of the table keep it for whoever pinned them. Where
    nothing changes there is no commit.

    Args:
        lake: under the writer lock.
        table: a pure stage's, whose clock is a date.
        rows: what the stage derived from the landings of all loads, in the contract's columns.
        since: the fold's first session.
        run_id: who does it.
        recipe: goes into the commit itself.
    """
    if not lake.rows(table, lake.newest(table)):
        return lake.commit(table, rows, run_id, recipe)
    stored = lake.read(table, version=lake.newest(table))
    content = list(table.content_columns)
    kept = rows.join(stored.select(*content, RUN_ID), on=content, how="left", nulls_equal=True, maintain_order="left")
    fold = kept.with_columns(pl.col(RUN_ID).fill_null(run_id)).select(stored.columns)
    earlier = stored.filter(pl.col(table.clock) < since).join(rows, on=table.key, how="anti")
    whole = pl.concat([earlier, fold])
    fresh = fold.filter(pl.col(RUN_ID) == run_id).height
    gone = stored.join(whole, on=table.key, how="anti").height
    if not gone and fold.filter(pl.col(RUN_ID) == run_id).join(stored, on=table.key, how="semi").is_empty():
        return lake.commit(table, rows, run_id, recipe)  # nothing that stands changes
    ordered = pl.concat([stored[table.clock], whole[table.clock]]).sort()
    version = lake.rewrite(table, whole.sort(table.clock, *table.key), ordered[0], run_id, recipe)
    return CommitResult(version, fresh + gone)
