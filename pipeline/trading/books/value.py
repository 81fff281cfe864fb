"""State what the book is worth after the session, reconcile it to the cent, and set it beside the market."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from math import fsum
from typing import NamedTuple

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.trading import EXECUTED_TRADES, LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.market.returns import daily_total_returns
from pipeline.trading.books.book import Book, fold
from pipeline.trading.books.holdings import sum_cents
from pipeline.trading.books.money import to_cents
from pipeline.trading.params import TradingParams

LOOKBACK = 10
"""Sessions read so that a day's return has the bar before it in spite of gaps."""
BAR_COLUMNS = (*MARKET_PRICES.key, "session", "close")


class _Before(NamedTuple):
    """What the row before says; at the first session the book's own capital."""

    session: date | None
    nav: int
    peak: int
    spread_cost: int
    impact_cost: int
    equal_weight: float
    benchmark: float | None


def value(
    ledger_entries: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    executed_trades: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    moment: Moment,
    params: TradingParams,  # noqa: ARG001
) -> pl.DataFrame:
    """Return the row of `moment.session` alone: it continues from the row before.

    `unexplained` compares two independent sums: assets at the close, and every source they can have come from.
    """
    session = moment.session
    book = fold(ledger_entries)
    before = _before(portfolio_value, book)
    held = portfolio_holdings.filter(pl.col("session") == session)
    trades = executed_trades.filter(pl.col("session") == session)
    positions_value, unrealised = sum_cents(held, "market_value"), sum_cents(held, "unrealised")
    nav = book.cash + book.receivable + positions_value
    sources = book.capital + book.realised + unrealised + book.dividends - book.commission + book.rounding
    peak = max(before.peak, nav)
    returns = daily_total_returns(market_prices, corporate_actions)
    previous = moment.calendar.previous(session)
    gained = _measure_returns(returns, corporate_actions, previous, session)
    members = ticker_universe.filter((pl.col("session") == previous) & pl.col("member"))["ticker"].to_list()
    references = instruments.filter(pl.col("role") == "benchmark")["ticker"].sort().to_list()
    equal_weight, benchmark = _market(gained, members, references, before)
    cents = {
        "cash": book.cash,
        "receivable": book.receivable,
        "positions_value": positions_value,
        "nav": nav,
        "capital": book.capital,
        "realised": book.realised,
        "unrealised": unrealised,
        "dividends": book.dividends,
        "commission": book.commission,
        "spread_cost": before.spread_cost + sum_cents(trades, "spread_cost"),
        "impact_cost": before.impact_cost + sum_cents(trades, "impact_cost"),
        "unexplained": nav - sources,
        "peak": peak,
    }
    row = {
        **{name: Decimal(amount).scaleb(-2) for name, amount in cents.items()},
        "session": session,
        "positions": held.height,
        "exposure": positions_value / nav if nav else 0.0,
        "turnover": sum_cents(trades, "gross") / nav if nav else 0.0,
        "session_return": nav / before.nav - 1 if before.nav else 0.0,
        "drawdown": 1 - nav / peak if peak else 0.0,
        "equal_weight": equal_weight,
        "benchmark": benchmark,
    }
    return pl.DataFrame([row], schema=PORTFOLIO_VALUE.schema)


def _before(portfolio_value: pl.DataFrame, book: Book) -> _Before:
    if portfolio_value.is_empty():
        return _Before(None, book.capital, book.capital, 0, 0, book.capital / 100, None)
    last = portfolio_value.sort("session").row(-1, named=True)
    money = {name: to_cents(last[name]) for name in ("nav", "peak", "spread_cost", "impact_cost")}
    return _Before(session=last["session"], **money, equal_weight=last["equal_weight"], benchmark=last["benchmark"])


def _market(
    gained: dict[str, float], members: list[str], references: list[str], before: _Before
) -> tuple[float, float | None]:
    """The same capital in the members as of the close before, and in the first benchmark; both start when funded."""
    if before.session is None:
        return before.equal_weight, before.equal_weight if references else None
    market = [gained.get(ticker, 0.0) for ticker in members]
    # fsum is exact, so the mean does not depend on the order of the members.
    equal_weight = before.equal_weight * (1 + (fsum(market) / len(market) if market else 0.0))
    if before.benchmark is None or not references:
        return equal_weight, before.benchmark
    return equal_weight, before.benchmark * (1 + gained.get(references[0], 0.0))


def _measure_returns(
    returns: pl.DataFrame, corporate_actions: pl.DataFrame, previous: date, session: date
) -> dict[str, float]:
    """The session's total return of each ticker; a delisted one ends at its final value, one without a bar earned 0."""
    today = returns.filter((pl.col("session") == session) & pl.col("total_return").is_not_null())
    earned: dict[str, float] = dict(today.select("ticker", "total_return").iter_rows())
    gone = corporate_actions.filter(
        (pl.col("kind") == "delisting") & (pl.col("ex_date") > previous) & (pl.col("ex_date") <= session)
    )
    if gone.height:
        last = returns.filter(pl.col("session") <= previous).unique("ticker", keep="last", maintain_order=True)
        final = gone.join(last.select("ticker", "close"), on="ticker")
        earned |= dict(final.select("ticker", pl.col("amount") / pl.col("close") - 1).iter_rows())
    return earned


STAGE = Stage(
    name="value",
    function=value,
    reads=(
        Read(LEDGER_ENTRIES, lookback=None),
        Read(PORTFOLIO_HOLDINGS),
        Read(EXECUTED_TRADES),
        Read(MARKET_PRICES, lookback=LOOKBACK, where=pl.col("interval") == "1d", columns=BAR_COLUMNS),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
        Read(TICKER_UNIVERSE, lookback=1),
        Read(INSTRUMENTS, lookback=None),
        Read(PORTFOLIO_VALUE, lookback=None, upto="previous"),
    ),
    writes=PORTFOLIO_VALUE,
    params=TradingParams(),
    section="trading",
)
