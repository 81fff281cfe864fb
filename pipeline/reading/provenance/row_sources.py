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
from pipeline.features import features
from pipeline.features.as_of import Facts
from pipeline.features.facts.five_minute_bars import known_in_time
from pipeline.features.feature_set import feature_set
from pipeline.features.provenance.history import TABLES, Beside, History, keep_tickers
from pipeline.market.sessions import Sessions


class RowSources:
    """What feature rows of a lake are made of."""

    def __init__(self, lake: Lake, executor: Executor, names: Sequence[str] = ()) -> None:
        """Ask about the features of these names; about all of a row's where none is named."""
        self._lake, self._executor, self._names = lake, executor, names

    def list_rows(self, row: Mapping[str, Any]) -> list[tuple[Table, pl.DataFrame]]:
        """All rows that a row of feature_rows is made of, at the versions that its run read, with USED.

        Raises:
            NoSuchError: if the run that wrote it is not recorded, or the row has no such feature.
            PluginError: if a plugin that declared a feature of it is gone.
        """
        session, recipe = row["session"], find_run(self._lake, row["run_id"]).recipe
        asked = _narrow(recipe, session, self._executor.calendar)
        frames, moment = self._executor.read_inputs(features.STAGE, asked)
        chosen = feature_set(moment.extensions)
        if unknown := [name for name in self._names if name not in chosen.names]:
            raise NoSuchError(f"the row has no feature {unknown[0]!r}; its set is {chosen.name}")
        facts = Facts(frames["market_prices"], frames["corporate_actions"], frames["news_sentiment"])
        universe, params = frames["ticker_universe"], parse_params(features.STAGE, asked.params)
        (layout,) = features.lay_out(keep_tickers(facts), universe, frames["instruments"], moment, params)
        own = pl.col("feature_set") == row["feature_set"]
        rows = self._lake.read(FEATURE_ROWS, since=session, until=session, where=own)
        lag = moment.as_of - moment.calendar.close_at(session)
        within = known_in_time(frames["intraday_prices"], moment.calendar, lag)
        history = History(layout, Beside(universe, within), rows, chosen.features, moment.calendar)
        origins = history.list_origins(self._names or chosen.names, session, row["ticker"])
        return [(table, self._complete(table, origins[table.name], asked)) for table in TABLES]

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
