"""What fractions of shares are paid out at: the open of a session, else the last close before it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.trading.books.actions import Action, split_ratio
from pipeline.trading.books.money import to_micros
from pipeline.trading.currencies.session_rates import NO_FOREIGN, SessionRates

WINDOW = 10
"""Sessions before an ex-date in which the last close is looked for where that day has no open."""
Span = tuple[date, date]


class Quotes:
    """Opens and closes of some tickers in millionths, as traded; the last close stands in for a missing open."""

    def __init__(self, market_prices: pl.DataFrame, tickers: Iterable[str]) -> None:
        wanted = pl.col("ticker").is_in(sorted(set(tickers))), pl.col("interval") == "1d"
        self._bars: dict[str, list[tuple[date, float, float]]] = defaultdict(list)
        rows = market_prices.filter(*wanted).sort("ticker", "session").select("ticker", "session", "open", "close")
        for ticker, session, opening, close in rows.iter_rows():
            self._bars[ticker].append((session, opening, close))

    def open_or_last(
        self, ticker: str, session: date, first: date, actions: Iterable[Action], rates: SessionRates = NO_FOREIGN
    ) -> Fraction | None:
        """The open, else the last close since `first` carried over the splits since; None if there is neither."""
        bars = self._bars.get(ticker, [])
        place = bisect_left(bars, session, key=lambda one: one[0])
        if place < len(bars) and bars[place][0] == session:
            return Fraction(to_micros(bars[place][1]))
        if place == 0 or bars[place - 1][0] < first:
            return None
        when, _, close = bars[place - 1]
        new, old = split_ratio((a for a in actions if a.ex_date <= session), ticker, when)
        return Fraction(round(Fraction(to_micros(close) * old, new) * rates.carry_over(ticker, when, session)))


def sessions_of_fractions(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    """Return the spans of earlier sessions whose bars say what fractions of shares were paid out at.

    Of actions that may leave fractions, since the first fill of any name, on names that were traded or what they
    became: few, and most sessions none.
    """
    trades, actions, calendar = frames["executed_trades"], frames["corporate_actions"], moment.calendar
    if trades.is_empty() or actions.is_empty():
        return []
    names = set(trades["ticker"].to_list()) | set(actions["successor"].drop_nulls().to_list())
    whole = pl.col("numerator") % pl.col("denominator") == 0
    odd = actions.filter(
        pl.col("ex_date") > trades["session"].min(),
        pl.col("ex_date") <= moment.session,
        pl.col("ticker").is_in(sorted(names)),
        pl.col("numerator").is_not_null() & (~whole | pl.col("successor").is_not_null()),
    )
    days = [calendar.at_or_after(day) for day in odd["ex_date"].unique().sort()]
    return [(calendar.offset(day, -WINDOW), day) for day in days]
