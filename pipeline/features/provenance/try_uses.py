"""Try what a kernel says its values are made of: all else is changed on made-up sessions, and nothing may move."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.features.engine.price_basis import TradedPrices
from pipeline.features.feature import Feature, Kernel
from pipeline.features.panel import Flags, Floats, Panel
from pipeline.features.params import FeatureParams
from pipeline.features.provenance.ground import survey
from pipeline.features.provenance.values import Origins, Values
from pipeline.features.trailing_window import View
from pipeline.market.sessions import Sessions

TOLERANCE = 1e-6
"""How far a value may move, as a share of it: what cancels leaves its rounding."""


def refuse_unnamed_uses(feature: Feature, kernel: Kernel, panel: Panel, at: int, calendar: Sessions) -> None:
    """Refuse a kernel that is made of more than it declares; one that declares nothing is made of all it sees.

    Args:
        feature: with its declaration.
        kernel: what computes it.
        panel: made-up sessions of a few tickers that trade at each, all members of one sector.
        at: the row of the session that is tried.
        calendar: the sessions of the exchange.

    Raises:
        TypeError: naming the feature and the columns that it is made of besides.
    """
    if feature.uses is None:
        return
    compared = {use.compares for use in feature.uses}
    known = dict.fromkeys({feature.name, *compared}, np.ones((len(panel.bar) + 1, len(panel.tickers)), dtype=bool))
    ground = survey(panel, CORPORATE_ACTIONS.empty(), calendar)
    nothing = TradedPrices({}, panel.growth, panel.growth)
    origins = Values(ground, [feature], known, nothing).trace([feature.name], at, 0)
    session = calendar.days[panel.first + at]

    def compute(facts: Panel) -> float:
        with np.errstate(all="ignore"):
            return float(kernel(View(facts, session, calendar, FeatureParams()))[0])

    before = compute(panel)
    wrong = [
        column
        for column in (*origins.bars, "news")
        if not np.isclose(compute(_change_others(panel, origins, column)), before, TOLERANCE, TOLERANCE, equal_nan=True)
    ]
    if wrong:
        raise TypeError(
            f"feature {feature.name!r} is made of more than its uses name: it moves with the {wrong[0]} of sessions or "
            "tickers that they leave out; name these too, or leave `uses` out"
        )


def _change_others(panel: Panel, origins: Origins, column: str) -> Panel:
    """The panel with other values of a column wherever it is not used."""
    random = np.random.default_rng(5)
    factors = np.exp(random.normal(0.0, 0.05, panel.bar.shape))
    if column == "news":
        scored, told = (_free(origins.articles[name]) for name in ("score", "article_id"))
        return replace(
            panel,
            news_signal=panel.news_signal * np.where(scored, factors, 1.0),
            news_weight=panel.news_weight * np.where(scored, factors, 1.0),
            articles=panel.articles + np.where(told, 1.0, 0.0),
        )
    moved = np.where(_free(origins.bars[column]), factors, 1.0)
    if column == "volume":
        return replace(panel, volume=panel.volume * moved, dollars=panel.dollars * moved)
    if column != "close":
        prices: dict[str, Any] = {column: getattr(panel, column) * moved}
        return replace(panel, **prices)
    return _move_closes(panel, moved)


def _move_closes(panel: Panel, moved: Floats) -> Panel:
    """Closes elsewhere, all other prices where they are."""
    growth = panel.growth.copy()
    growth[1:] *= moved[1:] / moved[:-1]
    shares: dict[str, Any] = {name: getattr(panel, name) / moved for name in ("open", "high", "low")}
    market = np.log(growth.mean(axis=1))
    return replace(
        panel, growth=growth, log_growth=np.log(growth), market=market, dollars=panel.dollars * moved, **shares
    )


def _free(used: Flags) -> Flags:
    return ~used[:-1]
