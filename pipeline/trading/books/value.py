"""State what the book is worth after the session, reconcile it to the cent, and set it beside the market."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from lake.tables.books import (
    BALANCES,
    BASELINE_HOLDINGS,
    FINANCING,
    LEDGER_ENTRIES,
    PORTFOLIO_HOLDINGS,
    PORTFOLIO_VALUE,
    POSITION_ENDS,
)
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.trading import EXECUTED_TRADES
from pipeline.engine.stage import Moment, Read, Stage, cut_to_recent
from pipeline.trading.balances.opening import history_to_go_through, is_carried, read_book, to_book
from pipeline.trading.baselines.chained_returns import ChainedLevels, chain_levels
from pipeline.trading.baselines.levels import charge_baselines, sum_baselines
from pipeline.trading.books.actions import ACTION_COLUMNS, leave_out_payments, select_actions, select_concerning
from pipeline.trading.books.book import Book, fold
from pipeline.trading.books.differences import compare, describe
from pipeline.trading.books.holdings import sum_cents
from pipeline.trading.books.marks import (
    Closes,
    MarkDown,
    drop_bars_of_others,
    mark_positions,
    read_carried,
    sessions_of_carried_closes,
)
from pipeline.trading.books.money import to_cents
from pipeline.trading.books.quotes import Span, sessions_of_fractions
from pipeline.trading.books.reconciliation import read_closes, reconcile
from pipeline.trading.currencies.session_rates import RATE_COLUMNS, SessionRates
from pipeline.trading.currencies.valuation import value_position
from pipeline.trading.params import TradingParams
from pipeline.trading.reconciling.known_charges import find_missing, find_wrong, read_charges
from pipeline.trading.reconciling.known_rates import KnownRates
from pipeline.trading.reconciling.one_session import reconcile_session

LOOKBACK = 10
"""Sessions read so that a day's return has the bar before it in spite of gaps."""
BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "close")


class _Before(NamedTuple):
    """What the row before says; at the first session the book's own capital."""

    session: date | None
    first: date | None
    """The book's first session."""
    nav: int
    capital: int
    peak: int
    spread_cost: int
    impact_cost: int
    equal_weight: float
    benchmark: float | None
    equal_weight_cost: float
    row: dict[str, Any] | None = None
    """All of it; None at the first session."""


class _Checked(NamedTuple):
    """What is known now of the value before, and how the books of today compare with fills and facts."""

    unexplained: int
    restated: int | None
    difference: str | None
    peak: int
    """The highest value before, as known now."""


def value(
    balances: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    executed_trades: pl.DataFrame,
    baseline_holdings: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    position_ends: pl.DataFrame,
    market_prices: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    fx_rates: pl.DataFrame,
    financing: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return the row of `moment.session` alone: it continues from the row before.

    `unexplained` is the value by the ledger less the value by fills and facts as known today. What today's knowledge
    adds to the value of the close before is `restated`: the session did not earn it.
    """
    session, book = moment.session, read_book(balances, moment.session) or fold(ledger_entries)
    before = _before(portfolio_value, book)
    held, trades = (frame.filter(pl.col("session") == session) for frame in (portfolio_holdings, executed_trades))
    positions_value, unrealised = (sum_cents(held, name) for name in ("market_value", "unrealised"))
    nav = book.cash + book.receivable + positions_value
    if params.settlement == 2:
        facts = (corporate_actions, _own_bars(market_prices, portfolio_holdings, moment, params), position_ends)
        tables = (ledger_entries, portfolio_holdings, executed_trades, *facts, financing)
        checked = _check(nav, before, portfolio_value, *tables, instruments, fx_rates, balances, moment, params)
    else:
        checked = _Checked(nav - _add_sources(book) - unrealised, None, None, before.peak)
    peak, market = max(checked.peak, nav), (market_prices, corporate_actions, ticker_universe, instruments)
    start = before.nav + (checked.restated or 0)
    cents = {
        **_read_accounts(book),
        "positions_value": positions_value,
        "nav": nav,
        "unrealised": unrealised,
        "spread_cost": before.spread_cost + sum_cents(trades, "spread_cost"),
        "impact_cost": before.impact_cost + sum_cents(trades, "impact_cost"),
        "unexplained": checked.unexplained,
        "peak": peak,
        "restated": checked.restated,
        **_read_exchange(ledger_entries, held, book, known=is_carried(balances, session)),
        **_read_financing(held, book, charged=financing.height > 0),
    }
    row = {
        **{name: None if amount is None else Decimal(amount).scaleb(-2) for name, amount in cents.items()},
        "session": session,
        "positions": held.height,
        "exposure": positions_value / nav if nav else 0.0,
        "turnover": sum_cents(trades, "gross") / nav if nav else 0.0,
        "session_return": nav / start - 1 if start else 0.0,
        "drawdown": 1 - nav / peak if peak else 0.0,
        **_compare(baseline_holdings, *market, before, moment, params),
        "difference": checked.difference,
    }
    return pl.DataFrame([row], schema=PORTFOLIO_VALUE.schema)


def _own_bars(
    market_prices: pl.DataFrame, portfolio_holdings: pl.DataFrame, moment: Moment, params: TradingParams
) -> pl.DataFrame:
    """The bars without those of other companies that have a held ticker by now."""
    if params.securities == 1:
        return market_prices
    return drop_bars_of_others(market_prices, portfolio_holdings, moment.calendar, params.max_gap)


def _add_sources(book: Book) -> int:
    return book.capital + book.realised + book.dividends - book.commission + book.rounding


def _read_accounts(book: Book) -> dict[str, int]:
    names = ("cash", "receivable", "capital", "realised", "dividends", "commission")
    return {name: getattr(book, name) for name in names}


def _read_exchange(
    ledger_entries: pl.DataFrame, held: pl.DataFrame, book: Book, *, known: bool
) -> dict[str, int | None]:
    """What exchange rates brought; None where nothing was ever held in another currency, as in carried balances."""
    if known or ledger_entries["currency"].null_count() == ledger_entries.height:
        return {"exchange": None, "unrealised_exchange": None}
    return {"exchange": book.exchange, "unrealised_exchange": sum_cents(held, "exchange_gain")}


def _read_financing(held: pl.DataFrame, book: Book, *, charged: bool) -> dict[str, int | None]:
    """What nights cost and brought, and what is short; None where none of it ever was."""
    short = sum_cents(held.filter(pl.col("shares") < 0), "market_value")
    if not (charged or short):
        return {"interest": None, "borrow_cost": None, "short_value": None}
    return {"interest": book.interest, "borrow_cost": book.borrow, "short_value": short}


def _check(
    nav: int,
    before: _Before,
    portfolio_value: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    executed_trades: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    position_ends: pl.DataFrame,
    financing: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    balances: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> _Checked:
    session, calendar = moment.session, moment.calendar
    facts, charges = (executed_trades, corporate_actions, market_prices), read_charges(financing, session)
    if carried := is_carried(balances, session):
        begun = balances.filter(pl.col("session") == calendar.previous(session))
        ledger_entries = ledger_entries.filter(pl.col("session") == session)
        found = reconcile_session(begun, *facts, session, calendar, position_ends)
        charges = [one for one in charges if one.session == session]
    else:
        funded = (before.first or session, to_cents(params.capital) if before.first is None else before.capital)
        stated = KnownRates.read(instruments, fx_rates, moment.currency)
        found = reconcile(*facts, funded, session, calendar, position_ends, stated)
    found.charge(charges)
    found.remarks += find_wrong(charges, portfolio_holdings, calendar)
    today = [one for one in charges if one.session == session]
    found.remarks += find_missing(today, portfolio_holdings, session, calendar, params.shorts)
    reconciled = (
        found.cash + found.receivable + found.value_positions(session, read_closes(portfolio_holdings, session))
    )
    difference = describe(compare(found, ledger_entries, session))
    if before.session is None:
        return _Checked(nav - reconciled, 0, difference, before.peak)
    late = ledger_entries.filter(pl.col("session") == session, pl.col("effective") < session)["effective"].to_list()
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    tables = (portfolio_holdings, corporate_actions, market_prices)
    down = MarkDown(params.mark_down_after, params.mark_down, calendar)
    known = to_book(begun) if carried else fold(_posted_for(ledger_entries, before.session))
    restated = _value_as_known(known, *tables, before, down, rates) - before.nav
    peak = _restate_peak(portfolio_value, restated, min(late, default=before.session)) if restated else before.peak
    return _Checked(nav - reconciled, restated, difference, peak)


def _posted_for(ledger_entries: pl.DataFrame, session: date) -> pl.DataFrame:
    """The entries that count for the time up to a session."""
    return ledger_entries.filter(pl.coalesce("effective", "session") <= session)


def _value_as_known(
    book: Book,
    portfolio_holdings: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    before: _Before,
    mark_down: MarkDown,
    rates: SessionRates,
) -> int:
    """The value after the session before by what the ledger and the facts say of it now, in cents."""
    session = before.session
    assert session is not None
    moving = leave_out_payments(corporate_actions)
    known = select_actions(select_concerning(moving, book.positions), None, session)
    closes = Closes(market_prices, known, book.positions, rates)
    carried = read_carried(portfolio_holdings.filter(pl.col("session") == session))
    marks = mark_positions(book, closes, carried, session, mark_down)
    held = book.positions.items()
    worth = (value_position(one, marks[ticker][1], rates.at(ticker, session)).value for ticker, one in held)
    return book.cash + book.receivable + sum(worth)


def _restate_peak(portfolio_value: pl.DataFrame, restated: int, first: date) -> int:
    """The highest value before, where every session from the first one concerned on was off by as much."""
    concerned = (portfolio_value["session"] >= first).cast(pl.Int64)
    cents = portfolio_value["nav"].to_physical().cast(pl.Int64) + restated * concerned
    return int(cents.max())  # type: ignore[arg-type]


def _before(portfolio_value: pl.DataFrame, book: Book) -> _Before:
    if portfolio_value.is_empty():
        return _Before(None, None, book.capital, book.capital, book.capital, 0, 0, book.capital / 100, None, 0.0)
    sessions = portfolio_value["session"]
    last = portfolio_value.row(int(sessions.arg_max() or 0), named=True)
    money = {name: to_cents(last[name]) for name in ("nav", "capital", "peak", "spread_cost", "impact_cost")}
    first = portfolio_value.item(int(sessions.arg_min() or 0), "session")
    market = {name: last[name] for name in ("equal_weight", "benchmark")}
    cost = last["equal_weight_cost"] or 0.0
    return _Before(session=last["session"], first=first, **money, **market, equal_weight_cost=cost, row=last)


def _compare(
    baseline_holdings: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    before: _Before,
    moment: Moment,
    params: TradingParams,
) -> dict[str, float | None]:
    """What the same capital is worth in what the book is compared with."""
    if params.baselines > 1:
        held = sum_baselines(baseline_holdings, before.equal_weight_cost, moment.session)
        if params.baselines == 2:
            return held
        capital = before.capital / 100
        return held | charge_baselines(baseline_holdings, before.row, capital, params.cash_interest, moment.session)
    recent = (
        cut_to_recent(market_prices, "session", LOOKBACK, moment),
        cut_to_recent(corporate_actions, "ex_date", LOOKBACK, moment),
    )
    levels, funded = ChainedLevels(before.equal_weight, before.benchmark), before.session is None
    return chain_levels(*recent, ticker_universe, instruments, levels, moment, funded=funded)._asdict()


def _sessions_to_check(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    taken_back = frames["position_ends"].filter(pl.col("withdrawn"), pl.col("session") == moment.session)
    last_closes = [(day, day) for day in taken_back["last_session"].unique().sort()]
    return [*sessions_of_fractions(frames, moment), *sessions_of_carried_closes(frames, moment), *last_closes]


STAGE = Stage(
    name="value",
    function=value,
    reads=(
        Read(BALANCES, lookback=1),
        Read(LEDGER_ENTRIES, further=history_to_go_through),
        Read(PORTFOLIO_HOLDINGS, lookback=1),
        Read(EXECUTED_TRADES, further=history_to_go_through),
        Read(BASELINE_HOLDINGS),
        Read(CORPORATE_ACTIONS, lookback=None, columns=ACTION_COLUMNS),
        Read(POSITION_ENDS, lookback=None, every_revision=True),
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=BAR_COLUMNS,
            further=_sessions_to_check,
        ),
        Read(TICKER_UNIVERSE, lookback=1),
        Read(INSTRUMENTS, lookback=None),
        Read(PORTFOLIO_VALUE, lookback=None, upto="previous"),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS, every_revision=True),
        Read(FINANCING, lookback=None),
    ),
    writes=PORTFOLIO_VALUE,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
)
