"""Answers what the book would have been from stored forecasts, on a book in memory: in seconds, and to the cent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple

import polars as pl

from lake.runs import DONE, Run
from lake.store import Lake
from lake.tables.control import RUNS, WorkKind
from lake.tables.trading import MANDATES
from pipeline.engine.executor import parse_params
from pipeline.engine.session_order import find_stage
from pipeline.engine.work import Progress, silent
from pipeline.market.sessions import Sessions
from pipeline.research.desk import DeskSession
from pipeline.research.desk.book import SessionResult
from pipeline.research.desk.facts import DeskFacts
from pipeline.research.desk.scope import check_history, check_settings
from pipeline.research.desk.start import stand_at
from pipeline.research.desk.stored_rows import StoredRows
from pipeline.research.variants.variant_executor import replace_values
from pipeline.trading.mandates.mandate import Mandate, read_mandate
from pipeline.trading.params import TradingParams

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
        self._recorded = list(_read_settings(self._runs[1:], StoredRows.read(lake, MANDATES, None, last)))
        self._facts = DeskFacts(lake, calendar, list(self._try({})))
        self._start = stand_at(lake, calendar, eve)
        self._calendar = calendar

    def ask(self, chosen: Mapping[str, Any], progress: Progress = silent) -> list[SessionResult]:
        """Decide, fill and value the book again under other settings.

        Args:
            chosen: the settings that differ, by dotted key, parsed.
            progress: told of each session.

        Raises:
            NotOnDeskError: if running the stages may give another answer.
        """
        check_settings(chosen)
        shared = {id(self._calendar): self._calendar}  # what never changes is not copied
        book, found, count = deepcopy(self._start, shared), [], len(self._recorded)
        for number, asked in enumerate(self._try(chosen)):
            progress(f"session {asked.session}", number, count)
            found.append(book.follow(asked, self._facts))
        progress("done", count, count)
        return found

    def _try(self, chosen: Mapping[str, Any]) -> Iterator[DeskSession]:
        """The sessions with what is tried in the place of their settings, and the mandate that counted then."""
        own = {key.removeprefix(SECTION): value for key, value in chosen.items()}
        for session, as_of, params, mandate in self._recorded:
            tried = replace_values(params, own)
            yield DeskSession(session, as_of, tried if mandate is None else replace(tried, mandate=mandate))


class _Recorded(NamedTuple):
    """A session as it was run."""

    session: date
    as_of: datetime
    params: TradingParams
    mandate: Mandate | None
    """The last one that was set by then; None where none ever was, and that of the settings counts."""


def _read_settings(runs: Sequence[Run], mandates: StoredRows) -> Iterator[_Recorded]:
    """Sessions in a row mostly share their settings, which are parsed once."""
    recorded, params = None, TradingParams()
    for run in runs:
        session, as_of = run.recipe.session, run.recipe.as_of
        if run.recipe.params != recorded:
            recorded = run.recipe.params
            params = parse_params(find_stage(PLAN), recorded)
        stated = None if mandates.rows.is_empty() else mandates.cut(None, session, as_of)
        told = None if stated is None or stated.is_empty() else read_mandate(stated, params.mandate).mandate
        yield _Recorded(session, as_of, params, told)


def _read_runs(lake: Lake, eve: date, last: date) -> list[Run]:
    wanted = DONE & (pl.col("stage") == PLAN) & (pl.col("work") == WorkKind.CYCLE)
    rows = lake.read(RUNS, since=eve, until=last, where=wanted).sort("session", "started_at")
    return [Run.from_row(row) for row in rows.unique("session", keep="last", maintain_order=True).iter_rows(named=True)]
