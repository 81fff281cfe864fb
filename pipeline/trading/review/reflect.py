"""Look back at each position sold or delisted: what was expected, what happened, and what explains the difference."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import sqrt
from typing import Any, NamedTuple

import polars as pl

from lake.tables.books import LEDGER_ENTRIES
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS, TRADE_REFLECTIONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.market.sessions import Sessions
from pipeline.text_format import change, counted
from pipeline.trading.books.money import cents_series
from pipeline.trading.execution.orders import Stop
from pipeline.trading.params import TradingParams
from pipeline.trading.review.closings import CLOSING, Closing, collect_closings
from pipeline.trading.review.first_closings import collect_closings_once
from pipeline.trading.review.profit_parts import Opens, read_opens, split_profit

LOOKBACK = 250
"""Sessions searched for the plan and the fills that opened a position; beyond, its entry counts as unforecast."""

ENTRY = ("enter", "short")
EXITS = ("reduce", "exit", "stop", "expire", "cover", "short", "enter")
"""What ends a position; a trade from one side to the other ends one and begins one."""
PLAN_COLUMNS = (
    *TRADE_PLANS.key, "plan_id", "for_session", "intent", "taken", "expected_return", "low_80", "high_80",
    "prediction_id", "close", "shares",
)  # fmt: skip


def reflect(
    executed_trades: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    trade_plans: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return one row per position sold, covered or delisted at `moment.session` (that session alone).

    A delisting or a write-off is reflected on like a sale at its value, so that those losses are learned from too.
    """
    session = moment.session
    ended = ledger_entries.filter(
        (pl.col("session") == session) & pl.col("kind").is_in(CLOSING) & (pl.col("account") == "positions")
    )
    if ended.is_empty():
        return TRADE_REFLECTIONS.empty()
    collect = collect_closings if params.settlement == 2 else collect_closings_once
    closings = collect(ended["ticker"].to_list(), ledger_entries, executed_trades, session)
    plans = trade_plans.filter(pl.col("taken"))
    fills = _Fills(
        plan_ids=dict(executed_trades.select("trade_id", "plan_id").iter_rows()) if params.securities == 2 else {},
        opens=read_opens(executed_trades),
        stopped=frozenset(executed_trades.filter(pl.col("order_type") == Stop.name)["trade_id"]),
    )
    rows = [_row(closing, plans, fills, session, moment.calendar, params) for closing in closings]
    return pl.DataFrame(rows, schema=TRADE_REFLECTIONS.schema).sort("trade_id")


class _Fills(NamedTuple):
    """What is known of the book's fills, beside the ledger."""

    plan_ids: Mapping[str, str]
    """Trade -> its plan."""
    opens: Opens
    stopped: frozenset[str]
    """Trades that a resting stop made."""


def _row(
    closing: Closing,
    plans: pl.DataFrame,
    fills: _Fills,
    session: date,
    calendar: Sessions,
    params: TradingParams,
) -> dict[str, object]:
    opened = closing.entry.opened or session
    held = calendar.distance(opened, session)
    entry = _plan_for(
        plans, fills.plan_ids.get(closing.entry.trade_id), closing.entry.bought_as or closing.ticker, opened, ENTRY
    )
    exit_plan = _plan_for(plans, fills.plan_ids.get(closing.trade_id), closing.ticker, session, EXITS)
    ended = next((kind for kind in ("delisting", "write_off") if f":{kind}:" in closing.trade_id), None)
    planned = "stop" if closing.trade_id in fills.stopped else str(exit_plan.get("intent", "unknown"))
    intent = ended or planned
    surprise, inside = measure_surprise(closing.gross_return, _turn(entry, closing.shares), held, params.horizon)
    verdict = _verdict(closing, surprise, inside, params)
    parts = split_profit(closing, entry, exit_plan, fills.opens, held, params.horizon)
    return {
        "trade_id": closing.trade_id,
        "session": session,
        "ticker": closing.ticker,
        "opened": opened,
        "held_sessions": held,
        "shares": abs(closing.shares),
        "intent": intent,
        "expected_return": entry.get("expected_return"),
        "realised_return": closing.realised_return,
        "gross_return": closing.gross_return,
        "cost": cents_series([closing.costs])[0],
        "profit": cents_series([closing.profit])[0],
        "surprise": surprise,
        "verdict": verdict,
        "lesson": _lesson(closing, entry, intent, surprise, verdict, held),
        "entry_plan_id": entry.get("plan_id"),
        "prediction_id": entry.get("prediction_id"),
        **{f"{name}_gain": cents_series([cents])[0] for name, cents in parts._asdict().items()},
    }


def _plan_for(
    plans: pl.DataFrame, plan_id: str | None, ticker: str, session: date, intents: tuple[str, ...]
) -> dict[str, Any]:
    """The plan that the trade was filled for, whatever the ticker was called then; else that of ticker and session."""
    of_ticker = (pl.col("ticker") == ticker) & (pl.col("for_session") == session)
    own = pl.col("plan_id") == plan_id if plan_id else of_ticker
    fitting = plans.filter(own & pl.col("intent").is_in(intents))
    return fitting.row(0, named=True) if fitting.height else {}


def _turn(entry: dict[str, Any], shares: int) -> dict[str, Any]:
    """A forecast as the position sees it: whoever is short gains what the name loses."""
    if shares > 0 or None in (told := [entry.get(name) for name in ("expected_return", "high_80", "low_80")]):
        return entry
    point, high, low = (-float(one) for one in told if one is not None)
    return {"expected_return": point, "low_80": high, "high_80": low}


def measure_surprise(
    gross: float, entry: Mapping[str, Any], held: int, horizon: int
) -> tuple[float | None, bool | None]:
    """Return (realised - expected) / sigma, and whether it lies in the forecast's 80 % band; None without a forecast.

    A position held for other than the horizon is compared with the forecast scaled to its span: the expectation in
    proportion, the band with the square root of time.
    """
    point, low, high = (entry.get(name) for name in ("expected_return", "low_80", "high_80"))
    if point is None or low is None or high is None or high <= low:
        return None, None
    span = max(held, 1) / horizon
    centre, stretch = point * span, sqrt(span)
    sigma = stretch * (high - low) / 2.5631
    inside = centre + (low - point) * stretch <= gross <= centre + (high - point) * stretch
    return (gross - centre) / sigma, inside


def _verdict(closing: Closing, surprise: float | None, inside: bool | None, params: TradingParams) -> str:
    if closing.profit <= 0 < closing.profit + closing.costs:
        return "cost"
    if surprise is None:
        return "unforecast"
    if not inside:
        return "forecast wrong"
    if abs(surprise) <= params.reflection.as_expected_sigmas:
        return "as expected"
    return "good luck" if surprise > 0 else "bad luck"


def _lesson(
    closing: Closing, entry: dict[str, Any], intent: str, surprise: float | None, verdict: str, held: int
) -> str:
    expected = entry.get("expected_return")
    forecast = "no forecast is on record" if expected is None else f"{change(expected)} was forecast"
    beyond = "" if surprise is None else f", {surprise:+.1f} sigma from it"
    return (
        f"{closing.ticker}{' short' if closing.shares < 0 else ''} closed after"
        f" {counted(held, 'session')} ({intent}): {forecast}; "
        f"{change(closing.gross_return)} before and {change(closing.realised_return)} after costs{beyond}: {verdict}"
    )


STAGE = Stage(
    name="reflect",
    function=reflect,
    reads=(
        Read(EXECUTED_TRADES, lookback=LOOKBACK),
        Read(LEDGER_ENTRIES, lookback=None),
        Read(TRADE_PLANS, lookback=LOOKBACK, upto="previous", where=pl.col("taken"), columns=PLAN_COLUMNS),
    ),
    writes=TRADE_REFLECTIONS,
    params=TradingParams(),
    section="trading",
)
