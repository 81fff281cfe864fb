"""What kind of order a planned trade becomes, at which limit, and where a position's stop lies in the market."""

from __future__ import annotations

from pipeline.trading.params import Orders
from pipeline.trading.planning.candidates import Candidate

LIMIT = "limit"


def state_terms(one: Candidate, side: str, intent: str, taken: bool, orders: Orders) -> dict[str, object]:
    """Return `order_type`, `limit_price` and `resting_stop` of a plan row; prices are on the basis of its close.

    What a stop sells goes to the open, whatever other sales do. A stop order lies in the market for whatever is held.

    Args:
        one: the name as it stands at the close.
        side: buy, sell or hold.
        intent: why.
        taken: whether an order goes out.
        orders: the settings.
    """
    kind = None
    if taken:
        kind = "market-on-open" if intent == "stop" else orders.buys if side == "buy" else orders.sales
    resting = one.holding.stop if one.holding is not None and orders.stops == "resting" else None
    return {
        "order_type": kind,
        "limit_price": find_limit(one, side, orders.limit_sigmas) if kind == LIMIT else None,
        "resting_stop": resting,
    }


def find_limit(one: Candidate, side: str, sigmas: float) -> float:
    """Return the close less so many deviations of a session for a buy, plus as many for a sale; never below 0."""
    away = sigmas * one.volatility
    return one.close * (max(1 - away, 0.0) if side == "buy" else 1 + away)
