"""What is requested from Yahoo, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import (
    DISTINCT,
    CurrencyPair,
    Day,
    Exchange,
    FilePath,
    Ticker,
    TickerOrNone,
)
from pipeline.ingestion.sources.source import Interval, Intervals


@dataclass(frozen=True, kw_only=True)
class YahooParams:
    """What is requested from Yahoo, and how often."""

    tickers: Annotated[tuple[Ticker, ...], Field(max_length=20_000), DISTINCT] = ()
    """Tickers as we write them, such as BRK.B; those of `constituents` and `screener` come on top."""
    constituents: FilePath = ""
    """File with membership intervals (ticker, start, end): its members are requested, and they alone may be traded."""
    fx_pairs: Annotated[tuple[CurrencyPair, ...], Field(max_length=1_000), DISTINCT] = ()
    """Pairs of currencies whose daily rates are requested, such as EURUSD: what a euro is worth in dollars."""
    screener: Annotated[
        str,
        Field(
            pattern=r"^([a-z][a-z0-9_]{0,63})?$",
            description="the name of a screener, such as most_actives, or empty for none",
        ),
    ] = ""
    """One of Yahoo's own screeners, such as most_actives or day_gainers; none if empty."""
    screener_size: Annotated[int, Field(ge=1, le=250)] = 100
    """Symbols requested from a screener."""
    benchmark_ticker: TickerOrNone = "SPY"
    """The benchmark: compared with, never traded; none if empty."""
    first_session: Day = "2018-01-02"
    """First session of a load of history (ISO date)."""
    news: Literal["stream", "search", "none"] = "stream"
    """stream (each ticker's newest articles), search (those beside a search for it) or none; a request per ticker."""
    news_count: Annotated[int, Field(ge=1, le=100)] = 10
    """Articles requested per ticker."""
    interval: Interval = "1d"
    """Bar length: 1d; or 1h, 5m and 1m, of which Yahoo keeps two years, two months and a week."""
    intervals: Intervals = ("1d",)
    """Lengths of bars that are taken: 1d by cycles, the shorter ones, 1h, 5m and 1m, by snapshots; of each length a
    snapshot requests one chart per ticker."""
    exchange: Exchange | None = None
    """Set by older files; the market's exchange counts, and this may only repeat it."""
    requests_per_minute: Annotated[float, Field(gt=0, le=1_000_000)] = 60.0
    """Requests of all processes of this user together; above 1 or 2 a second Yahoo begins to refuse."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 10.0
    """Seconds until a request times out."""
    patience_minutes: Annotated[float, Field(ge=0, le=1_440)] = 30.0
    """Minutes of retrying, with ever longer pauses, before a fetch goes on with what it has."""
    reuse_minutes: Annotated[float, Field(gt=0, le=10_080)] = 120.0
    """Minutes within which an interrupted fetch is resumed: only what is missing is requested again."""
