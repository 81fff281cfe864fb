"""Alpha158 by KunQuant: its predefined factors as generated C++ in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from KunQuant.Driver import KunCompilerConfig
from KunQuant.jit import cfake
from KunQuant.Op import Builder, Input, Output
from KunQuant.predefined.Alpha158 import AllData
from KunQuant.runner import KunRunner
from KunQuant.Stage import Function

from benchmarks.peers.measuring import Block, History, measure, read

OPTIONS = {"opt_reduce": True, "fast_log": True}
"""As its own tests have them; they take the fast statistics, too."""


class KunQuant:
    """The compiled module and the executor of one thread."""

    reads_again = False
    fast = True
    """Whether moments of windows are differences of running sums, which its own tests ask for."""

    def __init__(self, factors: Sequence[str]) -> None:
        self.factors = factors
        self.executor = KunRunner.createSingleThreadExecutor()

    def prepare(self) -> None:
        """Generate C++ and compile it for this processor, one file at a time."""
        function, self.names = _declare(self.factors)
        wide = " avx512dq" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
        config = KunCompilerConfig(
            dtype="double", blocking_len=8 if wide else 4, partition_factor=4, input_layout="TS", output_layout="TS",
            options={**OPTIONS, "no_fast_stat": "no_warn" if self.fast else True},
        )  # fmt: skip
        compiler = cfake.CppCompilerConfig(for_each=cfake.single_thread_compile)
        self.library = cfake.compileit([("alpha158", function, config)], "alpha158", compiler)

    def place(self, folder: Path) -> Path:
        """Its matrices are [time, stocks], as the files are."""
        return folder

    def load(self, placed: Path) -> History:
        """All of them."""
        return read(placed)

    def compute(self, loaded: History, *, exactly: bool = False) -> dict[str, Block]:  # noqa: ARG002
        """All sessions in one go; it holds what it computes with, which is double precision."""
        module, sessions = self.library.getModule("alpha158"), len(loaded["close"])
        return dict(KunRunner.runGraph(self.executor, module, loaded, 0, sessions))

    def take(self, held: dict[str, Block]) -> Block:
        """In the order of its own list."""
        return np.array([held[name] for name in self.names])


def _declare(wanted: Sequence[str]) -> tuple[Function, list[str]]:
    builder = Builder()
    with builder:
        prices = {name: Input(name) for name in ("open", "high", "low", "close", "volume", "vwap")}
        facts = AllData(**prices)
        facts.vwap = prices["vwap"]  # it forgets the one that it is given
        shown = [(name.upper(), prices[name]) for name in ("open", "high", "low", "vwap")]
        factors, names = facts.build(
            {"kbar": {}, "price": {"windows": [0], "feature": shown}, "rolling": {"windows": [5, 10, 20, 30, 60]}}
        )
        chosen = [(value, name) for value, name in zip(factors, names, strict=True) if not wanted or name in wanted]
        for value, name in chosen:
            Output(value, name)
    return Function(builder.ops), [name for _, name in chosen]


if __name__ == "__main__":
    measure(KunQuant)
