"""Finds in a file's name whose bars it holds, where no column says it: AAPL.csv, daily_adjusted_AAPL.csv."""

from __future__ import annotations

import re

from lake.tables.vocabulary import SYMBOL

PERIOD = re.compile(r"-(?:1d|1h|5m|1m|15m|4h|1w)(?:-\d{4}(?:-\d{2}){0,2})?$", re.IGNORECASE)
"""How Binance names its archives: BTCUSDT-1d-2024-01."""
WORDS = frozenset(
    (
        *("daily", "adjusted", "adj", "unadjusted", "raw", "historical", "history", "hist", "data", "price", "prices"),
        *("quote", "quotes", "ohlc", "ohlcv", "stock", "stocks", "eod", "intraday", "day", "days", "bars", "bar"),
        *("candles", "candle", "max", "full", "compact", "export", "download", "table", "series", "of", "and", "to"),
        *("from", "yahoo", "stooq", "tiingo", "eodhd", "polygon", "nasdaq", "nyse", "investing", "alphavantage"),
        *("time", "the", "1d", "1day", "1h", "5m", "1m", "d1", "h1", "m5", "m1"),
    )
)
PART = re.compile(r"^(?:part|data|chunk|file|sheet)[-_]?\d*$", re.IGNORECASE)
"""How programs name the parts of a table."""
NUMBER = re.compile(r"^[\d.\-]+$")
SPAN = re.compile(r"^((?:19|20)\d{2})(?:[-_.]?\d{2}){0,2}$")
"""A year, a month or a day: such names are also those of tickers in Tokyo and Hong Kong."""


def find_year(stem: str) -> str | None:
    """Return the year that a file's name is, alone or with month and day; None if it is something else."""
    span = SPAN.match(stem.strip())
    return span[1] if span else None


def find_ticker(stem: str, *, folder: bool) -> str | None:
    """Return the ticker that a file's name states; None if it states none, or could mean several.

    Args:
        stem: the name without its ending.
        folder: whether it is one of the files of a folder, whose names are tickers in any letters; a file by itself is
            named after a ticker only in capitals, for `prices` is one of a kind too.
    """
    name = PERIOD.sub("", stem.strip())
    whole = name.upper() if folder else name
    if re.fullmatch(SYMBOL, whole) and (name == whole or name.lower() not in WORDS) and not PART.match(name):
        return whole
    parts = [part for part in re.split(r"[_ ()\[\],]+", name) if part]
    told = [part for part in parts if part.lower() not in WORDS and not NUMBER.match(part) and not PART.match(part)]
    if len(told) != 1 or (len(parts) == 1 and not folder):
        return None
    if not folder and told[0] != told[0].upper():
        return None
    ticker = told[0].upper()
    return ticker if re.fullmatch(SYMBOL, ticker) else None
