"""What each session of a range could know: the last revision that was public when its decision was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from pipeline.engine.stage import Moment
from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.securities.following import Securities


@dataclass(frozen=True)
class Facts:
    """The dated facts behind a run's features, every revision of them."""

    market_prices: pl.DataFrame
    corporate_actions: pl.DataFrame
    news_sentiment: pl.DataFrame


@dataclass(frozen=True)
class Epoch:
    """Consecutive sessions that share one state of knowledge, and the facts of that state, one row per entity."""

    sessions: list[date]
    facts: Facts


_CLOCKS = {"market_prices": "session", "corporate_actions": "ex_date", "news_sentiment": "session"}
_ENTITIES = {
    "market_prices": ["ticker", "session"],
    "corporate_actions": ["ticker", "ex_date", "kind", "sequence"],
    "news_sentiment": ["article_id", "ticker", "scorer", "prompt_version"],
}


def epochs(facts: Facts, moment: Moment) -> Iterator[Epoch]:
    """Split the sessions to compute wherever a late fact became known.

    A session of a range knows what had become public by as long after its close as the run's as-of lies after
    the close of the last session, and before the next open. A fact that became public later than that, such as a
    restated bar, is late: it counts from the first session that could know it. Without late facts there is one
    epoch, so the common case costs one pass.
    """
    sessions = moment.sessions
    cutoffs = np.array([_to_microseconds(instant) for instant in _list_cutoffs(moment)], dtype=np.int64)
    known = {name: _when_known(getattr(facts, name), name, sessions, cutoffs) for name in _CLOCKS}
    starts = sorted({0, *(int(at) for late in known.values() for at in late.starts if at < len(sessions))})
    for start, end in zip(starts, [*starts[1:], len(sessions)], strict=True):
        state = {
            name: _keep_last_revisions(getattr(facts, name).filter(pl.Series(late.since < end)), name)
            for name, late in known.items()
        }
        yield Epoch(sessions[start:end], Facts(**state))


def name_epoch(epoch: Epoch, companies: Securities) -> Epoch:
    """Put companies in the place of tickers in all facts of an epoch."""
    facts = epoch.facts
    bars = companies.name_companies(facts.market_prices, "session")
    return Epoch(
        epoch.sessions,
        Facts(
            bars,
            restate_in_gaps(companies.name_actions(facts.corporate_actions), bars),
            companies.name_companies(facts.news_sentiment, "session"),
        ),
    )


@dataclass(frozen=True)
class _Knowledge:
    since: np.ndarray
    """Per row: number of the first session that knows it; the count of sessions if none does."""
    starts: np.ndarray
    """Numbers of the sessions at which late rows became known."""


def _list_cutoffs(moment: Moment) -> list[datetime]:
    """Until when each session to compute could learn facts."""
    calendar, last = moment.calendar, moment.session
    lag = moment.as_of - calendar.close_at(last)
    earlier = [
        min(calendar.close_at(day) + lag, calendar.open_at(calendar.next(day)))
        for day in moment.sessions
        if day != last
    ]
    return [*earlier, moment.as_of]


def _when_known(frame: pl.DataFrame, name: str, sessions: list[date], cutoffs: np.ndarray) -> _Knowledge:
    available = frame["available_at"].dt.epoch("us").to_numpy()
    days = np.array(sessions, dtype="datetime64[D]").astype(np.int64)
    own = np.searchsorted(days, frame[_CLOCKS[name]].to_physical().to_numpy())
    since = np.maximum(np.searchsorted(cutoffs, available), own)
    return _Knowledge(since, np.unique(since[since > own]))


def _keep_last_revisions(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The last revision of each entity, unless that withdraws it; the frame is sorted by its table's key."""
    entity = _ENTITIES[name]
    differs = pl.any_horizontal(pl.col(part) != pl.col(part).shift(-1) for part in entity)
    last = frame.filter(differs.fill_null(True))
    return last.filter(~pl.col("withdrawn").fill_null(value=False)) if "withdrawn" in frame.columns else last


def _to_microseconds(instant: datetime) -> int:
    return int(np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us").astype(np.int64))
