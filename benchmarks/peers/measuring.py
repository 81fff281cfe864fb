"""What every engine's process does alike: place a history, compute, tell what it took, and leave values to compare."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Block = npt.NDArray[np.float64]
History = dict[str, Block]
FACTS = ("open", "high", "low", "close", "vwap", "volume")


class Engine(Protocol):
    """One way to compute the factors."""

    reads_again: bool
    """Whether computing includes the loading, which is then taken off."""

    def prepare(self) -> None:
        """Whatever compiling there is."""

    def place(self, folder: Path) -> Any:
        """Put a history where the engine has its data; this is not counted."""

    def load(self, placed: Any) -> Any:
        """Bring it into memory."""

    def compute(self, loaded: Any, *, exactly: bool = False) -> Any:
        """Compute all factors of all sessions and tickers, and hold them: exactly, or as the engine would keep them."""

    def take(self, held: Any) -> Block:
        """[factors, sessions, tickers] of what is held, in the factors' published order."""


def measure(make: Callable[[Sequence[str]], Engine]) -> None:
    """Run an engine as the command line says; print its figures as JSON, the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--timed", type=Path, required=True, help="the history that is timed")
    parser.add_argument("--compared", type=Path, nargs="*", default=[], help="histories whose values are compared")
    parser.add_argument("--out", type=Path, required=True, help="the folder that takes their values")
    parser.add_argument("--factors", nargs="*", default=[], help="only these")
    parser.add_argument("--touched", type=float, default=0.0, help="GB that another process touches just before")
    parser.add_argument("--exactly", action="store_true", help="hold what is timed as precisely as it is computed")
    asked = parser.parse_args()
    engine = make(asked.factors)
    figures = _time(engine, asked.timed, asked.touched, exactly=asked.exactly)
    for folder in asked.compared:
        loaded = engine.load(engine.place(folder))
        np.save(asked.out / f"{folder.name}.npy", engine.take(engine.compute(loaded, exactly=True)))
    sys.stdout.write(f"\n{json.dumps(figures)}\n")


def _time(engine: Engine, folder: Path, touched: float, *, exactly: bool) -> dict[str, float]:
    """Processor seconds of each part, and the peak of memory in GB, with all values held."""
    imported = spend()
    engine.prepare()
    compiled = spend() - imported
    placed = engine.place(folder)
    start = spend()
    loaded = engine.load(placed)
    loading = spend() - start
    _touch_memory(touched)
    ready = spend()
    in_kernel = -resource.getrusage(resource.RUSAGE_SELF).ru_stime
    held = engine.compute(loaded, exactly=exactly)
    done, peak = spend(), measure_peak()
    in_kernel += resource.getrusage(resource.RUSAGE_SELF).ru_stime
    del held
    computed = done - ready - (loading if engine.reads_again else 0.0)
    spent = {"import": imported, "compile": compiled, "load": loading, "cpu": computed, "kernel": in_kernel}
    return {**spent, "peak": peak}


def _touch_memory(gigabytes: float) -> None:
    """Have another process write to every page of as much memory, and end.

    The host of a virtual machine takes free memory back within seconds, and whoever writes to it next pays for its
    return, some two seconds a GB: as much as the computing, and as chance has it.
    """
    if gigabytes:
        program = f"import numpy; numpy.empty({int(gigabytes * 1e9)}, dtype=numpy.uint8)[::4096] = 1"
        subprocess.run([sys.executable, "-c", program], check=True)


def read(folder: Path) -> History:
    """The facts of a history, [sessions, tickers] each."""
    return {name: np.load(folder / f"{name}.npy") for name in FACTS}


def spend() -> float:
    """Processor seconds of this process and of the compilers it started, so far."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure_peak() -> float:
    """The most memory this process has held, in GB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kibibytes = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    return kibibytes * 1024 / 1e9
