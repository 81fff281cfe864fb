"""State the positions after the session: shares and cost from the ledger, worth from the last close known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from lake.contract import CENTS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.trading import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.trading.books.book import Book, fold
from pipeline.trading.books.money import (
    MICROS_PER_CENT,
    cents_series,
    half_even,
    price_series,
    to_micros,
    value_of,
)
from pipeline.trading.books.settlement import Action, select_actions, split_ratio
from pipeline.trading.params import TradingParams

LOOKBACK = 20
"""Sessions searched for the last close; beyond, the close carried in the holdings before is used."""
BAR_COLUMNS = (*MARKET_PRICES.key, "session", "close")

Mark = tuple[date, int]
"""The session of a close and the close in millionths, on today's share basis."""


def holdings(
    ledger_entries: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    moment: Moment,
    params: TradingParams,  # noqa: ARG001
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
    actions = select_actions(corporate_actions, None, session)
    marks = _marks(tickers, book, market_prices, portfolio_holdings, actions, session)
    sectors = _sectors(ticker_universe, portfolio_holdings)
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


def _marks(
    tickers: list[str],
    book: Book,
    market_prices: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    actions: list[Action],
    session: date,
) -> dict[str, Mark]:
    """Return each ticker's last close: from its bars, else as carried before, else what its shares cost."""
    bars = market_prices.filter(pl.col("ticker").is_in(tickers)).select("ticker", "session", "close")
    carried = portfolio_holdings.select("ticker", "close_session", "close", basis="session")
    known: dict[str, Mark] = {}
    for ticker, when, close, basis in carried.iter_rows():
        known[ticker] = (when, _restate(to_micros(close), ticker, basis, actions))
    for action in actions:  # a renamed name goes on from its old name's close until it has a bar of its own
        if action.kind == "rename" and action.successor and action.ticker in known:
            known.setdefault(action.successor, known[action.ticker])
    for ticker, when, close in bars.sort("ticker", "session").unique("ticker", keep="last").iter_rows():
        if ticker not in known or known[ticker][0] <= when:
            known[ticker] = (when, _restate(to_micros(close), ticker, when, actions))
    for ticker in tickers:
        position = book.positions[ticker]
        known.setdefault(ticker, (session, half_even(position.cost * MICROS_PER_CENT, position.shares)))
    return known


def _restate(close: int, ticker: str, basis: date, actions: Iterable[Action]) -> int:
    new, old = split_ratio(actions, ticker, basis)
    return half_even(close * old, new)


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
        Read(MARKET_PRICES, lookback=LOOKBACK, where=pl.col("interval") == "1d", columns=BAR_COLUMNS),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
        Read(TICKER_UNIVERSE),
        Read(PORTFOLIO_HOLDINGS, lookback=1, upto="previous"),
    ),
    writes=PORTFOLIO_HOLDINGS,
    params=TradingParams(),
    section="trading",
)
