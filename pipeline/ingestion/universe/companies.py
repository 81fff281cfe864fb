"""Whose history each ticker of the universe has, as each decision of a range could know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.ingestion.universe.params import UniverseParams
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions


def trace_companies(
    corporate_actions: pl.DataFrame, bars: pl.DataFrame, calendar: Sessions, params: UniverseParams
) -> Securities:
    """Work out who had which ticker; by an earlier program's lights every ticker is one company."""
    if params.securities == 1:
        return Securities.trace(corporate_actions.clear())
    return Securities.trace(corporate_actions, bars, calendar, params.max_gap)


def split_by_knowledge(
    corporate_actions: pl.DataFrame, moment: Moment, decisions: pl.DataFrame, params: UniverseParams
) -> Iterator[tuple[pl.DataFrame, Moment]]:
    """Split a range of sessions wherever a rename or delisting became known late.

    Args:
        corporate_actions: those kinds, with ticker, ex_date and available_at.
        moment: the range.
        decisions: session and decided_at of the sessions in reach.
        params: an earlier program split nothing.

    Yields:
        What is known, and the sessions that know it: all that takes effect in time, and what was told late by then.
    """
    if params.securities == 1:
        yield corporate_actions, moment
        return
    known = decisions.select(available_at="decided_at", known="session")
    effective = decisions.select(effective="session")
    facts = (
        corporate_actions.sort("available_at")
        .join_asof(known, on="available_at", strategy="forward")
        .sort("ex_date")
        .join_asof(effective, left_on="ex_date", right_on="effective", strategy="forward", coalesce=False)
    )
    late = (pl.col("known") > pl.col("effective")).fill_null(False)
    told = facts.filter(late, pl.col("known") > moment.since)["known"].unique().sort()
    starts: list[date] = [moment.since, *told]
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        last = moment.session if following is None else moment.calendar.previous(following)
        at_hand = facts.filter(~late | (pl.col("known") <= start))
        yield at_hand.select(corporate_actions.columns), replace(moment, since=start, session=last)
