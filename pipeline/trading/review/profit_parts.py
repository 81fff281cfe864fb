"""What a closed trade's profit is made of: what was expected, timing, costs, luck, and error of the forecast."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any, NamedTuple

import polars as pl

from pipeline.trading.review.closings import Closing

Opens = Mapping[str, tuple[float, int]]
"""Plan -> the open at which it was filled, and the shares ordered then."""


class ProfitParts(NamedTuple):
    """Cents; less the costs of the trade they are its profit."""

    expected: int
    timing: int
    luck: int
    error: int


def read_opens(executed_trades: pl.DataFrame) -> dict[str, tuple[float, int]]:
    """Return the open and the order of each plan that was filled."""
    filled = executed_trades.filter(pl.col("shares") > 0, pl.col("plan_id").is_not_null())
    return {
        plan: (float(price), ordered)
        for plan, price, ordered in filled.select("plan_id", "open_price", "ordered").iter_rows()
    }


def split_profit(
    closing: Closing, entry: Mapping[str, Any], leaving: Mapping[str, Any], opens: Opens, held: int, horizon: int
) -> ProfitParts:
    """Return the parts of a profit.

    What came otherwise than forecast is luck as far as it lies in the forecast's 80 % interval, scaled to the time that
    the position was held, and error of the forecast beyond. Without a forecast all of it is luck.

    Args:
        closing: the sale or cover; of the latter all amounts have the other sign, what was invested among them.
        entry: the plan that opened the position; empty if unknown.
        leaving: the plan that closed it; likewise.
        opens: at which plans were filled.
        held: sessions.
        horizon: of the forecast, sessions.
    """
    invested = closing.cost - closing.entry.slippage
    point, low, high = (entry.get(name) for name in ("expected_return", "low_80", "high_80"))
    span = max(held, 1) / horizon
    expected = 0 if point is None else round(point * span * invested)
    proceeds = closing.proceeds + closing.slippage
    timing = round(_drift(leaving, opens) * proceeds) - round(_drift(entry, opens) * invested)
    left = closing.profit + closing.costs - expected - timing
    if point is None or low is None or high is None:
        return ProfitParts(expected, timing, left, 0)
    least, most = sorted(round((bound - point) * sqrt(span) * invested) for bound in (low, high))
    luck = min(max(left, least), most)
    return ProfitParts(expected, timing, luck, left - luck)


def _drift(plan: Mapping[str, Any], opens: Opens) -> float:
    """How much above the close of its plan a trade's open was, as a share of the open; 0 across a split."""
    price, ordered = opens.get(plan.get("plan_id", ""), (0.0, 0))
    return 1 - plan["close"] / price if price > 0 and ordered == plan["shares"] else 0.0
