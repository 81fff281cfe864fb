"""What the book would have been under other settings: a branch for the question alone, compared and taken away."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from uuid import uuid4

from lake.branches.branch import MAIN, discard_branch
from lake.runs import cycle_sessions
from lake.storage.disk import require_writable
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.check_values import Given
from pipeline.config.settings import Settings
from pipeline.engine.work import Progress, silent
from pipeline.market.sessions import Sessions
from pipeline.research import ResearchError
from pipeline.research.asked import WhatIf, count_what_ifs
from pipeline.research.compare_runs import RETURN, RunComparison, Side, compare_runs
from pipeline.research.desk import NotOnDeskError
from pipeline.research.desk.answer import compare_with_book
from pipeline.research.desk.desk import Desk
from pipeline.research.desk.rules_apart import RuleApart, RuleUntold, tell_rules_apart
from pipeline.research.holdout import refuse_holdout
from pipeline.research.sides import open_side
from pipeline.research.variants.variant_branch import find_eve, make_variant, resolve_variant, run_variant
from pipeline.research.variants.variant_replay import find_chosen


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
    runs_stages: bool = False,
) -> RunComparison:
    """Tell what the book would have been under other settings, and compare.

    Where stored forecasts answer it to the cent, book and orders alone are computed again; else the stages run again,
    as far as something may differ.

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
        runs_stages: whether stages run in any case.

    Raises:
        ResearchError: if the lake has not run those sessions, or they are put aside.
        StorageError: if the lake cannot be written, so that the question would not count.
        StageFailedError: if a stage raises.
    """
    require_writable(lake.path)  # each question counts: one that could not be recorded is not answered
    first, last = _find_span(lake, first, last)
    refuse_holdout(settings, last, "what-if")
    why_not = ""
    if not (keep or tries_code or runs_stages):
        try:
            compared = _ask_desk(lake, settings, calendar, chosen, find_eve(lake, first, last), last, progress)
            return _count(lake, compared, chosen)
        except NotOnDeskError as reason:
            why_not = str(reason)
    name = keep or f"what-if-{uuid4().hex[:8]}"
    branch = make_variant(lake, name, first, last, chosen, "what if")
    try:
        run_variant(lake.path, branch.path, last, progress, tries_code=tries_code or not chosen)
        there = replace(open_side(lake, name), name="what-if")
        compared = compare_runs(Side(MAIN, lake, settings), there, calendar, first, last)
        compared = replace(compared, computed=f"The stages ran again, since {why_not}." if why_not else "")
        return _count(lake, compared, chosen)
    finally:
        if not keep:
            discard_branch(lake.path, name)


def ask_each_rule(
    lake: Lake,
    settings: Settings,
    calendar: Sessions,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = silent,
) -> list[RuleApart | RuleUntold]:
    """Tell what each rule of the book brought: the book beside one without it.

    Args:
        lake: it is read alone.
        settings: its own.
        calendar: the sessions.
        first: first session; the second one that the lake has run where None.
        last: the last one; the lake's last where None.
        progress: told of each rule.

    Raises:
        ResearchError: if the lake has not run those sessions, they are put aside, or the book alone does not tell.
        StorageError: if the lake cannot be written, so that the questions would not count.
    """
    require_writable(lake.path)  # each question counts: one that could not be recorded is not answered
    first, last = _find_span(lake, first, last)
    refuse_holdout(settings, last, "what-if")
    try:
        rules = list(tell_rules_apart(lake, settings, calendar, find_eve(lake, first, last), last, progress))
    except NotOnDeskError as reason:
        raise ResearchError(
            f"rules cannot be told apart from {first} to {last}, since {reason}; choose other sessions with --from and"
            " --to, or run `nextgen what-if --set trading.philosophy.order=...` without the rule"
        ) from None
    told = [one for one in rules if isinstance(one, RuleApart)]
    left_out = ({"trading.philosophy.order": f"without {one.rule}"} for one in told)
    returns = [(one.returned.other, one.returned.one) for one in told]
    count_what_ifs(lake, [WhatIf(one, first, last, *pair) for one, pair in zip(left_out, returns, strict=True)])
    return rules


def _count(lake: Lake, compared: RunComparison, chosen: Mapping[str, Given]) -> RunComparison:
    tried = {key: given.value for key, given in chosen.items()} | {key: value for key, _, value in compared.settings}
    found = compared.figure(RETURN)
    count_what_ifs(lake, [WhatIf(tried, compared.first, compared.last, found.one, found.other)])
    return compared


def _find_span(lake: Lake, first: date | None, last: date | None) -> tuple[date, date]:
    done = cycle_sessions(lake.read(RUNS, columns=("run_id", "session", "work", "status")))
    if len(done) < 2:
        raise ResearchError("the lake has run fewer than two sessions, and a variant begins after one; run some first")
    return first or done[1], last or done[-1]


def _ask_desk(
    lake: Lake,
    settings: Settings,
    calendar: Sessions,
    chosen: Mapping[str, Given],
    eve: date,
    last: date,
    progress: Progress,
) -> RunComparison:
    tried = resolve_variant(lake, chosen).settings
    with _no_search_for_rubbish():
        results = Desk(lake, calendar, eve, last).ask(find_chosen(settings, tried, chosen), progress)
        return compare_with_book(lake, (settings, tried), (MAIN, "what-if"), results, calendar)


@contextmanager
def _no_search_for_rubbish() -> Iterator[None]:
    """What one question makes is needed until it is answered: to look through it again and again takes a fourteenth."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()
