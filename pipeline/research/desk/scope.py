"""Which questions the desk can answer to the cent, and in words why it cannot answer others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from lake.contract import Table
from lake.runs import DONE, Run
from lake.store import Lake
from lake.tables.books import POSITION_ENDS
from lake.tables.control import RUNS, TRADE_DECISIONS, TRADING_SWITCHES, WorkKind
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES
from pipeline.engine.session_order import REPORT
from pipeline.research.desk import NotOnDeskError

SETTINGS = (
    "trading.costs.",
    "trading.orders.",
    "trading.philosophy.",
    "trading.mandate.",
    "trading.regimes.target_volatility",
)
"""Settings that change nothing before orders, fills and values; of the mandate the holding period is none of them."""
BEFORE_ORDERS = ("trading.mandate.horizon", "trading.philosophy.trust_of")
"""Settings that expected returns are computed from, and what is learned of them."""
TICKERS = ["ticker"]
"""What is trusted by how it came out, as far as the desk follows it."""
EMPTY: tuple[tuple[Table, str], ...] = (
    (TRADING_SWITCHES, "the operator stopped trading at some time"),
    (TRADE_DECISIONS, "the operator approved or vetoed orders"),
    (FX_RATES, "there are names in other currencies"),
    (POSITION_ENDS, "positions were written off"),
)
"""Tables that have to be empty, and what their rows mean."""
BRINGS_FACTS = pl.col("work").is_in([WorkKind.BACKFILL, WorkKind.IMPORT]) | (
    (pl.col("work") == WorkKind.SINGLE_STAGE) & ~pl.col("stage").is_in(list(REPORT))
)
"""Work that may bring facts of the past."""


def check_settings(chosen: Mapping[str, Any]) -> None:
    """Refuse settings that change more than the desk computes.

    Raises:
        NotOnDeskError: naming the first of them.
    """
    for key in chosen:
        if key in BEFORE_ORDERS or not key.startswith(SETTINGS):
            raise NotOnDeskError(f"{key} changes more than orders and what they bring")


def check_history(lake: Lake, runs: Sequence[Run], eve: date, last: date) -> None:
    """Refuse a past of which the desk may tell otherwise than the stages would.

    Args:
        lake: the lake.
        runs: those that planned, by session, that of `eve` the first.
        eve: the session before the first one.
        last: the last session.

    Raises:
        NotOnDeskError: naming the first reason.
    """
    for reason in _find_reasons(lake, runs, eve, last):
        raise NotOnDeskError(reason)


def _find_reasons(lake: Lake, runs: Sequence[Run], eve: date, last: date) -> Iterator[str]:
    for table, meaning in EMPTY:
        if lake.has_table(table) and not lake.read(table, columns=table.key).is_empty():
            yield meaning
    yield from _find_odd_runs(lake, runs, eve, last)
    yield from _find_late_actions(lake, runs)


def _find_odd_runs(lake: Lake, runs: Sequence[Run], eve: date, last: date) -> Iterator[str]:
    if not runs or runs[0].recipe.session != eve or len(runs) < 2:
        yield f"no plans were made from {eve} to {last}"
    for run in runs:
        params = run.recipe.params
        if run.recipe.plugins:
            yield f"a plugin's rules judged the trades of {run.recipe.session}"
        if (params.get("planning"), params.get("settlement"), params.get("approval")) != (2, 2, "none"):
            yield f"the book of {run.recipe.session} was planned or settled in another way"
        if params.get("book_interest") or params.get("margin_interest") or params.get("shorts", {}).get("allowed"):
            yield f"the book of {run.recipe.session} could sell short, or earned or paid interest"
        if list(params.get("philosophy", {}).get("trust_of", TICKERS)) != TICKERS:
            yield f"trust in more than tickers was on trial on {run.recipe.session}"
    begun = runs[0].started_at if runs else None
    later = DONE & (pl.col("started_at") >= begun) & BRINGS_FACTS
    if begun is not None and not lake.read(RUNS, where=later, columns=("run_id",)).is_empty():
        yield "an import, a backfill or a stage run by itself may have brought facts of the past since"


def _find_late_actions(lake: Lake, runs: Sequence[Run]) -> Iterator[str]:
    """Actions that became known after the session in which they took effect: books correct themselves then."""
    moments = {run.recipe.session: run.recipe.as_of for run in runs}
    if not moments:
        return
    first, last = min(moments), max(moments)
    rows = lake.read(CORPORATE_ACTIONS, until=last, columns=(*CORPORATE_ACTIONS.key, "available_at"))
    since = moments[first]
    sessions = pl.DataFrame({"session": sorted(moments)}, schema={"session": pl.Date})
    moment = {"as_of": [moments[day] for day in sorted(moments)]}
    dated = rows.filter(pl.col("available_at") > since).sort("ex_date").join_asof(
        sessions.with_columns(pl.Series("as_of", moment["as_of"])), left_on="ex_date", right_on="session",
        strategy="forward",
    )  # fmt: skip
    late = dated.filter((pl.col("available_at") > pl.col("as_of")) | (pl.col("ex_date") <= first))
    for ticker, day in late.select("ticker", "ex_date").head(1).iter_rows():
        yield f"an action of {ticker} on {day} became known or changed after it took effect"
