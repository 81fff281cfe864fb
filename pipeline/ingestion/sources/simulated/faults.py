"""What the simulated vendor gets wrong, kept apart from the truth so that tests can check ingestion against it."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta

import numpy as np
import polars as pl

from pipeline.ingestion.sources.simulated.bars import Flags, Tape
from pipeline.ingestion.sources.simulated.instruments import Instruments
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.rng import Stream, random_stream
from pipeline.market.sessions import Sessions

TRANSIENT = ("restated", "late", "backfilled")
"""Only the first delivery has these."""
ADDED = ("duplicate", "off_session", "stranger")
"""These add a line; the true bar comes as well."""
STRANGERS = (
    "ZZTOP",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "A'; DROP TABLE bars; --",
    '=HYPERLINK("http://example.com")',
    "\x1b[31mRED\x1b[0m",
    "brk b",
    "\u202eKCATTA",
)
"""Symbols that were never listed; all but the first could do harm."""
SETTLED = 25
"""Bars a name has before the vendor first errs about it."""
MAX_HALT = 3
PRICES = ("open", "high", "low", "close")
FAULT_SCHEMA = {
    "position": pl.Int64,
    "session": pl.Date,
    "ticker": pl.String,
    "fault": pl.String,
    "size": pl.Float64,
}


def draw_faults(instruments: Instruments, tape: Tape, params: SimulatedParams, days: tuple[date, ...]) -> pl.DataFrame:
    """Return every error the vendor makes: position, session, ticker, fault, size (0 to 1, how it shows).

    One fault at most per bar; the benchmark, a name's first sessions and those around actions are spared.
    """
    length = tape.close.shape[0]
    kinds = [rate.name for rate in fields(params.faults)]
    steps = np.cumsum([getattr(params.faults, kind) for kind in kinds])
    uniform = np.array(
        [random_stream(params.seed, Stream.FAULTS, now).random((2, instruments.size)) for now in range(length)]
    )
    may_err = _may_err(instruments, tape)
    code = np.where(may_err, np.searchsorted(steps, uniform[:, 0], side="right"), len(kinds))
    rows = []
    halted = np.zeros((length + MAX_HALT, instruments.size), dtype=bool)
    for now, name in np.argwhere(code < len(kinds)).tolist():
        kind, size = kinds[code[now, name]], float(uniform[now, 1, name])
        sessions = 1 + int(size * MAX_HALT) if kind == "halt" else 1
        for at in range(now, min(now + sessions, length)):
            if may_err[at, name] and not halted[at, name]:
                rows.append((at, days[at], instruments.tickers[name], kind, size))
                halted[at, name] = kind == "halt"
    return pl.DataFrame(rows, schema=FAULT_SCHEMA, orient="row").unique(
        ["position", "ticker"], keep="first", maintain_order=True
    )


def _may_err(instruments: Instruments, tape: Tape) -> Flags:
    length = tape.close.shape[0]
    position = np.arange(length)[:, None]
    allowed = tape.traded & (position >= instruments.listed + SETTLED)
    number = {ticker: name for name, ticker in enumerate(instruments.tickers)}
    for ticker, ex in tape.actions.select("ticker", "position").iter_rows():
        allowed[max(ex - 1, 0) : ex + 2, number[ticker]] = False
    for departure in instruments.departures:
        allowed[max(departure.struck - 3, 0) :, departure.name] = False
    return allowed


def deliver(bars: pl.DataFrame, faults: pl.DataFrame, calendar: Sessions, newest: int | None) -> pl.DataFrame:
    """Return the vendor's lines for these bars, all columns String: symbol, date, open, high, low, close, volume.

    Args:
        bars: true bars in order of session and ticker.
        faults: the result of `draw_faults`.
        newest: the position whose first delivery this is; None in a load of history, where transient faults are over.
    """
    transient = pl.col("fault").is_in(TRANSIENT)
    happen = ~transient if newest is None else ~transient | (pl.col("position") == newest)
    text = bars.join(
        faults.filter(happen).select("position", "ticker", "fault", "size"),
        on=["position", "ticker"],
        how="left",
        maintain_order="left",
    )
    text = text.filter(~pl.col("fault").is_in(["halt", "late"]).fill_null(False))
    lines = _as_text(_wrong_numbers(text))
    return pl.concat([lines, _extra_lines(lines, calendar)]).drop("fault", "size")


def _wrong_numbers(text: pl.DataFrame) -> pl.DataFrame:
    fault, size, close = pl.col("fault"), pl.col("size"), pl.col("close")
    slip = pl.when(size < 0.5).then(close * 10).otherwise(close / 10)
    amiss = close * pl.when(size < 0.5).then(0.985 + 0.02 * size).otherwise(1.005 + 0.01 * size)
    text = text.with_columns(
        close=pl.when(fault == "fat_finger")
        .then(slip)
        .when(fault == "restated")
        .then(amiss)
        .when(fault == "negative_price")
        .then(-close)
        .otherwise(close)
        .round(4)
    )
    # a wrong close that is a plausible one lies within its range
    widened = fault.is_in(["fat_finger", "restated"])
    text = text.with_columns(
        high=pl.when(widened).then(pl.max_horizontal("high", "close")).otherwise("high"),
        low=pl.when(widened).then(pl.min_horizontal("low", "close")).otherwise("low"),
    )
    swapped = fault == "high_below_low"
    text = text.with_columns(
        # the two differ even where nothing moved that day
        high=pl.when(swapped).then(pl.col("low") - 0.01).otherwise("high"),
        low=pl.when(swapped).then("high").otherwise("low"),
    )
    cents = pl.when(fault == "unit_error").then(100.0).otherwise(1.0)
    return text.with_columns((pl.col(price) * cents).round(4) for price in PRICES)


def _as_text(text: pl.DataFrame) -> pl.DataFrame:
    fault, size, opening = pl.col("fault"), pl.col("size"), pl.col("open").cast(pl.String)
    garbled = (
        pl.when(size < 0.34)
        .then(opening + "x")
        .when(size < 0.67)
        .then(pl.lit("n/a"))
        .otherwise(opening.str.replace(".", ",", literal=True) + " USD")
    )
    nothing = pl.lit("NaN")
    gone = fault == "backfilled"
    return text.select(
        symbol="ticker",
        date=pl.col("session").dt.to_string("%Y-%m-%d"),
        open=pl.when(fault == "text_price").then(garbled).when(gone).then(nothing).otherwise(opening),
        high=pl.when(gone).then(nothing).otherwise(pl.col("high").cast(pl.String)),
        low=pl.when(gone).then(nothing).otherwise(pl.col("low").cast(pl.String)),
        close=pl.when(gone | (fault == "nan_price")).then(nothing).otherwise(pl.col("close").cast(pl.String)),
        volume=pl.col("volume").cast(pl.String),
        fault="fault",
        size="size",
    )


def _extra_lines(lines: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """The lines that come on top: repeats, contradictions, closed days, strangers."""
    fault = pl.col("fault")
    more = lines.filter(fault.is_in([*ADDED, "conflict"]))
    closed = {day: _closed_before(date.fromisoformat(day), calendar).isoformat() for day in more["date"].unique()}
    strange = (pl.col("size") * len(STRANGERS)).floor().cast(pl.Int64)
    other = ((pl.col("high").cast(pl.Float64) + pl.col("low").cast(pl.Float64)) / 2 + 0.0001).round(4)
    return more.with_columns(
        symbol=pl.when(fault == "stranger")
        .then(strange.replace_strict(dict(enumerate(STRANGERS)), default=None, return_dtype=pl.String))
        .otherwise("symbol"),
        date=pl.when(fault == "off_session")
        .then(pl.col("date").replace_strict(closed, default=None, return_dtype=pl.String))
        .otherwise("date"),
        close=pl.when(fault == "conflict").then(other.cast(pl.String)).otherwise("close"),
    )


def _closed_before(day: date, calendar: Sessions) -> date:
    while calendar.is_session(day):
        day -= timedelta(days=1)
    return day
