"""What has to be read for a run's expressions, and how far back: nothing for facts that none of them uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.features.engine.expressions import COMPARISONS, Expression, count_leads
from pipeline.features.facts.declarations import OF_BARS, OF_NEWS
from pipeline.plugins.extensions import Extensions

Spans = Sequence[tuple[date, date]]


class Reach(NamedTuple):
    """How many sessions before its own some expressions look at, by what they look at; -1 where they do not."""

    news: int
    bars: int
    members: int


@lru_cache(maxsize=8)
def measure_reach(expressions: tuple[Expression, ...]) -> Reach:
    """What these expressions need."""
    leads = count_leads(expressions)

    def furthest(facts: frozenset[str]) -> int:
        return max((leads[one] for one in leads if one.operation == "fact" and one.text in facts), default=-1)

    compared = (leads[one] for one in leads if one.operation in COMPARISONS)
    return Reach(furthest(OF_NEWS), furthest(OF_BARS), max(compared, default=-1))


def uses_bars(extensions: Extensions) -> bool:
    """Whether anything is computed from bars within sessions."""
    return _reach_of(extensions).bars >= 0


def span_members(_: Mapping[str, pl.DataFrame], moment: Moment) -> Spans:
    """The sessions whose members are compared."""
    return _look_back(moment, _reach_of(moment.extensions).members)


def span_news(_: Mapping[str, pl.DataFrame], moment: Moment) -> Spans:
    """The sessions whose news counts."""
    return _look_back(moment, _reach_of(moment.extensions).news)


def span_bars(_: Mapping[str, pl.DataFrame], moment: Moment) -> Spans:
    """The sessions whose bars count."""
    return _look_back(moment, _reach_of(moment.extensions).bars)


def _look_back(moment: Moment, sessions: int) -> Spans:
    if sessions < 0:
        return ()
    return ((moment.calendar.offset(moment.since, -sessions), moment.since),)


def _reach_of(extensions: Extensions) -> Reach:
    return measure_reach(tuple(one.kernel for one in extensions.features if isinstance(one.kernel, Expression)))
