"""The process that faults happen to: it forks a child for each order and reports how that ended.

Nothing that starts a thread runs before the fork, so a child is as good as a fresh process, and has everything
imported.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from time import process_time
from typing import Any

import polars as pl

from lake.branches.branch import create_branch, discard_branch, find_branch
from lake.fingerprint import fingerprint
from lake.migrations.run import migrate
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.books import LEDGER_ENTRIES
from lake.tables.control import RUNS, TASK_REQUESTS
from lake.tables.models import MODEL_REGISTRY
from lake.upkeep.backup import backup, restore
from lake.upkeep.checkpoints import write_checkpoints
from lake.upkeep.compaction import STAGE as COMPACT
from lake.upkeep.compaction import compact_tables
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import vacuum
from nextgen_tui.cli.error_messages import describe_error
from pipeline.config.loading import load
from pipeline.config.resolving import values_of
from pipeline.config.settings import Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.operator.decisions import promote
from pipeline.control.operator.mandates import set_mandate
from pipeline.engine.code_fingerprint import code_fingerprint, libraries
from pipeline.engine.executor import parse_params
from pipeline.engine.runner import Runner
from pipeline.engine.stages import REPORT, STAGES
from pipeline.features.feature_set import base_name
from pipeline.market.sessions import exchange_sessions
from pipeline.models.params import RidgeParams
from pipeline.research.merging.merge_branch import merge_branch
from tests.frames.published import request_rows
from tests.torture.settings import tortured_settings
from tests.warm import refuse_threads

BRANCH = "one"
HUNG = int(os.environ.get("TORTURE_PATIENCE", "300"))
"""Seconds after which an order counts as hung: far more than any takes on a busy machine."""


def work(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order in a lake."""
    path = Path(order["lake"])
    if order["do"] == "look":
        return {"state": state(Lake.open(path))}
    if order["do"] == "create":
        Lake.create(path)
        return {}
    if order["do"] == "scrub":
        return {"found": [[one.file, one.what] for one in scrub(Lake.open(path)).findings]}
    if order["do"] == "restore":
        restore(path / "backup", path / "restored")
        return {}
    if order["do"] in RESEARCH:
        RESEARCH[order["do"]](Lake.open(path))
        return {}
    lake = Lake.open(path, older=order["do"] == "migrate")
    runner = Runner(lake, tortured_settings(durable=order.get("durable", False)))
    answer: dict[str, Any] = {}
    if order["do"] == "cycle":
        answer["already_done"] = runner.cycle(date.fromisoformat(order["session"])).already_done
    elif order["do"] == "resume":
        answer["seen"] = state(Lake.open(path))
        runner.cycle(date.fromisoformat(order["session"]))
        answer["state"] = state(Lake.open(path))
    elif order["do"] == "append":
        lake.commit(TASK_REQUESTS, request_rows(100), "request 100", {})
    elif order["do"] == "recover":
        runner.recover()
    elif order["do"] == "checkpoint":
        with lake.lock("checkpoints"):
            # The logs that hold nothing yet are all alike: one stands for the rest.
            empty = [name for name, table in TABLES.items() if not lake.newest(table)]
            write_checkpoints(lake, dict.fromkeys(TABLES, -100) | dict.fromkeys(empty[1:], 0))
    elif order["do"] == "migrate":
        migrate(lake)
    elif order["do"] == "tidy":
        tidy(lake)
    elif order["do"] == "upkeep":
        upkeep(lake, Path(order["safe"]))
    elif order["do"] == "operate":
        begin(runner, order["cycles"])
    return answer | {"repairs": [[r.table, r.file, r.what] for r in lake.repairs]}


def tidy(lake: Lake) -> None:
    """Write small files again as one, and give back what no run names."""
    compact_tables(lake, min_files=2)
    vacuum(lake)


def teach(lake: Lake) -> None:
    """A branch that decided, trained and tried for itself."""
    branch = create_branch(lake, BRANCH, reason="to train otherwise")
    settings = tortured_settings(durable=True)
    settings = replace(settings, models=replace(settings.models, ridge=RidgeParams(penalties=(0.5, 50.0), version=1)))
    configure(branch.path, settings)
    runner = Runner(Lake.open(branch.path), settings)
    before = set(runner.lake.read(MODEL_REGISTRY)["model_id"])
    runner.train(runner.lake.read(RUNS)["session"].max())
    (trained,) = set(runner.lake.read(MODEL_REGISTRY)["model_id"]) - before
    promote(runner, trained, "the better one", "cli")
    set_mandate(runner, {"active_risk": "0.03"}, "less risk", "cli")


def configure(path: Path, settings: Settings) -> None:
    """Write all of the settings down."""
    write_document(path, toml_document((key, value) for key, value in values_of(settings) if value is not None))


RESEARCH: dict[str, Callable[[Lake], object]] = {
    "branch": lambda lake: create_branch(lake, BRANCH, reason="to try something"),
    "discard": lambda lake: discard_branch(lake.path, BRANCH),
    "tidy branch": lambda lake: tidy(Lake.open(find_branch(lake.path, BRANCH).path)),
    "teach": teach,
    "merge": lambda lake: merge_branch(Runner(lake, load(lake.path, {}).settings), BRANCH, "why"),
}
"""Orders about branches."""


def begin(runner: Runner, cycles: int) -> None:
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    start = runner.calendar.next(last)
    for _ in runner.replay(start, runner.calendar.offset(start, cycles - 1)):
        pass


def upkeep(lake: Lake, safe: Path) -> None:
    """All that removes, rewrites or copies files, one after the other."""
    compact_tables(lake, min_files=2)
    vacuum(lake)
    backup(lake, safe / "backup")
    restore(safe / "backup", safe / "restored")
    assert scrub(Lake.open(safe / "restored")).findings == ()


def state(lake: Lake) -> dict[str, Any]:
    """What a reader sees: one hash per table, and whether the books and the runs hold together."""
    tables = {t.name: t for t in TABLES.values() if t.published_by_run and t.name != RUNS.name}
    marks = {name: fingerprint(lake.read(t).drop("run_id"), t.key, t.content_columns) for name, t in tables.items()}
    # A report tells the day's weather, and upkeep writes the same rows anew where there is much to tidy.
    runs = lake.read(RUNS).filter(pl.col("status") == "done", ~pl.col("stage").is_in([REPORT.name, COMPACT]))
    marks["runs"] = fingerprint(runs.select("stage", "session", "rows", "fingerprint"), ("session", "stage", "rows"))
    entries = lake.read(LEDGER_ENTRIES)
    last = runs["session"].max()
    kinds = entries.filter(pl.col("session") == last).group_by("kind").len().sort("kind")
    return {
        "marks": marks,
        "last": str(last),
        "unbalanced": str(entries["amount"].sum()),
        "doubled": runs.height - runs.unique(["cycle_id", "stage"]).height,
        "doubled_entries": entries.height - entries["entry_id"].n_unique(),
        "ledger_rows": entries.height,
        "moved": dict(kinds.iter_rows()),
    }


def child(order: dict[str, Any], answers: int) -> None:
    """Arm the shim, work, answer, leave: without the interpreter's farewell, which a forked child does not own."""
    faulthandler.dump_traceback_later(order.get("patience", HUNG) - 5, file=answers)
    shim = ctypes.CDLL(None)
    shim.fault_clock(ctypes.c_long(order.get("clock", 0)))
    if "kill_after" in order:
        assert shim.fault_kill_after(ctypes.c_double(order["kill_after"])) == 0, "no timer"
    if "mode" in order:
        shim.fault_arm(
            order["lake"].encode(), order["mode"], ctypes.c_long(order["k"]), order.get("journal", "").encode()
        )
    answer: dict[str, Any] = {}
    try:
        answer = work(order)
    except BaseException as error:
        code, sentence = describe_error(error)
        answer = {"error": f"{type(error).__name__}: {sentence}", "code": code, "trace": traceback.format_exc()[-3000:]}
    answer |= {"calls": int(shim.fault_calls()) if "mode" in order else 0, "cpu": process_time()}
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
    while True:
        ready, _, _ = select.select([read], [], [], order.get("patience", HUNG))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            hung = True
            continue
        if not (block := os.read(read, 1 << 16)):
            break
        text += block
    os.close(read)
    _, status = os.waitpid(pid, 0)
    answer: dict[str, Any] = (
        {"error": f"hung at {text.decode()}"} if hung else json.loads(text.splitlines()[-1]) if text else {}
    )
    return answer | {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, "hung": hung}


def warm_up() -> None:
    """Import and work out all that every cycle needs, without starting a thread: a fork would not have it."""
    import clarabel  # noqa: F401
    import safetensors.torch  # noqa: F401
    import scipy.sparse  # noqa: F401

    import pipeline.models.inference
    import pipeline.models.members.lstm_network  # noqa: F401

    exchange_sessions("XNYS").close_at(date(2020, 1, 2))
    libraries()
    base_name()
    settings = tortured_settings()
    for stage in STAGES:
        code_fingerprint(stage)
        parse_params(stage, asdict(settings.section(stage.section)))
    refuse_threads()
    gc.freeze()  # no child's search for rubbish goes through it, which would also copy it


def main() -> None:
    """Take orders from stdin, one JSON document a line, until it ends."""
    warm_up()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(carry_out(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
