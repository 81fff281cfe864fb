"""Brings the stop that was last stated of a position to today's basis: by splits, and by what was paid out since."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import polars as pl

from pipeline.trading.books.actions import Action, select_actions
from pipeline.trading.currencies.session_rates import NO_FOREIGN, SessionRates
from pipeline.trading.planning.rules import unexplained_price

FALLS = ("split", "dividend")
"""Actions on whose ex-date a price falls."""
Bars = Sequence[tuple[date, float]]
"""Session and close, in order."""


def read_stops(
    trade_plans: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    session: date,
    basis: int,
    rates: SessionRates = NO_FOREIGN,
) -> dict[str, tuple[date, float]]:
    """Return each ticker's last stated stop on the basis of a session, and the session it was stated at.

    On an ex-date the price falls by what is paid out, which is no loss: the stop is lowered in proportion, as brokers
    lower resting stop orders by the amount (FINRA Rule 5330). What goes ex while the ticker is halted counts as well.

    Args:
        trade_plans: ticker, session, stop and blocked_by.
        corporate_actions: of the companies that have the tickers, as known now.
        market_prices: daily bars, none after the session.
        session: whose basis is wanted.
        basis: 2 lowers stops by what is paid out; 1 by splits alone.
        rates: of listings that changed their currency since.
    """
    of_ticker = group_actions(corporate_actions, session, FALLS if basis == 2 else ("split",))
    on_hold = pl.col("blocked_by").eq_missing(pl.lit(unexplained_price.name))  # their stops are of the basis before
    stated = trade_plans.filter(pl.col("stop").is_not_null() & ~on_hold).sort("session", "ticker")
    bars = read_closes(market_prices, of_ticker)
    told = stated.select("ticker", "session", "stop").iter_rows()
    in_todays = ((one, when, stop * float(rates.carry_over(one, when, session))) for one, when, stop in told)
    return {
        ticker: (when, stop * value_after(when, of_ticker[ticker], bars[ticker]) if ticker in of_ticker else stop)
        for ticker, when, stop in in_todays
    }


def read_payouts(corporate_actions: pl.DataFrame, market_prices: pl.DataFrame, session: date) -> dict[str, float]:
    """Return for each ticker that has not traded since an ex-date what part of its last close is left after it.

    Args:
        corporate_actions: as for `read_stops`.
        market_prices: the same.
        session: the session whose basis is wanted.
    """
    of_ticker = group_actions(corporate_actions, session, FALLS)
    return find_payouts(of_ticker, read_closes(market_prices, of_ticker))


def find_payouts(of_ticker: Mapping[str, Sequence[Action]], closes: Mapping[str, Bars]) -> dict[str, float]:
    """Return the same from the actions by ticker, each at least one, and their closes."""
    found = {}
    for ticker, actions in of_ticker.items():
        bars = closes.get(ticker, ())
        last = bars[-1][0] if bars else date.max
        splits = [action for action in actions if action.kind == "split"]
        if actions[-1].ex_date > last:
            found[ticker] = value_after(last, actions, bars) / value_after(last, splits, bars)
    return found


def group_actions(corporate_actions: pl.DataFrame, session: date, kinds: tuple[str, ...]) -> dict[str, list[Action]]:
    """Return the actions of some kinds up to a session by ticker, in the order in which they take effect."""
    found: dict[str, list[Action]] = defaultdict(list)
    for action in select_actions(corporate_actions, None, session):
        if action.kind in kinds:
            found[action.ticker].append(action)
    return found


def read_closes(market_prices: pl.DataFrame, tickers: Iterable[str]) -> dict[str, list[tuple[date, float]]]:
    """Return the closes of some tickers, in order."""
    bars: dict[str, list[tuple[date, float]]] = defaultdict(list)
    mine = market_prices.filter(pl.col("ticker").is_in(sorted(tickers))).sort("ticker", "session")
    for ticker, session, close in mine.select("ticker", "session", "close").iter_rows():
        bars[ticker].append((session, close))
    return bars


def value_after(when: date, actions: Sequence[Action], bars: Bars) -> float:
    """Return what a price of a day is worth after the actions since, as a part of it, on the shares of after them.

    Args:
        when: the day.
        actions: of the ticker, in the order in which they take effect.
        bars: its closes, in order.
    """
    factor, price, priced = 1.0, 0.0, date.min
    for action in actions:
        before = bisect_left(bars, action.ex_date, key=lambda bar: bar[0])
        if before and bars[before - 1][0] > priced:
            priced, price = bars[before - 1]
        step = _step(action, price)
        price *= step
        factor *= step if action.ex_date > when else 1.0
    return factor


def _step(action: Action, price: float) -> float:
    """What is left of a price on the ex-date; all of it where less than the amount is known of it."""
    if action.kind == "split":
        new, old = action.ratio
        return old / new
    return 1 - (action.amount or 0.0) / price if price > (action.amount or 0.0) else 1.0
