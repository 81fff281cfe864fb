"""Finds renames that contradict each other: a ticker with two successors, and a company that is sent in a circle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import polars as pl

from pipeline.ingestion.actions.action_coverage import COVERAGE, EVERY_TICKER, OPERATOR
from pipeline.market.sessions import Sessions

ONE_SUCCESSOR = "a ticker has one successor"
NO_CIRCLE = "renames lead in no circle; companies that take each other's tickers on one day are a ticker_swap of each"
WHOLE_SWAP = "a ticker_swap is stated of each company that takes part, all on one day"
ONE_COMER = "the ticker of a company that takes part in a ticker_swap goes to no third company on that day"
SWAP = "ticker_swap"
"""The nature of renames by which companies take each other's tickers: nothing else tells them from a circle."""
_PARTS = ("ex_date", "ticker", "successor", "nature")
QUARTER = 63
"""Sessions after which a ticker may have another company's successor, and a company may be back at its first ticker."""


@dataclass(frozen=True, order=True)
class Rename:
    """A company leaves a ticker for another on a day."""

    day: date
    ticker: str
    successor: str
    nature: str | None = field(default=None, compare=False)


def find_contradictions(
    lines: pl.DataFrame, standing: pl.DataFrame, instruments: pl.DataFrame, calendar: Sessions
) -> pl.DataFrame:
    """Return payload_id, line and contradiction (String, the rule broken) of renames that cannot all be true.

    Each landing's renames are held against each other, against those of other sources that were landed in the same
    session, and against the facts that stand and that the landing does not replace. Of landings that say what they
    cover; earlier ones are read as they always were.

    Args:
        lines: typed lines with source, landed and the coverage of the landing.
        standing: facts of corporate_actions that are known and not withdrawn; only renames are looked at.
        instruments: when each ticker was listed first.
        calendar: counts the sessions between two renames.
    """
    schema = {"payload_id": pl.String, "line": pl.Int64, "contradiction": pl.String}
    told = lines.filter(
        (pl.col("kind") == "rename") & pl.col(COVERAGE[0]).is_not_null() & pl.col("fault").is_null()
    ).drop_nulls(["ticker", "ex_date", "successor"])
    if told.is_empty():
        return pl.DataFrame(schema=schema)
    renames = standing.filter(pl.col("kind") == "rename").drop_nulls("successor")
    listed = dict(instruments.select("ticker", "listed_on").iter_rows())
    found: list[tuple[str, int, str]] = []
    for identity in told["payload_id"].unique().sort():
        own = told.filter(pl.col("payload_id") == identity)
        broken = _judge(_read_renames(own, _stated_elsewhere(own, told), _not_replaced(own, renames)), listed, calendar)
        found += [
            (identity, line, broken[key])
            for line, *parts in own.select("line", *_PARTS).iter_rows()
            if (key := Rename(*parts)) in broken
        ]
    return pl.DataFrame(found, schema=schema, orient="row").unique(["payload_id", "line"], maintain_order=True)


def _stated_elsewhere(own: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """What other sources say in the same session; against the operator's word they say nothing.

    He states a swap of tickers in a word for each company.
    """
    source, landed = own.select("source", "landed").row(0)
    his = (pl.col("source") == OPERATOR) & (pl.col("nature") == SWAP).fill_null(False)
    others = (pl.col("source") != source) & pl.lit(source != OPERATOR)
    return told.filter(pl.col("landed") == landed, others | his)


def _not_replaced(own: pl.DataFrame, renames: pl.DataFrame) -> pl.DataFrame:
    """The facts that the landing is silent about: outside what it covers, or another source's, unless it overrules."""
    source, asked, since, until = own.select("source", "asked", *COVERAGE).row(0)
    in_its_words = pl.lit(source == OPERATOR) | (pl.col("source") == source)
    of_ticker = pl.lit(asked == EVERY_TICKER) | (pl.col("ticker") == asked)
    return renames.filter(~(in_its_words & of_ticker & pl.col("ex_date").is_between(since, until)))


def _read_renames(*frames: pl.DataFrame) -> list[Rename]:
    told = [Rename(*row) for frame in frames for row in frame.select(_PARTS).iter_rows()]
    # Where one says more of a rename than another it is believed.
    return sorted({one: one for one in sorted(told, key=lambda one: one.nature or "")}.values())


def _judge(renames: Sequence[Rename], listed: Mapping[str, date], calendar: Sessions) -> dict[Rename, str]:
    """Rename -> the rule that it breaks together with others."""
    leaving: dict[str, list[Rename]] = defaultdict(list)
    arriving: dict[str, list[date]] = defaultdict(list)
    for one in renames:
        leaving[one.ticker].append(one)
        arriving[one.successor].append(one.day)
    broken: dict[Rename, str] = {}
    for ways in leaving.values():
        for first, second in pairwise(ways):
            if first.successor != second.successor and not _is_another_company(first, second, arriving, calendar):
                broken |= dict.fromkeys((first, second), ONE_SUCCESSOR)
    for one in renames:
        for circle in _circles_from(one, leaving):
            if not (_is_swap(circle) or _came_back(circle, listed, calendar)):
                broken |= dict.fromkeys(circle, NO_CIRCLE)
    rings = [circle for start in renames for circle in _circles_from(start, leaving) if _is_swap(circle)]
    for ring in rings:
        if third := _lead_into(ring, renames):
            broken |= dict.fromkeys((*ring, *third), ONE_COMER)
    whole = {one for ring in rings for one in ring}
    return {one: WHOLE_SWAP for one in renames if one.nature == SWAP and one not in whole} | broken


def _lead_into(ring: Sequence[Rename], renames: Iterable[Rename]) -> list[Rename]:
    """Renames of the day by which a third company comes to one of the ring: with whom its shares go is not said."""
    tickers = {one.ticker for one in ring}
    return [one for one in renames if one.day == ring[0].day and one.successor in tickers and one not in ring]


def _is_swap(circle: Sequence[Rename]) -> bool:
    """Whether it is stated that companies take each other's tickers, all on one day."""
    return all(one.nature == SWAP and one.day == circle[0].day for one in circle)


def _is_another_company(
    first: Rename, second: Rename, arriving: Mapping[str, Iterable[date]], calendar: Sessions
) -> bool:
    """Whether somebody else can have had the ticker by the second rename: one who came to it, or after a quarter."""
    if first.day == second.day:
        return False
    passed_on = first.successor == f"{first.ticker[:13]}.{first.day:%y%m%d}"
    came = passed_on or any(first.day <= day <= second.day for day in arriving.get(first.ticker, ()))
    return came or _sessions_between(first.day, second.day, calendar) >= QUARTER


def _circles_from(start: Rename, leaving: Mapping[str, Sequence[Rename]]) -> Iterator[list[Rename]]:
    """The way that leads from a rename back to its ticker, each step taken at its first chance."""
    way, seen = [start], {start.ticker}
    while (ticker := way[-1].successor) not in seen:
        seen.add(ticker)
        following = [one for one in leaving.get(ticker, ()) if one.day >= way[-1].day]
        if not following:
            return
        way.append(following[0])
    if ticker == start.ticker:
        yield way


def _came_back(circle: Sequence[Rename], listed: Mapping[str, date], calendar: Sessions) -> bool:
    """Whether a company can have gone that way: it took a quarter, or it is seen under each ticker for the first time.

    Some exchanges mark a reverse split by another ticker for twenty sessions.
    """
    if _sessions_between(circle[0].day, circle[-1].day, calendar) >= QUARTER:
        return True
    stays = pairwise(circle)
    return all(came.day <= listed.get(came.successor, date.max) < went.day for came, went in stays)


def _sessions_between(first: date, last: date, calendar: Sessions) -> int:
    low, high = calendar.days[0], calendar.days[-1]
    first, last = max(first, low), min(last, high)
    return len(calendar.between(first, last)) - 1 if first <= last else 0
