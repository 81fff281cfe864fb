"""What a fit learns from: windows of features by reference, and what the return turned out to be.

The target is the total return from close to close `h` sessions later in units of sigma x sqrt(h), so that quiet and
wild tickers weigh alike. It is kept in two forms. `outcome` is the raw one: intervals have to cover what a holder
earns. `relative` is less the session's mean over the members: the common move of the market is large, and noise to
anybody who ranks tickers, so points are fitted without it and state no market drift.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.tables.features import CURRENT_FEATURE_SET, FEATURES
from pipeline.models.naive import daily_sigma, scale
from pipeline.models.params import ModelParams
from pipeline.returns import daily_total_returns, forward_total_returns
from pipeline.sessions import Sessions

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
BLOCK = 4_096
"""Windows gathered at a time: 16 MB at 50 features, so that no fit ever holds all of them."""


@dataclass(frozen=True)
class Examples:
    """Labelled windows, ordered by session, then ticker. n examples, H horizons, F features."""

    base: npt.NDArray[np.float32]
    """[tickers, sessions, F] feature values; NaN where there is none."""
    tickers: tuple[str, ...]
    """Names along the first axis of `base`, sorted."""
    days: tuple[date, ...]
    """Exchange sessions along the second axis, consecutive."""
    features: tuple[str, ...]
    """Names along the third axis."""
    window: int
    """Rows per window."""
    ticker: Index
    """[n] position in `tickers`."""
    session: Index
    """[n] position in `days` of the window's last row."""
    sigma: Floats
    """[n] daily volatility as known at the session, as a fraction."""
    outcome: Floats
    """[n, H] total return in units of sigma x sqrt(h), not clipped."""
    clipped: Floats
    """[n, H] the same within the clip."""
    relative: Floats
    """[n, H] `clipped` less its mean over the session's examples."""

    def __len__(self) -> int:
        return len(self.session)

    def between(self, first: int, last: int) -> Index:
        """Positions of the examples whose session lies in first..last, both included."""
        low, high = np.searchsorted(self.session, [first, last + 1])
        return np.arange(low, high, dtype=np.int64)

    def windows(self, rows: Index) -> npt.NDArray[np.float32]:
        """Gather the windows of these examples: [rows, window, F] float32."""
        steps = np.arange(1 - self.window, 1)
        gathered: npt.NDArray[np.float32] = self.base[self.ticker[rows][:, None], self.session[rows][:, None] + steps]
        return gathered

    def last_rows(self, rows: Index) -> npt.NDArray[np.float32]:
        """The last row of each window: [rows, F] float32."""
        gathered: npt.NDArray[np.float32] = self.base[self.ticker[rows], self.session[rows]]
        return gathered

    def fingerprint(self, rows: Index) -> str:
        """sha256 of which (session, ticker) pairs these examples are."""
        digest = hashlib.sha256("\n".join((*self.tickers, self.days[0].isoformat())).encode())
        digest.update(np.ascontiguousarray(self.session[rows], dtype="<i8").tobytes())
        digest.update(np.ascontiguousarray(self.ticker[rows], dtype="<i8").tobytes())
        return digest.hexdigest()


def blocks(rows: Index, size: int = BLOCK) -> Iterator[Index]:
    """Cut positions into consecutive blocks."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def input_features(params: ModelParams) -> tuple[str, ...]:
    """The features the models see: those named, or the whole catalogue."""
    return params.features or tuple(feature.name for feature in FEATURES)


def labelled_examples(
    feature_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    calendar: Sessions,
    params: ModelParams,
) -> Examples:
    """Return every window whose ticker was a member at its last session and whose outcomes are all known.

    Membership is taken as of each session, so that a ticker that later vanished teaches as much as one that stayed;
    a delisting counts with its final value per share. A window with a missing row or value is left out.
    """
    features = input_features(params)
    rows = feature_rows.filter(pl.col("feature_set") == CURRENT_FEATURE_SET)
    if rows.is_empty():
        return _none(features, params)
    days = tuple(calendar.between(rows["session"].min(), rows["session"].max()))  # type: ignore[arg-type]
    tickers = tuple(rows["ticker"].unique().sort().to_list())
    base = _dense(rows.select("ticker", "session", *features), tickers, days, features)
    usable = whole_windows(base, params.window) & _members(ticker_universe, tickers, days)
    returns = _forward(market_prices, corporate_actions, calendar, tickers, days, params.horizons)
    session, ticker = np.nonzero((usable & np.isfinite(returns).all(axis=2)).T)
    sigma = daily_sigma(base[ticker, session], features)
    outcome = returns[ticker, session] / scale(sigma, params.horizons)
    clipped = np.clip(outcome, -params.clip, params.clip)
    relative = clipped - session_means(clipped, session)[np.unique(session, return_inverse=True)[1]]
    return Examples(base, tickers, days, features, params.window, ticker, session, sigma, outcome, clipped, relative)


def whole_windows(base: npt.NDArray[np.float32], window: int) -> npt.NDArray[np.bool_]:
    """[tickers, sessions]: whether the window ending there has every value of every row."""
    whole = np.isfinite(base).all(axis=2)
    count = np.cumsum(whole, axis=1, dtype=np.int64)
    before = np.zeros_like(count)
    before[:, window:] = count[:, :-window]
    full: npt.NDArray[np.bool_] = (count - before) == window
    return full


def session_means(values: Floats, session: npt.NDArray[np.int64]) -> Floats:
    """Mean of each session's rows: values [n, ...] sorted by session -> [sessions, ...].

    Rows are added in their order, so that the result is the same to the bit wherever it is computed.
    """
    if len(session) == 0:
        return values[:0]
    starts = np.flatnonzero(np.diff(session, prepend=session[0] - 1))
    counts = np.diff(np.append(starts, len(session)))
    means: Floats = np.add.reduceat(values, starts, axis=0) / counts.reshape(-1, *[1] * (values.ndim - 1))
    return means


def _places(frame: pl.DataFrame, tickers: tuple[str, ...], days: tuple[date, ...]) -> tuple[pl.DataFrame, Index, Index]:
    """The rows of the frame that lie on the grid, with their position on either axis."""
    rows = pl.DataFrame({"ticker": tickers}, schema={"ticker": pl.String}).with_row_index("row")
    columns = pl.DataFrame({"session": days}, schema={"session": pl.Date}).with_row_index("column")
    placed = frame.join(rows, on="ticker", how="inner", maintain_order="left").join(
        columns, on="session", how="inner", maintain_order="left"
    )
    return placed, placed["row"].cast(pl.Int64).to_numpy(), placed["column"].cast(pl.Int64).to_numpy()


def _dense(
    rows: pl.DataFrame, tickers: tuple[str, ...], days: tuple[date, ...], features: tuple[str, ...]
) -> npt.NDArray[np.float32]:
    placed, row, column = _places(rows, tickers, days)
    base = np.full((len(tickers), len(days), len(features)), np.nan, dtype=np.float32)
    for number, name in enumerate(features):
        base[row, column, number] = placed[name].cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return base


def _members(ticker_universe: pl.DataFrame, tickers: tuple[str, ...], days: tuple[date, ...]) -> npt.NDArray[np.bool_]:
    _, row, column = _places(ticker_universe.filter("member").select("ticker", "session"), tickers, days)
    members = np.zeros((len(tickers), len(days)), dtype=np.bool_)
    members[row, column] = True
    return members


def _forward(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    calendar: Sessions,
    tickers: tuple[str, ...],
    days: tuple[date, ...],
    horizons: tuple[int, ...],
) -> Floats:
    bars = market_prices.filter((pl.col("interval") == "1d") & pl.col("ticker").is_in(list(tickers)))
    delistings = corporate_actions.filter(pl.col("kind") == "delisting")
    known = forward_total_returns(daily_total_returns(bars, corporate_actions), horizons, calendar, delistings)
    returns = np.full((len(tickers), len(days), len(horizons)), np.nan)
    for number, horizon in enumerate(horizons):
        placed, row, column = _places(known.filter(pl.col("horizon") == horizon), tickers, days)
        returns[row, column, number] = placed["forward_return"].to_numpy()
    return returns


def _none(features: tuple[str, ...], params: ModelParams) -> Examples:
    nothing: npt.NDArray[Any] = np.empty(0, dtype=np.int64)
    flat, wide = np.empty(0), np.empty((0, len(params.horizons)))
    base = np.empty((0, 0, len(features)), dtype=np.float32)
    return Examples(base, (), (), features, params.window, nothing, nothing, flat, wide, wide, wide)
