"""Runs stages without writing: what they would leave in the lake lies over it in memory, seen by the stages after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from lake.contract import Table
from lake.storage.visibility import build_predicates, select_last_revisions
from pipeline.engine.runner import Runner
from pipeline.engine.stage import Moment, Read, Stage, join_spans

MEMORY = timedelta(days=120)
"""How far back rows of a dry run stay in memory: more than any stage of an import looks."""


class DryRun:
    """A lake as it would be after stages that have been tried, and nothing of it on disk."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._above: dict[str, pl.DataFrame] = {}

    def land(self, table: Table, rows: pl.DataFrame) -> None:
        """Lay rows over a table: a key that is there already keeps its row where the table is append-only."""
        before = self._above.get(table.name, table.empty())
        both = (rows, before) if table.mode == "merge" else (before, rows)
        self._above[table.name] = pl.concat(both).unique(table.key, keep="first", maintain_order=True)

    def run(self, stages: Sequence[Stage], since: date, session: date) -> dict[str, pl.DataFrame]:
        """Try the pure stages among these for a range of sessions; return table -> the rows each gave."""
        moment = Moment(
            session=session,
            since=since,
            as_of=self.runner.decision_time(session),
            seed=0,
            versions={},
            calendar=self.runner.calendar,
            currency=self.runner.settings.currency,
        )
        results = {}
        for stage in (stage for stage in stages if stage.kind == "pure"):
            params = self.runner.settings.section(stage.section)
            frames: dict[str, pl.DataFrame] = {}
            for read in stage.reads:
                frames[read.table.name] = self._read(read, moment, frames)
            rows = stage.function(*frames.values(), moment, params)
            results[stage.writes.name] = stage.writes.check(rows)
            self.land(stage.writes, rows)
        return results

    def forget(self, tables: Sequence[Table], before: date) -> None:
        """Let go of rows of these tables that no later session looks back to."""
        for table in tables:
            if (rows := self._above.get(table.name)) is not None:
                self._above[table.name] = rows.filter(pl.col(table.clock) > before - MEMORY)

    def _read(self, read: Read, moment: Moment, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """What a stage would see of a table: the lake's rows and those above them, cut as the runner cuts them."""
        calendar = moment.calendar
        if not read.is_wanted(moment.extensions):
            return read.table.empty().select(read.columns or tuple(read.table.columns))
        since = None if read.lookback is None else calendar.offset(moment.since, -read.lookback)
        until = moment.session if read.upto == "session" else calendar.previous(moment.since)
        spans = join_spans(read.further(frames, moment) if read.further else (), (since, until))
        rows = pl.concat(self._read_span(read, moment, *span) for span in spans).sort(read.table.key)
        return rows.select(read.columns or tuple(read.table.columns))

    def _read_span(self, read: Read, moment: Moment, since: date | None, until: date) -> pl.DataFrame:
        table, lake = read.table, self.runner.lake
        tests = build_predicates(table, since, until, moment.as_of, read.where)
        every = pl.all_horizontal(tests) if tests else None
        there = lake.read(table, version=lake.newest(table), since=since, until=until, where=every)
        there = there.select(*table.columns)
        above = self._above.get(table.name, table.empty()).filter(*tests)
        both = (there, above) if table.mode == "append" else (above, there)
        rows = pl.concat(both).unique(table.key, keep="first", maintain_order=True).sort(table.key)
        if read.every_revision or not table.entity or rows.is_empty():
            return rows
        return select_last_revisions(rows, table)
