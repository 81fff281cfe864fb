"""Stop orders that lie in the market for what is held, beside whatever is planned of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from pipeline.trading.books.actions import Action
from pipeline.trading.execution.orders import Bar, Order, Stop


def add_resting_stops(trade_plans: pl.DataFrame) -> pl.DataFrame:
    """Return a session's orders as plan rows: those taken, and for each resting stop a sale at its price.

    A stop's row has no shares yet: what is left of the position after the open is known then.
    """
    resting = trade_plans.filter(pl.col("resting_stop").is_not_null()).with_columns(
        side=pl.lit("sell"),
        intent=pl.lit("stop"),
        shares=pl.lit(0, dtype=pl.Int64),
        edge=pl.lit(None, dtype=pl.Float64),
        order_type=pl.lit(Stop.name),
        limit_price=pl.col("resting_stop"),
    )
    return pl.concat([trade_plans.filter("taken"), resting])


def restate_price(price: float | None, action: Action) -> float | None:
    """Return the price of a resting order after an action: by the split, and lowered by what is paid out.

    Brokers lower resting buy limits and sell stops so on the ex-date (FINRA Rule 5330).
    """
    if price is None:
        return None
    if action.kind == "dividend":
        return max(price - (action.amount or 0.0), 0.0)
    new, old = action.ratio
    return price * old / new


def leave_out_unreached(orders: Iterable[Order], bars: Mapping[str, Bar]) -> list[Order]:
    """Return the orders without the stops that the session does not reach: those are no event, and leave no row."""
    return [
        order for order in orders if not isinstance(order.kind, Stop) or _reaches(order.kind, bars.get(order.ticker))
    ]


def _reaches(stop: Stop, bar: Bar | None) -> bool:
    return bar is not None and stop.is_reached(bar)
