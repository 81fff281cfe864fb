"""Sessions in a row that see the same bars: what they know of how names trade is measured for all of them at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cached_property

import polars as pl

from lake.tables.market import MARKET_PRICES
from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.sessions import Sessions
from pipeline.research.desk import DeskSession
from pipeline.research.desk.many_sessions import ManySessions, Row, group_rows
from pipeline.research.desk.stored_rows import StoredRows
from pipeline.trading.execution.volatility_and_volume import LOOKBACK
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.stops import FALLS, read_closes

BAR = ("session", "ticker", "open", "high", "low", "close", "volume")
"""What is asked of a session's own bars."""


class SharedView:
    """A stretch: what some sessions in a row see of bars, and what follows from it."""

    def __init__(
        self,
        bars: pl.DataFrame,
        actions: pl.DataFrame,
        sessions: Sequence[date],
        calendar: Sessions,
        params: TradingParams,
    ) -> None:
        """Take in what they see.

        Args:
            bars: daily ones as they are known in all of these sessions, from `LOOKBACK` sessions before the first on.
            actions: last revisions, up to the last session.
            sessions: in a row.
            calendar: the sessions there are.
            params: of the first of them.
        """
        self._bars = bars.sort("session", *MARKET_PRICES.key)
        self.sessions, self._calendar, self._params = sessions, calendar, params
        far = calendar.offset(sessions[0], -LOOKBACK - 1)
        self._actions = actions.filter(pl.col("ex_date") >= far)
        self.ended = _find_ended(self._bars, self._actions)
        """Ticker -> the day on which its company was delisted; nobody took it up since."""
        self.alone = self._find_alone()
        """Sessions that have to be measured by themselves."""

    @cached_property
    def many(self) -> ManySessions:
        """Conditions at the opens and closes of all sessions."""
        return ManySessions(self._by_ticker, self._actions, self.sessions, self._calendar, self._params)

    @cached_property
    def today(self) -> dict[date, list[Row]]:
        """The bars of these sessions, by session."""
        days = self._bars["session"]
        mine = self._bars.filter(days.is_between(self.sessions[0], self.sessions[-1]))
        return group_rows(mine.select(BAR), "session")

    @cached_property
    def _closes(self) -> dict[str, list[tuple[date, float]]]:
        return read_closes(self._bars, self._actions["ticker"].unique())

    def closes(self, ticker: str, since: date, upto: date) -> list[tuple[date, float]]:
        """The closes of a ticker that has actions, from a day up to another one."""
        bars = self._closes.get(ticker, [])
        first = bisect_left(bars, since, key=lambda bar: bar[0])
        return bars[first : bisect_right(bars, upto, key=lambda bar: bar[0])]

    def recent(self, session: date) -> pl.DataFrame:
        """The bars of the last sessions, as plans and fills read them."""
        since = self._calendar.offset(session, -LOOKBACK)
        return self._by_ticker.filter(pl.col("session").is_between(since, session))

    @cached_property
    def _by_ticker(self) -> pl.DataFrame:
        return self._bars.sort(MARKET_PRICES.key)

    def _find_alone(self) -> frozenset[date]:
        """Those in whose windows a ticker changed hands, or a dividend went ex in a gap."""
        plain = pl.col("kind").is_in(FALLS) & pl.col("successor").is_null()
        ended = (pl.col("kind") == "delisting") & pl.col("ticker").is_in(list(self.ended))
        odd = [*_find_moved(self._bars, self._actions), *self._actions.filter(~plain & ~ended)["ex_date"]]
        spans = {day for ex_date in odd for day in _window(ex_date, self._calendar)}
        return frozenset(spans & set(self.sessions))


def divide(
    bars: StoredRows, actions: pl.DataFrame, asked: Sequence[DeskSession], calendar: Sessions
) -> Iterator[SharedView]:
    """Yield the stretches of sessions in a row: another one begins where a bar of the past is known otherwise.

    Args:
        bars: every revision, with when it was known.
        actions: last revisions, up to the last session.
        asked: the sessions.
        calendar: the sessions there are.
    """
    starts = _find_starts(bars.rows, asked)
    for first, after in zip(starts, [*starts[1:], len(asked)], strict=True):
        mine, last = asked[first:after], asked[after - 1]
        since = calendar.offset(mine[0].session, -LOOKBACK - 1)
        seen = bars.cut(since, last.session, last.as_of)
        known = actions.filter(pl.col("ex_date") <= last.session)
        yield SharedView(seen, known, [one.session for one in mine], calendar, mine[0].params)


def _find_starts(bars: pl.DataFrame, asked: Sequence[DeskSession]) -> list[int]:
    """The places of the sessions that see other bars of the past than the one before, or were run otherwise."""
    moments = {one.session: one.as_of for one in asked}
    own = pl.col("session").replace_strict(moments, default=asked[0].as_of, return_dtype=bars["available_at"].dtype)
    late = bars.filter(pl.col("available_at") > own)["available_at"].unique()
    places = {bisect_left(asked, since, key=lambda one: one.as_of) for since in late}
    changed = {at for at in range(1, len(asked)) if asked[at].params != asked[at - 1].params}
    return sorted({0, *changed, *places} - {len(asked)})


def _find_ended(bars: pl.DataFrame, actions: pl.DataFrame) -> dict[str, date]:
    """Tickers whose companies were delisted, where nothing tells of them or of another one later."""
    gone = actions.filter(pl.col("kind") == "delisting", pl.col("successor").is_null())
    if gone.is_empty():
        return {}
    passed = actions.filter(pl.col("kind").is_in(["rename", "delisting"]) | pl.col("successor").is_not_null())
    told = [*passed["ticker"], *passed["successor"].drop_nulls()]
    last = dict(bars.group_by("ticker").agg(pl.col("session").max()).iter_rows())
    rows = gone.select("ticker", "ex_date").iter_rows()
    return {ticker: day for ticker, day in rows if told.count(ticker) == 1 and last.get(ticker, day) <= day}


def _find_moved(bars: pl.DataFrame, actions: pl.DataFrame) -> Iterator[date]:
    """Ex-dates of dividends that went ex in a gap, and those they count for instead."""
    restated = restate_in_gaps(actions, bars)
    for one, other in ((actions, restated), (restated, actions)):
        yield from one.join(other, on=actions.columns, how="anti", nulls_equal=True)["ex_date"]


def _window(ex_date: date, calendar: Sessions) -> list[date]:
    first = calendar.at_or_after(ex_date)
    return calendar.between(first, calendar.offset(first, LOOKBACK + 1))
