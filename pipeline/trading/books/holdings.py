"""State the positions after the session: shares and cost from the ledger, worth from the last close known."""

from __future__ import annotations

import polars as pl

from lake.contract import CENTS
from lake.tables.books import BALANCES, LEDGER_ENTRIES, PORTFOLIO_HOLDINGS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from pipeline.engine.stage import Moment, Read, Stage, cut_to_recent
from pipeline.market.securities.following import Securities
from pipeline.trading.balances.opening import entries_to_add_up, read_book
from pipeline.trading.books.actions import ACTION_COLUMNS, leave_out_payments, select_actions, select_concerning
from pipeline.trading.books.book import Book, Position, fold
from pipeline.trading.books.earlier.marks import mark_once
from pipeline.trading.books.marks import (
    Closes,
    Mark,
    MarkDown,
    drop_bars_of_others,
    mark_positions,
    read_carried,
    sessions_of_carried_closes,
)
from pipeline.trading.books.money import cents_series, price_series, rate_series
from pipeline.trading.currencies.session_rates import LISTING_COLUMNS, RATE_COLUMNS, SessionRates
from pipeline.trading.currencies.valuation import Worth, value_position
from pipeline.trading.params import TradingParams

LOOKBACK = 20
"""Sessions searched for the last close; beyond, the close carried in the holdings before is used."""
BAR_COLUMNS = (*MARKET_PRICES.key, "session", "close")


def holdings(
    balances: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return one row per position held after `moment.session` (that session alone).

    A name without a bar keeps its last close, restated for splits since, and says from which session it is: it is
    never left out of the book's worth. A foreign name is told in its own currency too.
    """
    session = moment.session
    book = read_book(balances, session) or fold(ledger_entries)
    tickers = sorted(book.positions)
    if not tickers:
        return PORTFOLIO_HOLDINGS.empty()
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    if params.settlement == 2:
        marks = _mark_by_facts(book, portfolio_holdings, corporate_actions, market_prices, rates, moment, params)
    else:
        recent = select_actions(cut_to_recent(corporate_actions, "ex_date", LOOKBACK, moment), None, session)
        bars = cut_to_recent(market_prices, "session", LOOKBACK, moment)
        marks = mark_once(tickers, book, bars, portfolio_holdings, recent, session)
    followed = portfolio_holdings
    if params.securities == 2:
        followed = Securities.trace(corporate_actions).follow_to(portfolio_holdings, "session", session)
    sectors = _sectors(ticker_universe, followed)
    positions = [book.positions[ticker] for ticker in tickers]
    costs = [position.cost for position in positions]
    worths = [value_position(book.positions[one], marks[one][1], rates.at(one, session)) for one in tickers]
    values = [worth.value for worth in worths]
    nav = book.cash + book.receivable + sum(values)
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
            **_tell_currencies(positions, worths),
        },
        schema=PORTFOLIO_HOLDINGS.schema,
    )


def _mark_by_facts(
    book: Book,
    portfolio_holdings: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    rates: SessionRates,
    moment: Moment,
    params: TradingParams,
) -> dict[str, Mark]:
    session = moment.session
    moving = leave_out_payments(corporate_actions)
    known = select_actions(select_concerning(moving, book.positions), None, session)
    if params.securities == 2:
        before = portfolio_holdings.filter(pl.col("session") < session)
        market_prices = drop_bars_of_others(market_prices, before, moment.calendar, params.max_gap)
    closes = Closes(market_prices, known, book.positions, rates)
    down = MarkDown(params.mark_down_after, params.mark_down, moment.calendar)
    carried = read_carried(portfolio_holdings.filter(pl.col("session") < session))
    return mark_positions(book, closes, carried, session, down)


def _tell_currencies(positions: list[Position], worths: list[Worth]) -> dict[str, object]:
    """The columns about the currency that a name is quoted in; null for the book's own."""
    exchanges = [worth.exchange for worth in worths]
    foreign = [exchange.currency is not None for exchange in exchanges]
    told = list(zip(foreign, positions, worths, strict=True))
    return {
        "currency": [exchange.currency for exchange in exchanges],
        "rate": rate_series(exchange.rate if exchange.currency else None for exchange in exchanges),
        "rate_session": [exchange.session for exchange in exchanges],
        "local_cost": cents_series(position.local_cost if is_foreign else None for is_foreign, position, _ in told),
        "local_value": cents_series(worth.quoted if is_foreign else None for is_foreign, _, worth in told),
        "exchange_gain": cents_series(worth.exchange_gain if is_foreign else None for is_foreign, _, worth in told),
    }


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
        Read(BALANCES),
        Read(LEDGER_ENTRIES, further=entries_to_add_up),
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
        Read(INSTRUMENTS, lookback=None, columns=LISTING_COLUMNS),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS),
    ),
    writes=PORTFOLIO_HOLDINGS,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
)
