"""The corporate actions as an operator is shown them: what stands, what is ahead, who said so and why."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from pipeline.control.operator.action_outlook import read_outlook
from pipeline.control.operator.decisions import require_last_session
from pipeline.control.operator.state_actions import describe_terms, name_action, read_reasons
from pipeline.engine.runner import Runner

A_YEAR = timedelta(days=365)
COLUMNS = (
    *("ticker", "ex_date", "what", "kind", "sequence", "revision", "numerator", "denominator", "amount", "cash"),
    *("cost_share", "successor", "pay_date", "currency", "terms", "state", "learned_on", "source", "reason"),
)


def list_actions(
    runner: Runner, ticker: str = "", *, since: date | None = None, until: date | None = None, withdrawn: bool = False
) -> pl.DataFrame:
    """Return COLUMNS of the actions, sorted by ex-date and ticker.

    what (String) is its name, such as special_dividend; state (String) in effect, ahead, stated (the next cycle learns
    it) or withdrawn; reason (String) why the operator stated it, null where a source did. Amounts are as stated, in
    `currency` or, where that is null, the listing's.

    Args:
        runner: of the lake.
        ticker: of one name alone; all where empty.
        since: first ex-date; a year before the last session where None, but none of one name is left out.
        until: last ex-date; None for all that is ahead.
        withdrawn: True to have those that were taken back.

    Raises:
        DecisionError: if the lake has no history yet.
    """
    last = require_last_session(runner)
    rows = read_outlook(runner, withdrawn=withdrawn)
    if ticker:
        rows = rows.filter(pl.col("ticker") == ticker.upper())
    first = since or (date.min if ticker else last - A_YEAR)
    rows = rows.filter(pl.col("ex_date").is_between(first, until or date.max))
    reasons = read_reasons(runner.lake).select("payload_id", "reason")
    told = rows.join(reasons, on="payload_id", how="left", maintain_order="left")
    state = (
        pl.when(pl.col("withdrawn").fill_null(False))
        .then(pl.lit("withdrawn"))
        .when(pl.col("ex_date") > last)
        .then(pl.lit("ahead"))
        .when((pl.col("learned_on") > last).fill_null(False))
        .then(pl.lit("stated"))
        .otherwise(pl.lit("in effect"))
    )
    facts = told.to_dicts()
    stated = pl.col("rate").is_not_null()
    named = told.with_columns(
        *(pl.when(stated).then(f"stated_{name}").otherwise(name).alias(name) for name in ("amount", "cash")),
        state=state,
        what=pl.Series([name_action(one) for one in facts], dtype=pl.String),
        terms=pl.Series([describe_terms(one) for one in facts], dtype=pl.String),
    )
    return named.select(*COLUMNS)
