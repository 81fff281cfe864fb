"""What the book's capital would be worth in each reference after a session, on the costs that the book pays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import fsum
from typing import Any

import polars as pl

DAYS_A_YEAR = 365
NET = ("equal_weight", "benchmark")
"""The references that are held without costs, from which theirs are taken here."""
Levels = dict[str, float | None]
"""Column of portfolio_value -> its value."""


def sum_baselines(baseline_holdings: pl.DataFrame, cost_before: float, session: date) -> Levels:
    """The baselines' value after the session, and how much equal weight trades.

    Args:
        baseline_holdings: with the rows of the session.
        cost_before: half-spreads and commissions of equal weight's trades up to the session before, in currency.
        session: the one.
    """
    equal_weight, benchmark = (_rows(baseline_holdings, name, session) for name in NET)
    worth = fsum(equal_weight["value"])
    return {
        "equal_weight": worth,
        "benchmark": fsum(benchmark["value"]) if benchmark.height else None,
        "equal_weight_turnover": fsum(equal_weight["traded"].abs()) / worth if worth else 0.0,
        "equal_weight_cost": cost_before + fsum(equal_weight["cost"]),
    }


def charge_baselines(
    baseline_holdings: pl.DataFrame, before: Mapping[str, Any] | None, capital: float, interest: float, session: date
) -> Levels:
    """The same capital in each reference after its costs: cash, equal weight, the benchmark and top-k.

    A reference that is held without costs keeps its return, less what its trades cost as a part of its value: what is
    in proportion to a portfolio can be taken from it like that. In a lake whose earlier rows know none of it, all begin
    with what the book was worth.

    Args:
        baseline_holdings: with the rows of the session.
        before: the row of portfolio_value before; None at the first session.
        capital: what the book is funded with, in currency.
        interest: fraction per year that cash earns.
        session: the one.
    """
    begun = before is not None and before["cash_alone"] is not None
    start = capital if before is None else float(before["nav"])
    days = (session - before["session"]).days if before is not None else 0
    cash = before["cash_alone"] if before is not None and begun else start
    levels: Levels = {"cash_alone": cash * (1 + interest) ** (days / DAYS_A_YEAR)}
    for name in NET:
        held = before[f"{name}_net"] if before is not None and begun else start
        paid = before[f"{name}_net_cost"] if before is not None and begun else 0.0
        levels |= _charge(name, baseline_holdings, before[name] if before is not None else capital, held, paid, session)
    top_k = _rows(baseline_holdings, "top_k", session)
    levels["top_k"] = fsum(top_k["value"])
    levels["top_k_cost"] = ((before["top_k_cost"] or 0.0) if before is not None else 0.0) + _cost(top_k)
    return levels


def _charge(
    name: str, holdings: pl.DataFrame, gross_before: float, net: float | None, paid: float | None, session: date
) -> Levels:
    rows = _rows(holdings, name, session)
    if rows.is_empty() or net is None or paid is None or not gross_before:
        return {f"{name}_net": None, f"{name}_net_cost": None}
    gross = fsum(rows["value"])
    grown = net * gross / gross_before
    cost = grown * _cost(rows) / gross if gross else 0.0
    return {f"{name}_net": grown - cost, f"{name}_net_cost": paid + cost}


def _rows(baseline_holdings: pl.DataFrame, name: str, session: date) -> pl.DataFrame:
    return baseline_holdings.filter(pl.col("session") == session, pl.col("portfolio") == name)


def _cost(rows: pl.DataFrame) -> float:
    """All that the trades cost."""
    return fsum([*rows["cost"], *rows["impact"].drop_nulls()])
