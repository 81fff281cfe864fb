"""A seeded market that answers like a vendor: prices, actions, listings and news, faults included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.payloads import (
    ACTIONS,
    ALL_TICKERS,
    FETCH_LAG,
    LISTINGS,
    REFETCHED,
    Fetch,
    bar_rows,
    news_rows,
    payload_text,
    price_rows,
)
from pipeline.ingestion.sources.simulated import true_model
from pipeline.ingestion.sources.simulated.bars import Tape, shape_bars, write_tape
from pipeline.ingestion.sources.simulated.faults import ADDED, TRANSIENT, deliver, draw_faults
from pipeline.ingestion.sources.simulated.instruments import BENCHMARK, SECTORS, Instruments, draw_instruments
from pipeline.ingestion.sources.simulated.news import FIELDS, write_articles
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.returns import ReturnPaths, simulate
from pipeline.market.currencies import CURRENCIES
from pipeline.market.sessions import Sessions

__all__ = ["BENCHMARK", "SimulatedSource"]

ROOM = 64
"""Sessions simulated beyond the one asked for once the market has to grow, so that daily fetches seldom wait."""
BAR_FIELDS = {
    "ticker": "symbol",
    "session": "date",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
}
ACTION_FIELDS = {
    "ticker": "symbol",
    "ex_date": "ex_date",
    "kind": "type",
    "numerator": "new_shares",
    "denominator": "old_shares",
    "amount": "cash",
    "pay_date": "paid_on",
    "successor": "successor",
    "available_at": "announced",
}
LISTING_FIELDS = {
    "ticker": "symbol",
    "name": "company",
    "sector": "sector",
    "role": "role",
    "exchange": "mic",
    "currency": "currency",
    "listed_on": "listed_on",
}
NEWS_FIELDS = {field: field for field in FIELDS}


@dataclass(frozen=True)
class _Market:
    """Everything simulated so far; what is told of the returns is worked out when it is first asked for."""

    instruments: Instruments
    params: SimulatedParams
    calendar: Sessions
    first: int
    """Position in the calendar of the market's first session."""
    path: ReturnPaths

    @cached_property
    def tape(self) -> Tape:
        return write_tape(self.instruments, self.path, self.params, self.calendar, self.first)

    @cached_property
    def bars(self) -> pl.DataFrame:
        return shape_bars(self.instruments, self.path, self.tape, self.params, self.calendar, self.first)

    @cached_property
    def faults(self) -> pl.DataFrame:
        days = self.calendar.days[self.first : self.first + self.path.length]
        return draw_faults(self.instruments, self.tape, self.params, days)

    @cached_property
    def articles(self) -> pl.DataFrame:
        return write_articles(self.instruments, self.path, self.params, self.calendar, self.first)


class SimulatedSource:
    """The simulated vendor. Two objects with equal parameters answer alike, in any order of questions."""

    name = "simulated"

    def __init__(self, params: SimulatedParams, calendar: Sessions, currency: str = "") -> None:
        """Begin with a market of one session.

        Args:
            params: what the market is like.
            calendar: of the exchange that it lies at.
            currency: ISO 4217, of prices at an exchange that has none of its own; US dollars if empty.
        """
        self.params = params
        self.calendar = calendar
        # A made-up market may lie at an exchange that nobody trades at.
        self.currency = CURRENCIES.get(calendar.exchange, currency or "USD")
        self.instruments: Instruments = draw_instruments(params)
        try:
            opening = date.fromisoformat(params.first_session)
            if opening < calendar.days[0]:
                raise ValueError(f"the calendar starts on {calendar.days[0]}")
            self._first = calendar.position(calendar.at_or_after(opening))
        except ValueError as error:
            raise SourceError(
                f"simulated first_session is {params.first_session!r}: {error}; give an ISO date within the calendar"
            ) from error
        self._grown: _Market | None = None

    def coverage(self) -> tuple[date, date]:
        """The first session and the last one of the history to load at first."""
        days = self.calendar.days
        last = min(self._first + self.params.history_sessions, len(days)) - 1
        return days[self._first], days[last]

    def check_reachable(self) -> None:
        """Do nothing: the market is made here."""

    def prices(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_PRICES rows as fetched 15 minutes after the close of `session`."""
        low, high = self._range(since, session, history)
        market = self._until(high)
        fetch = self._fetch(since, session, history)
        asked = market.bars.filter(pl.col("position").is_between(low, high))
        faults = market.faults.filter(pl.col("position").is_between(low, high))
        lines = deliver(asked, faults, self.calendar, None if history else high)
        lines = lines.sort("symbol", "date", maintain_order=True)
        bars = bar_rows(fetch, BAR_FIELDS, lines, lines["symbol"])
        others = [
            (ACTIONS, ALL_TICKERS, fetch.request(ACTION_FIELDS), payload_text(self._actions(market, fetch, low))),
            (LISTINGS, ALL_TICKERS, fetch.request(LISTING_FIELDS), payload_text(self._listings(low, high, history))),
        ]
        return pl.concat([bars, price_rows(fetch, [other for other in others if other[3]])])

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_NEWS rows: the articles that appeared since the fetch before `since`, one payload a year."""
        low, high = self._position(since), self._position(session)
        fetch = self._fetch(since, session, history)
        asked = self._until(high).articles.filter(pl.col("position").is_between(low, high))
        years = pl.Series([day.year for day in self.calendar.days[self._first :][: high + 1]])
        asked = asked.with_columns(year=years.gather(asked["position"]))
        request = fetch.request(NEWS_FIELDS)
        parts = asked.partition_by("year", maintain_order=True)
        return news_rows(fetch, [(request, payload_text(part.select(FIELDS))) for part in parts])

    def news_so_far(self, session: date, as_of: datetime) -> pl.DataFrame:
        """Return RAW_NEWS rows: the articles of the session's fetch that had appeared by a moment, by the hour."""
        position = self._position(session)
        at = pl.col("published_at").str.to_datetime(time_zone="UTC", strict=False)  # an error of the vendor is no time
        there = self._until(position).articles.filter(pl.col("position") == position, at <= as_of)
        fetch = self._fetch(session, session, False)
        request = fetch.request(NEWS_FIELDS)
        hours = there.with_columns(hour=at.dt.truncate("1h")).partition_by("hour", maintain_order=True)
        return news_rows(
            replace(fetch, fetched_at=as_of), [(request, payload_text(part.select(FIELDS))) for part in hours]
        )

    def best_forecast(self, session: date, horizons: tuple[int, ...] = (1, 5, 20)) -> pl.DataFrame:
        """Return the best forecast possible at the close of `session`. It knows the truth: for tests only.

        Columns: session, ticker, horizon (Int32), expected_return (Float64, total return to the close `horizon`
        sessions later). It reads the impulses behind the news themselves, of which the wording is a witness that errs.
        """
        now = self._position(session)
        market = self._until(now)
        return true_model.best_forecast(self.instruments, market.path, self.params, now, session, horizons)

    def faults(self, since: date, session: date) -> pl.DataFrame:
        """Return the vendor's errors: session, ticker, fault, transient. It knows the truth: for tests only."""
        low, high = self._position(since), self._position(session)
        return (
            self._until(high)
            .faults.filter(pl.col("position").is_between(low, high))
            .select("session", "ticker", "fault", transient=pl.col("fault").is_in(TRANSIENT))
        )

    def true_bars(self, since: date, session: date) -> pl.DataFrame:
        """Return every bar a perfect reader ends up with: session, ticker, open, high, low, close, volume.

        Bars no delivery has right are not among them. It knows the truth: for tests only.
        """
        low, high = self._position(since), self._position(session)
        market = self._until(high)
        lost = market.faults.filter(~pl.col("fault").is_in([*TRANSIENT, *ADDED]))
        return (
            market.bars.filter(pl.col("position").is_between(low, high))
            .join(lost, on=["position", "ticker"], how="anti")
            .drop("position")
            .sort("session", "ticker")
        )

    def true_articles(self, since: date, session: date) -> pl.DataFrame:
        """Return the articles with the ticker meant, the impulse and the wording's sign. For tests only."""
        low, high = self._position(since), self._position(session)
        return self._until(high).articles.filter(pl.col("position").is_between(low, high))

    @property
    def opening(self) -> date:
        """The market's first session."""
        return self.calendar.days[self._first]

    def bars_of(self, session: date) -> tuple[pl.DataFrame, int, tuple[str, ...]]:
        """A session's bars before any error of the vendor, its number in the market, and all tickers there ever are.

        Columns of the bars: ticker, open, high, low, close (Float64, rounded to the tick), volume (Int64).
        """
        position = self._position(session)
        bars = self._until(position).bars.filter(pl.col("position") == position)
        return bars.drop("position", "session"), position, self.instruments.tickers

    def _position(self, session: date) -> int:
        position = self.calendar.position(session) - self._first
        if position < 0:
            raise SourceError(
                f"the simulated market opens on {self.opening}; {session} is before it: ask from {self.opening}"
            )
        return position

    def _range(self, since: date, session: date, history: bool) -> tuple[int, int]:
        low, high = self._position(since), self._position(session)
        return (low if history else max(low - REFETCHED + 1, 0)), high

    def _fetch(self, since: date, session: date, history: bool) -> Fetch:
        fetched_at: datetime = self.calendar.close_at(session) + FETCH_LAG
        return Fetch(
            source=self.name,
            since=since,
            session=session,
            fetched_at=fetched_at,
            history=history,
            exchange=self.calendar.exchange,
            currency=self.currency,
        )

    def _until(self, position: int) -> _Market:
        """The market up to at least that position; once grown it is kept."""
        if self._grown is None or position >= self._grown.path.length:
            room = 1 if self._grown is None else ROOM
            length = min(position + room, len(self.calendar.days) - self._first)
            path = simulate(self.instruments, self.params, length)
            self._grown = _Market(self.instruments, self.params, self.calendar, self._first, path)
        return self._grown

    def _actions(self, market: _Market, fetch: Fetch, low: int) -> pl.DataFrame:
        """Actions announced by the fetch and not ex before the first session asked for."""
        known = market.tape.actions.filter((pl.col("announced") <= fetch.fetched_at) & (pl.col("position") >= low))
        return known.select(
            symbol="ticker",
            ex_date=pl.col("ex_date").dt.to_string("%Y-%m-%d"),
            type="kind",
            new_shares=pl.col("numerator").cast(pl.String),
            old_shares=pl.col("denominator").cast(pl.String),
            cash=pl.col("amount").cast(pl.String),
            paid_on=pl.col("pay_date").dt.to_string("%Y-%m-%d"),
            successor=pl.lit(None, dtype=pl.String),
            announced=pl.col("announced").dt.to_string("%Y-%m-%dT%H:%M:%S%:z"),
        )

    def _listings(self, low: int, high: int, history: bool) -> pl.DataFrame:
        """History: all listed so far. Daily: those listed within the sessions asked for."""
        days = self.calendar.days[self._first :]
        listed = [int(position) for position in self.instruments.listed]
        new = [
            name for name in range(self.instruments.size) if (history or low <= listed[name]) and listed[name] <= high
        ]
        rows = [
            (
                self.instruments.tickers[n],
                self.instruments.companies[n],
                SECTORS[self.instruments.sector[n]],
                "stock",
                days[listed[n]],
            )
            for n in new
        ]
        if history or low == 0:
            rows.append((BENCHMARK, "Whole Market Index", "Index", "benchmark", days[0]))
        return pl.DataFrame(
            [(*row[:4], self.calendar.exchange, self.currency, row[4].isoformat()) for row in rows],
            schema=dict.fromkeys(LISTING_FIELDS.values(), pl.String),
            orient="row",
        )
