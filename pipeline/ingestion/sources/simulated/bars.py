"""Prices as traded: closes through splits and dividends, then open, high, low and volume around them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.contract import UTC
from pipeline.ingestion.sources.simulated.instruments import BENCHMARK, QUARTER, Departure, Floats, Instruments
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.returns import ReturnPaths
from pipeline.ingestion.sources.simulated.rng import Stream, random_stream
from pipeline.market.sessions import Sessions

Flags = npt.NDArray[np.bool_]

SPLIT_NOTICE = 8
"""Sessions from a split's announcement to its ex-date."""
DIVIDEND_NOTICE = 12
"""Sessions from a dividend's announcement to its ex-date."""
PAID_AFTER = timedelta(days=21)
"""From ex-date to pay-date, then on to the next session."""
LOW_PRICE = 5.0
"""Below it a name considers a reverse split."""
SPLIT_CHANCE = 0.03
"""Chance per session that a name which considers a split announces one."""
SPLITS = ((2, 1), (3, 2), (3, 1), (1, 10))
"""New shares for old ones."""
ANNOUNCED_AFTER = timedelta(minutes=5)
"""From the close to an announcement."""
OVERNIGHT_DRIFT = 0.1
"""Share of the expected return that the opening price already holds: the rest can be earned after the open."""
OVERNIGHT_SURPRISE = 0.3
"""Share of the surprise that the opening price already holds."""
USUAL_SCALE = 0.017
"""A stock's usual standard deviation per session; above it more is traded, below it less."""
HALF_DAY = timedelta(hours=6)
"""A session shorter than this is a half-day."""

ACTION_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "ticker": pl.String,
    "ex_date": pl.Date,
    "kind": pl.String,
    "numerator": pl.Int64,
    "denominator": pl.Int64,
    "amount": pl.Float64,
    "pay_date": pl.Date,
    "announced": UTC,
    "position": pl.Int64,
}


@dataclass(frozen=True)
class Tape:
    """What was traded and announced. Arrays are [sessions, names]; bars only where `traded`."""

    close: Floats
    """Currency per share, not rounded."""
    reference: Floats
    """The close before on this session's share basis, less its dividend: what an unchanged price would be."""
    traded: Flags
    actions: pl.DataFrame
    """ticker, ex_date, kind, numerator, denominator, amount, pay_date, announced, position: in order of ex_date."""


@dataclass
class _Announcements:
    """Actions by name and position while the tape is written."""

    split_at: npt.NDArray[np.int64]
    """Ex position of each name's next split; -1 if none is pending."""
    split_kind: npt.NDArray[np.int64]
    rows: list[tuple[int, int, str, int | None, int | None, float | None, int]]
    """(ex position, name, kind, numerator, denominator, amount, announced position)."""


def write_tape(
    instruments: Instruments, path: ReturnPaths, params: SimulatedParams, calendar: Sessions, first: int
) -> Tape:
    """Run prices through time; `first` is the calendar position of the first session."""
    length, size = path.total.shape
    close, reference = np.empty((length, size)), np.empty((length, size))
    position = np.arange(length)[:, None]
    traded = (position >= instruments.listed) & (position < instruments.ex)
    dividends = np.zeros((length + DIVIDEND_NOTICE + 1, size))
    announcements = _Announcements(np.full(size, -1), np.zeros(size, dtype=np.int64), [])
    fraction = np.array([new / old for new, old in SPLITS])
    price = instruments.first_price
    for now in range(length):
        ratio = np.where(announcements.split_at == now, fraction[announcements.split_kind], 1.0)
        started = now > instruments.listed
        growth = np.where(started, 1 + path.total[now], 1.0)
        dividend = np.where(started, dividends[now], 0.0)
        reference[now] = price / ratio - dividend
        price = np.maximum(price * growth / ratio - dividend, 0.02)
        close[now] = price
        _announce_splits(now, price, traded[now], instruments, params, announcements)
        _announce_dividends(now, price, traded[now], instruments, dividends, announcements)
    _announce_departures(close, instruments, announcements)
    return Tape(close, reference, traded, _actions(announcements, instruments, calendar, first))


def _leaving(instruments: Instruments, position: int, notice: int) -> Flags:
    """Names whose surprise has come or will before `notice` sessions: they split and pay no more."""
    leaving = np.zeros(instruments.size, dtype=bool)
    leaving[[d.name for d in instruments.departures if d.struck <= position + notice + 2]] = True
    return leaving


def _announce_splits(
    now: int,
    price: Floats,
    traded: Flags,
    instruments: Instruments,
    params: SimulatedParams,
    announcements: _Announcements,
) -> None:
    announcements.split_at[announcements.split_at <= now] = -1
    considers = traded & ((price > instruments.split_above) | (price < LOW_PRICE)) & (announcements.split_at < 0)
    if not considers.any():
        return
    # a dividend is declared per share of its ex-date: none may be pending when the share basis changes
    phase = (now + SPLIT_NOTICE - instruments.dividend_phase) % QUARTER
    pending = (instruments.dividend_yield > 0) & ((phase >= QUARTER - DIVIDEND_NOTICE) | (phase == 0))
    rng = random_stream(params.seed, Stream.ACTIONS, now)
    chance, which = rng.random((2, instruments.size))
    announced = considers & ~pending & ~_leaving(instruments, now, SPLIT_NOTICE) & (chance < SPLIT_CHANCE)
    usual = np.where(price > 1.8 * instruments.split_above, 2, np.where(which < 0.3, 1, 0))
    kind = np.where(price < LOW_PRICE, 3, usual)
    for name in np.flatnonzero(announced).tolist():
        announcements.split_at[name], announcements.split_kind[name] = now + SPLIT_NOTICE, kind[name]
        new, old = SPLITS[kind[name]]
        announcements.rows.append((now + SPLIT_NOTICE, name, "split", new, old, None, now))


def _announce_dividends(
    now: int, price: Floats, traded: Flags, instruments: Instruments, dividends: Floats, announcements: _Announcements
) -> None:
    ex = now + DIVIDEND_NOTICE
    due = traded & (instruments.dividend_yield > 0) & ((ex - instruments.dividend_phase) % QUARTER == 0)
    due &= ~_leaving(instruments, now, DIVIDEND_NOTICE)
    for name in np.flatnonzero(due).tolist():
        amount = round(float(price[name] * instruments.dividend_yield[name] / 4), 2)
        if amount >= 0.01:
            dividends[ex, name] = amount
            announcements.rows.append((ex, name, "dividend", None, None, amount, now))


def _announce_departures(close: Floats, instruments: Instruments, announcements: _Announcements) -> None:
    for departure in instruments.departures:
        if departure.announced < len(close):
            final = _final_value(departure, close)
            announcements.rows.append(
                (departure.ex, departure.name, "delisting", None, None, final, departure.announced)
            )


def _final_value(departure: Departure, close: Floats) -> float:
    """An offer refers to the price when it was struck, a bankrupt's remainder to the one at its announcement."""
    basis = close[departure.struck if departure.takeover else departure.announced, departure.name]
    return round(float(basis * departure.final), 2)


def _actions(announcements: _Announcements, instruments: Instruments, calendar: Sessions, first: int) -> pl.DataFrame:
    """The announced actions as a frame; an ex-date may lie after the last simulated session."""
    rows = []
    for ex, name, kind, numerator, denominator, amount, announced in sorted(
        announcements.rows, key=lambda row: row[:3]
    ):
        if first + ex >= len(calendar.days):
            continue
        ex_date = calendar.days[first + ex]
        paid = _session_after(calendar, ex_date + PAID_AFTER) if kind == "dividend" else None
        told_at: datetime = calendar.closes[first + announced] + ANNOUNCED_AFTER
        rows.append((instruments.tickers[name], ex_date, kind, numerator, denominator, amount, paid, told_at, ex))
    return pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")


def _session_after(calendar: Sessions, day: date) -> date:
    return calendar.at_or_after(day) if day <= calendar.days[-1] else day


def shape_bars(
    instruments: Instruments, path: ReturnPaths, tape: Tape, params: SimulatedParams, calendar: Sessions, first: int
) -> pl.DataFrame:
    """Return the true bars in order of session and ticker, the benchmark's among them.

    Columns: position (Int64), session (Date), ticker, open, high, low, close (Float64, rounded to the tick), volume
    (Int64). open lies where the overnight share of the return leaves it; low <= open, close <= high.
    """
    length, size = tape.close.shape
    noise = np.array(
        [random_stream(params.seed, Stream.BARS, now).standard_normal((4, size + 1)) for now in range(length)]
    ).transpose(1, 0, 2)
    benchmark = _benchmark(instruments, path, tape)
    close = np.column_stack([tape.close, benchmark.close])
    reference = np.column_stack([tape.reference, benchmark.reference])
    drift = np.column_stack([path.drift, benchmark.drift])
    scale = np.column_stack([path.scale, benchmark.scale])
    total = close / reference - 1
    overnight = OVERNIGHT_DRIFT * drift + OVERNIGHT_SURPRISE * (total - drift) + 0.2 * scale * noise[0]
    opening = reference * (1 + np.maximum(overnight, -0.6))
    high = np.maximum(opening, close) * (1 + 0.45 * scale * np.abs(noise[1]))
    low = np.minimum(opening, close) * (1 - np.minimum(0.45 * scale * np.abs(noise[2]), 0.3))
    days = calendar.days[first : first + length]
    short = np.array([calendar.close_at(day) - calendar.open_at(day) < HALF_DAY for day in days], dtype=np.float64)
    activity = np.abs(total) / scale
    dollars = np.append(instruments.dollars, 4e8) * np.exp(0.25 * np.minimum(activity, 6) + 0.3 * noise[3] - 0.2)
    dollars = np.clip(dollars * np.exp(8 * (scale - USUAL_SCALE)), 5e6, 5e8) * (1 - 0.5 * short[:, None])
    return _bar_frame(
        (instruments.tickers, np.column_stack([tape.traded, np.ones(length, dtype=bool)]), days),
        {name: _to_tick(value) for name, value in (("open", opening), ("high", high), ("low", low), ("close", close))},
        dollars / close,
    )


def _bar_frame(
    cells: tuple[tuple[str, ...], Flags, tuple[date, ...]], prices: dict[str, Floats], volume: Floats
) -> pl.DataFrame:
    tickers, traded, days = cells
    position, column = np.nonzero(traded)
    names = pl.Series("ticker", [*tickers, BENCHMARK])
    frame = pl.DataFrame(
        {
            "position": position,
            "session": pl.Series(days, dtype=pl.Date).gather(position),
            "ticker": names.gather(column),
            **{name: value[position, column] for name, value in prices.items()},
            "volume": np.rint(volume[position, column]).astype(np.int64),
        }
    )
    return frame.sort("session", "ticker")


def _to_tick(price: Floats) -> Floats:
    """Round to cents, below one unit of currency to hundredths of a cent; order is kept."""
    rounded: Floats = np.where(price >= 1, np.round(price, 2), np.round(price, 4))
    return rounded


@dataclass(frozen=True)
class _Benchmark:
    close: Floats
    reference: Floats
    drift: Floats
    scale: Floats


def _benchmark(instruments: Instruments, path: ReturnPaths, tape: Tape) -> _Benchmark:
    """Capitalisation-weighted total return of the names traded at the close before, losses of the departed included."""
    final = np.zeros_like(path.total)
    for departure in instruments.departures:
        if departure.ex < path.length:
            last = tape.close[departure.ex - 1, departure.name]
            final[departure.ex, departure.name] = _final_value(departure, tape.close) / last - 1
    returns = np.where(tape.traded, path.total, final)
    returns[0] = 0.0
    started = np.where(tape.traded, returns, 0.0)
    started[np.minimum(instruments.listed, path.length - 1), np.arange(instruments.size)] = 0.0
    value = instruments.shares * instruments.first_price * np.cumprod(1 + started, axis=0)
    weight = np.vstack([np.zeros(instruments.size), np.where(tape.traded, value, 0.0)[:-1]])
    whole = np.maximum(weight.sum(axis=1), 1.0)
    market = (weight * returns).sum(axis=1) / whole
    close = 250.0 * np.cumprod(1 + market)
    squares = np.cumsum(market**2)
    recent = squares - np.concatenate([np.zeros(21), squares])[: len(market)]
    return _Benchmark(
        close=close,
        reference=close / (1 + market),
        drift=(weight * path.drift).sum(axis=1) / whole,
        scale=np.maximum(np.sqrt(np.maximum(recent, 0.0) / 21), 0.003),
    )
