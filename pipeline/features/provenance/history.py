"""The rows behind feature values and the values behind rows: places in a panel told by the keys of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from lake.contract import Table
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.news import NEWS_SENTIMENT
from pipeline.features.as_of import Facts
from pipeline.features.engine.expressions import Expression
from pipeline.features.facts.lay_out import lay_out_facts
from pipeline.features.feature import Feature
from pipeline.features.features import EpochPanel
from pipeline.features.panel import Flags, Ints
from pipeline.features.provenance.ground import survey
from pipeline.features.provenance.parts import BAR_COLUMNS, NEWS_COLUMNS
from pipeline.features.provenance.values import Kind, Origins, PlacedFact, Values
from pipeline.market.sessions import Sessions

USED = "used"
"""The column that names the columns of a row that are used."""
KNOWN_FROM, KNOWN_UNTIL = "known from", "known until"
"""The first session that knew a row, and the first that knew better; rows without these columns were always known."""
_WRITTEN = "written as"
"""The ticker that a row has in its table, where its company stands in the place of it."""
_KINDS: dict[str, Kind] = {
    MARKET_PRICES.name: "bar",
    CORPORATE_ACTIONS.name: "action",
    NEWS_SENTIMENT.name: "article",
    TICKER_UNIVERSE.name: "member",
    INTRADAY_PRICES.name: "within",
}
TABLES = (MARKET_PRICES, CORPORATE_ACTIONS, NEWS_SENTIMENT, TICKER_UNIVERSE, INTRADAY_PRICES)
"""What features are made of."""
_COLUMNS: dict[str, tuple[str, ...]] = {
    MARKET_PRICES.name: BAR_COLUMNS,
    NEWS_SENTIMENT.name: NEWS_COLUMNS,
    TICKER_UNIVERSE.name: ("member",),
    INTRADAY_PRICES.name: ("ts",),
}
"""Of each table the columns that features are made of."""


def keep_tickers(facts: Facts) -> Facts:
    """The facts with a note of each row's own ticker, before companies take its place."""
    noted = (frame.with_columns(pl.col("ticker").alias(_WRITTEN)) for frame in vars(facts).values())
    return Facts(*noted)


class Beside(NamedTuple):
    """Facts of the same sessions by ticker."""

    ticker_universe: pl.DataFrame
    intraday_prices: pl.DataFrame
    """Each bar within a session as it was known when the session's decision was made."""


class History:
    """Feature rows of one set, and the facts of their sessions."""

    def __init__(
        self,
        layout: EpochPanel,
        tables: Beside,
        feature_rows: pl.DataFrame,
        features: Sequence[Feature],
        calendar: Sessions,
    ) -> None:
        """Take what is there.

        Args:
            layout: the facts as the rows' sessions knew them, `keep_tickers` done before.
            tables: what the layout does not hold.
            feature_rows: the rows, every column.
            features: what their columns are.
            calendar: the sessions of the exchange.
        """
        self._layout = layout
        self._days = np.array(calendar.days, dtype="datetime64[D]")
        self._universe, self._within_sessions = self._name(tables.ticker_universe), self._name(tables.intraday_prices)
        self._at = self._place(self._name(feature_rows), "session")
        ground = survey(layout.panel, layout.epoch.facts.corporate_actions, calendar)
        known = {one.name: self._find_known(feature_rows, one.name) for one in features}
        wanted = [one.kernel for one in features if isinstance(one.kernel, Expression) and known[one.name].any()]
        within = self._name(tables.intraday_prices).drop(_WRITTEN)
        prices = lay_out_facts(wanted, layout.epoch, layout.panel, calendar, within)
        self._values = Values(ground, features, known, prices)

    def list_origins(self, features: Iterable[str], session: date, ticker: str) -> dict[str, pl.DataFrame]:
        """The rows that a ticker's values of some features are made of.

        Returns:
            Table -> the columns of its key, and USED: a list of the columns that are used.
        """
        asked = self._name(pl.DataFrame({"session": [session], "ticker": [ticker]}))
        (row,), (column,) = self._place(asked, "session")
        found = self._values.trace(features, int(row), int(column))
        return {table.name: self._select(table, found) for table in TABLES}

    def find_values(self, table: Table, rows: pl.DataFrame, columns: Sequence[str] = ()) -> dict[str, pl.Series]:
        """The values that are made of any of some rows.

        Args:
            table: one of TABLES.
            rows: of it, all columns.
            columns: those that matter; all where none is named.

        Returns:
            Feature -> whether its value is, one flag for each of the feature rows; features without any are left out.
        """
        facts = self._find_facts(table, rows, tuple(columns) or _COLUMNS.get(table.name, ()))
        found = self._values.find_all(self._values.features, facts)
        told = {name: pl.Series(name, flags[self._at]) for name, flags in found.items()}
        return {name: flags for name, flags in told.items() if flags.any()}

    def find_rows(self, table: Table, rows: pl.DataFrame, columns: Sequence[str] = ()) -> pl.Series:
        """Whether any value is, one flag for each of the feature rows: for rows too many to tell single values."""
        facts = self._find_facts(table, rows, tuple(columns) or _COLUMNS.get(table.name, ()))
        return pl.Series(self._values.find_any(facts)[self._at])

    def _find_facts(self, table: Table, rows: pl.DataFrame, columns: tuple[str, ...]) -> list[PlacedFact]:
        """Where the rows lie; those outside of the panel's sessions and tickers are used by nothing."""
        if table is CORPORATE_ACTIONS:
            keys = ["ticker", "ex_date", "kind", "sequence"]
            actions = self._values.ground.actions.with_columns(ticker=_WRITTEN).select(*keys, "row", "column")
            placed = rows.join(actions, on=keys, how="inner", maintain_order="left")
            within = placed["row"].to_numpy(), placed["column"].to_numpy()
        else:
            daily = rows.filter(pl.col("interval") == "1d") if table is MARKET_PRICES else rows
            within, placed = self._within(self._name(daily))
        spans = (self._place_days(placed, KNOWN_FROM, date.min), self._place_days(placed, KNOWN_UNTIL, date.max))
        told = zip(*(one.tolist() for one in (*within, *spans)), placed.iter_rows(named=True), strict=True)
        facts = [
            PlacedFact(_KINDS[table.name], _list_columns(one, columns), row, ticker, first, end)
            for row, ticker, first, end, one in told
        ]
        return list(dict.fromkeys(facts))

    def _place_days(self, rows: pl.DataFrame, name: str, otherwise: date) -> Ints:
        days = rows[name] if name in rows.columns else pl.repeat(otherwise, rows.height, dtype=pl.Date, eager=True)
        at = np.searchsorted(self._days, days.fill_null(otherwise).to_numpy().astype("datetime64[D]"))
        return np.clip(at - self._layout.panel.first, 0, len(self._layout.panel.bar) + 1).astype(np.int64)

    def _select(self, table: Table, origins: Origins) -> pl.DataFrame:
        """The rows of a table that are marked in any of them."""
        frame, marks = self._mark(table, origins)
        used = pl.concat_list([pl.when(flags).then(pl.lit(name)) for name, flags in marks.items()]).list.drop_nulls()
        rows = frame.with_columns(used.alias(USED)).filter(pl.col(USED).list.len() > 0)
        return rows.with_columns(ticker=_WRITTEN).select(*table.key, USED).sort(table.key)

    def _mark(self, table: Table, origins: Origins) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
        facts = self._layout.epoch.facts
        if table is CORPORATE_ACTIONS:
            frame = self._values.ground.actions
            at = frame["row"].to_numpy(), frame["column"].to_numpy()
            kinds = {"split": "numerator", "dividend": "amount"}
            found = {
                name: pl.Series(origins.actions[kind][at]) & (frame["kind"] == kind) for kind, name in kinds.items()
            }
            return frame, found
        if table is TICKER_UNIVERSE:
            at, frame = self._within(self._universe)
            return frame, {"member": pl.Series(origins.members[at])}
        if table is INTRADAY_PRICES:
            at, frame = self._within(self._within_sessions)
            return frame, {name: pl.Series(origins.within[at]) for name in BAR_COLUMNS}
        if table is MARKET_PRICES:
            at, frame = self._within(facts.market_prices)
            return frame, {name: pl.Series(origins.bars[name][at]) for name in BAR_COLUMNS}
        at, frame = self._within(facts.news_sentiment)
        scored = frame["score"].is_not_null()
        marks = {name: pl.Series(origins.articles[name][at]) for name in NEWS_COLUMNS}
        return frame, {name: flags & scored if name != "article_id" else flags for name, flags in marks.items()}

    def _within(self, frame: pl.DataFrame) -> tuple[tuple[Ints, Ints], pl.DataFrame]:
        """Where the rows lie that lie within the panel, and these rows."""
        rows, tickers = self._place(frame, "session")
        inside = (rows >= 0) & (rows < len(self._layout.panel.bar)) & (tickers >= 0)
        return (rows[inside], tickers[inside]), frame.filter(pl.Series(inside))

    def _find_known(self, feature_rows: pl.DataFrame, name: str) -> Flags:
        known = np.zeros((len(self._layout.panel.bar) + 1, len(self._layout.panel.tickers)), dtype=bool)
        if name in feature_rows.columns:
            known[self._at] = feature_rows[name].is_not_null().to_numpy()
        return known

    def _name(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self._layout.companies.name_companies(frame.with_columns(pl.col("ticker").alias(_WRITTEN)), "session")

    def _place(self, named: pl.DataFrame, day: str) -> tuple[Ints, Ints]:
        """Row and column in the panel; out of its range, or -1, where it has none."""
        rows = np.searchsorted(self._days, named[day].to_numpy().astype("datetime64[D]")) - self._layout.panel.first
        place: Mapping[str, int] = {name: column for column, name in enumerate(self._layout.panel.tickers)}
        columns = np.array([place.get(name, -1) for name in named["ticker"]], dtype=np.int64)
        return rows.astype(np.int64), columns


def _list_columns(row: Mapping[str, Any], columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of a row that can be used: of an action its kind, of an article without a score that it is there."""
    if "kind" in row:
        return (row["kind"],)
    if "score" in row and row["score"] is None:
        return tuple(name for name in columns if name not in ("score", "strength"))
    return columns
