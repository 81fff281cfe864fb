"""Answers what the book would have been from stored forecasts, on a book in memory: in seconds, and to the cent."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from lake.runs import DONE, Run
from lake.store import Lake
from lake.tables.control import RUNS, WorkKind
from lake.tables.trading import MANDATES
from pipeline.engine.executor import parse_params
from pipeline.engine.runner import Progress, silent
from pipeline.engine.stages import find_stage
from pipeline.market.sessions import Sessions
from pipeline.research.desk.book import SessionResult
from pipeline.research.desk.facts import DeskFacts, DeskSession
from pipeline.research.desk.scope import check_history, check_settings
from pipeline.research.desk.start import stand_at
from pipeline.research.desk.stored_rows import StoredRows
from pipeline.research.variants.variant_executor import replace_values
from pipeline.trading.mandates.mandate import read_mandate

PLAN = "plan"
SECTION = "trading."


class Desk:
    """The sessions of a span, read once, about which any number of questions may be asked."""

    def __init__(self, lake: Lake, calendar: Sessions, eve: date, last: date) -> None:
        """Read them.

        Args:
            lake: read alone.
            calendar: its sessions.
            eve: the session after whose cycle books go their own way.
            last: the last session.

        Raises:
            NotOnDeskError: if running the stages may give other answers.
        """
        self._runs = _read_runs(lake, eve, last)
        check_history(lake, self._runs, eve, last)
        self._mandates = StoredRows(lake, MANDATES, None, last)
        self._facts = DeskFacts(lake, calendar, [self._ask(run, {}) for run in self._runs[1:]])
        self._start = stand_at(lake, calendar, eve)

    def ask(self, chosen: Mapping[str, Any], progress: Progress = silent) -> list[SessionResult]:
        """Decide, fill and value the book again under other settings.

        Args:
            chosen: the settings that differ, by dotted key, parsed.
            progress: told of each session.

        Raises:
            NotOnDeskError: if running the stages may give another answer.
        """
        check_settings(chosen)
        book, found, count = deepcopy(self._start), [], len(self._runs) - 1
        for number, run in enumerate(self._runs[1:]):
            progress(f"session {run.recipe.session}", number, count)
            found.append(book.follow(self._ask(run, chosen), self._facts))
        progress("done", count, count)
        return found

    def _ask(self, run: Run, chosen: Mapping[str, Any]) -> DeskSession:
        """A session with its recorded settings, what is tried in their place, and the mandate that counted then."""
        session, as_of = run.recipe.session, run.recipe.as_of
        recorded = parse_params(find_stage(PLAN), run.recipe.params)
        own = {key.removeprefix(SECTION): value for key, value in chosen.items()}
        params = replace_values(recorded, own)
        standing = read_mandate(self._mandates.cut(None, session, as_of), params.mandate).mandate
        return DeskSession(session, as_of, replace(params, mandate=standing))


def _read_runs(lake: Lake, eve: date, last: date) -> list[Run]:
    wanted = DONE & (pl.col("stage") == PLAN) & (pl.col("work") == WorkKind.CYCLE)
    rows = lake.read(RUNS, since=eve, until=last, where=wanted).sort("session", "started_at")
    return [Run.from_row(row) for row in rows.unique("session", keep="last", maintain_order=True).iter_rows(named=True)]
