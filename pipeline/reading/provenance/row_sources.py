"""All rows that a feature row is made of, as the run read them that wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from lake.contract import Table
from lake.errors import NoSuchError
from lake.lineage import USED
from lake.runs import Recipe, find_run
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from pipeline.engine.executor import Executor, parse_params
from pipeline.engine.stage import Moment
from pipeline.features import features
from pipeline.features.as_of import Facts
from pipeline.features.facts.five_minute_bars import known_in_time
from pipeline.features.feature_set import feature_set
from pipeline.features.provenance.history import TABLES, Beside, History, keep_tickers
from pipeline.market.sessions import Sessions
from pipeline.plugins.extensions import Extensions


class RowSources:
    """What feature rows of a lake are made of."""

    def __init__(self, lake: Lake, executor: Executor, names: Sequence[str] = ()) -> None:
        """Ask about the features of these names; about all of a row's where none is named."""
        self._lake, self._executor, self._names = lake, executor, names

    def list_rows(self, row: Mapping[str, Any]) -> list[tuple[Table, pl.DataFrame]]:
        """All rows that a row of feature_rows is made of, at the versions that its run read, with USED.

        Values that were taken over from the row of another set are made of that row, and of what it is made of.

        Raises:
            NoSuchError: if the run that wrote it is not recorded, or the row has no such feature.
            PluginError: if a plugin that declared a feature of it is gone.
        """
        asked = _narrow(find_run(self._lake, row["run_id"]).recipe, row["session"], self._executor.calendar)
        frames, moment = self._executor.read_inputs(features.STAGE, asked)
        chosen = feature_set(moment.extensions)
        if unknown := [name for name in self._names if name not in chosen.names]:
            raise NoSuchError(f"the row has no feature {unknown[0]!r}; its set is {chosen.name}")
        earlier = self._find_earlier(row, moment.extensions)
        kept = set(moment.extensions.carried) if earlier else set()
        names = [name for name in self._names or chosen.names if name not in kept]
        found = self._list_computed(row, names, frames, moment, asked)
        kept &= set(self._names or chosen.names)
        if earlier is None or not kept:
            return found
        taken = pl.DataFrame([earlier], schema=self._lake.contract(FEATURE_ROWS).stored_schema)
        told = taken.with_columns(pl.Series(USED, [sorted(kept)], dtype=pl.List(pl.String)))
        before = RowSources(self._lake, self._executor, sorted(kept)).list_rows(earlier)
        return _join([(FEATURE_ROWS, told), *found, *before])

    def _list_computed(
        self,
        row: Mapping[str, Any],
        names: Sequence[str],
        frames: Mapping[str, pl.DataFrame],
        moment: Moment,
        recipe: Recipe,
    ) -> list[tuple[Table, pl.DataFrame]]:
        """What the values are made of that the run computed."""
        session, universe = row["session"], frames["ticker_universe"]
        facts = Facts(frames["market_prices"], frames["corporate_actions"], frames["news_sentiment"])
        params = parse_params(features.STAGE, recipe.params)
        (layout,) = features.lay_out(keep_tickers(facts), universe, frames["instruments"], moment, params)
        own = pl.col("feature_set") == row["feature_set"]
        rows = self._lake.read(self._lake.contract(FEATURE_ROWS), since=session, until=session, where=own)
        lag = moment.as_of - moment.calendar.close_at(session)
        within = known_in_time(frames["intraday_prices"], moment.calendar, lag)
        chosen = feature_set(moment.extensions)
        history = History(layout, Beside(universe, within), rows, chosen.features, moment.calendar)
        origins = history.list_origins(names, session, row["ticker"])
        return [(table, self._complete(table, origins[table.name], recipe)) for table in TABLES]

    def _find_earlier(self, row: Mapping[str, Any], extensions: Extensions) -> dict[str, Any] | None:
        """The row that values were taken over from: where the other set has the session's very tickers."""
        if not extensions.carried:
            return None
        there = self._lake.read(
            self._lake.contract(FEATURE_ROWS), since=row["session"], until=row["session"]
        ).partition_by("feature_set", as_dict=True)
        own, other = (there.get((name,)) for name in (row["feature_set"], extensions.carried_from))
        if own is None or other is None or own["ticker"].to_list() != other["ticker"].to_list():
            return None
        return other.filter(pl.col("ticker") == row["ticker"]).row(0, named=True)

    def _complete(self, table: Table, origins: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
        """The whole rows, as they were at the version read."""
        if origins.is_empty():
            return origins
        key = list(table.key)
        at = pl.col("ticker").is_in(origins["ticker"].unique().implode())
        version = recipe.inputs[table.name]
        rows = self._lake.read(table, version=version, until=recipe.session, where=at)
        return rows.join(origins, on=key, how="inner", maintain_order="left").select(*rows.columns, USED)


def _narrow(recipe: Recipe, session: date, calendar: Sessions) -> Recipe:
    """The same of one session of the range that a run computed: it knew what was public as long after its close."""
    if session == recipe.session:
        return replace(recipe, since=session)
    lag = recipe.as_of - calendar.close_at(recipe.session)
    known = min(calendar.close_at(session) + lag, calendar.open_at(calendar.next(session)))
    return replace(recipe, since=session, session=session, as_of=known)


def _join(found: Sequence[tuple[Table, pl.DataFrame]]) -> list[tuple[Table, pl.DataFrame]]:
    """Each table once, with all columns that are used of each row."""
    joined: dict[str, tuple[Table, list[pl.DataFrame]]] = {}
    for table, rows in found:
        if not rows.is_empty():
            joined.setdefault(table.name, (table, []))[1].append(rows)
    return [(table, _join_rows(table, parts)) for table, parts in joined.values()]


def _join_rows(table: Table, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat(parts, how="diagonal")
    key = list(table.key)
    used = rows.group_by(key).agg(pl.col(USED).explode().unique(maintain_order=True))
    return rows.drop(USED).unique(key, maintain_order=True).join(used, on=key).sort(key)
