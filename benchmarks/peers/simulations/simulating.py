"""What every simulation's process tells alike."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from benchmarks.peers.measuring import measure_peak


def tell(imported: float, calls: Sequence[tuple[float, float]], **figures: float) -> None:
    """Print processor seconds as JSON, the last line.

    Args:
        imported: seconds until everything was imported.
        calls: of each repetition the seconds until orders were filled, and until the final value was known; the first
            compiles what there is to be compiled.
        figures: what came of it.
    """
    later = calls[1:]
    orders, value = (min(seconds) for seconds in zip(*later, strict=True))
    told = {"import": imported, "first": calls[0][1], "orders": orders, "cpu": value, "peak": measure_peak()}
    sys.stdout.write(f"\n{json.dumps(told | figures)}\n")
