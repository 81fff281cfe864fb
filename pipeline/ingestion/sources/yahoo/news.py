"""Yahoo's news of each ticker as landings: the answer byte for byte, or the failure to get one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime

import polars as pl

from lake.tables.news import RAW_NEWS
from pipeline.ingestion.sources.payloads import ALL_TICKERS, NEWS, payload_id
from pipeline.ingestion.sources.yahoo.connection import Connection
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.ingestion.sources.yahoo.resume_cache import CachedAnswer
from pipeline.ingestion.sources.yahoo.retry import RetryingClient, Unanswered

SOURCE = "yahoo"


def land(
    connection: Connection,
    params: YahooParams,
    exchange: str,
    symbols: Mapping[str, str],
    since: date,
    session: date,
    *,
    history: bool,
    patience: float,
    visit: str = "",
) -> pl.DataFrame:
    """Return RAW_NEWS rows: one for each symbol's answer, and one for each that could not be had.

    An item that names no ticker is about the one whose stream it stands in. A search also brings news of others where
    it finds none, so there such an item is about whom its title names.

    Args:
        connection: the way to Yahoo.
        params: which of Yahoo's two answers is asked for, and how many articles.
        exchange: ISO 10383 code of the exchange whose sessions the tickers follow.
        symbols: Yahoo's symbol -> our ticker.
        since: first session wanted; only written down, for Yahoo speaks of the present alone.
        session: the session the answers are filed under.
        history: whether this belongs to a load of history.
        patience: minutes to wait for a server that limits requests or cannot be reached.
        visit: what tells this visit from another one of the same session; of a cycle's there is one.
    """

    def request(symbol: str, ticker: str, url: str) -> str:
        asked = {
            "url": url,
            "symbol": symbol,
            "tickers": ticker if params.news == "stream" else "",
            "exchange": exchange,
            "history": history,
            "since": since.isoformat(),
            "until": session.isoformat(),
        }
        return json.dumps(asked, ensure_ascii=False)

    def ask(symbol: str, ticker: str) -> CachedAnswer:
        get = connection.stream if params.news == "stream" else connection.search
        reply = get(symbol, params.news_count)
        return CachedAnswer(symbol, request(symbol, ticker, reply.url), reply.body, reply.at.isoformat())

    question = [connection.base_url, "news", params.news, params.news_count, exchange, str(session), history]
    question += [visit] if visit else []
    visited = RetryingClient(connection, params, patience).visit(json.dumps(question), symbols, ask)
    rows = [
        _row(session, "yahoo-news", kept.request, kept.payload, kept.at.astimezone(UTC)) for kept in visited.answers
    ]
    failures = [(one.symbols[0], one) for one in visited.failures]
    if visited.given_up:
        failures.append((ALL_TICKERS, _in_words(visited.given_up, len(symbols))))
    for symbol, failure in failures:
        text = json.dumps({"rule": failure.rule, "error": failure.error[:1_000]}, ensure_ascii=False)
        rows.append(_row(session, "failure", request(symbol, "", ""), text, connection.instant))
    return pl.DataFrame(rows, schema=RAW_NEWS.schema)


def _in_words(given_up: Unanswered, wanted: int) -> Unanswered:
    left = f"{len(given_up.symbols)} of {wanted} tickers were not asked for news, the first is {given_up.symbols[0]}"
    return Unanswered(given_up.rule, f"{left}; {given_up.error}", given_up.symbols)


def _row(session: date, form: str, request: str, payload: str, at: datetime) -> dict[str, object]:
    # A failure is one of its moment; the same answer is the same landing, whenever it is asked for again.
    moment = at.isoformat() if form == "failure" else ""
    return {
        "payload_id": payload_id(SOURCE, NEWS, request, payload, moment),
        "source": SOURCE,
        "session": session,
        "fetched_at": at,
        "format": form,
        "request": request,
        "payload": payload,
    }
