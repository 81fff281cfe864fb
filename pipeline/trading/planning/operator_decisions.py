"""The operator's approvals and vetoes of planned trades, as they stood when the market opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.trading.params import Approval

MAX_REASON = 280
"""Characters of the operator's reason that stand beside an order."""


@dataclass(frozen=True)
class OperatorDecision:
    """What the operator decided last about a plan."""

    verdict: str
    """approve or veto."""
    reason: str


def read_last_decisions(trade_decisions: pl.DataFrame, opening: datetime) -> dict[str, OperatorDecision]:
    """Return plan -> the last decision on it before the open; one at the open or later does not count."""
    in_time = trade_decisions.filter(pl.col("decided_at") < opening).sort("plan_id", "decided_at", "decision_id")
    rows = in_time.select("plan_id", "decision", "reason").iter_rows()
    return {plan: OperatorDecision(verdict, reason) for plan, verdict, reason in rows}


def explain_hold(plan_id: str, intent: str, decisions: Mapping[str, OperatorDecision], approval: Approval) -> str:
    """Return why the operator keeps an order from the open; empty if it may go."""
    decision = decisions.get(plan_id)
    if decision is not None and decision.verdict == "veto":
        because = f": {decision.reason}" if decision.reason else ""
        return f"vetoed{because}"[:MAX_REASON]
    if decision is None and approval == "required" and intent != "stop":
        return "nobody approved it before the open, and trading.approval asks for it"
    return ""
