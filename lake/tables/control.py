"""What ran, what was asked for, and how healthy it all is."""

import polars as pl

from lake.contract import Column, Table
from lake.tables.vocabulary import SESSION, count, instant, number, text

RUNS = Table(
    name="runs",
    domain="control",
    doc="One row per stage run with its whole recipe; a commit of rows here is what publishes a cycle.",
    key=("run_id",),
    mode="append",
    owner="kernel",
    clock="session",
    columns={
        "run_id": text("stage, session and a hash of the recipe and attempt", unit="id", longest=80),
        "cycle_id": text("the cycle it belongs to", unit="id", longest=80),
        "attempt": count("count", "0 for the first try"),
        "stage": text("the stage", unit="name", longest=40),
        "kind": Column(pl.String(), "name", "pure, or a landing from outside", pattern="pure|landing"),
        "session": SESSION,
        "since": Column(
            pl.Date(), "exchange date", "first session it computed; equals session but for loads of history"
        ),
        "as_of": instant("what it was allowed to know"),
        "status": Column(pl.String(), "name", "how it ended", pattern="done|failed|dead"),
        "error": text("what went wrong, in words; empty if nothing", longest=4_000),
        "inputs": text("table -> version read", unit="JSON", longest=20_000),
        "params": text("parameters", unit="JSON", longest=20_000),
        "seed": count("seed", "random seed"),
        "code": text("fingerprint of the stage's own source and what it imports of ours", unit="sha256", longest=64),
        "threads": count("threads", "threads it computed with"),
        "libraries": text("versions of the libraries and the processor's instruction set", unit="JSON", longest=4_000),
        "output_table": text("the table it wrote", unit="table", longest=60),
        "output_version": count("table version", "the version after it; null where it failed", nullable=True),
        "rows": count("rows", "rows it produced"),
        "written": count("rows", "rows that were new"),
        "fingerprint": text("hash of the rows it produced", unit="sha256", longest=64),
        "files": text("data file -> sha256 for the files it added", unit="JSON", longest=1_000_000),
        "started_at": instant("wall time"),
        "seconds": number("seconds", "wall time it took"),
    },
)

TASK_REQUESTS = Table(
    name="task_requests",
    domain="control",
    doc="What a person asked the daemon to do; its state is derived from runs.",
    key=("request_id",),
    mode="append",
    owner="operator",
    clock="requested_at",
    story=False,
    columns={
        "request_id": text("made by the asking side, so that asking twice asks once", unit="id", longest=80),
        "requested_at": instant("when"),
        "origin": Column(pl.String(), "name", "who asked", pattern="console|cli"),
        "action": text("run, cycle, cancel, ...", unit="name", longest=40),
        "target": text("what it is about", longest=200),
        "session": Column(pl.Date(), "exchange date", "the session concerned", nullable=True),
        "arguments": text("further arguments", unit="JSON", longest=20_000),
        "reason": text("why, in the operator's words", longest=1_000),
    },
)

SYSTEM_HEALTH = Table(
    name="system_health",
    domain="control",
    doc="One verdict per service and session, with the figure behind it.",
    key=("session", "service", "check"),
    mode="merge",
    owner="report",
    clock="session",
    story=False,
    columns={
        "session": SESSION,
        "service": text("a stage, a table, or 'predictions', 'book'", unit="name", longest=60),
        "check": text("what was looked at", unit="name", longest=60),
        "status": Column(pl.String(), "name", "verdict", pattern="ok|warn|fail"),
        "value": number("see check", "the figure", nullable=True),
        "limit": number("see check", "the level it is held against", nullable=True),
        "message": text("the verdict in words", longest=500),
        "as_of": instant("the moment it speaks of"),
    },
)

TABLES = (RUNS, TASK_REQUESTS, SYSTEM_HEALTH)
