"""From feature rows to the tensors models take: one batch for a forecast, and all of history for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.market.sessions import Sessions

Tensor = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WindowIndex:
    """Every complete window of a history, by reference: the rows are stored once, however many windows share them."""

    base: Tensor
    """[rows, features] the complete feature rows, by ticker and session."""
    starts: npt.NDArray[np.int64]
    """[windows] row of `base` at which each window begins."""
    length: int
    """Sessions per window."""
    feature_names: tuple[str, ...]
    keys: pl.DataFrame
    """[windows] `ticker` and `session` (its last) of each window, by ticker and session: join labels to this."""

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def view(self) -> Tensor:
        """[rows - length + 1, length, features] all runs of rows, without a copy; index it with `starts`."""
        shape = (max(len(self.base) - self.length + 1, 0), self.length, len(self.feature_names))
        row, column = self.base.strides
        return np.lib.stride_tricks.as_strided(self.base, shape, (row, row, column), writeable=False)

    def gather(self, which: npt.NDArray[np.integer]) -> Tensor:
        """[len(which), length, features] the windows of these numbers, copied, oldest session first."""
        gathered: Tensor = self.view[self.starts[which]]
        return gathered

    def last_rows(self, which: npt.NDArray[np.integer]) -> Tensor:
        """[len(which), features] the last row of each of these windows."""
        rows: Tensor = self.base[self.starts[which] + self.length - 1]
        return rows


def training_windows(
    feature_rows: pl.DataFrame, calendar: Sessions, length: int, feature_names: Sequence[str]
) -> WindowIndex:
    """Index every run of `length` consecutive exchange sessions for which a ticker has complete rows.

    A row that lacks one of the features is left out as well: those beyond the base set may be null in complete rows.

    Args:
        feature_rows: rows of one feature set, in any order.
        calendar: the exchange's sessions; a missing session breaks a window.
        length: sessions per window.
        feature_names: the columns of the tensor, in their order.

    Raises:
        ValueError: if the rows mix feature sets.
    """
    _refuse_mixed(feature_rows, "feature_set")
    rows = feature_rows.filter(pl.col("complete"))
    rows = rows.select("ticker", "session").hstack(select_features(rows, feature_names).get_columns())
    rows = rows.drop_nulls().sort("ticker", "session")
    position = _positions(rows["session"], calendar)
    run = rows["ticker"].rle_id().to_numpy().astype(np.int64)
    ends = np.arange(length - 1, rows.height)
    starts = ends - (length - 1)
    whole = (run[ends] == run[starts]) & (position[ends] - position[starts] == length - 1)
    keys = rows.select("ticker", "session")[ends[whole]]
    base = select_features(rows, feature_names).to_numpy(order="c").astype(np.float32, copy=False)
    return WindowIndex(base, starts[whole], length, tuple(feature_names), keys)


def window_tensor(feature_rows: pl.DataFrame, windows: pl.DataFrame, feature_names: Sequence[str]) -> Tensor:
    """Return [windows, length, features] for one batch of usable windows, in the order of `windows`.

    Args:
        feature_rows: rows that cover the windows' sessions; others are ignored.
        windows: usable rows of feature_windows with one features_id.
        feature_names: the columns of the tensor, in their order.

    Raises:
        ValueError: if a window is not usable, the batches are mixed, or feature_rows lack what a window refers to.
    """
    if windows.is_empty():
        return np.empty((0, 0, len(feature_names)), dtype=np.float32)
    _refuse_mixed(windows, "features_id")
    unusable = windows.filter(~pl.col("usable"))
    if not unusable.is_empty():
        raise ValueError(
            f"{unusable.height} of {windows.height} windows are not usable, the first is {unusable['ticker'][0]}; "
            "keep only rows with `usable`"
        )
    first, last, length = (windows[name][0] for name in ("first_session", "session", "length"))
    rows = feature_rows.filter(
        (pl.col("feature_set") == windows["feature_set"][0]) & pl.col("session").is_between(first, last)
    )
    sessions = rows["session"].unique().sort().to_list()
    values, complete = dense_windows(rows, windows["ticker"].to_list(), sessions, feature_names)
    lacking = np.flatnonzero((complete.sum(axis=1) != length) | (len(sessions) != length))
    if len(lacking):
        raise ValueError(
            f"feature_rows hold too few rows for {len(lacking)} of {windows.height} windows, the first is "
            f"{windows['ticker'][int(lacking[0])]} from {first} to {last}; read the version the windows name"
        )
    return values


def select_features(feature_rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """These columns; null in rows of before a feature was there."""
    lacking = [name for name in names if name not in feature_rows.columns]
    # Beside the rows' own columns: a selection of literals alone is one row, however many there are.
    return feature_rows.with_columns(pl.lit(None, dtype=pl.Float32).alias(name) for name in lacking).select(names)


def dense_windows(
    feature_rows: pl.DataFrame, tickers: Sequence[str], sessions: Sequence[date], feature_names: Sequence[str]
) -> tuple[Tensor, npt.NDArray[np.bool_]]:
    """Lay rows out by ticker and session.

    Returns:
        values [tickers, sessions, features] float32, NaN where missing; complete [tickers, sessions], whether the
        row is there with every feature of its base set.
    """
    wanted = pl.Series(sessions, dtype=pl.Date)
    meant = pl.col("session").is_in(wanted.implode()) & pl.col("ticker").is_in(list(tickers))
    is_meant = feature_rows.select(meant).to_series()
    rows = feature_rows if is_meant.all() else feature_rows.filter(is_meant)
    column = {ticker: number for number, ticker in enumerate(tickers)}
    at_ticker = np.array([column[ticker] for ticker in rows["ticker"]], dtype=np.int64)
    at_session = wanted.search_sorted(rows["session"]).to_numpy()
    values = np.full((len(tickers), len(sessions), len(feature_names)), np.nan, dtype=np.float32)
    values[at_ticker, at_session] = select_features(rows, feature_names).to_numpy(order="c")
    complete = np.zeros((len(tickers), len(sessions)), dtype=bool)
    complete[at_ticker, at_session] = rows["complete"].to_numpy()
    return values, complete


def _positions(sessions: pl.Series, calendar: Sessions) -> npt.NDArray[np.int64]:
    distinct = sessions.unique().sort()
    numbers = np.array([calendar.position(day) for day in distinct], dtype=np.int64)
    return numbers[distinct.search_sorted(sessions).to_numpy()] if len(distinct) else numbers


def _refuse_mixed(frame: pl.DataFrame, name: str) -> None:
    distinct = frame[name].unique().sort()
    if len(distinct) > 1:
        raise ValueError(
            f"the rows mix {len(distinct)} values of {name}, the first are {distinct[0]} and {distinct[1]}; "
            "keep the rows of one"
        )
