"""Yahoo as a source of daily and intraday bars with their splits and dividends, one chart per ticker."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from lake.tables.market import RAW_PRICES
from lake.tables.news import RAW_NEWS
from lake.tables.vocabulary import SYMBOL
from pipeline.ingestion.chart.screener import screened_symbols
from pipeline.ingestion.chart.symbols import our_ticker, vendor_symbol
from pipeline.ingestion.sources.errors import LIMITED, UNREACHABLE, SourceError
from pipeline.ingestion.sources.files.spells import Spells, cut_spells, read_spells
from pipeline.ingestion.sources.params import YahooParams
from pipeline.ingestion.sources.payloads import (
    ACTIONS,
    ALL_TICKERS,
    BARS,
    FETCH_LAG,
    LISTINGS,
    MEMBERS,
    REFETCHED,
    payload_id,
    payload_text,
)
from pipeline.ingestion.sources.yahoo.connection import (
    URL_VARIABLE,
    Connection,
    LimitedError,
    UnreachableError,
    state_folder,
)
from pipeline.ingestion.sources.yahoo.visits import Kept, Visit
from pipeline.sessions import Sessions

__all__ = ["LIMITED", "UNREACHABLE", "YahooSource"]

OLDEST_DAYS = {"1m": 7, "5m": 59, "1h": 729}
"""Days that Yahoo keeps intraday bars."""
TRIES = 3
"""Times a symbol is asked for when the server fails on it alone."""
FIRST_PAUSE, LONGEST_PAUSE = {LIMITED: 60.0, UNREACHABLE: 2.0}, {LIMITED: 900.0, UNREACHABLE: 60.0}
"""Seconds before the second try, doubled for each further one, and the longest there is."""


@dataclass(frozen=True)
class GivenUp:
    """Why the rest of a visit was not asked for."""

    rule: str
    error: str
    missing: tuple[str, ...]


class YahooSource:
    """Charts of Yahoo, landed byte for byte: bars, the splits and dividends of the same answer, the instrument.

    Every chart reaches until now, also for an earlier session: only so are all splits known that its prices are
    adjusted for. A ticker that cannot be had for the moment is landed as a failure, never as one that is gone.
    """

    name = "yahoo"

    def __init__(self, params: YahooParams, calendar: Sessions, connection: Connection | None = None) -> None:
        wrong = sorted(ticker for ticker in params.tickers if not _well_formed(ticker))
        if wrong:
            raise SourceError(
                f"{len(wrong)} tickers are not well-formed, the first is {wrong[0]!r}; write them like BRK.B"
            )
        if not params.tickers and not params.constituents and not params.screener:
            raise SourceError(
                "the source 'yahoo' has nothing to ask for; set source.yahoo.tickers, constituents or screener"
            )
        self.params = params
        self.calendar = calendar
        self.connection = connection or Connection(
            state=state_folder(os.environ),
            requests_per_minute=params.requests_per_minute,
            timeout=params.timeout_seconds,
            base_url=os.environ.get(URL_VARIABLE, ""),
        )
        self._spells: Spells | None = None

    def coverage(self) -> tuple[date, date]:
        """From the first session asked for in the configuration to the last one that Yahoo shows as closed."""
        last = self.calendar.last_closed(self.connection.instant - FETCH_LAG)
        first = self.calendar.at_or_after(max(self._first(), self.calendar.days[0]))
        if first > last:
            raise SourceError(f"source.yahoo.first_session is {first}, after the last closed session {last}")
        return first, last

    def prices(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_PRICES rows: a chart per ticker, memberships, and a failure for what could not be had.

        Raises:
            SourceError: if the session has not closed yet, or not one ticker of a load of history was answered.
        """
        if self.connection.instant < self.calendar.close_at(session):
            raise SourceError(
                f"session {session} has not closed yet; ask for it after {self.calendar.close_at(session)}"
            )
        low = since if history else self.calendar.offset(self.calendar.at_or_after(since), 1 - REFETCHED)
        question = _Question(self._from(low), session, history)
        listed, failures = self._screened(question)
        wanted = self._wanted(low, session, listed)
        answers, given_up = self._visit(wanted, question, failures)
        if history and wanted and not answers:
            raise SourceError(f"Yahoo answered for none of {len(wanted)} tickers: {_in_words(given_up, failures)}")
        rows = [*listed, *self._charts(answers, question), *failures, *self._members(question)]
        if given_up:
            rows.append(self._given_up(given_up, len(wanted), question))
        return pl.DataFrame(rows, schema=RAW_PRICES.schema)

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return no rows: the charts hold no news."""
        del since, session, history
        return RAW_NEWS.empty()

    # ---- what to ask

    def _first(self) -> date:
        try:
            return date.fromisoformat(self.params.first_session)
        except ValueError:
            raise SourceError(
                f"source.yahoo.first_session is {self.params.first_session!r}; write it like 2018-01-02"
            ) from None

    def _from(self, low: date) -> date:
        kept = OLDEST_DAYS.get(self.params.interval)
        return low if kept is None else max(low, self.connection.instant.date() - timedelta(days=kept))

    def _wanted(self, low: date, session: date, listed: list[dict[str, object]]) -> list[str]:
        """Our tickers: those of the configuration, whoever was a constituent in these days, the screener's."""
        screened = {ticker for row in listed for ticker in self._symbols(str(row["payload"]))}
        spells = self._memberships()
        members = spells.within(low, session) if spells else ()
        benchmark = {self.params.benchmark_ticker} - {""}
        return sorted({*self.params.tickers, *members, *screened, *benchmark})

    def _memberships(self) -> Spells | None:
        if self._spells is None and self.params.constituents:
            self._spells = read_spells(self.params.constituents)
        return self._spells

    def _symbols(self, screened: str) -> list[str]:
        found = (our_ticker(symbol, self.params.exchange) for symbol in screened_symbols(screened))
        return [ticker for ticker in found if _well_formed(ticker)]

    # ---- asking

    def _screened(self, question: _Question) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        """The screener's answer as a landing, or the failure to get one."""
        if not self.params.screener:
            return [], []
        try:
            reply = self.connection.screen(self.params.screener, self.params.screener_size)
        except (LimitedError, UnreachableError) as error:
            rule = LIMITED if isinstance(error, LimitedError) else UNREACHABLE
            return [], [self._failure(f"screener {self.params.screener}", rule, str(error), question)]
        request = self._request(question, ALL_TICKERS, "stock", reply.url)
        kept = Kept(ALL_TICKERS, request, reply.body, reply.at.isoformat())
        return [self._row(LISTINGS, "yahoo-screener", kept, question)], []

    def _visit(
        self, wanted: Iterable[str], question: _Question, failures: list[dict[str, object]]
    ) -> tuple[list[Kept], GivenUp | None]:
        """The answers, from an earlier visit cut short or asked for now; failures gain what one ticker failed on."""
        symbols = {vendor_symbol(ticker, self.params.exchange): ticker for ticker in wanted}
        visit = Visit(
            self.connection.state / "visits", self._identity(question), self.params.reuse_minutes, self.connection.now
        )
        answers = visit.answers()
        missing = [symbol for symbol in symbols if symbol not in answers]
        deadline = self.connection.now() + self.params.patience_minutes * 60
        reachable = True
        for number, symbol in enumerate(missing):
            outcome = self._patiently(symbol, symbols[symbol], question, deadline, give_way=reachable)
            if isinstance(outcome, Kept):
                visit.keep(outcome)
                answers[symbol] = outcome
            elif outcome.missing:
                failures.append(self._failure(symbol, outcome.rule, outcome.error, question))
            else:
                return _ordered(answers, symbols), GivenUp(outcome.rule, outcome.error, tuple(missing[number:]))
            reachable = isinstance(outcome, Kept)
        return _ordered(answers, symbols), None

    def _patiently(
        self, symbol: str, ticker: str, question: _Question, deadline: float, *, give_way: bool
    ) -> Kept | GivenUp:
        """Ask until there is an answer, the deadline is near, or with `give_way` this symbol has failed TRIES times.

        A result whose `missing` is empty means that there is no use in asking for others either.
        """
        tries = 0
        while True:
            try:
                return self._ask(symbol, ticker, question)
            except (LimitedError, UnreachableError) as error:
                rule = LIMITED if isinstance(error, LimitedError) else UNREACHABLE
                told = str(error)
            tries += 1
            if rule == UNREACHABLE and give_way and tries >= TRIES:
                return GivenUp(rule, told, (symbol,))
            pause = min(FIRST_PAUSE[rule] * 2 ** (tries - 1), LONGEST_PAUSE[rule])
            if self.connection.now() + pause > deadline:
                return GivenUp(rule, told, ())
            self.connection.budget.hold(pause)  # the next request, of whatever process, waits for its end

    def _ask(self, symbol: str, ticker: str, question: _Question) -> Kept:
        start = datetime.combine(question.low, time(), ZoneInfo(self.calendar.zone))
        reply = self.connection.chart(symbol, self.params.interval, start, self.calendar.zone)
        role = "benchmark" if ticker == self.params.benchmark_ticker else "stock"
        return Kept(symbol, self._request(question, ticker, role, reply.url), reply.body, reply.at.isoformat())

    # ---- landing

    def _identity(self, question: _Question) -> str:
        """What makes two visits one: the whole question and whom it is put to."""
        params = self.params
        return json.dumps([self.connection.base_url, params.interval, params.exchange, *map(str, question.parts)])

    def _request(self, question: _Question, ticker: str, role: str, url: str) -> str:
        """The request as JSON, in the words of the landing contract."""
        asked = {
            "url": url,
            "ticker": ticker,
            "role": role,
            "interval": self.params.interval,
            "exchange": self.params.exchange,
            "stamp": "start",
            "history": question.history,
            "since": question.low.isoformat(),
            "until": question.session.isoformat(),
        }
        return json.dumps(asked, ensure_ascii=False)

    def _charts(self, answers: list[Kept], question: _Question) -> list[dict[str, object]]:
        """A landing of bars for each answer, and one of actions for those that hold events.

        The body stands in both: actions are looked for in the landings of a whole quarter, bars only in the newest.
        """
        rows = [self._row(BARS, "yahoo-chart", kept, question) for kept in answers]
        return rows + [
            self._row(ACTIONS, "yahoo-chart", kept, question) for kept in answers if '"events"' in kept.payload
        ]

    def _members(self, question: _Question) -> list[dict[str, object]]:
        """The memberships: with a load of history all that had begun, else those that changed."""
        spells = self._memberships()
        if spells is None:
            return []
        lines = cut_spells(spells.lines, spells.fields, question.low, question.session, history=question.history)
        if lines.is_empty():
            return []
        asked = json.loads(self._request(question, ALL_TICKERS, "stock", "")) | {"fields": spells.fields}
        kept = Kept(ALL_TICKERS, json.dumps(asked), payload_text(lines), self.connection.instant.isoformat())
        return [self._row(MEMBERS, "ndjson", kept, question)]

    def _failure(self, symbol: str, rule: str, error: str, question: _Question) -> dict[str, object]:
        payload = json.dumps({"rule": rule, "error": error[:1_000]}, ensure_ascii=False)
        kept = Kept(symbol, self._request(question, symbol, "stock", ""), payload, self.connection.instant.isoformat())
        return self._row(BARS, "failure", kept, question)

    def _given_up(self, given_up: GivenUp, wanted: int, question: _Question) -> dict[str, object]:
        first, left = given_up.missing[0], len(given_up.missing)
        told = f"{left} of {wanted} tickers were not asked for, the first is {first}; {given_up.error}"
        return self._failure(ALL_TICKERS, given_up.rule, told, question)

    def _row(self, kind: str, form: str, kept: Kept, question: _Question) -> dict[str, object]:
        return {
            "payload_id": payload_id(self.name, kind, kept.symbol, kept.request, kept.payload),
            "source": self.name,
            "kind": kind,
            "ticker": kept.symbol[:200],
            "session": question.session,
            "fetched_at": kept.at.astimezone(UTC),
            "format": form,
            "request": kept.request,
            "payload": kept.payload,
        }


@dataclass(frozen=True)
class _Question:
    low: date
    session: date
    history: bool

    @property
    def parts(self) -> tuple[object, ...]:
        return self.low, self.session, self.history


def _ordered(answers: dict[str, Kept], symbols: dict[str, str]) -> list[Kept]:
    return [answers[symbol] for symbol in symbols if symbol in answers]


def _in_words(given_up: GivenUp | None, failures: list[dict[str, object]]) -> str:
    return given_up.error if given_up else str(failures[0]["payload"]) if failures else "no reason is known"


def _well_formed(ticker: str) -> bool:
    return re.fullmatch(SYMBOL, ticker) is not None
