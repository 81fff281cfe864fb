"""Every stage by its name, in the order a session runs them, and the module that declares it; none is loaded by that.

Who reads a lake asks here; who runs stages has them from `pipeline.engine.stages`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

from lake.contract import Table
from lake.tables import TABLES
from lake.tables.imports import RAW_IMPORTS
from lake.tables.intraday import RAW_INTRADAY
from lake.tables.market import RAW_PRICES
from lake.tables.models import MODEL_REGISTRY, TRIALS
from lake.tables.news import RAW_NEWS, RAW_REPLIES
from pipeline.engine.stage import Stage

INGEST = {
    "land_prices": "pipeline.ingestion.prices.land_prices",
    "land_news": "pipeline.ingestion.news.land_news",
    "instruments": "pipeline.ingestion.universe.instruments",
    "fx_rates": "pipeline.ingestion.rates.fx_rates",
    "actions": "pipeline.ingestion.actions.corporate_actions",
    "prices": "pipeline.ingestion.prices.market_prices",
    "quarantine": "pipeline.ingestion.quarantine",
    "restatements": "pipeline.ingestion.prices.restatements",
    "constituents": "pipeline.ingestion.universe.index_constituents",
    "universe": "pipeline.ingestion.universe.ticker_universe",
    "articles": "pipeline.ingestion.news.articles",
    "ask": "pipeline.ingestion.news.llm_request",
    "score": "pipeline.ingestion.news.scores",
    "sentiment": "pipeline.ingestion.news.sentiment",
}
"""What happened: from the sources to clean prices, actions, news and who can be traded."""
SETTLE = {
    "position_ends": "pipeline.trading.ends.position_ends",
    "book_openings": "pipeline.trading.balances.book_openings",
    "financing": "pipeline.trading.financing.financing",
    "execute": "pipeline.trading.execution.execute",
    "ledger": "pipeline.trading.books.ledger",
    "balances": "pipeline.trading.balances.balances",
    "holdings": "pipeline.trading.books.holdings",
    "baselines": "pipeline.trading.baselines.baseline_holdings",
    "value": "pipeline.trading.books.value",
    "attribution": "pipeline.trading.attribution.attribution",
    "reflect": "pipeline.trading.review.reflect",
    "decision_scores": "pipeline.trading.review.decision_scores",
}
"""Fill what was planned before, at this session's open, and settle the books."""
SCORE = {
    "validate": "pipeline.feedback.validate",
    "validation_events": "pipeline.feedback.validation_events",
    "session_scores": "pipeline.feedback.daily_scores",
    "metrics": "pipeline.feedback.metrics",
    "shadow_scores": "pipeline.feedback.shadow_scores",
    "hypotheses": "pipeline.feedback.learning.register",
    "bias": "pipeline.feedback.bias",
    "slice_lessons": "pipeline.feedback.learning.remedies",
    "retrain_candidates": "pipeline.feedback.retrain_candidates",
    "insights": "pipeline.feedback.insights",
}
"""Judge the forecasts that fell due and learn from them."""
TRAINING = {
    "train": "pipeline.models.train",
    "training_attempts": "pipeline.models.attempts.record_attempt",
    "trials": "pipeline.models.trials.ledger",
    "promote": "pipeline.models.promote",
}
"""Fit a challenger, record what came of it and what was tried, and decide who is champion; in a cycle only when
feedback asks for it."""
TARGETED = {
    "train_target": "pipeline.models.targets.train_target",
    "trials": TRAINING["trials"],
    "targeted_trainings": "pipeline.models.targets.judge_target",
}
"""Tune the champion for some names, record what was tried, and decide whether it speaks for them; no cycle does."""
FORECAST = {
    "features": "pipeline.features.features",
    "windows": "pipeline.features.windows",
    **TRAINING,
    "priorities": "pipeline.prediction.ranking",
    "predict": "pipeline.prediction.predict",
    "explanations": "pipeline.prediction.explanations",
    "inference_log": "pipeline.prediction.inference_log",
    "feature_drift": "pipeline.feedback.drift.feature_drift",
    "strategy": "pipeline.trading.planning.regime",
    "alpha": "pipeline.trading.alpha.alphas",
    "trust_levels": "pipeline.trading.trust.trust_levels",
    "plan": "pipeline.trading.planning.plan",
}
"""Forecast, and plan for the next open."""
CYCLE = {**INGEST, **SETTLE, **SCORE, **FORECAST}
"""One session, after its close: it settles before it looks ahead."""
IMPORT_ONLY = {
    "land_imports": "pipeline.ingestion.imports.land_imports",
    "imported_predictions": "pipeline.ingestion.imports.imported_predictions",
    "imported_trades": "pipeline.ingestion.imports.imported_trades",
}
"""What an older system forecast and traded; no cycle runs them."""
SNAPSHOT = {
    "land_intraday": "pipeline.ingestion.intraday.land_intraday",
    "intraday_prices": "pipeline.ingestion.intraday.intraday_prices",
    "quarantine_intraday": "pipeline.ingestion.intraday.quarantine_intraday",
}
"""Bars within the session in progress, several times a session: no cycle waits for them."""
MERGE = {
    "merge_models": "pipeline.models.merged.merge_models",
    "merge_trials": "pipeline.models.merged.merge_trials",
}
"""What was trained and tried on a branch becomes the lake's own; no cycle runs them."""
NEWS_BETWEEN = {"land_news": INGEST["land_news"]}
"""News between cycles: landed alone; the cycle of the session to come makes articles of it."""
REPORT = {"report": "pipeline.health.report"}
"""Follows each publication, so that it can judge the runs themselves."""
ORDER = {
    **IMPORT_ONLY,
    **INGEST,
    **SETTLE,
    **SCORE,
    "features": FORECAST["features"],
    "windows": FORECAST["windows"],
    "train_target": TARGETED["train_target"],
    **TRAINING,
    "targeted_trainings": TARGETED["targeted_trainings"],
    **MERGE,
    **FORECAST,
    **SNAPSHOT,
    **REPORT,
}
"""All of them; in a mapping a name stays where it came first."""
LANDINGS = {
    "land_imports": RAW_IMPORTS,
    "land_prices": RAW_PRICES,
    "land_news": RAW_NEWS,
    "ask": RAW_REPLIES,
    "land_intraday": RAW_INTRADAY,
}
"""Those that store what a source answered -> their tables, which belong to the source; every other table says in its
contract which stage writes it."""
BROUGHT_OVER = {"merge_models": MODEL_REGISTRY, "merge_trials": TRIALS}
"""Those that bring rows of a branch -> the tables that get them: what a branch's own run of their stage had written."""


def require_stage(name: str) -> str:
    """Return the name of a stage.

    Raises:
        KeyError: naming the nearest stage there is.
    """
    if name in ORDER:
        return name
    near = get_close_matches(name, ORDER, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; `nextgen stages` lists them"
    raise KeyError(f"there is no stage {name!r}{hint}")


@cache
def find_stage(name: str) -> Stage:
    """Return the stage of that name, loaded now; of the others only what it imports.

    Raises:
        KeyError: naming the nearest stage there is.
    """
    found: Stage = importlib.import_module(ORDER[require_stage(name)]).STAGE
    return found


def load_stages(names: Iterable[str]) -> tuple[Stage, ...]:
    """Return the stages of those names, loaded."""
    return tuple(map(find_stage, names))


def load_backfill() -> tuple[Stage, ...]:
    """Return the start of a lake: all that its sources know, landed and normalised in one go."""
    return tuple(one for one in load_stages(INGEST) if not one.catches_up)


@cache
def find_table(stage: str) -> Table | None:
    """Return the table that a stage writes; None where there is no such stage."""
    owned = (table for table in TABLES.values() if table.owner == stage)
    return (LANDINGS.get(stage) or BROUGHT_OVER.get(stage) or next(owned, None)) if stage in ORDER else None
