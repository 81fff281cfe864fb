"""Articles of the simulated market: each impulse is written about, among idle, repeated and broken news."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from pipeline.ingestion.sources.simulated.headlines import (
    BAD,
    GOOD,
    HOSTILE,
    IDLE,
    MARKET,
    QUARTERS,
    UNDATED,
    VERY_BAD,
    VERY_GOOD,
    Template,
)
from pipeline.ingestion.sources.simulated.instruments import Instruments
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.returns import BURN_IN, ReturnPaths
from pipeline.ingestion.sources.simulated.rng import Stream, random_stream
from pipeline.market.sessions import Sessions

IDLE_RATE = 0.04
"""Idle articles per name and session."""
REPEATED = 0.2
"""Chance that another wire runs the same story again, the same day or the next."""
BYSTANDER = 0.06
"""Chance that an article about one name also carries the symbol of another."""
BROKEN = 0.006
"""Chance of an article without a publication time, and likewise of a hostile headline."""
ARTICLE_SCHEMA = {
    "position": pl.Int64,
    "id": pl.String,
    "published_at": pl.String,
    "title": pl.String,
    "body": pl.String,
    "url": pl.String,
    "tickers": pl.String,
    "about": pl.String,
    "impulse": pl.Float64,
    "wording": pl.Int64,
}
FIELDS = ("id", "published_at", "title", "body", "url", "tickers")
"""What the vendor delivers; the other columns are the truth behind it."""


class _Desk:
    """Writes the articles of one session; every choice is a draw of that session alone."""

    def __init__(
        self, instruments: Instruments, params: SimulatedParams, calendar: Sessions, first: int, now: int
    ) -> None:
        self.instruments, self.params, self.calendar, self.now = instruments, params, calendar, now
        self.rng = random_stream(params.seed, Stream.ARTICLES, now)
        self.number = first + now
        self.rows: list[tuple[object, ...]] = []

    def about(self, name: int, impulse: float) -> None:
        """Write about an impulse; its sign decides the words, with the reliability the parameters set."""
        text = np.sign(impulse) * (1 if self.rng.random() < self.params.news_reliability else -1)
        strong = abs(impulse) > 1.15
        pool = (VERY_GOOD if strong else GOOD) if text > 0 else (VERY_BAD if strong else BAD)
        self._write(name, self._pick(pool), impulse, int(text))

    def idle(self, name: int) -> None:
        """Write something about a name that means nothing."""
        self._write(name, self._pick(IDLE), 0.0, 0)

    def market(self) -> None:
        """Write something that is about no name."""
        self._write(None, self._pick(MARKET), 0.0, 0)

    def _pick(self, pool: tuple[Template, ...]) -> Template:
        return pool[int(self.rng.integers(len(pool)))]

    def _write(self, name: int | None, template: Template, impulse: float, text: int) -> None:
        other = int(self.rng.integers(self.instruments.size))
        words = self._words(name, other)
        title, body = template.title.format(**words), template.body.format(**words)
        hostile, undated, again, beside, mute = self.rng.random(5)
        if hostile < BROKEN:
            title = HOSTILE[int(hostile / BROKEN * len(HOSTILE))].format(**words)
        symbols = [] if name is None else [self.instruments.tickers[name]]
        if "{o}" in template.title or (beside < BYSTANDER and name is not None):
            symbols = sorted({*symbols, self.instruments.tickers[other]})
        published, at = self._draw_publication(), self.now
        missing = UNDATED[int(undated / BROKEN * len(UNDATED))] if undated < BROKEN else ""
        when = missing if undated < BROKEN else self._stamp(published)
        said = (title, None if mute < 0.2 else body, " ".join(symbols))
        truth = (words["t"] or None, impulse, text)
        self._file(at, when, said, truth)
        if again < REPEATED and undated >= BROKEN:
            self._repeat(published, again / REPEATED, said, truth)

    def _words(self, name: int | None, other: int) -> dict[str, str]:
        return {
            "c": "" if name is None else self.instruments.companies[name],
            "t": "" if name is None else self.instruments.tickers[name],
            "o": self.instruments.companies[other],
            "q": QUARTERS[int(self.rng.integers(4))],
            "n": f"{self.rng.uniform(2, 29):.1f}",
            "m": str(int(self.rng.integers(11, 990))),
        }

    def _draw_publication(self) -> datetime:
        """During the session, in the hours before it, or in the evening before: too late for that session's close."""
        part, within = (float(draw) for draw in self.rng.random(2))
        opened, closed = self.calendar.opens[self.number], self.calendar.closes[self.number]
        if part < 0.70 or self.number == 0:
            return opened + within * (closed - opened - timedelta(minutes=5))
        if part < 0.85:
            return opened - within * timedelta(hours=2)
        return self.calendar.closes[self.number - 1] + timedelta(minutes=20) + within * timedelta(hours=3)

    def _repeat(
        self,
        published: datetime,
        draw: float,
        said: tuple[str, str | None, str],
        truth: tuple[str | None, float, int],
    ) -> None:
        later = published + timedelta(minutes=20 + 200 * draw)
        if later < self.calendar.closes[self.number] - timedelta(minutes=1):
            self._file(self.now, self._stamp(later), said, truth)
        elif self.number + 1 < len(self.calendar.days):
            next_open = self.calendar.opens[self.number + 1]
            self._file(self.now + 1, self._stamp(next_open + timedelta(minutes=90 * draw)), said, truth)

    def _file(
        self,
        at: int,
        published: str | None,
        said: tuple[str, str | None, str],
        truth: tuple[str | None, float, int],
    ) -> None:
        title, body, symbols = said
        mark = f"sim-{self.now:05d}-{len(self.rows):04d}"
        url = f"https://news.example.com/{mark}"
        self.rows.append((at, mark, published, title, body, url, symbols, *truth))

    def _stamp(self, moment: datetime) -> str:
        return moment.replace(microsecond=0).isoformat()


def write_articles(
    instruments: Instruments, path: ReturnPaths, params: SimulatedParams, calendar: Sessions, first: int
) -> pl.DataFrame:
    """Return all articles in order of the fetch that first sees them, with the truth behind each.

    Columns: position (Int64, session of that fetch), id, published_at (ISO with offset), title, body, url, tickers
    (space-separated), about (the ticker meant), impulse (Float64, 0 for idle news), wording (-1, 0, 1).
    """
    rows: list[tuple[object, ...]] = []
    for now in range(path.length):
        desk = _Desk(instruments, params, calendar, first, now)
        impulses = path.impulse[BURN_IN + now]
        for name in np.flatnonzero(impulses).tolist():
            desk.about(name, float(impulses[name]))
        there = np.flatnonzero((instruments.listed <= now) & (now < instruments.ex))
        for name in desk.rng.choice(there, size=desk.rng.poisson(IDLE_RATE * there.size)).tolist():
            desk.idle(name)
        if desk.rng.random() < 0.3:
            desk.market()
        rows += desk.rows
    frame = pl.DataFrame(rows, schema=ARTICLE_SCHEMA, orient="row")
    return frame.filter(pl.col("position") < path.length).sort("position", "id")
