"""Alpha158 by qlib's own expression engine: the fields of its data handler over its binary store, in one process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
import qlib
from qlib.contrib.data.handler import Alpha158
from qlib.data import D

from benchmarks.peers.measuring import FACTS, Block, measure, read

FIRST_DAY = "2000-01-03"


class Store(NamedTuple):
    """Where a history lies as qlib keeps it."""

    folder: TemporaryDirectory[str]
    tickers: list[str]


class Qlib:
    """Its engine over a store, without caches on disk."""

    reads_again = True

    def __init__(self, factors: Sequence[str]) -> None:
        fields, names = Alpha158.get_feature_config(Alpha158.__new__(Alpha158))
        self.fields = {name: field for name, field in zip(names, fields, strict=True) if not factors or name in factors}

    def prepare(self) -> None:
        """Nothing is compiled."""

    def place(self, folder: Path) -> Store:
        """Its store, with a file for each ticker and fact, and opened; reading one fact imports what it still lacks."""
        store = _write(read(folder))
        qlib.init(
            provider_uri=store.folder.name, region="us", kernels=1, expression_cache=None, dataset_cache=None,
            logging_level=logging.ERROR,
        )  # fmt: skip
        D.features(store.tickers[:1], ["$close"], freq="day", disk_cache=0)
        return store

    def load(self, placed: Store) -> Store:
        """The facts, through the same engine; computing reads them again."""
        D.features(placed.tickers, [f"${fact}" for fact in FACTS], freq="day", disk_cache=0)
        return placed

    def compute(self, loaded: Store, *, exactly: bool = False) -> pd.DataFrame:  # noqa: ARG002
        """All fields of all tickers, ticker by ticker; it holds what it computes with, single or double precision."""
        return D.features(loaded.tickers, list(self.fields.values()), freq="day", disk_cache=0)

    def take(self, held: pd.DataFrame) -> Block:
        """Its rows go by ticker and day."""
        tickers = held.index.get_level_values("instrument").unique()
        values = held.to_numpy(dtype=np.float64).reshape(len(tickers), -1, len(self.fields))
        return np.ascontiguousarray(values.transpose(2, 1, 0))


def _write(history: dict[str, Block]) -> Store:
    """Single precision after the place of the first session; the histories hold what single precision can."""
    folder = TemporaryDirectory()
    root = Path(folder.name)
    sessions, tickers = history["close"].shape
    names = [f"T{number:04d}" for number in range(tickers)]
    days = pd.bdate_range(FIRST_DAY, periods=sessions).strftime("%Y-%m-%d")
    for part in ("calendars", "instruments", *(f"features/{name.lower()}" for name in names)):
        (root / part).mkdir(parents=True)
    (root / "calendars/day.txt").write_text("\n".join(days) + "\n", encoding="utf-8")
    listed = "".join(f"{name}\t{days[0]}\t{days[-1]}\n" for name in names)
    (root / "instruments/all.txt").write_text(listed, encoding="utf-8")
    for fact in FACTS:
        for number, name in enumerate(names):
            values = np.concatenate([[0.0], history[fact][:, number]]).astype("<f4")
            values.tofile(root / f"features/{name.lower()}/{fact}.day.bin")
    return Store(folder, names)


if __name__ == "__main__":
    measure(Qlib)
