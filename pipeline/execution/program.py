"""Which program a process is: its code, its libraries and its processor, compared where bits could differ."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("lake", "pipeline")
LIBRARIES = (
    "numpy",
    "polars",
    "torch",
    "numba",
    "llvmlite",
    "scipy",
    "clarabel",
    "pyarrow",
    "deltalake",
    "safetensors",
)
"""Those that what a stage computes can depend on."""
CHOICES = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "NUMBA_CPU_FEATURES", "NUMBA_CPU_NAME",
           "OPENBLAS_CORETYPE")  # fmt: skip
"""Variables by which libraries are told to compute in another way."""


@lru_cache(maxsize=1)
def describe_program() -> dict[str, str]:
    """What a value's last bits depend on: name -> value in words."""
    from numpy._core._multiarray_umath import __cpu_features__ as has

    return {
        "code of nextgen": hash_code(),
        "python": platform.python_version(),
        **{name: find_version(name) for name in LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}",
        "instruction sets": " ".join(sorted(name for name, there in has.items() if there)),
        **{name: os.environ.get(name, "not set") for name in CHOICES},
    }


def hash_code() -> str:
    """The hash of every module of ours, by name and content."""
    digest = sha256()
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT)}:{sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def find_version(library: str) -> str:
    """The version of a library that is installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def describe_differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """In words what another process has otherwise: a sentence for each, none where bits cannot differ."""
    found = []
    for name, mine in here.items():
        if (theirs := there.get(name, "unknown")) == mine:
            continue
        if name == "instruction sets":
            ours, others = set(mine.split()), set(theirs.split())
            lacks, beyond = " ".join(sorted(ours - others)), " ".join(sorted(others - ours))
            found.append(f"its processor lacks {lacks or 'nothing'} and has {beyond or 'nothing'} beyond this one's")
        else:
            found.append(f"{name} is {theirs} there and {mine} here")
    return found


def refuse_other(here: Mapping[str, str], workers: Mapping[str, Mapping[str, str]]) -> str:
    """What is wrong with workers, in words: how many differ, and the first of them; empty where none does."""
    differ = {name: found for name, one in sorted(workers.items()) if (found := describe_differences(here, one))}
    if not differ:
        return ""
    name, found = next(iter(differ.items()))
    return (
        f"{len(differ)} of {len(workers)} workers could compute other bits than this program, the first is {name}: "
        f"{'; '.join(found)}; install the same versions there, on processors of the same kind, and start it anew"
    )
