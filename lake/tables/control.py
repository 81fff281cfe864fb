"""What ran, what the operator requested and decided, and how healthy the operation is."""

from enum import StrEnum

import polars as pl

from lake.contract import Column, Table
from lake.tables.vocabulary import SESSION, TICKER, count, flag, instant, number, text


class WorkKind(StrEnum):
    """What a piece of work is: stages that run together and are published in one commit."""

    CYCLE = "cycle"
    """One session, after its close."""
    BACKFILL = "backfill"
    """History from the lake's own sources, loaded in one go before the first cycle."""
    IMPORT = "import"
    """What an older system recorded."""
    TRAINING = "training"
    """A challenger fitted and evaluated outside a cycle."""
    SINGLE_STAGE = "single-stage"
    """One stage by itself, such as the report that follows a cycle."""
    SNAPSHOT = "snapshot"
    """Bars within a session, as they stood at a moment; no cycle reads them or waits for them."""
    NEWS = "news"
    """News fetched between cycles, for the cycle of the session to come to find."""
    MERGE = "merge"
    """What was trained on a branch, brought over."""
    UPKEEP = "upkeep"
    """Files written anew with the same rows: compaction, migration."""


RUNS = Table(
    name="runs",
    domain="control",
    doc="One row per stage run with its complete recipe; a commit of rows here publishes a cycle.",
    key=("run_id",),
    mode="append",
    owner="kernel",
    clock="session",
    root="the record of a run; its inputs name the versions it read",
    columns={
        "run_id": text("stage, session and a hash of the recipe and attempt", unit="id", max_length=80),
        "work": Column(pl.String(), "name", "the kind of work it is part of", pattern="|".join(WorkKind)),
        "cycle_id": text(
            "the piece of work it belongs to: a cycle, a backfill, an import, ...", unit="id", max_length=80
        ),
        "attempt": count("count", "0 for the first try"),
        "stage": text("the stage", unit="name", max_length=40),
        "kind": Column(pl.String(), "name", "pure, or a landing from outside", pattern="pure|landing"),
        "session": SESSION,
        "since": Column(
            pl.Date(), "exchange date", "first session it computed; equals session but for loads of history"
        ),
        "as_of": instant("the run sees only what was public by then"),
        "status": Column(pl.String(), "name", "how it ended", pattern="done|failed|dead"),
        "error": text("what went wrong, as a sentence; empty if nothing", max_length=4_000),
        "inputs": text("table -> version read", unit="JSON", max_length=20_000),
        "params": text("parameters", unit="JSON", max_length=20_000),
        "seed": count("seed", "random seed"),
        "code": text("fingerprint of the stage's own source and what it imports of ours", unit="sha256", max_length=64),
        "threads": count("threads", "threads it computed with"),
        "libraries": text(
            "versions of the libraries and the processor's instruction set", unit="JSON", max_length=4_000
        ),
        "plugins": text("file -> sha256 of the operator's plugins that it used", unit="JSON", max_length=20_000),
        "output_table": text("the table it wrote", unit="table", max_length=60),
        "output_version": count("table version", "the version after it; null where it failed", nullable=True),
        "rows": count("rows", "rows it produced"),
        "written": count("rows", "rows that were new"),
        "fingerprint": text("hash of the rows it produced", unit="sha256", max_length=64),
        "files": text("data file -> sha256 for the files it added", unit="JSON", max_length=1_000_000),
        "started_at": instant("wall time"),
        "seconds": number("seconds", "wall time it took"),
        "contract": count(
            "lake format",
            "the format whose columns the fingerprint covers; null for a run recorded before formats were",
            nullable=True,
        ),
    },
)

TASK_REQUESTS = Table(
    name="task_requests",
    domain="control",
    doc="What an operator asked the daemon to do; its state follows from task_attempts.",
    key=("request_id",),
    mode="append",
    owner="operator",
    clock="requested_at",
    root="the operator's request or decision",
    published_by_run=False,
    columns={
        "request_id": text("chosen by the client, so that a repeated request counts once", unit="id", max_length=80),
        "requested_at": instant("when"),
        "origin": Column(
            pl.String(), "name", "who requested it; the daemon itself after a crash", pattern="console|cli|daemon"
        ),
        "action": text("run, cycle, cancel, ...", unit="name", max_length=40),
        "target": text("the stage, task, run or model concerned", max_length=200),
        "session": Column(pl.Date(), "exchange date", "the session concerned", nullable=True),
        "arguments": text("further arguments", unit="JSON", max_length=20_000),
        "reason": text("why, in the operator's words", max_length=1_000),
    },
)

TRADE_DECISIONS = Table(
    name="trade_decisions",
    domain="control",
    doc="The operator's decision on a planned trade; the last one before its open counts.",
    key=("decision_id",),
    mode="append",
    owner="operator",
    clock="for_session",
    available="decided_at",
    published_by_run=False,
    columns={
        "decision_id": text("chosen by the client, so that a repeated decision counts once", unit="id", max_length=80),
        "plan_id": text("the plan", unit="id", max_length=60).refer_to("trade_plans.plan_id"),
        "for_session": Column(pl.Date(), "exchange date", "the session at whose open the plan may be filled"),
        "ticker": TICKER,
        "decision": Column(pl.String(), "name", "what was decided", pattern="approve|veto"),
        "reason": text("why, in the operator's words", max_length=1_000),
        "decided_at": instant("when; in a simulated market, its own time"),
        "origin": Column(pl.String(), "name", "where it was made", pattern="console|cli"),
    },
)

MODEL_CHOICES = Table(
    name="model_choices",
    domain="control",
    doc="The operator's choice of champion; `promote` puts the last one of a session into effect in its cycle.",
    key=("choice_id",),
    mode="append",
    owner="operator",
    clock="session",
    available="decided_at",
    published_by_run=False,
    columns={
        "choice_id": text("chosen by the client, so that a repeated choice counts once", unit="id", max_length=80),
        "session": Column(pl.Date(), "exchange date", "the session from whose cycle on it counts"),
        "choice": Column(pl.String(), "name", "what was chosen", pattern="promote|rollback"),
        "model_id": text("the model promoted, or the champion rolled back", unit="id", max_length=80).refer_to(
            "model_registry.model_id"
        ),
        "champion": text(
            "the champion then; null if there was none before the one rolled back",
            unit="id",
            nullable=True,
            max_length=80,
        ),
        "reason": text("why, in the operator's words", max_length=1_000),
        "decided_at": instant("when; in a simulated market, its own time"),
        "origin": Column(pl.String(), "name", "where it was made", pattern="console|cli"),
    },
)

TRADING_SWITCHES = Table(
    name="trading_switches",
    domain="control",
    doc="The operator's word that trading is paused, killed or resumed; `plan` and `execute` obey it.",
    key=("switch_id",),
    mode="append",
    owner="operator",
    clock="session",
    available="decided_at",
    root="the operator's request or decision",
    published_by_run=False,
    columns={
        "switch_id": text("chosen by the client, so that a repeated word counts once", unit="id", max_length=80),
        "session": Column(pl.Date(), "exchange date", "the first session whose plan was not published then"),
        "switch": Column(pl.String(), "name", "what was said", pattern="pause|kill|resume"),
        "closes_positions": flag("true for a kill that also closes what is held, at the opens that follow"),
        "lifts": Column(pl.List(pl.String()), "ids", "of a resume: the pauses and kills that its maker knew of"),
        "reason": text("why, in the operator's words", max_length=1_000),
        "decided_at": instant("when; in a simulated market, its own time"),
        "recorded_at": instant("when, by the computer's clock"),
        "origin": Column(pl.String(), "name", "where it was made", pattern="console|cli"),
        "decided_by": text("the user of the system who made it", max_length=80),
    },
)

TASK_DEFINITIONS = Table(
    name="task_definitions",
    domain="control",
    doc="Since when each task is scheduled as it is: an edit counts from the moment it was first seen, never before.",
    key=("task", "since"),
    mode="append",
    owner="kernel",
    clock="since",
    root="the schedule as it stood",
    published_by_run=False,
    columns={
        "task": text("the task", unit="name", max_length=60),
        "since": instant("when the daemon first saw this definition"),
        "trigger": text("when it is due; empty where it is off or gone", max_length=120),
        "exchange": text("the exchange whose sessions the trigger refers to", unit="ISO 10383", max_length=8),
        "zone": text("the time zone that the trigger refers to", unit="IANA zone", max_length=60),
    },
)

TASK_ATTEMPTS = Table(
    name="task_attempts",
    domain="control",
    doc="One row per event of each task and slot; with the calendar, they determine what is due.",
    key=("task", "slot", "attempt", "state"),
    mode="append",
    owner="kernel",
    clock="at",
    published_by_run=False,
    columns={
        "task": text("the task of the manifest, or request:<action>", unit="name", max_length=60),
        "slot": text(
            "which of its runs: a session, a date, a week, an instant, or a request's id", unit="id", max_length=80
        ).refer_to("task_requests.request_id"),
        "attempt": count("count", "0 for the first try"),
        "state": Column(
            pl.String(),
            "name",
            "what happened; released: an operator let a stopped task go on",
            pattern="started|done|failed|dead|skipped|cancelled|released",
        ),
        "follows": Column(
            pl.String(),
            "name",
            "what comes next; nothing while it runs or once it is settled",
            pattern="nothing|retry|fallback|stop|last-good|give-up",
        ),
        "due_at": instant("when the slot was due; for a request, when it was made"),
        "session": Column(pl.Date(), "exchange date", "the session it is for", nullable=True),
        "at": instant("when it happened"),
        "retry_at": instant("earliest moment of the next attempt", nullable=True),
        "pid": count("process id", "the worker; null where none was started", nullable=True),
        "process_started": text(
            "when the worker's process started, according to its system: process ids are reused", max_length=80
        ),
        "boot_id": text("the boot of the host it ran under", unit="id", max_length=80),
        "cycle_id": text("the cycle or run it published; empty if none", unit="id", max_length=80),
        "seconds": number("seconds", "how long the attempt took", nullable=True),
        "reason": text("why, as a sentence; empty if there is nothing to say", max_length=1_000),
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
    published_by_run=False,
    columns={
        "session": SESSION.refer_to("runs.session"),
        "service": text("a stage, a table, or 'predictions', 'book'", unit="name", max_length=60),
        "check": text("what was looked at", unit="name", max_length=60),
        "status": Column(pl.String(), "name", "verdict", pattern="ok|warn|fail"),
        "value": number("see check", "the figure", nullable=True),
        "limit": number("see check", "the level it is compared with", nullable=True),
        "message": text("the verdict as a sentence", max_length=500),
        "as_of": instant("the moment it describes"),
    },
)

SERVICE_HEARTBEATS = Table(
    name="service_heartbeats",
    domain="control",
    doc="The daemon's heartbeats and what it used: one row for some minutes of beats, to keep the log small.",
    key=("service", "until"),
    mode="append",
    owner="kernel",
    clock="until",
    root="a sign of life",
    published_by_run=False,
    columns={
        "service": text("the service", unit="name", max_length=40),
        "until": instant("the last beat in the row"),
        "since": instant("the first beat in the row"),
        "beats": count("count", "beats between them"),
        "longest_gap": number("seconds", "the longest pause between two beats"),
        "pid": count("process id", "the process"),
        "memory": count("bytes", "resident memory at the last beat"),
        "descriptors": count("count", "open file descriptors at the last beat"),
        "cpu": number("seconds", "processor time used since the process began"),
        "owed": count("count", "slots due and not yet settled at the last beat"),
        "running": count("count", "attempts running at the last beat"),
        "status": Column(pl.String(), "name", "its own verdict", pattern="ok|warn|fail"),
        "reason": text("the verdict as a sentence", max_length=500),
    },
)
