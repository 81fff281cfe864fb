"""Request to running, and what an idle daemon costs: `python -m benchmarks.control [--requests 20] [--idle 60]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from lake.store import Lake
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.daemon.main import daemon_command
from pipeline.control.operator.requests import Request, read_request_state, submit
from pipeline.control.workers.process_identity import PROC


def main() -> None:
    """Serve an empty lake, send it requests one after the other, then leave it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60, help="seconds")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.create(Path(folder) / "lake")
        daemon = subprocess.Popen(daemon_command(lake.path))
        try:
            while read_heartbeat(lake.path) is None:
                time.sleep(0.05)
            report(lake, daemon.pid, asked.requests, asked.idle)
        finally:
            daemon.terminate()
            daemon.wait()


def report(lake: Lake, pid: int, requests: int, idle: float) -> None:
    """Print the figures."""
    waits = sorted(answer(lake, number) for number in range(requests))
    sys.stdout.write(
        f"request to running: median {median(waits):.3f} s, slowest {waits[-1]:.3f} s, {requests} requests\n"
    )
    before, began = processor_seconds(pid), time.perf_counter()
    time.sleep(idle)
    share = (processor_seconds(pid) - before) / (time.perf_counter() - began)
    sys.stdout.write(f"idle daemon: {share:.2%} of a core over {idle:.0f} s, {resident(pid) / 1e6:.0f} MB\n")


def answer(lake: Lake, number: int) -> float:
    """Seconds from the call that sends a request until its attempt is on record as started; waits for its end."""
    now = datetime.now(UTC)
    request = Request(request_id=f"bench-{number}", requested_at=now, origin="cli", action="maintain")
    begin = time.perf_counter()
    submit(lake, request)
    while not (standing := read_request_state(lake, request)).events:
        time.sleep(0.002)
    took = time.perf_counter() - begin
    while not standing.finished:
        time.sleep(0.05)
        standing = read_request_state(lake, request)
    return took


def processor_seconds(pid: int) -> float:
    """Processor time of a process (Linux)."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Bytes of memory that a process holds (Linux)."""
    return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
