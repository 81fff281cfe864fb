"""What a person can type after `:`, and what asking the daemon for it would read and write."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from uuid import uuid4

from lake.contract import Table
from nextgen_tui.text.safe_text import safe_text
from pipeline.control.daemon.main import daemon_command
from pipeline.control.operator.requests import EXPIRES_AFTER, Request
from pipeline.control.schedule.task import ACTIONS
from pipeline.engine.session_order import CYCLE, REPORT, TRAINING, find_stage, load_stages
from pipeline.engine.stage import Stage
from pipeline.reading.daemon import NO_DAEMON
from pipeline.text_format import counted

LOCAL_COMMANDS = {
    "at": "at MOMENT      show every screen as of a past session or moment",
    "live": "live           return to now",
    "go": "go SCREEN      health, data, predictions, ...",
    "export": "export FILE    write the sheet as .csv or .parquet",
    "sql": "sql QUESTION   ask any table in SQL, at the moment shown; without a question, what was asked before",
    "doctor": "doctor         machine, lake, keys, clock and more, each with what mends it",
    "filter": "filter NAME    set a saved filter; filter save NAME, filter forget NAME; alone it lists them",
    "lake": "lake PATH      show another lake; alone it lists those that were opened",
    "branch": "branch NAME    show a branch of this lake; main leads back",
    "what-if": "what-if KEY=VALUE   the book under other settings, beside the real one",
    "theme": "theme          switch between dark and light",
    "daemon": "daemon         start a daemon on this lake",
    "quit": "quit",
}
"""Commands of the console itself, with what they do."""
ALONE = ("live", "doctor", "theme", "daemon", "quit")
"""Commands of the console that nothing can be added to."""
REQUEST_COMMANDS = {
    "cycle": "cycle [SESSION]      run the whole cycle of a session",
    "train": "train [SESSION]      train a challenger and evaluate it",
    "maintain": "maintain             maintain the lake",
    "run": "run STAGE[,STAGE]    run single stages",
    "task": "task NAME            run a scheduled task now",
    "approve": "approve PLAN         approve a planned trade before its open",
    "veto": "veto PLAN            veto a planned trade before its open",
    "pause": "pause                order nothing new from now on",
    "kill": "kill [close]         stop all orders; close sells all that is held",
    "resume": "resume               let trading go on",
    "promote": "promote MODEL        make it champion from the next cycle on",
    "rollback": "rollback [MODEL]     restore the previous champion",
    "reproduce": "reproduce RUN        recompute it, compare every bit",
    "retry": "retry TASK SLOT      run a stopped slot again",
    "skip": "skip TASK SLOT       go on without a stopped slot",
    "cancel": "cancel TASK SLOT     stop it, or take it off the backlog",
}
"""Commands that become requests to the daemon, or decisions that are recorded at once."""
MAX_NAMES = 12
"""Tables that a dialog names one by one."""
SWITCHES = ("pause", "kill", "resume")
"""What stops all trading, and lets it go on."""
IMMEDIATE = ("approve", "veto", *SWITCHES)
"""What needs no daemon: a decision has to be recorded before the open."""


class CommandError(ValueError):
    """What was typed cannot be understood; the text says what can be typed."""


@dataclass(frozen=True)
class Local:
    """A command the console carries out itself."""

    name: str
    argument: str = ""


@dataclass(frozen=True)
class PendingRequest:
    """A request as it would be sent, and what it would do."""

    request: Request
    lines: tuple[str, ...]

    @property
    def immediate(self) -> bool:
        """Whether it is put on record here and now, without the daemon."""
        return self.request.action in IMMEDIATE

    @property
    def requires_reason(self) -> bool:
        """Whether it is refused without one: a veto is judged later, and a stop seen by others."""
        return self.request.action in ("veto", "pause", "kill")

    def with_reason(self, reason: str) -> PendingRequest:
        """The same with a reason."""
        return replace(self, request=replace(self.request, reason=reason[:1_000]))


def parse(words: str, moment: datetime, about: str = "") -> Local | PendingRequest:
    """Understand a command; `about` says more of what it names, where that is known.

    Raises:
        CommandError: saying what is wrong and what can be typed.
    """
    name, *rest = words.split() or [""]
    if name in LOCAL_COMMANDS:
        if rest and name in ALONE:
            raise CommandError(f"{name} takes no words, got {safe_text(' '.join(rest), 40)!r}")
        return Local(name, words.strip().partition(" ")[2].strip())
    if name in REQUEST_COMMANDS:
        return build_request(name, rest, moment, about)
    near = get_close_matches(name, [*LOCAL_COMMANDS, *REQUEST_COMMANDS], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join([*REQUEST_COMMANDS, *LOCAL_COMMANDS])}"
    raise CommandError(f"there is no command {name!r}; {hint}")


def find_name(words: str, names: Sequence[str], kind: str) -> str:
    """The one of some names that a word is, or is the beginning of, in capitals or not.

    Raises:
        CommandError: if it is none of them, or the beginning of several; with those there are.
    """
    word = " ".join(words.casefold().split())
    found = [name for name in names if name.casefold() == word]
    found = found or [name for name in names if word and name.casefold().startswith(word)]
    if len(found) == 1:
        return found[0]
    near = get_close_matches(word, [name.casefold() for name in names], n=1)
    hint = f"did you mean {near[0]!r}?" if near and not found else f"choose from {', '.join(found or names)}"
    begins = "more than one" if found else "no"
    asked = f"there is {begins} {kind} {safe_text(words, 40)!r}" if word else f"{kind} needs a name"
    raise CommandError(f"{asked}; {hint}")


def build_request(name: str, rest: Sequence[str], moment: datetime, about: str = "") -> PendingRequest:
    """The request a command amounts to, and what it will read and write.

    Raises:
        CommandError: if its arguments do not fit.
    """
    session: date | None = None
    target, lines = "", tuple[str, ...]()
    if name in ACTIONS:
        session = _session(name, rest)
        lines = _work_lines(name)
    elif name == "run":
        target = ",".join(part for part in ",".join(rest).split(",") if part)
        lines = _stage_lines(target)
    elif name == "task":
        target = _only(name, rest)
        lines = (f"runs the scheduled task {target!r} now instead of when it is due",)
    elif name in SWITCHES:
        target = _switch_target(name, rest)
        lines = (*EFFECTS[name], CLOSES) if target else EFFECTS[name]
    elif name in EFFECTS:
        target = "" if name == "rollback" and not rest else _only(name, rest)
        lines = EFFECTS[name]
    else:
        target = _slot(name, rest)
        lines = (_steering(name, target),)
    lines = (about, *lines) if about else lines
    request = Request(
        request_id=f"console-{uuid4().hex[:16]}",
        requested_at=moment,
        origin="console",
        action=name,
        target=target,
        session=session,
    )
    return PendingRequest(request, lines)


EFFECTS = {
    "approve": (
        "reads   the plan and the exchange's calendar: after the open it is too late",
        "writes  one row of trade_decisions; the order goes to the open",
    ),
    "veto": (
        "reads   the plan and the exchange's calendar: after the open it is too late",
        "writes  one row of trade_decisions; the order stays unfilled, with your reason",
        "        what it would have earned is evaluated later",
    ),
    "pause": (
        "writes  one row of trading_switches; from now on nothing new is ordered, until :resume",
        "        orders whose plan is published stand; data, forecasts and training go on",
    ),
    "kill": (
        "writes  one row of trading_switches; from now on no order is filled, until :resume",
        "        orders that wait for their open are cancelled; data, forecasts and training go on",
    ),
    "resume": (
        "reads   trading_switches: what holds now",
        "writes  one row of trading_switches; the next plan may order, what was stopped stays unfilled",
    ),
    "promote": (
        "reads   model_registry: the model's weights, and that they fit today's features",
        "writes  one row of model_choices; champion from the next cycle on, as a row of model_promotions",
    ),
    "rollback": (
        "reads   model_promotions and model_choices",
        "writes  one row of model_choices; champion from the next cycle on, as a row of model_promotions",
    ),
    "reproduce": (
        "reads   the inputs of the run, or of each run of the cycle, at the versions it recorded",
        "writes  nothing; the answer is IDENTICAL, or the first row and column that differ",
    ),
}
"""Command -> what it reads and writes."""
CLOSES = "        everything that is held is sold at the next open"


def start_daemon(lake: Path) -> None:
    """Start a daemon on the lake that outlives the console.

    Raises:
        OSError: if it cannot be started.
    """
    subprocess.Popen(
        daemon_command(lake),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def now() -> datetime:
    """The wall's time; commands take it as an argument."""
    return datetime.now(UTC)


WAITING_HOURS = f"{EXPIRES_AFTER.total_seconds() / 3600:.0f} hours"
WAITS_FOR_DAEMON = f"{NO_DAEMON}: the request waits up to {WAITING_HOURS} for one (:daemon starts one)."


def _work_lines(name: str) -> tuple[str, ...]:
    stages = load_stages({"cycle": (*CYCLE, *REPORT), "train": tuple(TRAINING)}.get(name, ()))
    if not stages:
        return ("reads   every table", "writes  many small files as a few large ones, and checkpoints; no row changes")
    return (
        f"runs    {_count_stages(stages, name)}: {ACTIONS[name]}",
        f"reads   {_name_tables(read.table for one in stages for read in one.reads)}",
        f"writes  {_name_tables(one.writes for one in stages)}",
    )


def _count_stages(stages: Sequence[Stage], name: str) -> str:
    """As many as the screens count of a cycle; what runs only where a training is due, and the report, come on top."""
    if name != "cycle":
        return counted(len(stages), "stage")
    names = {one.name for one in stages}.difference(REPORT)
    every, due = len(names.difference(TRAINING)), len(names.intersection(TRAINING))
    return f"{counted(every, 'stage')}, {due} more where a training is due, and the report"


def _name_tables(tables: Iterable[Table]) -> str:
    """Tables by name, or how many of each domain where nobody would read so many names."""
    domains = {table.name: table.domain for table in tables}
    if len(domains) <= MAX_NAMES:
        return ", ".join(domains)
    counts = Counter(domains.values())
    return f"{len(domains)} tables: {', '.join(f'{count} of {domain}' for domain, count in counts.items())}"


def _stage_lines(target: str) -> tuple[str, ...]:
    if not target:
        raise CommandError("run needs the stages to run: `run predict` or `run predict,plan`")
    lines, named = [], target.split(",")
    if again := next((name for name in named if named.count(name) > 1), None):
        raise CommandError(f"run names the stage {again!r} more than once")
    for name in named:
        try:
            one = find_stage(name)
        except KeyError as error:
            raise CommandError(str(error.args[0])) from None
        lines.append(f"{one.name}: reads {', '.join(read.table.name for read in one.reads)}; writes {one.writes.name}")
    return tuple(lines)


def _steering(name: str, target: str) -> str:
    return {
        "retry": f"runs {target} again: the daemon tries it at once",
        "skip": f"skips {target}: what waits for it goes ahead without it",
        "cancel": f"stops {target} if it is running, and does not start it if it is overdue",
    }[name]


def _session(name: str, rest: Sequence[str]) -> date | None:
    if not rest:
        return None
    if len(rest) > 1 or name == "maintain":
        raise CommandError(
            f"{name} takes {'no words' if name == 'maintain' else 'one session at most'}, got {' '.join(rest)!r}"
        )
    try:
        return date.fromisoformat(rest[0])
    except ValueError:
        raise CommandError(f"{rest[0]!r} is not a session; write it as 2026-01-05") from None


def _switch_target(name: str, rest: Sequence[str]) -> str:
    if rest and (name, *rest) != ("kill", "close"):
        raise CommandError(
            f"{name} takes {'only the word close' if name == 'kill' else 'no words'}; the reason is asked"
        )
    return " ".join(rest)


def _only(name: str, rest: Sequence[str]) -> str:
    if len(rest) != 1:
        raise CommandError(f"{name} needs one name: `{REQUEST_COMMANDS[name].split('  ')[0]}`")
    return rest[0]


def _slot(name: str, rest: Sequence[str]) -> str:
    if len(rest) == 1 and ("/" in rest[0] or name == "cancel"):
        return rest[0]
    if len(rest) != 2:
        raise CommandError(f"{name} needs a task and its slot, as in `{name} cycle 2026-01-05`; screen 8 lists them")
    return "/".join(rest)
