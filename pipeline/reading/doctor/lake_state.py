"""The lake and its schedule, by the one verdict on health that every other command repeats."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import datetime, timedelta

from lake.migrations import FORMAT
from lake.runs import last_session
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.settings import Settings
from pipeline.control.operator.mandates import name_strangers, standing_mandate
from pipeline.control.operator.unfinished_merges import list_unfinished
from pipeline.reading.doctor.finding import Finding
from pipeline.reading.health_verdict import Health
from pipeline.text_format import counted, rough_duration

TOPIC_OF = {
    "configuration": "configuration",
    "daemon": "schedule",
    "resources": "schedule",
    "schedule": "schedule",
    "disk": "disk",
    "alerts": "alerts",
    "trading": "lake",
    "object store": "network",
    "tables": "lake",
    "writer": "lake",
}
"""Part of the operation -> what it is told under; a table is the lake's, and any other part a task of the schedule."""
LARGEST_LEAD = timedelta(minutes=2)
"""By which the last run may have begun after the time that it is now."""


def look_at_lake(lake: Lake, health: Health, tables: frozenset[str]) -> Iterator[Finding]:
    """Format and state of the lake, and each part of the operation.

    Args:
        lake: only read.
        health: the verdict on it.
        tables: the names of all tables.
    """
    session = last_session(lake)
    upto = f"sessions up to {session}" if session else "no session yet; `nextgen cycle` runs one"
    yield Finding(
        "lake",
        "ok",
        f"{lake.exchange.address or lake.path} is a lake of format {FORMAT}, with {upto}",
        facts={"format": FORMAT},
    )
    yield from _openness(lake)
    yield from _unfinished_merges(lake)
    for part in health.parts:
        topic = TOPIC_OF.get(part.service, "lake" if part.service in tables else "schedule")
        fix = part.fix or ("" if part.status == "ok" else "`nextgen status` tells more")
        yield Finding(topic, part.status, part.reason, fix)
    told = {part.service for part in health.parts}
    others = [one for one in health.problems if one.part not in told]
    if others:
        words = f"The last report has {counted(len(others), 'problem')}, the worst: {others[0].what}"
        yield Finding("lake", others[0].status, words, others[0].fix or "`nextgen status` tells more")


def look_at_mandate(lake: Lake, settings: Settings) -> Iterator[Finding]:
    """Names that the mandate speaks of and nothing is called: an exclusion that is misspelt excludes nothing."""
    fix = "correct it with `nextgen mandate set`, or under [trading.mandate] in nextgen.toml where none was ever set"
    for stranger in name_strangers(lake, standing_mandate(lake, settings.trading.mandate).mandate):
        yield Finding("configuration", "warn", f"The mandate names what there is not: {stranger}", fix)


def compare_clock(lake: Lake, now: datetime) -> Iterator[Finding]:
    """Whether the time is later than that of the last run: a clock that was set back makes runs come before others."""
    last = lake.read(RUNS, columns=("started_at",))["started_at"].max()
    if isinstance(last, datetime) and last - now > LARGEST_LEAD:
        words = f"The last run began {rough_duration(last - now)} later than it is now: the clock was set back"
        yield Finding("clock", "fail", words, "set the clock: `timedatectl set-ntp true`", {"last_run": last})


def _unfinished_merges(lake: Lake) -> Iterator[Finding]:
    for merge in list_unfinished(lake):
        words = (
            f"The merge of the branch {merge['branch']} of {merge['merged_at']:%Y-%m-%d} was cut off; a part is lacking"
        )
        fix = f"`nextgen branch merge {merge['branch']} --reason ...` brings what is lacking, under the same decision"
        yield Finding("lake", "warn", words, fix, {"merge": merge["merge_id"]})


def _openness(lake: Lake) -> Iterator[Finding]:
    mode = stat.S_IMODE(lake.path.stat().st_mode)
    if mode & stat.S_IRWXO:
        words = "Every user of this machine can read the lake"
        yield Finding("lake", "warn", words, 'set `runtime.access = "private"` in nextgen.toml, or "group"')
