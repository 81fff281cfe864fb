"""Sets a book of the desk beside the one that the lake has, as two lakes are compared, from fills and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from lake.runs import DONE
from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.config.settings import Settings
from pipeline.engine.code_fingerprint import code_fingerprint
from pipeline.engine.session_order import find_stage
from pipeline.market.sessions import Sessions
from pipeline.reading.tried import count_openings
from pipeline.research.compare_runs import RunComparison, compare_settings, compare_values
from pipeline.research.desk.book import ORDERED, SessionResult
from pipeline.research.first_difference import FirstDifference

STAGES = ("execute", "ledger", "holdings", "reflect", "value", "strategy", "plan")
"""Whose work the desk does."""
SLIPPAGE = ("spread_cost", "impact_cost")
FILL = ("status", "shares", "fill_price", "gross", "commission", "spread_cost", "impact_cost")


def compare_with_book(
    lake: Lake, settings: tuple[Settings, Settings], names: tuple[str, str], results: Sequence[SessionResult],
    calendar: Sessions,
) -> RunComparison:  # fmt: skip
    """Return how the book would have been beside how it was.

    Args:
        lake: the lake.
        settings: its own, and those that were tried.
        names: of the two.
        results: of sessions in a row.
        calendar: the sessions, by whose number a year is counted.
    """
    first, last = results[0].session, results[-1].session
    was = lake.read(PORTFOLIO_VALUE, since=first, until=last).sort("session")
    values = compare_values(was, _tell_values(lake, results), calendar)
    return RunComparison(
        names=names,
        first=first,
        last=last,
        sessions=len(results),
        settings=compare_settings(*settings),
        **values,
        difference=next(_find_differences(lake, was, results), None),
        code=_find_other_code(lake, results),
        looks=count_openings(lake),
        unit="fill or value",
    )


def _tell_values(lake: Lake, results: Sequence[SessionResult]) -> pl.DataFrame:
    """The book as rows of `portfolio_value`, as far as comparisons look at them."""
    before = lake.read(PORTFOLIO_VALUE, until=results[0].session).sort("session").row(-2, named=True)
    slipped = {name: before[name] for name in SLIPPAGE}
    rows = []
    for one in results:
        slipped = {
            name: cost + _money(sum(getattr(fill, name) for fill in one.fills)) for name, cost in slipped.items()
        }
        gross = sum(fill.gross for fill in one.fills)
        told = {
            "session": one.session,
            "nav": _money(one.nav),
            "session_return": one.session_return,
            "turnover": gross / one.nav if one.nav else 0.0,
            "commission": _money(one.commission),
        }
        rows.append(told | slipped)
    return pl.DataFrame(rows, schema={name: PORTFOLIO_VALUE.schema[name] for name in rows[0]})


def _money(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _find_differences(lake: Lake, values: pl.DataFrame, results: Sequence[SessionResult]) -> Iterator[FirstDifference]:
    """What came out otherwise, the earliest first: fills, then values, then orders of each session."""
    first, last = results[0].session, results[-1].session
    fills = _by_session(lake.read(EXECUTED_TRADES, since=first, until=last), "trade_id")
    wanted = ("plan_id", "session", *ORDERED)
    plans = lake.read(TRADE_PLANS, since=first, until=last, where=pl.col("taken"), columns=wanted)
    orders = _by_session(plans, "plan_id")
    navs = dict(values.select("session", "nav").iter_rows())
    for one in results:
        mine = {fill.trade_id: dict(zip(FILL, fill.amounts(), strict=True)) for fill in one.fills}
        for key, column, before, after in _compare(fills.get(one.session, {}), mine, FILL):
            named = {"trade_id": key}
            yield FirstDifference(one.session, "execute", EXECUTED_TRADES.name, named, column, before, after)
        if navs[one.session] != _money(one.nav):
            row = {"session": one.session}
            yield FirstDifference(
                one.session, "value", PORTFOLIO_VALUE.name, row, "nav", navs[one.session], _money(one.nav)
            )
        for key, column, before, after in _compare(orders.get(one.session, {}), one.orders, ORDERED):
            yield FirstDifference(one.session, "plan", TRADE_PLANS.name, {"plan_id": key}, column, before, after)


def _compare(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], columns: Sequence[str]
) -> Iterator[tuple[str, str, Any, Any]]:
    """Key, column and both values of what differs; no column where only one of them has the row."""
    for key in sorted({*before, *after}):
        if key not in before or key not in after:
            yield key, "", key in before, key in after
            continue
        for column in columns:
            if before[key][column] != after[key][column]:
                yield key, column, before[key][column], after[key][column]


def _by_session(rows: pl.DataFrame, key: str) -> dict[Any, dict[str, dict[str, Any]]]:
    found: dict[Any, dict[str, dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        found.setdefault(row["session"], {})[row[key]] = row
    return found


def _find_other_code(lake: Lake, results: Sequence[SessionResult]) -> tuple[str, ...]:
    """The stages that ran with other code than what the desk computed with."""
    today = {name: code_fingerprint(find_stage(name)) for name in STAGES}
    wanted, columns = DONE & pl.col("stage").is_in(list(STAGES)), ("run_id", "stage", "code")
    runs = lake.read(RUNS, since=results[0].session, until=results[-1].session, where=wanted, columns=columns)
    ran = runs.select("stage", "code").unique().iter_rows()
    return tuple(sorted({stage for stage, code in ran if code != today[stage]}))
