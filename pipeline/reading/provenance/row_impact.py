"""All feature values that are made of a row, as the lake has them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from lake.contract import Table
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.news import NEWS_SENTIMENT
from pipeline.engine.executor import Executor
from pipeline.features.as_of import Epoch, Facts
from pipeline.features.facts.five_minute_bars import known_in_time
from pipeline.features.facts.reach import uses_bars
from pipeline.features.features import lay_out_epoch
from pipeline.features.panel import DEPTH, MARGIN
from pipeline.features.provenance.history import KNOWN_FROM, KNOWN_UNTIL, TABLES, Beside, History, keep_tickers
from pipeline.reading.provenance.spans import find_span
from pipeline.reading.results.features import list_features

MAX_TOLD = 50
"""Rows asked about up to which single values are told; of more, such as all that a payload held, rows alone."""


@dataclass
class RowImpact:
    """Which values of features are made of rows; what is found is kept in `values`."""

    lake: Lake
    executor: Executor
    asked: Table
    """The table of the row asked about. If features are made of it, what they are made of through other tables, such as
    the universe that a price had a part in, does not count."""
    columns: Sequence[str] = ()
    """The columns of the rows that matter; all where none is named."""
    values: dict[str, pl.DataFrame] = field(default_factory=dict)
    """Feature -> key of each of the rows whose value of it is."""

    def derive_rows(self, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of feature_rows that have a value made of any of some rows of a table."""
        apart = self.asked in TABLES and table is not self.asked
        if (
            apart
            or table not in TABLES
            or (span := find_span(self.lake, self.executor.calendar, rows[table.clock])) is None
        ):
            return self._read_rows(date.min, date.min)
        rows = self._date_knowledge(table, rows, span)
        there = self._read_rows(*span)
        parts = [self._select(table, rows, own, span) for own in there.partition_by("feature_set", maintain_order=True)]
        return pl.concat(parts) if parts else there

    def _select(self, table: Table, rows: pl.DataFrame, there: pl.DataFrame, span: tuple[date, date]) -> pl.DataFrame:
        """Those of one set."""
        history = self._lay_out(there, span)
        if rows.height > MAX_TOLD:
            return there.filter(history.find_rows(table, rows, self.columns))
        found = history.find_values(table, rows, self.columns)
        keys = there.select(FEATURE_ROWS.key)
        for name, flags in found.items():
            told = keys.filter(flags)
            self.values[name] = pl.concat([self.values[name], told]).unique() if name in self.values else told
        return there.filter(pl.any_horizontal(found.values())) if found else there.clear()

    def _lay_out(self, there: pl.DataFrame, span: tuple[date, date]) -> History:
        """The facts that the rows can be made of, as they are known now."""
        calendar, (first, last) = self.executor.calendar, span
        since = calendar.offset(first, -(DEPTH + MARGIN))
        daily = pl.col("interval") == "1d"
        bars = self.lake.read(MARKET_PRICES, since=since, until=last, where=daily, every_revision=False)
        actions = self.lake.read(CORPORATE_ACTIONS, until=last, every_revision=False)
        news = self.lake.read(NEWS_SENTIMENT, since=since, until=last)
        universe = self.lake.read(TICKER_UNIVERSE, since=since, until=last)
        epoch = Epoch(calendar.between(first, last), keep_tickers(Facts(bars, actions, news)))
        params = self.executor.settings.features
        layout = lay_out_epoch(epoch, universe, self.lake.read(INSTRUMENTS), calendar, params)
        features = [one.feature for one in list_features(self.executor.plugins)]
        return History(layout, Beside(universe, self._read_bars_within(since, last)), there, features, calendar)

    def _read_bars_within(self, since: date, last: date) -> pl.DataFrame:
        if not uses_bars(self.executor.plugins.extend(("features",))):
            return INTRADAY_PRICES.empty()
        calendar = self.executor.calendar
        lag = self.executor.decision_time(last) - calendar.close_at(last)
        return known_in_time(self.lake.read(INTRADAY_PRICES, since=since, until=last), calendar, lag)

    def _read_rows(self, first: date, last: date) -> pl.DataFrame:
        return self.lake.read(self.lake.contract(FEATURE_ROWS), since=first, until=last)

    def _date_knowledge(self, table: Table, rows: pl.DataFrame, span: tuple[date, date]) -> pl.DataFrame:
        """The rows with the first session that knew each, and the first that knew better."""
        if not table.available:
            return rows
        entity = list(table.entity or table.key)
        days = self.executor.calendar.between(*span)
        moments = pl.Series([self.executor.decision_time(day) for day in days]).dt.cast_time_unit("us")
        known = pl.Series([*days, date.max], dtype=pl.Date)
        clock = rows[table.clock]
        every = self.lake.read(table, since=clock.min(), until=clock.max(), columns=(*table.key, table.available))  # type: ignore[arg-type]
        told = every.sort(table.key).with_columns(better=pl.col(table.available).shift(-1).over(entity))
        dated = told.select(
            *table.key,
            known.gather(moments.search_sorted(told[table.available])).alias(KNOWN_FROM),
            known.gather(moments.search_sorted(told["better"].fill_null(moments.max()))).alias(KNOWN_UNTIL),
        ).with_columns(
            pl.when(told["better"].is_null()).then(pl.lit(date.max)).otherwise(KNOWN_UNTIL).alias(KNOWN_UNTIL)
        )
        return rows.join(dated, on=list(table.key), how="left", maintain_order="left")
