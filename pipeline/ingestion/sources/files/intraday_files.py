"""Bars within sessions from the operator's files: landed as they are, cut to what had ended when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from lake.contract import UTC as UTC_TYPE
from lake.tables.intraday import RAW_INTRADAY
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.bar_reader import BarReader
from pipeline.ingestion.sources.files.bars import Bars
from pipeline.ingestion.sources.files.columns import parse_overrides
from pipeline.ingestion.sources.files.content import paths_of
from pipeline.ingestion.sources.files.dates import read_instants
from pipeline.ingestion.sources.files.memberships import read_identities
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.payloads import Fetch, bar_rows
from pipeline.ingestion.sources.snapshot_source import SnapshotQuestion, intraday_rows
from pipeline.ingestion.sources.source import MINUTES
from pipeline.market.currencies import currency_of
from pipeline.market.sessions import Sessions

INTERVALS = {minutes: interval for interval, minutes in MINUTES.items() if minutes}


@dataclass(frozen=True)
class _Part:
    """Bars of files with equal columns, and of one length."""

    interval: str
    bars: Bars
    ends: pl.Series
    """UTC, the end of each bar; null where it cannot be read."""


class IntradayFiles:
    """The files named by `source.files.intraday`; they are read at the first question and again when they change."""

    name = "files"

    def __init__(self, params: FilesParams, calendar: Sessions) -> None:
        intervals = tuple(one for one in params.intervals if one != "1d")
        self.intervals: tuple[str, ...] = intervals
        self.params = replace(params, prices=params.intraday, interval=intervals[0])  # daily files read otherwise
        self.calendar = calendar
        self.zone = params.zone or calendar.zone
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._parts: list[_Part] = []

    def snapshot(self, interval: str, question: SnapshotQuestion) -> pl.DataFrame:
        """Return RAW_INTRADAY rows: a payload for each ticker that has bars of the time asked for.

        Raises:
            SourceError: for a file that cannot be read, or whose bars have a length that is not configured.
        """
        mine = [part for part in self._read() if part.interval == interval]
        if not mine:
            there = ", ".join(sorted({part.interval for part in self._parts}))
            raise SourceError(
                f"none of the files in source.files.intraday has bars of {interval}, only of {there}; add one, or take "
                f"{interval} out of source.files.intervals"
            )
        rows = [self._cut(part, question, history) for part in mine for history in (False, True)]
        landed = pl.concat([RAW_INTRADAY.empty(), *rows])
        return landed.unique("payload_id", keep="first", maintain_order=True)  # a file named twice is landed once

    def _cut(self, part: _Part, question: SnapshotQuestion, history: bool) -> pl.DataFrame:
        """The lines of the time asked for, of tickers that are known or of those that are not."""
        frame = pl.DataFrame({"ticker": part.bars.symbol, "end": part.ends})
        known = pl.DataFrame(
            {"ticker": list(question.known), "known": list(question.known.values())},
            schema={"ticker": pl.String(), "known": UTC_TYPE},
        )
        beside = frame.join(known, on="ticker", how="left", maintain_order="left")
        since = pl.coalesce("known", pl.lit(question.since))
        due = (pl.col("end") > since) & (pl.col("end") <= question.as_of)
        wanted = beside.select(wanted=due & (pl.col("known").is_null() == history))["wanted"].fill_null(False)
        bars = part.bars.filter(wanted)
        fetch = self._fetch(part.interval, question, history)
        landed = bar_rows(fetch, bars.fields, bars.text, bars.symbol, as_of=question.as_of.isoformat())
        return intraday_rows(landed, part.interval, question.as_of)

    def _fetch(self, interval: str, question: SnapshotQuestion, history: bool) -> Fetch:
        return Fetch(
            source=self.name,
            since=question.since.date(),
            session=question.session,
            fetched_at=datetime.now(UTC),
            history=history,
            interval=interval,
            exchange=self.calendar.exchange,
            currency=self.params.currency or currency_of(self.calendar.exchange),
            stamp=self.params.stamp,
        )

    def _read(self) -> list[_Part]:
        """The files' bars, read again if any of them was changed since."""
        paths = [path for path in paths_of(self.params) if path.exists()]
        stamp = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
        if not self._parts or stamp != self._seen:
            identities = read_identities(self.params.identities) if self.params.identities else None
            reader = BarReader(self.params, self.calendar, self.zone, parse_overrides(self.params.columns), identities)
            parts = [self._parts_of(Path(name).expanduser(), reader) for name in self.params.prices]
            self._parts, self._seen = [part for of_path in parts for part in of_path], stamp
        return self._parts

    def _parts_of(self, path: Path, reader: BarReader) -> list[_Part]:
        """The bars of a file or folder, the length of them found out."""
        found = [
            (bars, read_instants(bars.lines[bars.fields["ts"]], zone=self.zone))
            for files in reader.read(path)
            for bars in files.blocks()
        ]
        steps = [step for bars, at in found if (step := _shortest_step(bars.symbol, at)) is not None]
        interval = self._name_interval(min(steps, default=None), path)
        return [_Part(interval, bars, self._ends(at, interval)) for bars, at in found]

    def _ends(self, at: pl.Series, interval: str) -> pl.Series:
        """The end of each bar: no later than the close of the session it began in."""
        if self.params.stamp == "end":
            return at
        hours = self.calendar.frame(self.calendar.days[0], self.calendar.days[-1])
        began = pl.DataFrame({"at": at}).with_row_index().sort("at").join_asof(hours, left_on="at", right_on="open_at")
        end = pl.col("at") + pl.duration(minutes=MINUTES[interval])
        within = pl.when(pl.col("at") < pl.col("close_at")).then(pl.min_horizontal(end, "close_at")).otherwise(end)
        return began.sort("index").select(end=within).to_series()

    def _name_interval(self, step: timedelta | None, path: Path) -> str:
        """The length of bars that are a step apart; where there is no step, the only one configured."""
        if step is None and len(self.intervals) == 1:
            return self.intervals[0]
        interval = INTERVALS.get(int(step.total_seconds()) // 60) if step is not None else None
        if interval in self.intervals:
            return str(interval)
        apart = "has no ticker with two bars" if step is None else f"has bars {step} apart"
        raise SourceError(
            f"{path} {apart}, and source.files.intervals names {', '.join(self.intervals)}: correct the one or take "
            "the file out of source.files.intraday"
        )


def _shortest_step(symbol: pl.Series, at: pl.Series) -> timedelta | None:
    """The shortest time between two bars of one ticker; None where no ticker has two."""
    bars = pl.DataFrame({"symbol": symbol, "at": at}).drop_nulls().unique().sort("symbol", "at")
    step = bars.select(pl.col("at").diff().over("symbol").min()).item()
    return step if isinstance(step, timedelta) else None
