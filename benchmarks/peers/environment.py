"""A throw-away environment with the peers in the versions that are compared, and a process in it for each engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PINS = {"kunquant": "KunQuant==0.1.12", "qlib": "pyqlib==0.9.7"}
ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS")


class Peers(NamedTuple):
    """The environment, and what could not be installed into it."""

    python: Path
    refused: dict[str, str]
    """Peer -> what the installer said last."""


class Outcome(NamedTuple):
    """What an engine's process told."""

    figures: dict[str, float]
    """Empty if it failed."""
    error: str = ""


def make_environment(folder: Path, pins: Mapping[str, str] | None = None) -> Peers:
    """Install the peers, each by itself, so that one that cannot be installed keeps no other away.

    Args:
        folder: where the environment comes to be.
        pins: peer -> what is installed; the engines of Alpha158 if None.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    refused = {}
    for peer, pin in (pins or {**PINS, "polars": _locked("polars")}).items():
        asked = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pin]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:
            refused[peer] = f"{pin} was not installed: {_last_line(done.stderr)}"
    return Peers(python, refused)


def _locked(package: str) -> str:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{package}=="))


def list_versions(peers: Peers) -> str:
    """The versions that are there, in words."""
    program = (
        "from importlib.metadata import distributions as d; "
        "print(*sorted(f'{x.name}=={x.version}' for x in d()), sep='\\n')"
    )
    told = subprocess.run([str(peers.python), "-c", program], capture_output=True, text=True, check=True).stdout
    wanted = "|".join(("kunquant", "pyqlib", "vectorbt", "numba", "polars", "numpy", "pandas"))
    return ", ".join(re.findall(rf"^(?:{wanted})==\S+", told, flags=re.IGNORECASE | re.MULTILINE))


def run(python: Path, module: str, arguments: Sequence[str | Path], caches: Path) -> Outcome:
    """Run a module of this folder in a fresh process on one core, and read the figures it prints last."""
    command = [str(python), "-m", f"benchmarks.peers.{module}", *map(str, arguments)]
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "NUMBA_CACHE_DIR": str(caches)}
    core = max(os.sched_getaffinity(0))
    done = subprocess.run(
        command, cwd=ROOT, env={**environment, "PYTHONWARNINGS": "ignore"}, capture_output=True, text=True, check=False,
        preexec_fn=partial(os.sched_setaffinity, 0, {core}),
    )  # fmt: skip
    if done.returncode:
        return Outcome({}, f"ended with {done.returncode}: {_last_line(done.stderr)}")
    return Outcome(json.loads(done.stdout.splitlines()[-1]))


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "without a word")
