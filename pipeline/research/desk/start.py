"""The book as it stood after a session, with all that the next one goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.books import BALANCES, LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS, TRADE_REFLECTIONS
from pipeline.market.sessions import Sessions
from pipeline.research.desk import NotOnDeskError
from pipeline.research.desk.book import DeskBook
from pipeline.research.desk.track_record import PLANNED, TrackRecord
from pipeline.trading.balances.opening import read_book
from pipeline.trading.books.money import to_cents, to_micros
from pipeline.trading.execution.execute import PLAN_COLUMNS
from pipeline.trading.execution.resting_stops import add_resting_stops
from pipeline.trading.planning.holds import LOOKBACK as HOLD_SESSIONS
from pipeline.trading.planning.mandated_book import TradeOutcome
from pipeline.trading.planning.plan import STOPS_LOOKBACK, TRUST_LOOKBACK
from pipeline.trading.planning.rules import unexplained_price
from pipeline.trading.review.closings import walk_entries
from pipeline.trading.review.reflect import LOOKBACK

TAKEN = pl.col("taken") | pl.col("resting_stop").is_not_null()
"""Plans that become orders."""


def stand_at(lake: Lake, calendar: Sessions, eve: date) -> DeskBook:
    """Return the book after a session.

    Raises:
        NotOnDeskError: if its balances were not kept.
    """
    book = read_book(lake.read(BALANCES, since=eve, until=eve), eve)
    if book is None:
        raise NotOnDeskError(f"there are no balances of {eve}, from which a book could go on")
    holdings = lake.read(PORTFOLIO_HOLDINGS, since=eve, until=eve)
    value = lake.read(PORTFOLIO_VALUE, until=eve).sort("session")
    marked = holdings.select("ticker", "close_session", "close").iter_rows()
    trades = lake.read(EXECUTED_TRADES, since=calendar.offset(eve, -LOOKBACK), until=eve).sort("session", "trade_id")
    sold = trades.filter((pl.col("side") == "sell") & (pl.col("shares") > 0))
    orders = lake.read(TRADE_PLANS, since=eve, until=eve, where=TAKEN, columns=PLAN_COLUMNS)
    return DeskBook(
        calendar=calendar,
        book=book,
        marks={ticker: (when, to_micros(close)) for ticker, when, close in marked},
        sectors=dict(holdings.select("ticker", "sector").iter_rows()),
        navs=[to_cents(nav) for nav in value["nav"]],
        returns=value["session_return"].to_list(),
        peak=to_cents(value["peak"][-1]),
        stops=_read_stops(lake, calendar, eve),
        sales=[
            (day, ticker, to_cents(gross)) for day, ticker, gross in sold.select("session", "ticker", "gross").rows()
        ],
        plans=add_resting_stops(orders).to_dicts(),
        record=_read_record(lake, calendar, eve, trades, sorted(book.positions)),
    )


def _read_stops(lake: Lake, calendar: Sessions, eve: date) -> dict[str, tuple[date, float]]:
    """The stops last stated before, those of a hold left out, as plans read them."""
    since = calendar.offset(eve, -STOPS_LOOKBACK - HOLD_SESSIONS)
    own = pl.col("stop").is_not_null() & ~pl.col("blocked_by").eq_missing(pl.lit(unexplained_price.name))
    columns = (*TRADE_PLANS.key, "stop", "blocked_by")
    stated = lake.read(TRADE_PLANS, since=since, until=eve, where=own, columns=columns).sort("session", "ticker")
    return {ticker: (day, stop) for ticker, day, stop in stated.select("ticker", "session", "stop").iter_rows()}


def _read_record(lake: Lake, calendar: Sessions, eve: date, trades: pl.DataFrame, held: Sequence[str]) -> TrackRecord:
    since = calendar.offset(eve, -TRUST_LOOKBACK)
    plans = lake.read(TRADE_PLANS, since=since, until=eve, where=pl.col("taken"), columns=PLANNED)
    entries = lake.read(LEDGER_ENTRIES, until=eve, where=pl.col("ticker").is_in(list(held)))
    reflected = lake.read(
        TRADE_REFLECTIONS, since=since, until=eve, columns=(*TRADE_REFLECTIONS.key, *TradeOutcome._fields)
    ).sort("session", "trade_id")
    record = TrackRecord(
        calendar=calendar,
        walk=walk_entries(entries, trades),  # of names that are not held nothing is left
        plans={},
        plan_of=dict(trades.select("trade_id", "plan_id").iter_rows()),
        closed=[TradeOutcome(*row) for row in reflected.select(TradeOutcome._fields).iter_rows()],
    )
    record.add_plans(plans.iter_rows(named=True))
    return record
