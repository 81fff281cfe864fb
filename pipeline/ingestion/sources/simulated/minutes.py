"""The minutes of a simulated session: a path through each daily bar, whose bars together are that bar again."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.contract import UTC
from pipeline.ingestion.sources.simulated.instruments import Floats
from pipeline.ingestion.sources.simulated.rng import Stream, random_stream

MINUTE = timedelta(minutes=1)
WANDERING = 0.35
"""Standard deviation of a path's wandering between its corners, in ranges of its day."""
FLURRY = 1.5
"""How much more is traded in a session's first and last minute than in its middle, relative to that."""


def draw_minutes(
    bars: pl.DataFrame, columns: list[int], size: int, opened: datetime, closed: datetime, seed: int, position: int
) -> pl.DataFrame:
    """Draw the bars of a minute of one session.

    A price path leads from each open to the close and touches the high and the low, each at a minute of its own;
    between these corners it is a Brownian bridge held within the day's range. Volume is heavier towards open and close,
    and adds up to the day's.

    Args:
        bars: the session's daily bars: ticker, open, high, low, close (rounded to the tick) and volume.
        columns: the instrument's number of each row; draws belong to it, whoever else traded that day.
        size: how many instruments there are.
        opened: when the session opened.
        closed: when it closed.
        seed: of the market.
        position: the session's number in it.

    Returns:
        Columns ticker, start (UTC), open, high, low, close (Float64) and volume (Int64), in order of row and time.
    """
    count = int((closed - opened) / MINUTE)
    rng = random_stream(seed, Stream.MINUTES, position)
    steps = rng.standard_normal((size, count))[columns]
    corners = rng.random((size, 2))[columns]
    activity = np.exp(0.6 * rng.standard_normal((size, count))[columns])
    path = _draw_path(bars, steps, corners)
    volume = _share_out(bars["volume"].to_numpy(), activity)
    return pl.DataFrame(
        {
            "ticker": np.repeat(bars["ticker"].to_numpy(), count),
            "start": pl.Series([opened + minute * MINUTE for minute in range(count)] * bars.height, dtype=UTC),
            "open": path[:, :-1].ravel(),
            "high": np.maximum(path[:, :-1], path[:, 1:]).ravel(),
            "low": np.minimum(path[:, :-1], path[:, 1:]).ravel(),
            "close": path[:, 1:].ravel(),
            "volume": volume.ravel(),
        }
    )


def join_minutes(minutes: pl.DataFrame, length: int, opened: datetime) -> pl.DataFrame:
    """Join the minutes of a session into bars of `length` minutes from the open; the last may be shorter."""
    number = (pl.col("start") - opened).dt.total_minutes() // length
    start = pl.lit(opened, dtype=UTC) + pl.duration(minutes=number * length)
    return minutes.group_by("ticker", start.alias("begin"), maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )


def _draw_path(bars: pl.DataFrame, steps: Floats, corners: Floats) -> Floats:
    """Prices at the bounds of the minutes, [names, minutes + 1], rounded to the daily bar's tick."""
    count = steps.shape[1]
    high, low = (bars[name].to_numpy()[:, None] for name in ("high", "low"))
    knots = _place_knots(bars, corners, count)
    minute = np.arange(count + 1)[None, :]
    walk = np.hstack([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)]) * WANDERING * (high - low) / np.sqrt(count)
    path = np.empty_like(walk)
    for (begin, begun), (end, ended) in pairwise(knots):
        at_begin, at_end = (np.take_along_axis(walk, knot, axis=1) for knot in (begin, end))
        share = (minute - begin) / (end - begin)
        bridge = begun + walk - at_begin + share * (ended - begun - (at_end - at_begin))
        path = np.where((minute >= begin) & (minute <= end), bridge, path)
    held: Floats = np.clip(np.where(low >= 1, np.round(path, 2), np.round(path, 4)), low, high)
    for knot, price in knots:  # exactly, whatever the arithmetic of the bridge left over
        np.put_along_axis(held, knot, price, axis=1)
    return held


def _place_knots(bars: pl.DataFrame, corners: Floats, count: int) -> list[tuple[NDArray[np.int64], Floats]]:
    """Minute and price, [names, 1] each, of the open, the two corners in their order, and the close."""
    opening, high, low, close = (bars[name].to_numpy()[:, None] for name in ("open", "high", "low", "close"))
    inside = count - 1  # bounds of minutes that are neither open nor close
    at_high = (corners[:, :1] * inside).astype(np.int64)
    at_low = (at_high + 1 + (corners[:, 1:] * (inside - 1)).astype(np.int64)) % inside  # another one than the high's
    early, late = 1 + np.minimum(at_high, at_low), 1 + np.maximum(at_high, at_low)
    first, second = (np.where(1 + at_high == corner, high, low) for corner in (early, late))
    return [
        (np.zeros_like(early), opening),
        (early, first),
        (late, second),
        (np.full_like(late, count), close),
    ]


def _share_out(volume: Floats, activity: Floats) -> NDArray[np.int64]:
    """Whole shares of each minute, [names, minutes]: together those of the day."""
    count = activity.shape[1]
    hour = 2 * (np.arange(count) + 0.5) / count - 1  # -1 at the open, 1 at the close
    weight = np.cumsum(activity * (1 + FLURRY * hour**2), axis=1)
    traded = np.rint(volume[:, None] * weight / weight[:, -1:]).astype(np.int64)
    each: NDArray[np.int64] = np.diff(traded, axis=1, prepend=0)
    return each
