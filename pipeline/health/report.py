"""One verdict per service after each cycle, with the figure behind it: what the operator looks at first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import RUNS, SYSTEM_HEALTH
from lake.tables.feedback import BIAS_FLAGS, FEATURE_DRIFT, FEEDBACK_METRICS
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, QUARANTINED_ROWS, TICKER_UNIVERSE
from lake.tables.news import RAW_REPLIES, RAW_SENTIMENT
from lake.tables.predictions import INFERENCE_LOG, PREDICTIONS
from lake.tables.trading import TRADE_PLANS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.health import companies, intraday, references
from pipeline.health.checks import Check, Status
from pipeline.health.companies import check_companies
from pipeline.health.held_names import check_held_names, check_holds, check_rates
from pipeline.health.inputs import check_drift, check_strangeness
from pipeline.health.intraday import check_daily_bars, check_snapshots
from pipeline.health.llm_checks import check_replies
from pipeline.health.params import HealthParams
from pipeline.health.references import check_references
from pipeline.ingestion.news.params import MAX_AGAIN
from pipeline.ingestion.prices.cross_check import AGREES
from pipeline.ingestion.sources.errors import LIMITED, SECOND_ANSWERS, UNREACHABLE
from pipeline.ingestion.universe.foreign_listings import OTHER_CURRENCY
from pipeline.prediction.inference_log import STANDING, standing_forecasts
from pipeline.text_format import counted, percent

BAR = (*MARKET_PRICES.key, "session", "open", "high", "low", "close")
TOLERATED = 2
"""Sessions without any new forecast that are a remark; more are a failure."""


def report(
    runs: pl.DataFrame,
    market_prices: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    quarantined_rows: pl.DataFrame,
    raw_replies: pl.DataFrame,
    raw_sentiment: pl.DataFrame,
    predictions: pl.DataFrame,
    inference_log: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    bias_flags: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    trade_plans: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    intraday_prices: pl.DataFrame,
    feature_drift: pl.DataFrame,
    moment: Moment,
    params: HealthParams,
) -> pl.DataFrame:
    """Judge the session's runs, data, forecasts and book. Single session: `since` is ignored."""
    lately, ticker_universe = ticker_universe, ticker_universe.filter(pl.col("session") == moment.session)
    checks: list[Check] = [
        *_stages(runs, params),
        _check_arrived(market_prices, ticker_universe, moment.session, params),
        *check_currencies(ticker_universe),
        *check_companies(corporate_actions, lately, moment, params),
        _check_quarantined(quarantined_rows, market_prices, params),
        _check_answered(quarantined_rows),
        _agreed(quarantined_rows),
        *check_snapshots(intraday_prices, moment, params),
        *check_daily_bars(intraday_prices, market_prices, moment, params),
        *check_replies(raw_replies, raw_sentiment, params),
        _forecast(inference_log, params),
        *_fresh(predictions, inference_log, moment),
        *check_strangeness(predictions, moment, params),
        *check_drift(feature_drift, params),
        *_calibration(feedback_metrics, params),
        _check_bias(bias_flags),
        *check_book(portfolio_value.filter(pl.col("session") == moment.session), params),
        *check_references(portfolio_value, params),
        *check_held_names(portfolio_holdings, moment, params),
        *check_rates(portfolio_holdings, moment, params),
        *check_holds(trade_plans),
    ]
    names = ("service", "check", "status", "value", "limit", "message")
    frame = pl.DataFrame(checks, schema={name: SYSTEM_HEALTH.schema[name] for name in names}, orient="row")
    return frame.with_columns(session=pl.lit(moment.session), as_of=pl.lit(moment.as_of, SYSTEM_HEALTH.schema["as_of"]))


def _stages(runs: pl.DataFrame, params: HealthParams) -> list[Check]:
    last = runs.filter(pl.col("stage") != "report").sort("started_at").group_by("stage", maintain_order=True).last()
    checks: list[Check] = []
    for stage, ended, error, seconds, rows in last.select("stage", "status", "error", "seconds", "rows").iter_rows():
        slow = seconds > params.slow_stage_seconds
        status: Status = "fail" if ended != "done" else "warn" if slow else "ok"
        message = error if ended != "done" else f"{counted(rows, 'row')} in {seconds:.2f} s"
        checks.append(Check(stage, "last run", status, seconds, params.slow_stage_seconds, message[:500]))
    return checks


def _check_arrived(prices: pl.DataFrame, universe: pl.DataFrame, session: date, params: HealthParams) -> Check:
    members = universe.filter(pl.col("member"))
    there = members.join(prices.filter(pl.col("session") == session), on="ticker", how="semi").height
    if not members.height:
        return Check("market_prices", "arrived", "warn", None, params.min_arrived, "the universe has no members yet")
    share = there / members.height
    verdict: Status = "ok" if share >= params.min_arrived else "fail" if share < params.min_arrived / 2 else "warn"
    return Check(
        "market_prices",
        "arrived",
        verdict,
        share,
        params.min_arrived,
        f"{there} of {members.height} members have a bar",
    )


def check_currencies(universe: pl.DataFrame) -> list[Check]:
    """What is quoted in another currency than the book's is kept out of it, which the operator may not have meant."""
    foreign = universe.filter(pl.col("reason").str.contains(OTHER_CURRENCY, literal=True)).sort("ticker")
    if foreign.is_empty():
        return []
    first = f"{foreign['ticker'][0]}: {foreign['reason'][0]}"
    message = f"{counted(foreign.height, 'name')} left out for the currency, the first is {first}"
    return [Check("ticker_universe", "currency", "warn", float(foreign.height), 0.0, message[:500])]


def _check_quarantined(quarantined: pl.DataFrame, prices: pl.DataFrame, params: HealthParams) -> Check:
    share = quarantined.height / max(quarantined.height + prices.height, 1)
    verdict: Status = "ok" if share <= params.max_quarantined else "warn"
    rule = quarantined["rule"].value_counts(sort=True).row(0) if quarantined.height else None
    often = f"; most often: {rule[0]} ({rule[1]})" if rule else ""
    message = f"{counted(quarantined.height, 'row')} set aside this session{often}"
    return Check("market_prices", "quarantined", verdict, share, params.max_quarantined, message[:500])


def _check_answered(quarantined: pl.DataFrame) -> Check:
    """A source that did not answer has landed why: the session runs on what is in the lake."""
    silent = quarantined.filter(pl.col("rule").is_in([UNREACHABLE, LIMITED, SECOND_ANSWERS]))
    if silent.is_empty():
        return Check("sources", "answered", "ok", 0.0, 0.0, "every source answered")
    verdict: Status = "fail" if "*" in silent["ticker"] else "warn"
    message = f"failed check: {silent['rule'][0]}: {silent['row'][0]}; what is in the lake is used"
    return Check("sources", "answered", verdict, float(silent.height), 0.0, message[:500])


def _agreed(quarantined: pl.DataFrame) -> Check:
    apart = quarantined.filter(pl.col("rule") == AGREES).sort("ticker")
    if apart.is_empty():
        return Check("sources", "agree", "ok", 0.0, 0.0, "no second source disagrees")
    message = f"{apart.height} bars differ between the sources, the first is of {apart['ticker'][0]}: {apart['row'][0]}"
    return Check("sources", "agree", "warn", float(apart.height), 0.0, message[:500])


def _forecast(log: pl.DataFrame, params: HealthParams) -> Check:
    if log.is_empty():
        return Check(
            "predictions", "forecast", "warn", None, params.min_forecast, "nothing was selected for forecasting"
        )
    made = log.filter(pl.col("status") == "predicted").height
    share = made / log.height
    verdict: Status = "ok" if share >= params.min_forecast else "warn"
    return Check(
        "predictions",
        "forecast",
        verdict,
        share,
        params.min_forecast,
        f"{made} of {log.height} tickers forecast",
    )


def _fresh(predictions: pl.DataFrame, log: pl.DataFrame, moment: Moment) -> list[Check]:
    """How many sessions lie between the newest bars that forecasts rest on and now; nothing where none stands."""
    standing = standing_forecasts(predictions, moment)
    newest = predictions.filter(pl.col("role") != "shadow")["session"].max()
    if not isinstance(newest, date):
        return []
    age = moment.calendar.distance(newest, moment.session)
    stale = log.filter(pl.col("status") == "stale").height
    if age:
        since = f"of {newest}, {counted(age, 'session')} old, for no bar has come since"
        message = f"the forecasts are stale: the newest are {since}"
        left = f"; {standing.height} tickers' still stand, and nothing is bought on them"
        return [Check("predictions", "fresh", "fail" if age > TOLERATED else "warn", float(age), 0.0, message + left)]
    left = f"only stale forecasts stand for {counted(stale, 'ticker')} without a bar"
    message = left if stale else "made from the session's own bars"
    return [Check("predictions", "fresh", "warn" if stale else "ok", 0.0, 0.0, message)]


def _calibration(metrics: pl.DataFrame, params: HealthParams) -> list[Check]:
    overall = metrics.filter(pl.col("scope") == "all").sort("horizon", "metric")
    checks: list[Check] = []
    status: Status
    for horizon, metric, value, baseline, verdict in overall.select(
        "horizon", "metric", "value", "baseline", "verdict"
    ).iter_rows():
        name, ahead = f"{metric} h{horizon}", f"{counted(horizon, 'session')} ahead"
        if metric == "coverage_80":
            off = abs(value - baseline)
            status = "ok" if verdict in ("calibrated", "too few") or off <= params.coverage_tolerance else "warn"
            message = f"80 % intervals held {percent(value, 1)} of outcomes {ahead}: {verdict}"
            checks.append(Check("predictions", name, status, value, baseline, message))
        if metric == "ic":
            status = "warn" if verdict == "worse" else "ok"
            message = f"rank correlation {value:+.3f} {ahead}: {verdict}"
            checks.append(Check("predictions", name, status, value, baseline, message))
    return checks


def _check_bias(flags: pl.DataFrame) -> Check:
    active = flags.filter(pl.col("active")).height
    message = (
        f"{counted(active, 'slice')} with errors to one side, which are adjusted"
        if active
        else "no slice errs to one side"
    )
    return Check("predictions", "bias", "ok", float(active), None, message)


def check_book(value: pl.DataFrame, params: HealthParams) -> list[Check]:
    """Say whether the book adds up, what was learned of its past, and how far it is down."""
    if value.is_empty():
        return [Check("book", "reconciled", "warn", None, 0.0, "the book has not been opened yet")]
    row = value.row(-1, named=True)
    off, drawdown = float(row["unexplained"]), row["drawdown"]
    fallen: Status = "fail" if drawdown > params.max_drawdown else "ok"
    return [
        Check("book", "reconciled", "fail" if off or row["difference"] else "ok", off, 0.0, _explain(row)),
        *_check_restatement(row),
        *_check_debt(row),
        Check("book", "drawdown", fallen, drawdown, params.max_drawdown, f"{percent(drawdown, 1)} below its peak"),
    ]


def _explain(row: dict[str, Any]) -> str:
    off = row["unexplained"]
    if not off and not row["difference"]:
        return "every cent of value is explained"
    told = f"{off:,.2f} of value is unexplained" if off else "the value is explained, but not where it stands"
    return f"{told}: {row['difference']}" if row["difference"] else told


def _check_restatement(row: dict[str, Any]) -> Iterator[Check]:
    """Only where the past looks otherwise than it was stated."""
    if row["restated"]:
        change = f"{row['restated']:+,.2f} by what was learned of the past; it is not in the session's return"
        yield Check("book", "restated", "warn", float(row["restated"]), 0.0, change)


def _check_debt(row: dict[str, Any]) -> Iterator[Check]:
    """Only where corrections took cash that had been spent."""
    if row["cash"] < 0:
        message = f"cash is {row['cash']:,.2f} after corrections; nothing is bought until sales have made up for it"
        yield Check("book", "cash", "fail", float(row["cash"]), 0.0, message)


STAGE = Stage(
    name="report",
    function=report,
    reads=(
        Read(RUNS),
        Read(MARKET_PRICES, columns=BAR),
        Read(TICKER_UNIVERSE, lookback=companies.LOOKBACK),
        Read(QUARANTINED_ROWS, columns=("payload_id", "line", "target", "rule", "ticker", "row")),
        Read(RAW_REPLIES, columns=("reply_id", "session", "status", "reason", "asked_at", "article_ids", "dollars")),
        Read(RAW_SENTIMENT, lookback=MAX_AGAIN),
        Read(
            PREDICTIONS,
            lookback=STANDING,
            columns=(*PREDICTIONS.key, "role", "target_session", "features_id", "strangeness"),
        ),
        Read(INFERENCE_LOG),
        Read(FEEDBACK_METRICS),
        Read(BIAS_FLAGS),
        Read(PORTFOLIO_VALUE, lookback=references.LOOKBACK),
        Read(PORTFOLIO_HOLDINGS),
        Read(TRADE_PLANS, columns=(*TRADE_PLANS.key, "blocked_by", "verdicts")),
        Read(CORPORATE_ACTIONS, lookback=companies.LOOKBACK, where=pl.col("kind").is_in(["rename", "delisting"])),
        Read(INTRADAY_PRICES, lookback=intraday.LOOKBACK, columns=BAR),
        Read(FEATURE_DRIFT),
    ),
    writes=SYSTEM_HEALTH,
    params=HealthParams(),
    section="health",
)
