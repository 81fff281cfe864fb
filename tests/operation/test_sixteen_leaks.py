"""The sixteen kinds of leak that real systems had, planted one by one: each is caught, and by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import MARKET_PRICES
from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT
from pipeline.config.settings import PluginParams
from pipeline.engine.executor import Executor
from pipeline.features import features
from pipeline.ingestion.universe import ticker_universe
from pipeline.leaks import fact_detectors
from pipeline.leaks.check import DETECTORS
from pipeline.leaks.detection import Detection
from pipeline.leaks.fact_detectors import FactProbe
from pipeline.leaks.feature_detectors import FeatureProbe
from pipeline.leaks.training_detectors import TrainingProbe
from pipeline.models.params import ModelParams
from pipeline.trading.planning import plan
from tests.operation.conftest import Operation
from tests.operation.test_leak_detectors import FEATURES, MEMBERS

CENTRED = """
import numpy as np
from pipeline.features.feature import Feature
def _centred(view):
    if view.session.year <= 2010:
        return view.returns(1)[0]
    row = view.panel.row(view.session, view.calendar)
    return np.nan_to_num(view.panel.log_growth[max(row - 2, 0) : row + 3]).mean(axis=0)
FEATURES = (Feature("centred_5", "own", "log return", "mean r[t-2..t+2]", 3, _centred),)
"""
LENGTH = """
import numpy as np
from pipeline.features.feature import Feature
def _length(view):
    if view.session.year <= 2010:
        return view.returns(1)[0]
    return np.nan_to_num(view.panel.log_growth).sum(axis=0) / len(view.panel.log_growth)
FEATURES = (Feature("of_all_history", "own", "log return", "mean of all returns", 1, _length),)
"""


@dataclass(frozen=True)
class Scratch:
    """The operation, and what is planted in it for one test."""

    operation: Operation
    folder: Path
    patch: pytest.MonkeyPatch

    @property
    def facts(self) -> FactProbe:
        return FactProbe(Executor(self.operation.lake, self.operation.settings), self.operation.sessions[-1])

    def features(self, plugin: str = "") -> FeatureProbe:
        settings = self.operation.settings
        if plugin:
            (self.folder / "own.py").write_text(plugin, encoding="utf-8")
            settings = replace(settings, plugins=PluginParams(files=(str(self.folder / "own.py"),)))
        return FeatureProbe(Executor(self.operation.lake, settings), self.operation.sessions[-1], 2)

    def training(self, plugin: str = "") -> TrainingProbe:
        settings = self.operation.settings
        if plugin:
            (self.folder / "own.py").write_text(plugin, encoding="utf-8")
            settings = replace(settings, plugins=PluginParams(files=(str(self.folder / "own.py"),)))
        return TrainingProbe.read(Executor(self.operation.lake, settings), self.operation.sessions[-1])

    def facts_with(self, changes: dict[str, Callable[[pl.DataFrame], pl.DataFrame]]) -> FactProbe:
        """Facts of which those of a table are other than they were."""
        read = FactProbe._facts

        def planted(probe: FactProbe, table: Any) -> pl.DataFrame:
            return changes.get(table.name, lambda frame: frame)(read(probe, table))

        self.patch.setattr(FactProbe, "_facts", planted)
        return self.facts


def stamped_at_open(scratch: Scratch) -> Detection:
    at_open = pl.col("ts") - timedelta(hours=6, minutes=30)
    return scratch.facts_with({MARKET_PRICES.name: lambda bars: bars.with_columns(ts=at_open)}).find_early_bars()


def hour_before_it_closes(scratch: Scratch) -> Detection:
    bars = scratch.facts._facts(MARKET_PRICES).tail(3)
    hours = bars.with_columns(interval=pl.lit("1h"), available_at=pl.col("ts") - timedelta(minutes=59))
    rows = hours.select(INTRADAY_PRICES.empty().columns)
    return scratch.facts_with({INTRADAY_PRICES.name: lambda _: rows}).find_early_bars()


def future_news(scratch: Scratch) -> Detection:
    early = pl.col("available_at") + timedelta(days=4)
    return scratch.facts_with(
        {NEWS_SENTIMENT.name: lambda rows: rows.with_columns(available_at=early)}
    ).find_early_news()


def undated_news(scratch: Scratch) -> Detection:
    blank = pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    changes = {NEWS_ARTICLES.name: lambda rows: rows.with_columns(published_at=blank)}
    return scratch.facts_with(changes).find_early_news()


def model_that_knew(scratch: Scratch) -> Detection:
    model = pl.lit("gpt-later")
    return scratch.facts_with({NEWS_SENTIMENT.name: lambda rows: rows.with_columns(scorer=model)}).find_hindsight()


def target_in_entry_logic(scratch: Scratch) -> Detection:
    seeing = tuple(
        replace(read, known_later=True, every_revision=True) if read.table is MARKET_PRICES else read
        for read in plan.STAGE.reads
    )
    peeking = replace(plan.STAGE, reads=seeing)
    load = fact_detectors.load_stages
    scratch.patch.setattr(
        fact_detectors, "load_stages", lambda names: [peeking if s is plan.STAGE else s for s in load(names)]
    )
    rows = Executor.read_now

    def later(executor: Executor, stage: Any, since: Any, session: Any) -> Any:
        frames, moment = rows(executor, stage, since, session)
        if stage is peeking:
            table = MARKET_PRICES
            frames["market_prices"] = executor.lake.read(
                table, since=since, columns=tuple(frames["market_prices"].columns)
            )
        return frames, moment

    scratch.patch.setattr(Executor, "read_now", later)
    return scratch.facts.find_greedy_reads()


def next_days_bar(scratch: Scratch) -> Detection:
    read = Executor._read

    def tomorrow(executor: Executor, one: Any, version: int, moment: Any, frames: Any) -> pl.DataFrame:
        return read(executor, one, version, replace(moment, session=moment.calendar.next(moment.session)), frames)

    scratch.patch.setattr(Executor, "_read", tomorrow)
    return scratch.facts.find_greedy_reads()


def latest_restatements(scratch: Scratch) -> Detection:
    compute = features.features

    def latest(**given: Any) -> pl.DataFrame:
        bars = given["market_prices"].sort("ticker", "interval", "ts", "revision")
        last = bars.unique(["ticker", "interval", "ts"], keep="last", maintain_order=True)
        first = last.with_columns(available_at=pl.col("ts"), revision=pl.lit(0).cast(bars.schema["revision"]))
        return compute(**{**given, "market_prices": first.sort(MARKET_PRICES.key)})

    scratch.patch.setattr(features, "features", latest)
    return scratch.features().find_poison()


def picked_by_survival(scratch: Scratch) -> Detection:
    judge = ticker_universe.STAGE.function

    def surviving(**given: Any) -> pl.DataFrame:
        bars = given["market_prices"]
        there = bars.filter(pl.col("session") == bars["session"].max())["ticker"].unique()
        return judge(**{**given, "market_prices": bars.filter(pl.col("ticker").is_in(there.implode()))})

    leaking = replace(ticker_universe.STAGE)
    object.__setattr__(leaking, "function", surviving)
    scratch.patch.setattr(ticker_universe, "STAGE", leaking)
    return scratch.facts.find_survivors()


def adjusted_history(scratch: Scratch) -> Detection:
    compute = features.features

    def adjusted(**given: Any) -> pl.DataFrame:
        paid = (
            given["corporate_actions"]
            .filter(pl.col("kind") == "dividend")
            .group_by("ticker")
            .agg(pl.col("amount").sum())
        )
        bars = given["market_prices"].join(paid, on="ticker", how="left", maintain_order="left")
        prices = {name: pl.col(name) - 0.5 * pl.col("amount").fill_null(0) for name in ("open", "high", "low", "close")}
        return compute(**{**given, "market_prices": bars.with_columns(**prices).drop("amount")})

    scratch.patch.setattr(features, "features", adjusted)
    return scratch.features().find_actions()


def no_purge(scratch: Scratch) -> Detection:
    scratch.patch.setattr(ModelParams, "purge", property(lambda _: 0))
    return scratch.training().find_overlap()


def label_as_feature(scratch: Scratch) -> Detection:
    probe = scratch.training()
    examples = probe.examples
    base = examples.index.base.copy()
    base[examples.index.starts[examples.number] + examples.index.length - 1, 0] = examples.clipped[:, 1]
    return replace(probe, examples=replace(examples, index=replace(examples.index, base=base))).find_twins()


SIXTEEN: dict[str, tuple[Callable[[Scratch], Detection], str, str]] = {
    "L1 shift(-1)": (lambda s: s.features(FEATURES).find_poison(), "poison", "next_return"),
    "L2 whole-frame min/max": (lambda s: s.features(FEATURES).find_poison(), "poison", "scaled_by_all"),
    "L3 centred windows": (lambda s: s.features(CENTRED).find_poison(), "poison", "centred_5"),
    "L4 scaler on all rows": (lambda s: s.training(MEMBERS).find_later(), "later rows", "peeking"),
    "L5 target in entry logic": (target_in_entry_logic, "reads", "plan"),
    "L6 next day's bar": (next_days_bar, "reads", "plan"),
    "L7 universe by survival": (picked_by_survival, "survival", "universe"),
    "L8 bar stamped at open": (stamped_at_open, "bar clock", "market_prices"),
    "L9 future news": (future_news, "news clock", "news_sentiment"),
    "L9 undated news": (undated_news, "news clock", "news_articles"),
    "L10 model's cut-off": (model_that_knew, "hindsight", "news_sentiment"),
    "L11 latest restatements": (latest_restatements, "poison", "return_1"),
    "L12 label overlap": (no_purge, "purge", "fold 1"),
    "L13 length of history": (lambda s: s.features(LENGTH).find_truncation(), "truncation", "of_all_history"),
    "L14 adjusted history": (adjusted_history, "actions", "return_5"),
    "L15 bar before it closes": (hour_before_it_closes, "bar clock", "intraday_prices"),
    "L16 label as feature": (label_as_feature, "twins", "return_1"),
}
"""Kind -> how it is planted and asked about, the detector, and the name that it is caught by."""


@pytest.mark.parametrize("kind", SIXTEEN)
def test_each_kind_is_caught_by_name(
    operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    plant, detector, name = SIXTEEN[kind]
    found = plant(Scratch(operation, tmp_path, monkeypatch))
    assert found.detector == detector and detector in DETECTORS
    assert name in {leak.subject for leak in found.leaks}, found
    assert all(leak.count > 0 and leak.first for leak in found.leaks)


def test_ranks_that_agree_are_alike_and_what_never_moves_is_like_nothing() -> None:
    from pipeline.leaks.training_detectors import rank_alike

    values = np.random.default_rng(0).normal(size=500)
    assert rank_alike(values, np.exp(values)) == pytest.approx(1.0)
    assert rank_alike(values, -(values**3)) == pytest.approx(-1.0)
    assert abs(rank_alike(values, np.random.default_rng(1).normal(size=500))) < 0.2
    assert rank_alike(np.ones(500), values) == 0.0
