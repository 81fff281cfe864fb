"""Finds merges of branches that are on record and were cut off before all of them was brought over."""

from __future__ import annotations

from typing import Any

import polars as pl

from lake.contract import RUN_ID
from lake.runs import is_published
from lake.store import Lake
from lake.tables.control import MODEL_CHOICES
from lake.tables.research import BRANCH_MERGES
from lake.tables.trading import MANDATES


def find_unfinished(lake: Lake, branch: str) -> dict[str, Any]:
    """Return the last recorded merge of a branch where a part of it is lacking; empty where none is."""
    return next((merge for merge in list_unfinished(lake) if merge["branch"] == branch), {})


def list_unfinished(lake: Lake) -> list[dict[str, Any]]:
    """Of each branch the last merge, if a part of it is lacking."""
    if not lake.has_table(BRANCH_MERGES):
        return []
    merges = lake.read(BRANCH_MERGES).drop(RUN_ID).sort("merged_at", "merge_id")
    last = merges.unique("branch", keep="last", maintain_order=True).to_dicts()
    return [merge for merge in last if not _is_finished(lake, merge)]


def _is_finished(lake: Lake, merge: dict[str, Any]) -> bool:
    """Whether each part is there that leaves a row; settings leave none, and are told by their file."""
    own = merge["merge_id"]
    if (merge["models"] or merge["trials"]) and not is_published(lake, own):
        return False
    if merge["mandate_id"] and lake.read(MANDATES, where=pl.col("mandate_id") == own, columns=MANDATES.key).is_empty():
        return False
    chosen = lake.read(MODEL_CHOICES, where=pl.col("choice_id") == own, columns=MODEL_CHOICES.key)
    return not (merge["champion"] and chosen.is_empty())
