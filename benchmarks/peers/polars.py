"""Alpha158 by polars: expressions over each ticker, a batch of tickers at a time, what factors share computed once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from benchmarks.peers.measuring import Block, History, measure, read

BATCH = 50
WINDOWS = (5, 10, 20, 30, 60)
TINY = 1e-12
OPEN, HIGH, LOW, CLOSE, VWAP, VOLUME = (pl.col(name) for name in ("open", "high", "low", "close", "vwap", "volume"))
CHANGES = ("change", "volume_change")


class Polars:
    """Eager frames sorted by ticker and session; all that is computed is kept in single precision."""

    reads_again = False

    def __init__(self, factors: Sequence[str]) -> None:
        self.factors = {name: value for name, value in _declare().items() if not factors or name in factors}
        used = {name for value in self.factors.values() for name in value.meta.root_names()}
        self.windowed = [one for one in _windowed() if one.meta.output_name() in used]
        self.placed = {d: [name for name in (f"top_at{d}", f"bottom_at{d}") if name in used] for d in WINDOWS}
        self.folder = TemporaryDirectory()

    def prepare(self) -> None:
        """Nothing is compiled."""

    def place(self, folder: Path) -> Path:
        """A Parquet file of rows; what is missing is null, which is how its windows see it."""
        history = read(folder)
        path = Path(self.folder.name) / f"{folder.name}.parquet"
        _stack(history).with_columns(pl.exclude("ticker", "session").fill_nan(None)).write_parquet(path)
        return path

    def load(self, placed: Path) -> pl.DataFrame:
        """The whole file."""
        return pl.read_parquet(placed)

    def compute(self, loaded: pl.DataFrame, *, exactly: bool = False) -> pl.DataFrame:
        """Batch by batch, in double precision; kept in single precision."""
        kept = pl.Float64 if exactly else pl.Float32
        last = loaded["ticker"][-1] + 1
        batches = (
            loaded.filter(pl.col("ticker").is_between(left, left + BATCH, closed="left"))
            for left in range(0, last, BATCH)
        )
        return pl.concat([self._compute_batch(one, kept) for one in batches], rechunk=False)

    def _compute_batch(self, rows: pl.DataFrame, kept: type[pl.DataType]) -> pl.DataFrame:
        known = rows.with_columns(_combined()).with_columns(_changed()).with_columns(self.windowed)
        known = known.with_columns(self._find_places(rows))
        return known.select("ticker", *(value.cast(kept).alias(name) for name, value in self.factors.items()))

    def _find_places(self, rows: pl.DataFrame) -> Iterable[pl.Series]:
        """Where in its window each extreme stands, counted from 0, the oldest; partial windows too."""
        ways = {"top_at": HIGH.arg_max(), "bottom_at": LOW.arg_min()}
        for d, names in self.placed.items():
            asked = [ways[name.removesuffix(str(d))].alias(name) for name in names]
            if asked:
                found = rows.rolling("session", period=f"{d}i", group_by="ticker").agg(asked)
                yield from found.select(names).get_columns()

    def take(self, held: pl.DataFrame) -> Block:
        """Rows go by ticker and session."""
        tickers = held["ticker"].n_unique()
        values = held.drop("ticker").to_numpy().reshape(tickers, -1, len(self.factors))
        return np.ascontiguousarray(values.transpose(2, 1, 0))


def _stack(history: History) -> pl.DataFrame:
    sessions, tickers = history["close"].shape
    places = {
        "ticker": np.repeat(np.arange(tickers), sessions),
        "session": np.tile(np.arange(sessions), tickers),
    }
    return pl.DataFrame(places | {name: values.T.ravel() for name, values in history.items()})


def _combined() -> list[pl.Expr]:
    """What needs the session before."""
    before, volume_before = (one.shift(1).over("ticker") for one in (CLOSE, VOLUME))
    return [
        (CLOSE - before).alias("change"),
        (CLOSE / before).alias("growth"),
        (VOLUME - volume_before).alias("volume_change"),
        (VOLUME / volume_before + 1).log().alias("volume_growth"),
        (VOLUME + 1).log().alias("log_volume"),
        ((CLOSE / before - 1).abs() * VOLUME).alias("moved_volume"),
        (CLOSE * pl.col("session")).alias("dated"),
    ]


def _changed() -> list[pl.Expr]:
    change = pl.col("change")
    found = [(change > 0).cast(pl.Float64).alias("rose"), (change < 0).cast(pl.Float64).alias("fell")]
    for name in CHANGES:
        one = pl.col(name)
        found += [
            one.abs().alias(f"{name}_size"),
            one.clip(lower_bound=0).alias(f"{name}_up"),
            (-one).clip(lower_bound=0).alias(f"{name}_down"),
        ]
    return found


def _windowed() -> list[pl.Expr]:
    """Every statistic of a window that some factor uses, each once."""
    found = []
    for d in WINDOWS:
        found += [
            one.over("ticker").alias(f"{name}{d}")
            for name, one in {
                "before": CLOSE.shift(d),
                "mean": CLOSE.rolling_mean(d),
                "deviation": CLOSE.rolling_std(d),
                "dated": pl.col("dated").rolling_sum(d),
                "top": HIGH.rolling_max(d),
                "bottom": LOW.rolling_min(d),
                "upper": CLOSE.rolling_quantile(0.8, interpolation="linear", window_size=d),
                "lower": CLOSE.rolling_quantile(0.2, interpolation="linear", window_size=d),
                "rank": CLOSE.rolling_rank(d, method="average"),
                "corr": pl.rolling_corr(CLOSE, pl.col("log_volume"), window_size=d),
                "cord": pl.rolling_corr(pl.col("growth"), pl.col("volume_growth"), window_size=d),
                "volume_mean": VOLUME.rolling_mean(d),
                "volume_deviation": VOLUME.rolling_std(d),
                "moved_mean": pl.col("moved_volume").rolling_mean(d),
                "moved_deviation": pl.col("moved_volume").rolling_std(d),
                "rose": pl.col("rose").rolling_mean(d),
                "fell": pl.col("fell").rolling_mean(d),
                **{
                    f"{name}_{part}": pl.col(f"{name}_{part}").rolling_sum(d)
                    for name in CHANGES
                    for part in ("size", "up", "down")
                },
            }.items()
        ]
    return found


def _declare() -> dict[str, pl.Expr]:
    """The factors from what is known of a row by then, in the published order."""
    by_window = [(d, _from_price(d) | _from_volume(d)) for d in WINDOWS]
    rolling = {f"{name}{d}": values[name] for name in by_window[0][1] for d, values in by_window}
    return _shape_bar() | rolling


def _shape_bar() -> dict[str, pl.Expr]:
    span = HIGH - LOW + TINY
    upper, lower = HIGH - pl.max_horizontal(OPEN, CLOSE), pl.min_horizontal(OPEN, CLOSE) - LOW
    shift = 2 * CLOSE - HIGH - LOW
    return {
        "KMID": (CLOSE - OPEN) / OPEN,
        "KLEN": (HIGH - LOW) / OPEN,
        "KMID2": (CLOSE - OPEN) / span,
        "KUP": upper / OPEN,
        "KUP2": upper / span,
        "KLOW": lower / OPEN,
        "KLOW2": lower / span,
        "KSFT": shift / OPEN,
        "KSFT2": shift / span,
        "OPEN0": OPEN / CLOSE,
        "HIGH0": HIGH / CLOSE,
        "LOW0": LOW / CLOSE,
        "VWAP0": VWAP / CLOSE,
    }


def _from_price(d: int) -> dict[str, pl.Expr]:
    mean, deviation, top, bottom = (pl.col(f"{name}{d}") for name in ("mean", "deviation", "top", "bottom"))
    spread = d * (d * d - 1) / 12
    # Sums of close times session number, less what the number of the window's middle adds to them.
    steep = (pl.col(f"dated{d}") - mean * d * (pl.col("session") - (d - 1) / 2)) / spread
    # Windows that are not full have no extreme, so that these are null where the window is not.
    top_at, bottom_at = pl.col(f"top_at{d}") + 1 + 0 * top, pl.col(f"bottom_at{d}") + 1 + 0 * bottom
    return {
        "ROC": pl.col(f"before{d}") / CLOSE,
        "MA": mean / CLOSE,
        "STD": deviation / CLOSE,
        "BETA": steep / CLOSE,
        "RSQR": steep.pow(2) * spread / (deviation.pow(2) * (d - 1)),
        "RESI": (CLOSE - mean - steep * ((d - 1) / 2)) / CLOSE,
        "MAX": top / CLOSE,
        "MIN": bottom / CLOSE,
        "QTLU": pl.col(f"upper{d}") / CLOSE,
        "QTLD": pl.col(f"lower{d}") / CLOSE,
        "RANK": pl.col(f"rank{d}") / d,
        "RSV": (CLOSE - bottom) / (top - bottom + TINY),
        "IMAX": top_at / d,
        "IMIN": bottom_at / d,
        "IMXD": (top_at - bottom_at) / d,
    }


def _from_volume(d: int) -> dict[str, pl.Expr]:
    def known(name: str) -> pl.Expr:
        return pl.col(f"{name}{d}")

    up, down, size = (known(f"change_{part}") for part in ("up", "down", "size"))
    grown, shrunk, moved = (known(f"volume_change_{part}") for part in ("up", "down", "size"))
    return {
        "CORR": known("corr"),
        "CORD": known("cord"),
        "CNTP": known("rose"),
        "CNTN": known("fell"),
        "CNTD": known("rose") - known("fell"),
        "SUMP": up / (size + TINY),
        "SUMN": down / (size + TINY),
        "SUMD": (up - down) / (size + TINY),
        "VMA": known("volume_mean") / (VOLUME + TINY),
        "VSTD": known("volume_deviation") / (VOLUME + TINY),
        "WVMA": known("moved_deviation") / (known("moved_mean") + TINY),
        "VSUMP": grown / (moved + TINY),
        "VSUMN": shrunk / (moved + TINY),
        "VSUMD": (grown - shrunk) / (moved + TINY),
    }


if __name__ == "__main__":
    measure(Polars)
