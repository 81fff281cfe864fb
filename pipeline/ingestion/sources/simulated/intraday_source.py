"""The simulated vendor's bars within sessions: those of its daily bars' sessions, cut to what had ended."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from lake.contract import UTC as UTC_TYPE
from lake.tables.intraday import RAW_INTRADAY
from pipeline.ingestion.sources.payloads import Fetch, bar_rows
from pipeline.ingestion.sources.simulated.instruments import BENCHMARK
from pipeline.ingestion.sources.simulated.minutes import draw_minutes, join_minutes
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.source import SimulatedSource
from pipeline.ingestion.sources.snapshot_source import SnapshotQuestion, intraday_rows
from pipeline.ingestion.sources.source import MINUTES
from pipeline.market.sessions import Sessions

FIELDS = {name: name for name in ("ticker", "ts", "open", "high", "low", "close", "volume")}


class SimulatedIntraday:
    """Bars within the simulated sessions: those of one session are, together, its daily bar before any error."""

    name = "simulated"

    def __init__(self, params: SimulatedParams, calendar: Sessions, currency: str = "") -> None:
        self.intervals: tuple[str, ...] = tuple(one for one in params.intervals if one != "1d")
        self.calendar = calendar
        self.market = SimulatedSource(params, calendar, currency)
        self._drawn: dict[date, pl.DataFrame] = {}

    def snapshot(self, interval: str, question: SnapshotQuestion) -> pl.DataFrame:
        """Return RAW_INTRADAY rows: a payload for each ticker that has bars of the time asked for."""
        known = pl.DataFrame(
            {"ticker": list(question.known), "known": list(question.known.values())},
            schema={"ticker": pl.String(), "known": UTC_TYPE},
        )
        beside = self._bars(interval, question).join(known, on="ticker", how="left", maintain_order="left")
        since = pl.coalesce("known", pl.lit(question.since))
        asked = beside.filter((pl.col("end") > since) & (pl.col("end") <= question.as_of))
        rows = [self._land(asked, interval, question, history) for history in (False, True)]
        return pl.concat([RAW_INTRADAY.empty(), *rows])

    def _land(self, asked: pl.DataFrame, interval: str, question: SnapshotQuestion, history: bool) -> pl.DataFrame:
        lines = asked.filter(pl.col("known").is_null() == history).select(
            "ticker",
            pl.col("start").dt.to_string("%Y-%m-%dT%H:%M:%S%:z").alias("ts"),
            *(pl.col(name).cast(pl.String) for name in ("open", "high", "low", "close", "volume")),
        )
        fetch = Fetch(
            source=self.name,
            since=question.since.date(),
            session=question.session,
            fetched_at=datetime.now(UTC),
            history=history,
            interval=interval,
            exchange=self.calendar.exchange,
            currency=self.market.currency,
        )
        landed = bar_rows(fetch, FIELDS, lines, lines["ticker"], as_of=question.as_of.isoformat())
        return intraday_rows(landed, interval, question.as_of)

    def _bars(self, interval: str, question: SnapshotQuestion) -> pl.DataFrame:
        """Bars of the sessions asked for, in order of ticker and time, each with its end."""
        first = min([question.since, *question.known.values()]).date()
        sessions = self.calendar.between(self.calendar.at_or_before(first), question.session)
        whole = [self._join(session, MINUTES[interval]) for session in sessions if session >= self.market.opening]
        return pl.concat([_NO_BARS, *whole]).sort("ticker", "start")

    def _join(self, session: date, length: int) -> pl.DataFrame:
        opened, closed = self.calendar.open_at(session), self.calendar.close_at(session)
        if session not in self._drawn:
            self._drawn = {day: self._drawn[day] for day in list(self._drawn)[-KEPT:]}
            self._drawn[session] = self._draw(session, opened, closed)
        bars = join_minutes(self._drawn[session], length, opened).rename({"begin": "start"})
        end = pl.min_horizontal(pl.col("start") + pl.duration(minutes=length), pl.lit(closed, dtype=UTC_TYPE))
        return bars.with_columns(end=end).select(_NO_BARS.columns)

    def _draw(self, session: date, opened: datetime, closed: datetime) -> pl.DataFrame:
        bars, position, names = self.market.bars_of(session)
        number = {ticker: number for number, ticker in enumerate([*names, BENCHMARK])}
        columns = [number[ticker] for ticker in bars["ticker"]]
        return draw_minutes(bars, columns, len(number), opened, closed, self.market.params.seed, position)


KEPT = 5
"""Sessions whose minutes are kept: a snapshot asks for the one in progress and the one before."""
_NO_BARS = pl.DataFrame(
    schema={
        "ticker": pl.String(),
        "start": UTC_TYPE,
        "end": UTC_TYPE,
        **dict.fromkeys(("open", "high", "low", "close"), pl.Float64()),
        "volume": pl.Int64(),
    }
)
