"""Yahoo as a source of bars with their splits and dividends, one chart per ticker, and of each ticker's news."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from lake.tables.market import RAW_PRICES
from lake.tables.news import RAW_NEWS
from pipeline.ingestion.prices.yahoo_chart.answer import JUDGEMENT
from pipeline.ingestion.rates.rates_of_chart import chart_symbol
from pipeline.ingestion.sources.errors import LIMITED, UNREACHABLE, OutOfReachError, SourceError
from pipeline.ingestion.sources.files.memberships import cut_memberships
from pipeline.ingestion.sources.payloads import (
    ACTIONS,
    ALL_TICKERS,
    BARS,
    BY_LINE,
    FETCH_LAG,
    LISTINGS,
    MEMBERS,
    RATES,
    REFETCHED,
    payload_id,
    payload_text,
)
from pipeline.ingestion.sources.yahoo import news
from pipeline.ingestion.sources.yahoo.connection import (
    Connection,
    LimitedError,
    UnreachableError,
    open_connection,
)
from pipeline.ingestion.sources.yahoo.covered_span import state_coverage
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.ingestion.sources.yahoo.resume_cache import CachedAnswer
from pipeline.ingestion.sources.yahoo.retry import RetryingClient, Unanswered, rule_of
from pipeline.ingestion.sources.yahoo.wanted_tickers import WantedTickers
from pipeline.market.sessions import Sessions

__all__ = ["LIMITED", "UNREACHABLE", "YahooSource"]

EVENTS = '"events"'
"""What stands in the body of a chart that holds splits or dividends."""
OLDEST_DAYS = {"1m": 7, "5m": 59, "1h": 729}
"""Days that Yahoo keeps intraday bars."""


class YahooSource:
    """Charts and news of Yahoo, landed byte for byte: bars, splits and dividends of the same answer, the instrument.

    Every chart reaches until now, also for an earlier session: only so are all splits known that its prices are
    adjusted for. A ticker that cannot be had for the moment is landed as a failure, never as one that is gone.
    """

    name = "yahoo"

    def __init__(self, params: YahooParams, calendar: Sessions, connection: Connection | None = None) -> None:
        self.wanted = WantedTickers(params, calendar.exchange)
        self.params = params
        self.calendar = calendar
        self.connection = connection or open_connection(params.requests_per_minute, params.timeout_seconds)
        self._silent = False
        """Whether Yahoo was given up on a moment ago: then nobody waits for its news as well."""

    def coverage(self) -> tuple[date, date]:
        """From the first session asked for in the configuration to the last one that Yahoo shows as closed."""
        last = self.calendar.last_closed(self.connection.instant - FETCH_LAG)
        asked = max(self._first(), self.calendar.days[0])
        if asked > last:
            raise SourceError(f"source.yahoo.first_session is {asked}, after the last closed session {last}")
        return self.calendar.at_or_after(asked), last

    def check_reachable(self) -> None:
        """Ask for one chart, once.

        Raises:
            OutOfReachError: if Yahoo does not answer; whether it knows the symbol does not matter here.
        """
        last = self.calendar.last_closed(self.connection.instant - FETCH_LAG)
        symbol = next(iter(self.wanted.name_symbols([self.params.benchmark_ticker or "SPY"])))
        try:
            self.connection.chart(symbol, "1d", datetime.combine(last, time(), ZoneInfo("UTC")), self.calendar.zone)
        except (LimitedError, UnreachableError) as error:
            why = "refuses requests for now" if isinstance(error, LimitedError) else "cannot be reached"
            raise OutOfReachError(
                f"Yahoo {why}: {str(error)[:300]}; try again when there is a way to it, or begin with --source files or"
                " --source simulated"
            ) from None

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
        listed, failures = self._run_screener(question)
        wanted = self._list_tickers(low, session, listed)
        pairs = {chart_symbol(pair): pair for pair in self.params.fx_pairs}
        visited = RetryingClient(self.connection, self.params, self.params.patience_minutes).visit(
            self._identity(question),
            self.wanted.name_symbols(wanted) | pairs,
            lambda symbol, ticker: self._ask(symbol, ticker, question, is_rate=symbol in pairs),
        )
        self._silent = visited.given_up is not None
        answers = [kept for kept in visited.answers if kept.symbol not in pairs]
        rates = [kept for kept in visited.answers if kept.symbol in pairs]
        if history and wanted and not answers:
            raise SourceError(f"Yahoo answered for none of {len(wanted)} tickers: {visited.reason}")
        failures += [self._failure(one.symbols[0], one.rule, one.error, question) for one in visited.failures]
        rows = [*listed, *self._charts(answers, question), *failures, *self._members(question)]
        rows += [self._row(RATES, "yahoo-chart", kept, question) for kept in rates]
        if visited.given_up:
            rows.append(self._gave_up(visited.given_up, len(wanted) + len(pairs), question))
        return pl.DataFrame(rows, schema=RAW_PRICES.schema)

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_NEWS rows: what Yahoo says of each ticker today, and a failure for what could not be had.

        Yahoo's news speaks of the present: only for the last session that has closed is there an answer. A screener's
        tickers are those it names now; if it does not answer, they are left out, which the landed prices tell.
        """
        if self.params.news == "none" or session != self.calendar.last_closed(self.connection.instant - FETCH_LAG):
            return RAW_NEWS.empty()
        return self._land_news(since, session, history, "")

    def news_so_far(self, session: date, as_of: datetime) -> pl.DataFrame:
        """The same between cycles, filed under the session to come."""
        if self.params.news == "none":
            return RAW_NEWS.empty()
        return self._land_news(session, session, False, as_of.isoformat())

    def _land_news(self, since: date, session: date, history: bool, visit: str) -> pl.DataFrame:
        question = _Question(session, session, history)
        wanted = set(self._list_tickers(session, session, self._run_screener(question)[0])) - {
            self.params.benchmark_ticker
        }
        symbols = self.wanted.name_symbols(sorted(wanted))
        patience = 0.0 if self._silent else self.params.patience_minutes
        exchange = self.calendar.exchange
        return news.land(
            self.connection,
            self.params,
            exchange,
            symbols,
            since,
            session,
            history=history,
            patience=patience,
            visit=visit,
        )

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

    def _list_tickers(self, low: date, session: date, listed: list[dict[str, object]]) -> list[str]:
        return self.wanted.list_tickers(low, session, [str(row["payload"]) for row in listed])

    # ---- asking

    def _run_screener(self, question: _Question) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        """The screener's answer as a landing, or the failure to get one."""
        if not self.params.screener:
            return [], []
        try:
            reply = self.connection.screen(self.params.screener, self.params.screener_size)
        except (LimitedError, UnreachableError) as error:
            return [], [self._failure(f"screener {self.params.screener}", rule_of(error), str(error), question)]
        request = self._request(question, ALL_TICKERS, "stock", reply.url)
        kept = CachedAnswer(ALL_TICKERS, request, reply.body, reply.at.isoformat())
        return [self._row(LISTINGS, "yahoo-screener", kept, question)], []

    def _ask(self, symbol: str, ticker: str, question: _Question, *, is_rate: bool) -> CachedAnswer:
        """Ask for a chart: of a currency's rate always the daily one."""
        start = datetime.combine(question.low, time(), ZoneInfo(self.calendar.zone))
        reply = self.connection.chart(symbol, "1d" if is_rate else self.params.interval, start, self.calendar.zone)
        role = "rate" if is_rate else "benchmark" if ticker == self.params.benchmark_ticker else "stock"
        return CachedAnswer(symbol, self._request(question, ticker, role, reply.url), reply.body, reply.at.isoformat())

    # ---- landing

    def _identity(self, question: _Question) -> str:
        """What makes two visits one: the whole question and whom it is put to."""
        params = self.params
        return json.dumps(
            [self.connection.base_url, params.interval, self.calendar.exchange, *map(str, question.parts)]
        )

    def _request(self, question: _Question, ticker: str, role: str, url: str) -> str:
        """The request as JSON, in the words of the landing contract."""
        asked = {
            "url": url,
            "ticker": ticker,
            "role": role,
            "interval": self.params.interval,
            "exchange": self.calendar.exchange,
            "stamp": "start",
            "history": question.history,
            "since": question.low.isoformat(),
            "until": question.session.isoformat(),
            "judgement": JUDGEMENT,
            "amounts": BY_LINE,
        }
        return json.dumps(asked, ensure_ascii=False)

    def _charts(self, answers: list[CachedAnswer], question: _Question) -> list[dict[str, object]]:
        """A landing of bars for each answer, and one of actions that says of which days it speaks.

        The body stands in both where it holds events: actions are looked for in the landings of a whole quarter, bars
        only in the newest. Where it holds none, the landing of actions is empty: none are stated.
        """
        rows = [self._row(BARS, "yahoo-chart", kept, question) for kept in answers]
        for kept in answers:
            told = state_coverage(kept, question.low, question.session)
            if EVENTS in kept.payload:
                rows.append(self._row(ACTIONS, "yahoo-chart", told or kept, question))
            elif told is not None:
                rows.append(self._row(ACTIONS, "ndjson", replace(told, payload=""), question))
        return rows

    def _members(self, question: _Question) -> list[dict[str, object]]:
        """The memberships: with a load of history all that had begun, else those that changed."""
        spells = self.wanted.memberships
        if spells is None:
            return []
        lines = cut_memberships(spells.lines, spells.fields, question.low, question.session, history=question.history)
        if lines.is_empty():
            return []
        asked = json.loads(self._request(question, ALL_TICKERS, "stock", "")) | {"fields": spells.fields}
        kept = CachedAnswer(ALL_TICKERS, json.dumps(asked), payload_text(lines), self.connection.instant.isoformat())
        return [self._row(MEMBERS, "ndjson", kept, question)]

    def _failure(self, symbol: str, rule: str, error: str, question: _Question) -> dict[str, object]:
        payload = json.dumps({"rule": rule, "error": error[:1_000]}, ensure_ascii=False)
        kept = CachedAnswer(
            symbol, self._request(question, symbol, "stock", ""), payload, self.connection.instant.isoformat()
        )
        return self._row(BARS, "failure", kept, question)

    def _gave_up(self, given_up: Unanswered, wanted: int, question: _Question) -> dict[str, object]:
        first, left = given_up.symbols[0], len(given_up.symbols)
        text = f"{left} of {wanted} tickers were not requested, the first is {first}; {given_up.error}"
        return self._failure(ALL_TICKERS, given_up.rule, text, question)

    def _row(self, kind: str, form: str, kept: CachedAnswer, question: _Question) -> dict[str, object]:
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
