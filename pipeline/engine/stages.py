"""Every stage, in the order a session runs them: the one list the runner, the command line and the docs read."""

from __future__ import annotations

from difflib import get_close_matches

from lake.tables import TABLES
from lake.tables.control import MODEL_CHOICES
from lake.tables.feedback import RETRAIN_CANDIDATES
from pipeline.engine.stage import Condition, Stage
from pipeline.features import features, windows
from pipeline.feedback import (
    bias,
    daily_scores,
    insights,
    metrics,
    retrain_candidates,
    shadow_scores,
    validate,
    validation_events,
)
from pipeline.feedback.drift import feature_drift
from pipeline.feedback.learning import register, remedies
from pipeline.health import report
from pipeline.ingestion import quarantine
from pipeline.ingestion.actions import corporate_actions
from pipeline.ingestion.imports import imported_predictions, imported_trades, land_imports
from pipeline.ingestion.intraday import intraday_prices, land_intraday, quarantine_intraday
from pipeline.ingestion.news import articles, land_news, llm_request, scores, sentiment
from pipeline.ingestion.prices import land_prices, market_prices, restatements
from pipeline.ingestion.rates import fx_rates
from pipeline.ingestion.universe import index_constituents, instruments, ticker_universe
from pipeline.models import promote, train
from pipeline.models.attempts import record_attempt
from pipeline.models.targets import judge_target, train_target
from pipeline.models.trials import ledger as ledger_of_trials
from pipeline.prediction import explanations, inference_log, predict, ranking
from pipeline.trading.alpha import alphas
from pipeline.trading.attribution import attribution
from pipeline.trading.balances import balances, book_openings
from pipeline.trading.baselines import baseline_holdings
from pipeline.trading.books import holdings, ledger, value
from pipeline.trading.ends import position_ends
from pipeline.trading.execution import execute
from pipeline.trading.financing import financing
from pipeline.trading.planning import plan, regime
from pipeline.trading.review import decision_scores, reflect
from pipeline.trading.trust import trust_levels

INGEST = (
    land_prices.STAGE,
    land_news.STAGE,
    instruments.STAGE,
    fx_rates.STAGE,
    corporate_actions.STAGE,
    market_prices.STAGE,
    quarantine.STAGE,
    restatements.STAGE,
    index_constituents.STAGE,
    ticker_universe.STAGE,
    articles.STAGE,
    llm_request.STAGE,
    scores.STAGE,
    sentiment.STAGE,
)
"""What happened: from the sources to clean prices, actions, news and who can be traded."""
SETTLE = (
    position_ends.STAGE,
    book_openings.STAGE,
    financing.STAGE,
    execute.STAGE,
    ledger.STAGE,
    balances.STAGE,
    holdings.STAGE,
    baseline_holdings.STAGE,
    value.STAGE,
    attribution.STAGE,
    reflect.STAGE,
    decision_scores.STAGE,
)
"""Fill what was planned before, at this session's open, and settle the books."""
SCORE = (
    validate.STAGE,
    validation_events.STAGE,
    daily_scores.STAGE,
    metrics.STAGE,
    shadow_scores.STAGE,
    register.STAGE,
    bias.STAGE,
    remedies.STAGE,
    retrain_candidates.STAGE,
    insights.STAGE,
)
"""Judge the forecasts that fell due and learn from them."""
TRAINING = (train.STAGE, record_attempt.STAGE, ledger_of_trials.STAGE, promote.STAGE)
"""Fit a challenger, record what came of it and what was tried, and decide who is champion; in a cycle only when
feedback asks for it."""
TARGETED = (train_target.STAGE, ledger_of_trials.STAGE, judge_target.STAGE)
"""Tune the champion for some names, record what was tried, and decide whether it speaks for them; no cycle does."""
FORECAST = (
    features.STAGE,
    windows.STAGE,
    *TRAINING,
    ranking.STAGE,
    predict.STAGE,
    explanations.STAGE,
    inference_log.STAGE,
    feature_drift.STAGE,
    regime.STAGE,
    alphas.STAGE,
    trust_levels.STAGE,
    plan.STAGE,
)
"""Forecast, and plan for the next open."""
CYCLE = (*INGEST, *SETTLE, *SCORE, *FORECAST)
"""One session, after its close: it settles before it looks ahead."""
BACKFILL = tuple(one for one in INGEST if not one.catches_up)
"""The start of a lake: all that its sources know, landed and normalised in one go."""
IMPORT_ONLY = (land_imports.STAGE, imported_predictions.STAGE, imported_trades.STAGE)
"""What an older system forecast and traded; no cycle runs them."""
IMPORT = (*IMPORT_ONLY, *(one for one in BACKFILL if one is not llm_request.STAGE))
"""An import: an older system's records are landed and derived as history is, and no language model is asked."""
SNAPSHOT = (land_intraday.STAGE, intraday_prices.STAGE, quarantine_intraday.STAGE)
"""Bars within the session in progress, several times a session: no cycle reads them or waits for them."""
NEWS_BETWEEN = (land_news.STAGE,)
"""News between cycles: landed alone; the cycle of the session to come makes articles of it."""
REPORT = report.STAGE
"""Follows each publication, so that it can judge the runs themselves."""
_BEFORE = CYCLE.index(TRAINING[0])
STAGES = (
    *IMPORT_ONLY,
    *CYCLE[:_BEFORE],
    train_target.STAGE,
    *TRAINING,
    judge_target.STAGE,
    *CYCLE[_BEFORE + len(TRAINING) :],
    *SNAPSHOT,
    REPORT,
)


TRAINING_DUE = Condition(RETRAIN_CANDIDATES, retrain_candidates.training_due)
"""Training is due when any reason for it is beyond its threshold."""
CHAMPION_CHOSEN = Condition(MODEL_CHOICES, lambda rows: not rows.is_empty())
"""Who is champion has to be decided also where nothing was trained, if the operator chose."""


def find_stage(name: str) -> Stage:
    """The stage of that name.

    Raises:
        KeyError: naming the nearest stage there is.
    """
    for one in STAGES:
        if one.name == name:
            return one
    near = get_close_matches(name, [one.name for one in STAGES], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; `nextgen stages` lists them"
    raise KeyError(f"there is no stage {name!r}{hint}")


def _check_order() -> None:
    """Each table has one writer, as its contract says, and nobody reads this session's rows before they are there."""
    position = {one.writes.name: number for number, one in enumerate(STAGES)}
    if len(position) != len(STAGES):
        raise TypeError("two stages write one table; a table has one writer")
    for number, one in enumerate(STAGES):
        if TABLES.get(one.writes.name) is not one.writes:
            raise TypeError(
                f"stage {one.name!r} writes {one.writes.name}, which is in no module of lake/tables/__init__.py; "
                "add its module to MODULES there"
            )
        if one.writes.owner not in (one.name, "source"):
            raise TypeError(f"stage {one.name!r} writes {one.writes.name}, which belongs to {one.writes.owner!r}")
        for read in one.reads:
            later = position.get(read.table.name, -1) >= number
            if later and read.upto == "session":
                raise TypeError(
                    f"stage {one.name!r} reads {read.table.name} of this session, which is written later; "
                    'read it with upto="previous"'
                )
    unwritten = {name for name, table in TABLES.items() if table.owner not in ("source", "operator", "kernel")} - set(
        position
    )
    if unwritten:
        raise TypeError(f"no stage writes {sorted(unwritten)}")


_check_order()
