"""State the positions after the session: shares and cost from the ledger, worth from the last close known."""

from __future__ import annotations

from datetime import date

import polars as pl

from lake.contract import CENTS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.trading import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS
from pipeline.engine.stage import Moment, Read, Stage, cut_to_recent
from pipeline.market.securities.following import Securities
from pipeline.trading.books.actions import ACTION_COLUMNS, select_actions, select_concerning, split_ratio
from pipeline.trading.books.book import fold
from pipeline.trading.books.earlier.marks import mark_once
from pipeline.trading.books.marks import (
    Closes,
    Mark,
    MarkDown,
    drop_bars_of_others,
    mark_positions,
    sessions_of_carried_closes,
)
from pipeline.trading.books.money import cents_series, half_even, price_series, to_micros, value_of
from pipeline.trading.params import TradingParams

LOOKBACK = 20
"""Sessions searched for the last close; beyond, the close carried in the holdings before is used."""
BAR_COLUMNS = (*MARKET_PRICES.key, "session", "close")


def holdings(
    ledger_entries: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return one row per position held after `moment.session` (that session alone).

    A name without a bar keeps its last close, restated for splits since, and says from which session it is: it is
    never left out of the book's worth.
    """
    session = moment.session
    book = fold(ledger_entries)
    tickers = sorted(book.positions)
    if not tickers:
        return PORTFOLIO_HOLDINGS.empty()
    if params.settlement == 2:
        known = select_actions(select_concerning(corporate_actions, tickers), None, session)
        if params.securities == 2:
            before = portfolio_holdings.filter(pl.col("session") < session)
            market_prices = drop_bars_of_others(market_prices, before, moment.calendar, params.max_gap)
        closes = Closes(market_prices, known, tickers)
        down = MarkDown(params.mark_down_after, params.mark_down, moment.calendar)
        marks = mark_positions(book, closes, carried_marks(portfolio_holdings, session, closes), session, down)
    else:
        recent = select_actions(cut_to_recent(corporate_actions, "ex_date", LOOKBACK, moment), None, session)
        bars = cut_to_recent(market_prices, "session", LOOKBACK, moment)
        marks = mark_once(tickers, book, bars, portfolio_holdings, recent, session)
    followed = portfolio_holdings
    if params.securities == 2:
        followed = Securities.trace(corporate_actions).follow_to(portfolio_holdings, "session", session)
    sectors = _sectors(ticker_universe, followed)
    values = [value_of(book.positions[ticker].shares, marks[ticker][1]) for ticker in tickers]
    nav = book.cash + book.receivable + sum(values)
    positions = [book.positions[ticker] for ticker in tickers]
    costs = [position.cost for position in positions]
    return pl.DataFrame(
        {
            "session": [session] * len(tickers),
            "ticker": tickers,
            "sector": [sectors.get(ticker, "unknown") for ticker in tickers],
            "shares": [position.shares for position in positions],
            "cost": cents_series(costs),
            "close": price_series(marks[ticker][1] for ticker in tickers),
            "close_session": [marks[ticker][0] for ticker in tickers],
            "market_value": cents_series(values),
            "unrealised": cents_series(value - cost for value, cost in zip(values, costs, strict=True)),
            "weight": [value / nav if nav else 0.0 for value in values],
            "opened": [position.opened for position in positions],
            "held_sessions": [moment.calendar.distance(position.opened, session) for position in positions],
        },
        schema=PORTFOLIO_HOLDINGS.schema,
    )


def carried_marks(portfolio_holdings: pl.DataFrame, session: date, closes: Closes) -> dict[str, Mark]:
    """Return the closes of the holdings before a session, restated for splits since: for names that have no bar."""
    before = portfolio_holdings.filter(pl.col("session") < session).sort("session")
    found = {}
    for ticker, when, close, basis in before.select("ticker", "close_session", "close", "session").iter_rows():
        new, old = split_ratio((a for a in closes.actions[ticker] if a.ex_date <= session), ticker, basis)
        found[ticker] = (when, half_even(to_micros(close) * old, new))
    return found


def _sectors(ticker_universe: pl.DataFrame, portfolio_holdings: pl.DataFrame) -> dict[str, str]:
    """The sector as the universe has it today, else as the book had it before."""
    before = dict(portfolio_holdings.select("ticker", "sector").iter_rows())
    return before | dict(ticker_universe.select("ticker", "sector").iter_rows())


def sum_cents(frame: pl.DataFrame, column: str) -> int:
    """Return the exact sum of a money column in cents."""
    return int(frame[column].cast(CENTS).to_physical().cast(pl.Int64).sum())


STAGE = Stage(
    name="holdings",
    function=holdings,
    reads=(
        Read(LEDGER_ENTRIES, lookback=None),
        Read(PORTFOLIO_HOLDINGS, lookback=1, upto="previous"),
        Read(CORPORATE_ACTIONS, lookback=None, columns=ACTION_COLUMNS),
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=BAR_COLUMNS,
            further=sessions_of_carried_closes,
        ),
        Read(TICKER_UNIVERSE),
    ),
    writes=PORTFOLIO_HOLDINGS,
    params=TradingParams(),
    section="trading",
)
