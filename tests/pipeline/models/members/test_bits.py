"""Networks forecast and explain with the same bits in every release, process and processor, without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from pipeline.models.members.lstm import LSTM
from tests.pipeline.models.members.test_forward_pass import ROOT, drawn, windows_of

STORED = {"forecast": "048c70f19a3e40d8", "explanation": "f5262354ec803222"}
"""Hashes that every release gives: what was stored is computed again years later, so what changes one of them needs a
version of its own."""
ANEW = """
import sys
from tests.pipeline.models.members.test_bits import digest
print(digest(sys.argv[1]))
sys.exit("torch was loaded" if "torch" in sys.modules else 0)
"""


def digest(what: str) -> str:
    """A hash of what drawn weights make of drawn windows."""
    weights, windows = drawn(21, 20, 5, 2, 4), windows_of(50, 6, 21)
    if what == "forecast":
        return sha256(LSTM.quantiles(weights, windows).tobytes()).hexdigest()[:16]
    parts = LSTM.explain(weights, windows)
    return sha256(parts.inputs.tobytes() + parts.level.tobytes()).hexdigest()[:16]


def anew(what: str, **told: str) -> subprocess.CompletedProcess[str]:
    """The same hash, from a process of its own."""
    command = [sys.executable, "-c", ANEW, what]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | told, check=False)


@pytest.mark.parametrize("what", STORED)
def test_the_bits_are_those_of_every_release(what: str) -> None:
    assert digest(what) == STORED[what]


@pytest.mark.cold
@pytest.mark.parametrize("what", STORED)
def test_it_needs_no_torch(what: str) -> None:
    found = anew(what)
    assert (found.returncode, found.stdout.strip()) == (0, STORED[what]), found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["haswell", "x86-64"], ids=["shorter vectors", "no fused products"])
@pytest.mark.parametrize("what", STORED)
def test_the_bits_are_the_same_compiled_for_another_processor(what: str, processor: str, tmp_path: Path) -> None:
    found = anew(what, NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES="", NUMBA_CACHE_DIR=str(tmp_path))
    assert found.stdout.strip() == STORED[what], found.stderr
