"""Works out from renames, delistings and gaps which company had a ticker when, and says where that is in doubt."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from lake.engine import collect
from pipeline.market.securities.order_of_day import find_ring
from pipeline.market.sessions import Sessions

LATELY = timedelta(days=10)
"""A ticker with a bar within these days before a rename leads to it was in use, by another company than the renamed."""
MAX_GAP = 120
"""Sessions without a bar, half a year, after which a ticker that trades again is taken for another company's."""
SPELL_SCHEMA = pl.Schema(
    {"security_id": pl.String, "ticker": pl.String, "since": pl.Date, "until": pl.Date, "doubt": pl.String}
)
ONE_DAY = timedelta(days=1)
Fact = tuple[str, str, str | None]
"""Kind, ticker and successor."""
Gap = tuple[str, date, int]
"""Ticker, the session of its last bar before, and how many sessions had none."""


@dataclass
class Spell:
    """A company's time under one ticker."""

    security_id: str
    ticker: str
    since: date | None
    """The first day; None: as far back as anything is known."""
    until: date | None = None
    """The first day no longer; None: to this day."""
    doubts: list[str] = field(default_factory=list)
    free: bool = False
    """The ticker was given up, and nothing has told of another company since."""


def trace_spells(
    corporate_actions: pl.DataFrame, bars: pl.DataFrame | None = None, calendar: Sessions | None = None,
    max_gap: int = MAX_GAP,
) -> pl.DataFrame:  # fmt: skip
    """Return who had each ticker when, as far as rows and bars known at one moment tell.

    A rename takes the company to its successor; a delisting ends it after its ex-date. Whoever has the ticker
    afterwards is another company, named by ticker and day. A rename without successor says that a ticker passed to
    another company, and not what became of the one before. Bars tell three things more: that a rename led to a ticker
    in use (then its company goes on, and the renamed one has become part of it), that somebody took a free ticker up,
    and, with a calendar, that a ticker traded again after a gap that no row explains.

    A ticker without spells always was one company's, whose id is the ticker.

    Args:
        corporate_actions: ticker, ex_date, kind, successor: last revisions.
        bars: ticker, session of daily bars; those at hand are enough.
        calendar: counts the sessions of gaps; no gap is looked for without it.
        max_gap: sessions without a bar after which a ticker is taken for another company's.

    Returns:
        security_id, ticker, since (Date, null: from the start), until (Date, the first day no longer; null: still) and
        doubt (null: none), sorted by ticker and since. The spells of one ticker follow each other without overlap.
    """
    facts = _select_facts(corporate_actions)
    if facts.is_empty() and calendar is None:
        return pl.DataFrame(schema=SPELL_SCHEMA)
    tracer = _Tracer(_read_bars(bars, facts))
    days: dict[date, list[Fact]] = defaultdict(list)
    gaps: dict[date, list[Gap]] = defaultdict(list)
    for day, *fact in facts.iter_rows():
        days[day].append((fact[0], fact[1], fact[2]))
    if bars is not None and calendar is not None:
        for day, *gap in _find_gaps(bars, calendar, max_gap).iter_rows():
            gaps[day].append((gap[0], gap[1], gap[2]))
    for day in sorted({*days, *gaps}):
        tracer.take(day, days[day], gaps[day])
    spells = sorted(tracer.list_spells(), key=lambda one: (one.ticker, one.since or date.min))
    rows = [(s.security_id, s.ticker, s.since, s.until, "; ".join(s.doubts) or None) for s in spells]
    return pl.DataFrame(rows, schema=SPELL_SCHEMA, orient="row")


def _select_facts(corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """What happened to tickers: ex_date, kind, ticker, successor, in order."""
    kinds = corporate_actions.lazy().filter(pl.col("kind").is_in(["rename", "delisting"]))
    facts = kinds.select("ex_date", "kind", "ticker", "successor").unique()
    return collect(facts.sort("ex_date", "ticker", "successor", "kind"), corporate_actions.height)


def _read_bars(bars: pl.DataFrame | None, facts: pl.DataFrame) -> dict[str, list[date]] | None:
    """The sessions with a bar of each ticker that a fact names, in order."""
    if bars is None:
        return None
    named = {*facts["ticker"], *facts["successor"]} - {None}
    if not named:
        return {}
    mine = bars.lazy().select("ticker", "session").filter(pl.col("ticker").is_in(sorted(named)))
    return dict(collect(mine.group_by("ticker").agg(pl.col("session").unique().sort()), bars.height).iter_rows())


def _find_gaps(bars: pl.DataFrame, calendar: Sessions, max_gap: int) -> pl.DataFrame:
    """The first session after each gap, ticker, the last session before it, and how many sessions had no bar."""
    places = calendar.frame(calendar.days[0], calendar.days[-1]).lazy().select("session", "position")
    traded = bars.lazy().select("ticker", "session")
    spans = traded.group_by("ticker").agg(
        first=pl.col("session").min(), session=pl.col("session").max(), count=pl.col("session").n_unique()
    )
    spans = spans.join(places, on="session").join(places.rename({"session": "first", "position": "start"}), on="first")
    missing = pl.col("position") - pl.col("start") + 1 - pl.col("count").cast(pl.Int64)
    some = spans.filter(missing > max_gap).select("ticker")  # the others cannot have such a gap
    placed = traded.join(some, on="ticker", how="semi").unique()
    placed = placed.join(places, on="session").sort("ticker", "position")
    silent = (pl.col("position") - pl.col("position").shift(1) - 1).over("ticker")
    last = pl.col("session").shift(1).over("ticker")
    gaps = placed.with_columns(silent=silent, last=last).filter(pl.col("silent") > max_gap)
    return collect(gaps.select("session", "ticker", "last", "silent"), bars.height)


class _Tracer:
    """Takes the facts in day by day; `_last` has the spell that is open on each ticker."""

    def __init__(self, bars: Mapping[str, list[date]] | None) -> None:
        self._bars = bars
        self._last: dict[str, Spell] = {}
        self._closed: list[Spell] = []
        self._left: dict[str, str] = {}
        """Ticker -> the company that left it last."""

    def list_spells(self) -> list[Spell]:
        """Every spell that lasted at least a day."""
        every = [*self._closed, *self._last.values()]
        return [one for one in every if one.since is None or one.until is None or one.since < one.until]

    def take(self, day: date, facts: Iterable[Fact], gaps: Iterable[Gap]) -> None:
        """Take in what happened on one day: companies leave their tickers first, then they get the new ones."""
        facts = list(facts)
        renames = self._choose_renames(day, [(ticker, to) for kind, ticker, to in facts if kind == "rename"])
        leaving, arriving = {ticker for ticker, _ in renames}, {to for _, to in renames if to}
        for ticker, last, silent in gaps:
            if ticker not in leaving | arriving and (self._holder(ticker).since or date.min) <= last:
                self._pass_on(ticker, day, f"another company is taken to trade after {silent} sessions without a bar")
        for kind, ticker, _ in facts:
            if kind == "delisting" and ticker not in leaving and self._is_taken(ticker, day + ONE_DAY):
                self._free(ticker, day if ticker in arriving else day + ONE_DAY)
        self._move(renames, day)

    def _move(self, renames: Sequence[tuple[str, str | None]], day: date) -> None:
        leaving = {ticker for ticker, _ in renames}
        moved = [(self._holder(ticker), to) for ticker, to in renames]
        in_use = {to for _, to in renames if to and to not in leaving and self._is_in_use(to, day)}
        arriving = {to for _, to in renames}
        first_days = {old.ticker: self._date_move(old.ticker, to, day, arriving) for old, to in moved}
        for old, to in moved:
            self._free(old.ticker, first_days[old.ticker])
            if to in in_use:
                old.doubts.append(f"renamed to {to}, which was in use: taken for a merger into it")
            if to is None:
                self._holder(old.ticker).free = False
        for old, to in moved:
            if to is not None and to not in in_use:
                self._arrive(old, to, first_days[old.ticker])

    def _date_move(self, ticker: str, to: str | None, day: date, arriving: set[str | None]) -> date:
        """The first day under the new ticker: the one after, where bars say that the old one was traded that day."""
        after = day + ONE_DAY
        still = ticker not in arriving and self._traded(ticker, day, after)
        return after if to is not None and still and not self._traded(to, day, after) else day

    def _choose_renames(self, day: date, given: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
        """One rename from and to each ticker, none that repeats an earlier one; the others are doubts."""
        chosen: dict[str, str | None] = {}
        swapped = find_ring({ticker: to for ticker, to in given if to})
        for ticker, to in sorted(given, key=lambda one: (one[0], one[1] is None, one[1] or "")):
            repeats = to in self._last and self._last[to].security_id == self._left.get(ticker)
            if ticker == to or (repeats and ticker not in swapped) or not self._is_taken(ticker, day):
                continue
            if ticker in chosen:
                self._holder(ticker).doubts.append(f"another rename of {day}, to {to}, is not followed")
            elif to is not None and to in chosen.values():
                self._holder(ticker).doubts.append(f"{to} went to another company on {day}: not followed")
                chosen[ticker] = None
            else:
                chosen[ticker] = to
        return list(chosen.items())

    def _holder(self, ticker: str) -> Spell:
        return self._last.setdefault(ticker, Spell(ticker, ticker, None))

    def _is_taken(self, ticker: str, before: date) -> bool:
        """Whether some company has the ticker: a free one only if bars show that somebody took it up."""
        spell = self._holder(ticker)
        begun = spell.since or date.min
        if not spell.free:
            return True
        return begun < before if self._bars is None else self._traded(ticker, begun, before)

    def _is_in_use(self, ticker: str, day: date) -> bool:
        begun = self._holder(ticker).since or date.min
        return self._bars is not None and self._traded(ticker, max(day - LATELY, begun), day)

    def _traded(self, ticker: str, first: date, before: date) -> bool:
        """Whether there is a bar from the first day on and before the other."""
        sessions = (self._bars or {}).get(ticker, [])
        place = bisect_left(sessions, first)
        return place < len(sessions) and sessions[place] < before

    def _free(self, ticker: str, day: date) -> None:
        """The company leaves the ticker; whoever has it next is another one."""
        spell = self._holder(ticker)
        spell.until = day
        self._closed.append(spell)
        self._left[ticker] = spell.security_id
        self._last[ticker] = Spell(f"{ticker}@{day}", ticker, day, free=True)

    def _pass_on(self, ticker: str, day: date, doubt: str) -> None:
        self._free(ticker, day)
        spell = self._last[ticker]
        spell.free = False
        spell.doubts.append(doubt)

    def _arrive(self, old: Spell, ticker: str, day: date) -> None:
        """A company goes on under a ticker; whoever had it till then has it no more."""
        before = self._holder(ticker)
        known = before.since is not None or self._traded(ticker, date.min, day)
        if not before.free and known:
            before.doubts.append(f"{ticker} went to {old.ticker} on {day}; no row tells how its company ended")
        before.until = day
        self._closed.append(before)
        self._last[ticker] = Spell(old.security_id, ticker, day)
