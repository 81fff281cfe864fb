"""Keeps what equal weight and the benchmark hold after each session: portfolios that one could have held."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from lake.tables.books import BASELINE_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.market.securities.order_of_day import find_swapped, order_by_company
from pipeline.market.sessions import Sessions
from pipeline.trading.baselines.held_portfolio import Flags, Floats, HeldPortfolio, HolderEvent, select_events
from pipeline.trading.currencies.converted_facts import convert_actions, convert_closes
from pipeline.trading.currencies.session_rates import RATE_COLUMNS, SessionRates
from pipeline.trading.params import Costs, TradingParams

WINDOW = 40
"""Sessions that are followed again at each session, so that a fact learned or corrected that late still counts."""
CASH = "cash"
"""The asset that is no ticker."""
EQUAL_WEIGHT, BENCHMARK = "equal_weight", "benchmark"


@dataclass(frozen=True)
class _Reach:
    """What could be traded when: a row for each session in reach, a column for each name that matters."""

    days: list[date]
    names: list[str]
    closes: Floats
    """NaN where there is no bar."""
    traded: Flags
    members: Flags


class _Ends(NamedTuple):
    """When a name without bars is written off, and at what."""

    sessions: int
    """0 for never."""
    fraction: float
    calendar: Sessions
    told: dict[str, date]
    """The last day for which an action says what became of a name."""


def baselines(
    baseline_holdings: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return what each baseline holds after `moment.session`, and what it traded at the session's close.

    Equal weight spreads what it can sell and its cash evenly over the members of the session at the close; a name
    without trade is kept until it trades again, at what it then fetches, until an action ends it, or until it has been
    silent for so long that it is written off. The benchmark buys the first benchmark and keeps it; dividends are
    invested again. The last `WINDOW` sessions are followed anew with the facts of today. A lake whose value has a
    history without holdings goes on from its last value, in cash. All of it is in the book's currency.
    """
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    market_prices = convert_closes(market_prices, rates)
    corporate_actions = convert_actions(corporate_actions, rates, moment.calendar)
    first = moment.calendar.offset(moment.session, -WINDOW)
    rows, first_listed = [], _reference(instruments, rates, moment)
    for portfolio, capital in _capitals(portfolio_value, first_listed, params).items():
        held = baseline_holdings.filter(pl.col("portfolio") == portfolio, pl.col("shares") != 0)
        begun = sorted(held["session"]) or sorted(portfolio_value["session"])[-1:] or [moment.session]
        start = max(begun[0], first)
        held = held.filter(pl.col("session") == start)
        reference = first_listed if portfolio == BENCHMARK else None
        tables = (market_prices, corporate_actions, ticker_universe)
        market = _lay_out(*tables, held["asset"].to_list(), reference, moment.calendar.between(start, moment.session))
        ends = _Ends(params.write_off_after, params.write_off_value, moment.calendar, _ends_told(corporate_actions))
        restored = _restore(held, market.names, capital)
        kept, traded = _follow(restored, market, corporate_actions, portfolio, held.height, ends)
        rows.append(_write(portfolio, moment.session, kept, market, traded, params.costs))
    return pl.concat([BASELINE_HOLDINGS.empty(), *rows])


def _capitals(portfolio_value: pl.DataFrame, reference: str | None, params: TradingParams) -> dict[str, float]:
    """What each baseline had at last; the book's capital at first. Without a benchmark then there is none for good."""
    if not portfolio_value.is_empty():
        last = portfolio_value.sort("session").row(-1, named=True)
        return {name: last[name] for name in (EQUAL_WEIGHT, BENCHMARK) if last[name] is not None}
    capital = round(params.capital, 2)
    return {EQUAL_WEIGHT: capital} | ({BENCHMARK: capital} if reference else {})


def _reference(instruments: pl.DataFrame, rates: SessionRates, moment: Moment) -> str | None:
    """The first benchmark that is quoted in the currency of the book, else the first that can be converted."""
    listed = instruments.filter(pl.col("role") == "benchmark").sort(pl.col("currency") != moment.currency, "ticker")
    can = [ticker for ticker in listed["ticker"].to_list() if rates.at(ticker, moment.session) is not None]
    return can[0] if can and moment.currency else None


def _lay_out(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    held: Iterable[str],
    reference: str | None,
    days: list[date],
) -> _Reach:
    """Bars and members of the sessions, of the names that are or may come to be held."""
    chosen = ticker_universe.filter(pl.col("session").is_in(days), pl.col("member")).select("session", "ticker")
    if reference is not None:
        chosen = pl.DataFrame({"session": days, "ticker": reference}, schema=chosen.schema)
    names = {*held, *chosen["ticker"]} - {CASH}
    passed_on = corporate_actions.filter(pl.col("successor").is_not_null()).select("ticker", "successor").rows()
    while new := {successor for ticker, successor in passed_on if ticker in names} - names:
        names |= new
    ordered = sorted(names)
    bars = market_prices.filter(pl.col("ticker").is_in(ordered), pl.col("session").is_in(days))
    shape = (len(days), len(ordered))
    closes, traded, members = np.full(shape, np.nan), np.zeros(shape, bool), np.zeros(shape, bool)
    at = _place(bars, days, ordered)
    sold = bars.select((pl.col("volume") > 0) | (pl.col("volume_rounding") > 0).fill_null(False)).to_series()
    closes[at], traded[at] = bars["close"].to_numpy(), sold.to_numpy() | (reference is not None)
    members[_place(chosen, days, ordered)] = True
    return _Reach(days, ordered, closes, traded, members)


def _place(rows: pl.DataFrame, days: list[date], names: list[str]) -> tuple[list[int], list[int]]:
    row_of = {day: number for number, day in enumerate(days)}
    column_of = {name: number for number, name in enumerate(names)}
    return [row_of[day] for day in rows["session"]], [column_of[name] for name in rows["ticker"]]


def _restore(held: pl.DataFrame, names: list[str], capital: float) -> HeldPortfolio:
    """The portfolio as its rows say; all in cash where there are none."""
    portfolio = HeldPortfolio.start(names, 0.0 if held.height else capital)
    for asset, shares, close, when in held.select("asset", "shares", "close", "close_session").iter_rows():
        if asset == CASH:
            portfolio.cash = shares
            continue
        place = portfolio.places[asset]
        portfolio.shares[place], portfolio.marks[place], portfolio.marked[place] = shares, close, when
    return portfolio


def _follow(
    portfolio: HeldPortfolio, market: _Reach, corporate_actions: pl.DataFrame, kind: str, held: int, ends: _Ends
) -> tuple[HeldPortfolio, Floats]:
    """Carry a portfolio through the sessions; also the value of each name traded at the last close."""
    traded: Floats = np.zeros(len(market.names))
    events = deque(select_events(corporate_actions, market.days[0], market.days[-1]))
    for number, day in enumerate(market.days):
        if number == 0 and held:
            portfolio.mark(market.closes[0], day)
            continue  # its rows say what it held after this session
        due = []
        while events and events[0].ex_date <= day:
            due.append(events.popleft())
        if due:
            holding = {name for name, place in portfolio.places.items() if portfolio.shares[place] > 0}
            _act(portfolio, order_by_company(due, holding))
        portfolio.mark(market.closes[number], day)
        _write_off_silent(portfolio, market, number, ends)
        wanted = market.members[number]
        if kind == BENCHMARK and (portfolio.shares > 0).any():
            wanted = portfolio.shares > 0  # it keeps what it has, under whatever name
        traded = portfolio.rebalance(wanted, market.traded[number])
    return portfolio, traded


def _act(portfolio: HeldPortfolio, events: list[HolderEvent]) -> None:
    """Give the holder what happens, one after the other; companies that take each other's tickers move at once."""
    swapped = find_swapped(events)
    done: set[date] = set()
    for event in events:
        day = event.ex_date
        if event.kind != "rename" or (day, event.ticker) not in swapped:
            portfolio.follow(event)
        elif day not in done:
            portfolio.swap([one for one in events if one.kind == "rename" and (day, one.ticker) in swapped])
            done.add(day)


def _write_off_silent(portfolio: HeldPortfolio, market: _Reach, number: int, ends: _Ends) -> None:
    """End what has had no bar for as long as a position of the book may, and of which nothing is heard up to today."""
    for place in np.flatnonzero(portfolio.shares > 0).tolist() if ends.sessions else ():
        last = portfolio.marked[place]
        told = market.days[number] < ends.told.get(market.names[place], date.min) <= market.days[-1]
        heard = told or np.isfinite(market.closes[number:, place]).any()
        # As in the book: before the open of the session after so many without a bar.
        if last is not None and not heard and ends.calendar.distance(last, market.days[number]) > ends.sessions:
            portfolio.write_off(place, ends.fraction)


def _ends_told(corporate_actions: pl.DataFrame) -> dict[str, date]:
    ends = corporate_actions.filter(pl.col("kind").is_in(["delisting", "rename"])).sort("ex_date")
    return dict(ends.select("ticker", "ex_date").iter_rows())


def _write(
    name: str, session: date, portfolio: HeldPortfolio, market: _Reach, traded: Floats, costs: Costs
) -> pl.DataFrame:
    """The rows of baseline_holdings: positions, names sold at this close, and cash."""
    values = portfolio.values
    rows: list[dict[str, object]] = [
        {
            "asset": market.names[place],
            "shares": float(portfolio.shares[place]),
            "close": float(portfolio.marks[place]),
            "close_session": portfolio.marked[place],
            "value": float(values[place]),
            "traded": float(traded[place]),
            "cost": _cost(float(traded[place]), float(portfolio.marks[place]), costs),
        }
        for place in np.flatnonzero((portfolio.shares > 0) | (traded != 0)).tolist()
    ]
    cash = portfolio.cash
    rows.append(
        {"asset": CASH, "shares": cash, "close": 1.0, "close_session": session, "value": cash}
        | {"traded": 0.0, "cost": 0.0}
    )
    stated = [{"session": session, "portfolio": name} | row for row in rows]
    return pl.DataFrame(stated, schema=BASELINE_HOLDINGS.schema)


def _cost(traded: float, close: float, costs: Costs) -> float:
    """Half-spread and commission per share: parts of shares move no price, and no minimum is charged for them."""
    return costs.multiple * abs(traded) * (costs.half_spread + costs.commission_per_share / close) if traded else 0.0


STAGE = Stage(
    name="baselines",
    function=baselines,
    reads=(
        Read(BASELINE_HOLDINGS, lookback=WINDOW, upto="previous"),
        Read(PORTFOLIO_VALUE, lookback=None, upto="previous", columns=("session", EQUAL_WEIGHT, BENCHMARK)),
        Read(
            MARKET_PRICES,
            lookback=WINDOW,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "close", "volume", "volume_rounding"),
        ),
        Read(CORPORATE_ACTIONS, lookback=WINDOW),
        Read(TICKER_UNIVERSE, lookback=WINDOW, where=pl.col("member"), columns=("session", "ticker", "member")),
        Read(INSTRUMENTS, lookback=None),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS),
    ),
    writes=BASELINE_HOLDINGS,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
)
