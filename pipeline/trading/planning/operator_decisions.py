"""The operator's word on planned trades, as it stood when the market opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.trading.params import Approval

LONGEST_REASON = 280
"""Characters of the operator's reason that stand beside an order."""


@dataclass(frozen=True)
class Word:
    """The last thing said of a plan."""

    decision: str
    """approve or veto."""
    reason: str


def words_on_plans(trade_decisions: pl.DataFrame, opening: datetime) -> dict[str, Word]:
    """Return plan -> the last word on it before the open; what was said at the open or later does not count."""
    said = trade_decisions.filter(pl.col("decided_at") < opening).sort("plan_id", "decided_at", "decision_id")
    rows = said.select("plan_id", "decision", "reason").iter_rows()
    return {plan: Word(decision, reason) for plan, decision, reason in rows}


def why_held(plan_id: str, intent: str, words: Mapping[str, Word], approval: Approval) -> str:
    """Return why the operator's word keeps an order from the open; empty if it does not."""
    word = words.get(plan_id)
    if word is not None and word.decision == "veto":
        because = f": {word.reason}" if word.reason else ""
        return f"vetoed{because}"[:LONGEST_REASON]
    if word is None and approval == "required" and intent != "stop":
        return "nobody approved it before the open, and trading.approval asks for it"
    return ""
