"""What the book would have been under other settings: a branch for the question alone, compared and taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from uuid import uuid4

from lake.branches.branch import MAIN, discard_branch
from lake.runs import cycle_sessions
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.check_values import Given
from pipeline.config.settings import Settings
from pipeline.engine.runner import Progress, silent
from pipeline.market.sessions import Sessions
from pipeline.research import ResearchError
from pipeline.research.compare_runs import RunComparison, Side, compare_runs
from pipeline.research.holdout import refuse_holdout
from pipeline.research.sides import open_side
from pipeline.research.variants.variant_branch import make_variant, run_variant


def ask_what_if(
    lake: Lake,
    settings: Settings,
    calendar: Sessions,
    chosen: Mapping[str, Given],
    first: date | None = None,
    last: date | None = None,
    keep: str = "",
    progress: Progress = silent,
    *,
    tries_code: bool = False,
) -> RunComparison:
    """Run sessions that the lake has run again under other settings, and compare; what cannot differ is not computed.

    Args:
        lake: it is read alone.
        settings: its own.
        calendar: the sessions.
        chosen: the settings that differ, by dotted key; none for today's code alone.
        first: first session; the second one that the lake has run where None.
        last: the last one; the lake's last where None.
        keep: name of the branch that is left; it is taken away where empty.
        progress: told of each session.
        tries_code: whether stages are computed whose code alone has changed since they ran; so without `chosen`.

    Raises:
        ResearchError: if the lake has not run those sessions, or they are put aside.
        StageFailedError: if a stage raises.
    """
    done = cycle_sessions(lake.read(RUNS, columns=("run_id", "session", "work", "status")))
    if len(done) < 2:
        raise ResearchError("the lake has run fewer than two sessions, and a variant begins after one; run some first")
    first, last = first or done[1], last or done[-1]
    refuse_holdout(settings, last, "what-if")
    name = keep or f"what-if-{uuid4().hex[:8]}"
    branch = make_variant(lake, name, first, last, chosen, "what if")
    try:
        run_variant(lake.path, branch.path, last, progress, tries_code=tries_code or not chosen)
        there = replace(open_side(lake, name), name="what-if")
        return compare_runs(Side(MAIN, lake, settings), there, calendar, first, last)
    finally:
        if not keep:
            discard_branch(lake.path, name)
