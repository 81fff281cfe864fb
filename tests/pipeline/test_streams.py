"""A program whose standard streams are closed or know few signs works as if they did."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from tests.real_data import ROOT

WRITES = """
import os, sys
from pipeline.streams import prepare_streams
prepare_streams()
number = os.open(sys.argv[1], os.O_RDWR)
print("words"); print("words", file=sys.stderr); sys.stdout.flush(); sys.stderr.flush()
assert number > 2 and sys.stdin.read() == "", number
"""


@pytest.mark.parametrize("closed", [one for count in range(4) for one in combinations(range(3), count)])
def test_what_is_printed_to_a_closed_stream_ends_up_in_no_file(tmp_path: Path, closed: tuple[int, ...]) -> None:
    precious = tmp_path / "precious"
    precious.write_text("figures")
    shut = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    command = f'exec "$0" -P -c "$1" "$2" {shut}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = ["sh", "-c", command, sys.executable, WRITES, str(precious)]
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    assert done.returncode == 0
    assert precious.read_text() == "figures"
    assert (done.stdout, done.stderr) == tuple(b"" if number in closed else b"words\n" for number in (1, 2))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ascii:strict"])
def test_a_sign_that_the_terminal_does_not_know_is_escaped(encoding: str) -> None:
    program = "from pipeline.streams import prepare_streams; prepare_streams(); print('a\\u2026\\U0001f600')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (0, b"a\\u2026\\U0001f600\n")
