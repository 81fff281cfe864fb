"""Score the operator's decisions on trades: what each trade would have earned over the horizon, and what it did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Any

import polars as pl

from lake.tables.control import TRADE_DECISIONS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.trading import DECISION_SCORES, EXECUTED_TRADES, TRADE_PLANS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from pipeline.market.securities.following import Securities
from pipeline.trading.books.actions import select_actions
from pipeline.trading.books.money import cents_series, half_even, price_series, to_cents, to_micros, value_of
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.operator_decisions import OperatorDecision, read_last_decisions

LOOKBACK = 21
"""Sessions read, for the longest horizon that is forecast; decisions of a longer one are not judged."""
FILL_COLUMNS = (*EXECUTED_TRADES.key, "plan_id", "session", "ticker", "side", "ordered", "shares", "rate")
PLAN_COLUMNS = (*TRADE_PLANS.key, "plan_id", "intent", "taken", "expected_cost")
BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "close")


def decision_scores(
    trade_decisions: pl.DataFrame,
    executed_trades: pl.DataFrame,
    trade_plans: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return one row per trade approved or vetoed whose decision horizon ends at `moment.session` (that alone).

    The trade is measured from its own open to the horizon's last close, with the ticker's dividends and splits. What
    never opened has no price to be judged by, and is left out.
    """
    opened = moment.calendar.offset(moment.session, 1 - params.horizon)
    about = trade_decisions.filter(pl.col("for_session") == opened)
    decisions = read_last_decisions(about, moment.calendar.open_at(opened)) if about.height else {}
    if not decisions:
        return DECISION_SCORES.empty()
    fills = executed_trades.filter((pl.col("session") == opened) & pl.col("plan_id").is_in(sorted(decisions)))
    plans = {row["plan_id"]: row for row in trade_plans.iter_rows(named=True) if row["plan_id"] in decisions}
    named = fills.select("ticker", "session")
    if params.securities == 2:
        companies = Securities.trace(corporate_actions, market_prices)
        named, market_prices = (companies.name_companies(frame, "session") for frame in (named, market_prices))
        corporate_actions = restate_in_gaps(companies.name_actions(corporate_actions), market_prices)
    earned = _measure_returns(named["ticker"].to_list(), market_prices, corporate_actions, opened, moment.session)
    rows = list(_rows(fills.with_columns(company=named["ticker"]), decisions, plans, earned, moment.session))
    return pl.DataFrame(
        {name: _column(name, [row[name] for row in rows]) for name in DECISION_SCORES.columns},
        schema=DECISION_SCORES.schema,
    ).sort("plan_id")


def _column(name: str, values: list[Any]) -> list[Any] | pl.Series:
    if name in ("whole_cost", "whole_gain", "decision_gain"):
        return cents_series(values)
    return price_series(values) if name == "open_price" else values


def _measure_returns(
    tickers: list[str], market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, first: date, last: date
) -> dict[str, tuple[int, float]]:
    """Company -> its opening price in millionths at the first session, and its total return from there to the end.

    The end is the last close known by then, or the final value per share where it was delisted in between.
    """
    named = pl.col("ticker").is_in(sorted(set(tickers)))
    bars = market_prices.filter(named, pl.col("session") >= first)
    actions = corporate_actions.filter(named, pl.col("ex_date") > first)
    found: dict[str, tuple[int, float]] = {}
    for (ticker,), days in daily_total_returns(bars, actions).group_by("ticker", maintain_order=True):
        begin = bars.filter(pl.col("ticker") == ticker, pl.col("session") == first)
        if begin.is_empty():
            continue
        opening, level = float(begin["open"][0]), float(begin["close"][0])
        for day in days.filter(pl.col("session") > first)["total_return"].to_list():
            level *= 1 + day
        for action in (a for a in select_actions(actions, first, last) if (a.ticker, a.kind) == (ticker, "delisting")):
            level *= (action.amount or 0.0) / float(days["close"][-1])
        found[str(ticker)] = to_micros(opening), level / opening - 1
    return found


def _rows(
    fills: pl.DataFrame,
    decisions: dict[str, OperatorDecision],
    plans: dict[str, dict[str, Any]],
    earned: dict[str, tuple[int, float]],
    session: date,
) -> Iterator[dict[str, Any]]:
    for fill in fills.iter_rows(named=True):
        decision, plan = decisions[fill["plan_id"]], plans[fill["plan_id"]]
        if fill["company"] not in earned or not fill["ordered"]:
            continue
        opening, ratio = earned[fill["company"]]
        rate = Fraction(1 if fill["rate"] is None else fill["rate"])
        value = round(value_of(fill["ordered"], opening) * rate)
        buys = fill["side"] == "buy"
        # The plan's expected cost is a round trip's; a sale saves or pays only its own half.
        cost = to_cents(value / 100 * plan["expected_cost"] / (1 if buys else 2))
        gain = to_cents(value / 100 * ratio) * (1 if buys else -1) - cost
        filled = half_even(gain * fill["shares"], fill["ordered"])
        decided = -gain if decision.verdict == "veto" else filled
        yield {
            "plan_id": fill["plan_id"],
            "session": session,
            "for_session": fill["session"],
            "ticker": fill["ticker"],
            "side": fill["side"],
            "intent": plan["intent"],
            "decision": decision.verdict,
            "reason": decision.reason,
            "ordered": fill["ordered"],
            "filled": fill["shares"],
            "open_price": opening,
            "total_return": ratio,
            "whole_cost": cost,
            "whole_gain": gain,
            "decision_gain": decided,
            "verdict": "helped" if decided > 0 else "hurt" if decided < 0 else "no difference",
        }


STAGE = Stage(
    name="decision_scores",
    function=decision_scores,
    reads=(
        Read(TRADE_DECISIONS, lookback=LOOKBACK),
        Read(EXECUTED_TRADES, lookback=LOOKBACK, columns=FILL_COLUMNS),
        Read(TRADE_PLANS, lookback=LOOKBACK, upto="previous", where=pl.col("taken"), columns=PLAN_COLUMNS),
        Read(MARKET_PRICES, lookback=LOOKBACK, where=pl.col("interval") == "1d", columns=BAR_COLUMNS),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
    ),
    writes=DECISION_SCORES,
    params=TradingParams(),
    section="trading",
)
