"""The processor that a training's last bits depend on, in words."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
"""Where Linux tells the processor's name."""
MAX_NAME = 120


def describe_processor() -> str:
    """Its name, and the instruction sets that numpy and torch compute with on it."""
    import torch
    from numpy._core._multiarray_umath import __cpu_features__ as has

    known = "+".join(sorted(name for name, there in has.items() if there)) or "baseline"
    return f"{_name()[:MAX_NAME]}; torch {torch.backends.cpu.get_cpu_capability()}; {known}"[:1_000]


def _name() -> str:
    with suppress(OSError):
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
