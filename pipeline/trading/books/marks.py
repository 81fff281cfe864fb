"""What a share of a held name is worth at a close: its last close as traded, restated for what is known since."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.market.sessions import Sessions
from pipeline.trading.books.actions import Action, split_ratio
from pipeline.trading.books.book import Book
from pipeline.trading.books.money import MICROS_PER_CENT, half_even, to_micros
from pipeline.trading.books.quotes import Span
from pipeline.trading.currencies.session_rates import NO_FOREIGN, SessionRates

MILLION = 1_000_000
Mark = tuple[date, int]
"""The session of a close and the close in millionths, on the share basis of the day it is wanted for."""
ONE_DAY = timedelta(days=1)


class Carried(NamedTuple):
    """What the holdings of an earlier session say a share was worth."""

    when: date
    """The session of the close."""
    close: int
    """Millionths, on the share basis of that earlier session, as far as it was known then."""
    basis: date
    """The session of the holdings."""
    is_cost: bool
    """Whether it is what a share had cost, for want of a close."""


def read_carried(portfolio_holdings: pl.DataFrame) -> dict[str, Carried]:
    """Return the marks of one session's holdings by ticker."""
    quoted = pl.coalesce("local_cost", "cost").to_physical().cast(pl.Int64)
    rows = portfolio_holdings.select("ticker", "close_session", "close", "session", "shares", quoted=quoted)
    return {
        ticker: Carried(when, to_micros(close), basis, _per_share(paid, shares) == to_micros(close))
        for ticker, when, close, basis, shares, paid in rows.iter_rows()
    }


def _per_share(cents: int, shares: int) -> int:
    return half_even(abs(cents) * MICROS_PER_CENT, abs(shares))


def sessions_of_carried_closes(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    """Return the sessions of the closes that held names still carry, however old: their bars are read again."""
    carried = frames["portfolio_holdings"].filter(pl.col("session") < moment.session)
    return [(day, day) for day in carried["close_session"].unique().sort()]


class Closes:
    """The closes of some bars, as traded and quoted, and the actions known of their tickers."""

    def __init__(
        self,
        market_prices: pl.DataFrame,
        actions: Iterable[Action],
        tickers: Iterable[str],
        rates: SessionRates = NO_FOREIGN,
    ) -> None:
        self.rates = rates
        self.actions: dict[str, list[Action]] = defaultdict(list)
        self._given: dict[str, list[Action]] = defaultdict(list)
        self._freed: dict[str, list[date]] = defaultdict(list)
        """The days from which on another company may have the ticker."""
        for action in actions:
            self.actions[action.ticker].append(action)
            if action.successor:
                self._given[action.successor].append(action)
            if action.kind in ("delisting", "rename"):  # who holds it afterwards bought it on that day or later
                self._freed[action.ticker].append(action.ex_date)
        self._bars: dict[str, list[tuple[date, float]]] = defaultdict(list)
        names = self._with_predecessors(set(tickers))
        bars = market_prices.filter(pl.col("ticker").is_in(sorted(names))).sort("ticker", "session")
        for ticker, session, close in bars.select("ticker", "session", "close").iter_rows():
            self._bars[ticker].append((session, close))

    def mark(self, ticker: str, upto: date) -> Mark | None:
        """The last close up to a day of the company that has the ticker then, on the share basis of that day.

        A renamed company goes on from its closes under earlier names; those of another company that had the ticker
        before are no closes of this one. None if the bars hold none of it.
        """
        came = self._came(ticker, upto)
        begun = max([came or date.min, *(day for day in self._freed[ticker] if day <= upto)])
        bars = self._bars.get(ticker, [])
        place = bisect_right(bars, upto, key=lambda bar: bar[0])
        if place and bars[place - 1][0] >= begun:
            when, close = bars[place - 1]
            return when, self._restate(to_micros(close), ticker, when, upto)
        if came is not None and came == begun:
            return self._mark_of_predecessor(ticker, came, upto)
        return self._stated_value(ticker, upto)

    def mark_at_open(self, ticker: str, previous: date, session: date) -> Mark | None:
        """The last close up to the session before, on the shares after this one's splits: what its holder begins with.

        Where another company gets the ticker at the session, the splits of that day are the newcomer's.
        """
        found = self.mark(ticker, previous)
        return found and (found[0], round(found[1] / self.count_splits_to_open(ticker, previous, previous, session)))

    def restate_carried(self, ticker: str, carried: Carried, upto: date) -> Mark:
        """A mark of earlier holdings on the shares of a later day: from its close anew, else by the splits since."""
        as_stated = carried.when, self._restate(carried.close, ticker, carried.basis, upto)
        return self.mark_anew(ticker, carried.when, upto) or as_stated

    def mark_anew(self, ticker: str, when: date, upto: date) -> Mark | None:
        """The close of a session, which a holder's mark rests on, by all that is known now of the splits since.

        None where there is no such bar, of the ticker or of the name that it came from.
        """
        came = self._came(ticker, upto)
        if came is not None and when < came:
            return self._mark_of_predecessor(ticker, came, upto)
        bars = self._bars.get(ticker, [])
        place = bisect_right(bars, when, key=lambda bar: bar[0])
        if not place or bars[place - 1][0] != when:
            return None
        return when, self._restate(to_micros(bars[place - 1][1]), ticker, when, upto)

    def _came(self, ticker: str, upto: date) -> date | None:
        """When a company came to the ticker by a rename last."""
        renames = (a for a in self._given[ticker] if a.kind == "rename" and a.ex_date <= upto)
        return max((a.ex_date for a in renames if not self._says_again(a)), default=None)

    def _says_again(self, rename: Action) -> bool:
        """Whether a rename repeats an earlier one: since that one nobody traded under the old ticker or came to it."""
        old, day = rename.ticker, rename.ex_date
        gone = [a.ex_date for a in self.actions[old] if a.kind == "rename" and a.successor == rename.successor]
        before = max((one for one in gone if one < day), default=None)
        if before is None or any(a.kind == "rename" and before <= a.ex_date <= day for a in self._given[old]):
            return False
        return not any(before <= when < day for when, _ in self._bars.get(old, []))

    def _mark_of_predecessor(self, ticker: str, came: date, upto: date) -> Mark | None:
        """A renamed name goes on from its old name's close until it has a bar of its own."""
        eve = came - ONE_DAY
        old = next(a.ticker for a in self._given[ticker] if a.kind == "rename" and a.ex_date == came)
        found = self.mark(old, eve)
        if found is None:
            return None
        when, close = found
        on_last_day = self._quote_as(self._restate(close, old, eve, came), old, ticker, came)
        factor = self.rates.carry_over(ticker, came, upto) / self.count_splits(ticker, eve, upto)
        return when, round(on_last_day * factor)

    def count_splits(self, ticker: str, when: date, upto: date) -> Fraction:
        """New shares for each old one by the splits after a day."""
        return Fraction(*split_ratio((a for a in self.actions[ticker] if a.ex_date <= upto), ticker, when))

    def count_splits_to_open(self, ticker: str, when: date, previous: date, session: date) -> Fraction:
        """The same up to a session's open: where another company gets the ticker then, not those of that day."""
        comes = any(a.kind == "rename" and previous < a.ex_date <= session for a in self._given[ticker])
        return self.count_splits(ticker, when, previous if comes else session)

    def _restate(self, close: int, ticker: str, when: date, upto: date) -> int:
        return round(close * self.rates.carry_over(ticker, when, upto) / self.count_splits(ticker, when, upto))

    def _quote_as(self, price: int, old: str, new: str, session: date) -> int:
        """A price of one name in what another is quoted in."""
        return round(price * self.rates.cross(old, new, session))

    def _stated_value(self, ticker: str, upto: date) -> Mark | None:
        """What came with a spin-off is worth what was stated until it trades."""
        for action in reversed(self._given[ticker]):
            if action.kind == "dividend" and action.conversion and action.ex_date <= upto and action.amount:
                _, new, old = action.conversion
                stated = half_even(to_micros(action.amount) * old, new)
                worth = self._quote_as(stated, action.ticker, ticker, action.ex_date)
                return action.ex_date, self._restate(worth, ticker, action.ex_date, upto)
        return None

    def _with_predecessors(self, tickers: set[str]) -> set[str]:
        while new := {a.ticker for name in tickers for a in self._given[name]} - tickers:
            tickers |= new
        return tickers


def drop_bars_of_others(
    market_prices: pl.DataFrame, portfolio_holdings: pl.DataFrame, calendar: Sessions, max_gap: int
) -> pl.DataFrame:
    """Leave out the bars of held names that come more than `max_gap` sessions after the close the holdings state.

    Whoever trades under a held ticker after so long is taken for another company: what is held is not worth its close.

    Args:
        market_prices: daily bars with ticker and session.
        portfolio_holdings: ticker and close_session of some sessions in a row.
        calendar: the sessions.
        max_gap: sessions without a bar.
    """
    last = portfolio_holdings.group_by("ticker").agg(pl.col("close_session").min()).sort("ticker")
    places = [(ticker, calendar.position(calendar.at_or_after(day)) + max_gap + 1) for ticker, day in last.iter_rows()]
    silent = [(ticker, calendar.days[place]) for ticker, place in places if place < len(calendar.days)]
    bounds = pl.DataFrame(silent, schema={"ticker": pl.String, "late": pl.Date}, orient="row")
    beside = market_prices.join(bounds, on="ticker", how="left", maintain_order="left")
    return beside.filter((pl.col("session") <= pl.col("late")).fill_null(True)).drop("late")


class MarkDown(NamedTuple):
    """What a position without bars is worth less than its last close."""

    sessions: int
    """Without a bar after which it is; 0 for never."""
    fraction: float
    calendar: Sessions

    def apply(self, mark: Mark, session: date) -> Mark:
        """The mark of a close, marked down if that is old by the session."""
        if not self.sessions or self.calendar.distance(mark[0], session) < self.sessions:
            return mark
        return mark[0], half_even(mark[1] * (MILLION - round(self.fraction * MILLION)), MILLION)


def mark_positions(
    book: Book, closes: Closes, carried: Mapping[str, Carried], session: date, mark_down: MarkDown
) -> dict[str, Mark]:
    """Return each position's mark as quoted: its last close, else as carried before, else what its shares cost.

    A last close that is too old is marked down; what is owed of a short position is not, as that would be a gain.

    Args:
        book: the positions.
        closes: of the bars read.
        carried: ticker -> mark of earlier holdings, for names whose bars are not in the lake, or count as another's.
        session: the session whose closes are wanted, and what a mark that rests on cost is dated.
        mark_down: when a close is too old, and what that takes from it.
    """
    found = {}
    for ticker, position in sorted(book.positions.items()):
        paid = position.local_cost if closes.rates.currency_at(ticker, session) else position.cost
        cost, before = _per_share(paid, position.shares), carried.get(ticker)
        if mark := closes.mark(ticker, session):
            found[ticker] = mark_down.apply(mark, session) if position.shares > 0 else mark
        elif before is None:
            found[ticker] = session, cost
        elif anew := closes.mark_anew(ticker, before.when, session):
            found[ticker] = mark_down.apply(anew, session) if position.shares > 0 else anew
        else:  # such a close has been marked down already
            found[ticker] = (before.when, cost) if before.is_cost else closes.restate_carried(ticker, before, session)
    return found
