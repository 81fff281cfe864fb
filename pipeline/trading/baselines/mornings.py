"""What happens to a baseline before it trades: corporate actions, and the end of what is silent for too long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from pipeline.market.securities.order_of_day import find_swapped, order_by_company
from pipeline.market.sessions import Sessions
from pipeline.trading.baselines.held_portfolio import HeldPortfolio, HolderEvent, select_events
from pipeline.trading.baselines.price_grid import PriceGrid
from pipeline.trading.params import TradingParams


@dataclass(frozen=True)
class Ends:
    """When a name without bars is written off, and at what."""

    sessions: int
    """0 for never."""
    fraction: float
    calendar: Sessions
    told: dict[str, date]
    """The last day for which an action says what became of a name."""

    @classmethod
    def read(cls, corporate_actions: pl.DataFrame, params: TradingParams, calendar: Sessions) -> Ends:
        """The settings, and what the actions tell."""
        ends = corporate_actions.filter(pl.col("kind").is_in(["delisting", "rename"])).sort("ex_date")
        told = dict(ends.select("ticker", "ex_date").iter_rows())
        return cls(params.write_off_after, params.write_off_value, calendar, told)


def follow_days(
    portfolio: HeldPortfolio, market: PriceGrid, corporate_actions: pl.DataFrame, *, restored: bool
) -> Iterator[tuple[int, date]]:
    """Yield each session, its corporate actions applied to the portfolio, for the caller to trade in.

    Args:
        portfolio: as it stood before the first session, or after it where restored.
        market: the sessions.
        corporate_actions: all that may matter.
        restored: whether the portfolio's rows say what it held after the first session, which is then not gone through.
    """
    events = deque(select_events(corporate_actions, market.days[0], market.days[-1]))
    for number, day in enumerate(market.days):
        if number == 0 and restored:
            portfolio.mark(market.closes[0], day)
            continue
        due = []
        while events and events[0].ex_date <= day:
            due.append(events.popleft())
        if due:
            holding = {name for name, place in portfolio.places.items() if portfolio.shares[place] > 0}
            _act(portfolio, order_by_company(due, holding))
        yield number, day


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


def write_off_silent(portfolio: HeldPortfolio, market: PriceGrid, number: int, ends: Ends) -> None:
    """End what has had no bar for as long as a position of the book may, and of which nothing is heard up to today."""
    for place in np.flatnonzero(portfolio.shares > 0).tolist() if ends.sessions else ():
        last = portfolio.marked[place]
        # As in the book: before the open of the session after so many without a bar.
        if last is None or ends.calendar.distance(last, market.days[number]) <= ends.sessions:
            continue
        told = market.days[number] < ends.told.get(market.names[place], date.min) <= market.days[-1]
        if not told and not np.isfinite(market.closes[number:, place]).any():
            portfolio.write_off(place, ends.fraction)
