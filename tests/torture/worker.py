"""The process that faults happen to: it forks a child for each order and reports how that ended.

Nothing of the storage library runs before the fork, so a child is as good as a fresh process, and has
everything imported.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import traceback
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from lake.fingerprint import fingerprint
from lake.maintenance import checkpoint_due
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.tables.trading import LEDGER_ENTRIES
from nextgen_tui.failures import explained
from pipeline.runner import Runner
from pipeline.sessions import exchange_sessions
from tests.torture.settings import tortured_settings

HUNG = 60
"""Seconds after which an order counts as hung."""


def work(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order in a lake."""
    lake = Lake.open(Path(order["lake"]))
    if order["do"] == "look":
        return {"state": state(lake)}
    runner = Runner(lake, tortured_settings(durable=order.get("durable", False)))
    if order["do"] == "cycle":
        runner.cycle(date.fromisoformat(order["session"]))
    elif order["do"] == "recover":
        runner.recover()
    elif order["do"] == "checkpoint":
        with lake.lease("checkpoints"):
            checkpoint_due(lake, dict.fromkeys(TABLES, -100))
    elif order["do"] == "operate":
        begin(runner, order["cycles"])
    return {"repairs": [[r.table, r.file, r.what] for r in lake.repairs]}


def begin(runner: Runner, cycles: int) -> None:
    first, last = runner.source.coverage()
    runner.load_history(first, last)
    start = runner.calendar.next(last)
    for _ in runner.replay(start, runner.calendar.offset(start, cycles - 1)):
        pass


def state(lake: Lake) -> dict[str, Any]:
    """What a reader sees: one hash per table, and whether the books and the runs hold together."""
    tables = {t.name: t for t in TABLES.values() if t.story and t.name != RUNS.name}
    marks = {name: fingerprint(lake.read(t).drop("run_id"), t.key, t.content_columns) for name, t in tables.items()}
    runs = lake.read(RUNS).filter(pl.col("status") == "done", pl.col("stage") != "report")
    marks["runs"] = fingerprint(runs.select("stage", "session", "rows", "fingerprint"), ("session", "stage", "rows"))
    entries = lake.read(LEDGER_ENTRIES)
    return {
        "marks": marks,
        "last": str(runs["session"].max()),
        "unbalanced": str(entries["amount"].sum()),
        "doubled": runs.height - runs.unique(["cycle_id", "stage"]).height,
        "ledger_rows": entries.height,
    }


def child(order: dict[str, Any], answers: int) -> None:
    """Arm the shim, work, answer, leave: without the interpreter's farewell, which a forked child does not own."""
    shim = ctypes.CDLL(None)
    if "mode" in order:
        shim.fault_arm(
            order["lake"].encode(), order["mode"], ctypes.c_long(order["k"]), order.get("journal", "").encode()
        )
    answer: dict[str, Any] = {}
    try:
        answer = work(order)
    except BaseException as error:
        code, sentence = explained(error)
        answer = {"error": f"{type(error).__name__}: {sentence}", "code": code, "trace": traceback.format_exc()[-3000:]}
    answer["calls"] = int(shim.fault_calls()) if "mode" in order else 0
    os.write(answers, json.dumps(answer).encode())
    os._exit(0)


def carry_out(order: dict[str, Any]) -> dict[str, Any]:
    """Fork, wait, and say how it ended."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        child(order, write)
    os.close(write)
    text, hung = b"", False
    limit = order.get("kill_after", HUNG)
    while True:
        ready, _, _ = select.select([read], [], [], limit)
        if not ready:
            os.kill(pid, signal.SIGKILL)
            hung = "kill_after" not in order
            limit = HUNG
            continue
        if not (block := os.read(read, 1 << 16)):
            break
        text += block
    os.close(read)
    _, status = os.waitpid(pid, 0)
    answer: dict[str, Any] = json.loads(text) if text else {}
    return answer | {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, "hung": hung}


def main() -> None:
    """Take orders from stdin, one JSON document a line, until it ends."""
    exchange_sessions("XNYS").close_at(date(2020, 1, 2))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(carry_out(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
