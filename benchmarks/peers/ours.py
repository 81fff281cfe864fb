"""Alpha158 by this program's engine, kept in single precision as the lake keeps features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.peers.measuring import Block, History, measure, read
from pipeline.features.engine.blocks import compute
from pipeline.features.families.alpha158 import ALPHA158

FEW_SESSIONS, FEW_TICKERS = 70, 4


class Ours:
    """The block engine on one thread."""

    reads_again = False

    def __init__(self, factors: Sequence[str]) -> None:
        self.factors = [value for name, value in ALPHA158.items() if not factors or name in factors]

    def prepare(self) -> None:
        """A first call on next to nothing compiles the kernels, or loads them where they are compiled."""
        few = dict.fromkeys(("open", "high", "low", "close", "vwap", "volume"), np.ones((FEW_SESSIONS, FEW_TICKERS)))
        for precision in (np.float32, np.float64):
            compute(self.factors, few, precision=precision)

    def place(self, folder: Path) -> Path:
        """Its blocks are [sessions, tickers], as the files are."""
        return folder

    def load(self, placed: Path) -> History:
        """All of them."""
        return read(placed)

    def compute(self, loaded: History, *, exactly: bool = False) -> npt.NDArray[np.floating]:
        """Computed in double precision; kept in single precision."""
        return compute(self.factors, loaded, precision=np.float64 if exactly else np.float32)

    def take(self, held: Block) -> Block:
        """As it is."""
        return held


if __name__ == "__main__":
    measure(Ours)
