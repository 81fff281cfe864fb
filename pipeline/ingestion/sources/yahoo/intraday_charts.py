"""Yahoo's bars within sessions: one chart per ticker and length of bars, landed byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from lake.tables.intraday import RAW_INTRADAY
from pipeline.ingestion.prices.yahoo_chart.answer import JUDGEMENT
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.payloads import ALL_TICKERS, BARS, BY_LINE, payload_id
from pipeline.ingestion.sources.snapshot_source import SnapshotQuestion
from pipeline.ingestion.sources.yahoo.connection import Connection, LimitedError, UnreachableError, open_connection
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.ingestion.sources.yahoo.resume_cache import CachedAnswer
from pipeline.ingestion.sources.yahoo.retry import Answers, RetryingClient, Unanswered, rule_of
from pipeline.ingestion.sources.yahoo.source import OLDEST_DAYS
from pipeline.ingestion.sources.yahoo.wanted_tickers import WantedTickers
from pipeline.market.sessions import Sessions

MAX_PATIENCE = 3.0
"""Minutes of retrying: the next snapshot asks for what this one lacks, so nobody waits as long as for a day's bars."""


@dataclass(frozen=True)
class _Asked:
    """A question and the length of bars that it is about."""

    interval: str
    question: SnapshotQuestion


class IntradayCharts:
    """Charts of Yahoo within sessions. Each reaches until now; what began after the snapshot is passed over later.

    A ticker that cannot be had for the moment is landed as a failure, and asked for again by the next snapshot.
    """

    name = "yahoo"

    def __init__(self, params: YahooParams, calendar: Sessions, connection: Connection | None = None) -> None:
        self.intervals: tuple[str, ...] = tuple(one for one in params.intervals if one != "1d")
        self.params = params
        self.calendar = calendar
        self.wanted = WantedTickers(params, calendar.exchange)
        self.connection = connection or open_connection(params.requests_per_minute, params.timeout_seconds)

    def snapshot(self, interval: str, question: SnapshotQuestion) -> pl.DataFrame:
        """Return RAW_INTRADAY rows: a chart per ticker, and a failure for what could not be had.

        Raises:
            SourceError: if not one ticker was answered: the snapshot has failed, and may be tried again.
        """
        asked = _Asked(interval, question)
        listed, failures = self._run_screener(asked)
        tickers = self.wanted.list_tickers(question.since.date(), question.session, listed)
        symbols = self.wanted.name_symbols(sorted({*tickers, *question.known}))
        patience = min(self.params.patience_minutes, MAX_PATIENCE)
        visited = RetryingClient(self.connection, self.params, patience).visit(
            self._identity(asked), symbols, lambda symbol, ticker: self._ask(symbol, ticker, asked)
        )
        if symbols and not visited.answers:
            raise SourceError(f"Yahoo answered for none of {len(symbols)} tickers: {visited.reason}")
        rows = [self._row("yahoo-chart", kept, asked) for kept in visited.answers]
        rows += failures + self._failures(visited, len(symbols), asked)
        return pl.DataFrame(rows, schema=RAW_INTRADAY.schema)

    # ---- asking

    def _run_screener(self, asked: _Asked) -> tuple[list[str], list[dict[str, object]]]:
        """The screener's answer, or the failure to get one: then those with known bars are asked for."""
        if not self.params.screener:
            return [], []
        try:
            return [self.connection.screen(self.params.screener, self.params.screener_size).body], []
        except (LimitedError, UnreachableError) as error:
            return [], [self._failure(f"screener {self.params.screener}", rule_of(error), str(error), asked)]

    def _ask(self, symbol: str, ticker: str, asked: _Asked) -> CachedAnswer:
        start = self._from(ticker, asked)
        reply = self.connection.chart(symbol, asked.interval, start, self.calendar.zone)
        told = {"url": reply.url, "since": start.isoformat(), "answered_at": reply.at.isoformat()}
        return CachedAnswer(symbol, self._request(ticker, asked, told), reply.body, reply.at.isoformat())

    def _from(self, ticker: str, asked: _Asked) -> datetime:
        """From when on a ticker is asked for, as far as Yahoo keeps bars of the length."""
        since = asked.question.known.get(ticker, asked.question.since)
        return max(since, self.connection.instant - timedelta(days=OLDEST_DAYS[asked.interval]))

    def _identity(self, asked: _Asked) -> str:
        """What makes two visits one: the whole question and whom it is put to."""
        question = asked.question
        parts = [asked.interval, question.session, question.as_of, question.since, sorted(question.known.items())]
        return json.dumps([self.connection.base_url, "snapshot", self.calendar.exchange, *map(str, parts)])

    # ---- landing

    def _request(self, ticker: str, asked: _Asked, further: Mapping[str, str]) -> str:
        """The request as JSON, in the words of the landing contract."""
        question = asked.question
        told = {
            "ticker": ticker,
            "role": "benchmark" if ticker == self.params.benchmark_ticker else "stock",
            "interval": asked.interval,
            "exchange": self.calendar.exchange,
            "stamp": "start",
            "history": ticker not in question.known,
            "until": question.session.isoformat(),
            "as_of": question.as_of.isoformat(),
            "judgement": JUDGEMENT,
            "amounts": BY_LINE,
            **further,
        }
        return json.dumps(told, ensure_ascii=False)

    def _failures(self, visited: Answers, wanted: int, asked: _Asked) -> list[dict[str, object]]:
        rows = [self._failure(one.symbols[0], one.rule, one.error, asked) for one in visited.failures]
        if visited.given_up:
            rows.append(self._failure(ALL_TICKERS, visited.given_up.rule, _in_words(visited.given_up, wanted), asked))
        return rows

    def _failure(self, symbol: str, rule: str, error: str, asked: _Asked) -> dict[str, object]:
        payload = json.dumps({"rule": rule, "error": error[:1_000]}, ensure_ascii=False)
        request = self._request(symbol, asked, {"url": ""})
        return self._row("failure", CachedAnswer(symbol, request, payload, self.connection.instant.isoformat()), asked)

    def _row(self, form: str, kept: CachedAnswer, asked: _Asked) -> dict[str, object]:
        return {
            "payload_id": payload_id(self.name, BARS, kept.symbol, kept.request, kept.payload),
            "source": self.name,
            "ticker": kept.symbol[:200],
            "interval": asked.interval,
            "session": asked.question.session,
            "asked_at": asked.question.as_of,
            "fetched_at": kept.at.astimezone(UTC),
            "format": form,
            "request": kept.request,
            "payload": kept.payload,
        }


def _in_words(given_up: Unanswered, wanted: int) -> str:
    left = f"{len(given_up.symbols)} of {wanted} tickers were not requested, the first is {given_up.symbols[0]}"
    return f"{left}; {given_up.error}"
