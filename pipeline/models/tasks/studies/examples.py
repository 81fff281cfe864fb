"""Cuts a study into examples: the features of the days t-L to t-1, and which way day t went."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipeline.models.tasks.classification import LabelledWindows
from pipeline.models.tasks.splits import PARTS, DatedSplit
from pipeline.models.tasks.studies.files import StudyError
from pipeline.text_format import counted


def cut_examples(rows: pl.DataFrame, features: tuple[str, ...], window: int) -> LabelledWindows:
    """Every labelled window without a missing value, by day, then ticker.

    The days are all that the study has of any ticker, so that a ticker's missing day is a gap in its window.

    Args:
        rows: ticker, date, features and label (+1, -1; anything else is no example), null where missing.
        features: F columns.
        window: L days; the last one is the day before the label's.
    """
    days, tickers = rows["date"].unique().sort(), rows["ticker"].unique().sort()
    grid = pl.DataFrame({"date": days}).join(pl.DataFrame({"ticker": tickers}), how="cross")
    laid = grid.join(rows, on=["date", "ticker"], how="left", maintain_order="left")
    shape = (len(days), len(tickers))
    values = laid.select(features).to_numpy().astype(np.float64).reshape(*shape, len(features))
    label = laid["label"].to_numpy().astype(np.float64).reshape(shape)
    if len(days) <= window:
        return LabelledWindows(np.empty((0, window, len(features)), np.float32), np.empty(0), np.empty(0, np.int64))
    whole = np.isfinite(values).all(axis=2)
    seen = np.lib.stride_tricks.sliding_window_view(whole, window, axis=0)[:-1].all(axis=2)
    at, name = np.nonzero(seen & (np.abs(label[window:]) == 1.0))
    windows = np.stack([values[at + step, name] for step in range(window)], axis=1)
    return LabelledWindows(windows.astype(np.float32), label[at + window, name], (at + window).astype(np.int64))


def split_examples(examples: LabelledWindows, rows: pl.DataFrame, split: DatedSplit) -> Mapping[str, LabelledWindows]:
    """The examples of each part.

    Raises:
        StudyError: if a part is empty, or its labels are all of one class.
    """
    days = rows["date"].unique().sort()
    parts = split.parts(days.to_numpy().astype("datetime64[D]"), examples.session)
    found = {name: examples.take(parts[name]) for name in PARTS}
    for name, start in zip(PARTS, (split.train, split.validate, split.test), strict=True):
        part = found[name]
        if not len(part):
            raise StudyError(
                f"the {name} part is empty: no example from {start} on before the next part; the study has days from "
                f"{days[0]} to {days[-1]}"
            )
        if len(np.unique(part.label)) < 2:
            side = "up" if part.label[0] > 0 else "down"
            raise StudyError(
                f"the {name} part has labels of one class only: {counted(len(part), 'example')}, all {side}; nothing "
                "can be learned or judged"
            )
    return found
