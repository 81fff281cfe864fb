"""A small real lake that holds an answer to every question of the console, at two sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import Table
from lake.store import Lake
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import RUNS, SYSTEM_HEALTH
from lake.tables.features import FEATURE_ROWS, FEATURE_WINDOWS
from lake.tables.feedback import BIAS_FLAGS, FEEDBACK_METRICS, LEARNING_INSIGHTS, PREDICTION_ACCURACY
from lake.tables.market import MARKET_PRICES, QUARANTINED_ROWS, RAW_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS
from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT
from lake.tables.predictions import INFERENCE_LOG, PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES, STRATEGIC_PRIORITIES, TRADE_PLANS
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import bars, forecast, land, rows, run_row

FIRST, LAST = date(2022, 2, 28), date(2022, 3, 1)
PAYLOAD = "ab" * 32
FEATURES_ID = "f1-20220228-0123456789ab"
PREDICTION = "0123456789abcdef"
Row = dict[str, Any]
Spoil = Callable[[Table, Row], Row]


def as_it_is(table: Table, row: Row) -> Row:
    """Nothing is changed."""
    return row


def desk(path: Path, spoil: Spoil = as_it_is) -> Lake:
    """Build it: two cycles, each published whole; the second has a failed stage behind it that was done later.

    `spoil` may change what is written.
    """
    lake = new_lake(path)
    raw = {"payload_id": PAYLOAD, "source": "simulated", "kind": "bars", "format": "ndjson", "ticker": "ACME"}
    vendor = '{"symbol":"ACME","date":"2022-02-28","close":"104.0"}'
    land(lake, RAW_PRICES, rows(RAW_PRICES, {**raw, "session": FIRST, "payload": vendor}), "raw")
    publish_cycle(lake, FIRST, first_session(), spoil)
    publish_cycle(lake, LAST, last_session(), spoil)
    checks = [
        _check("market_prices", "arrived", "warn", "1 of 2 members have a bar"),
        _check("plan", "last run", "fail", "a disk was full"),
        _check("book", "reconciled", "ok", "every cent of value is explained"),
    ]
    land(lake, SYSTEM_HEALTH, rows(SYSTEM_HEALTH, *(spoil(SYSTEM_HEALTH, check) for check in checks)), "health")
    return lake


def publish_cycle(
    lake: Lake, session: date, written: Mapping[str, tuple[Table, list[Row]]], spoil: Spoil = as_it_is
) -> None:
    """Commit each stage's rows and publish them all in one commit of runs."""
    runs = []
    with lake.lock("a test"):
        for number, (stage, (table, given)) in enumerate(written.items()):
            frame = table.check(rows(table, *(spoil(table, row) for row in given)))
            at = datetime.combine(session, datetime.min.time(), UTC) + timedelta(hours=22, seconds=number)
            run = run_row(stage, session=session, output_table=table.name, started_at=at, rows=frame.height)
            run["written"] = frame.height
            run["output_version"] = lake.commit(table, frame, run["run_id"], {}).version
            runs.append(run)
        if session == LAST:
            failed = {"run_id": "plan-20220301-failed", "status": "failed", "error": "a disk was full"}
            at = datetime.combine(session, datetime.min.time(), UTC) + timedelta(hours=23)
            runs.append(run_row("plan", session=session, output_table="trade_plans", started_at=at, **failed))
        lake.commit(RUNS, RUNS.check(rows(RUNS, *runs)), f"publish-{session}", {})


def first_session() -> dict[str, tuple[Table, list[Row]]]:
    """History, a forecast, and the plan that is filled the session after."""
    levels = [100.0 + number % 7 for number in range(60)]
    day = {"session": FIRST}
    window = {"features_id": FEATURES_ID, "ticker": "ACME", "feature_set": "f1", "length": 1, "window_hash": "0" * 64}
    made = forecast("ACME", 5, prediction_id=PREDICTION, features_id=FEATURES_ID, **day)
    return {
        "prices": (MARKET_PRICES, [{**b, "payload_id": PAYLOAD} for b in bars("ACME", levels, FIRST)]),
        "universe": (TICKER_UNIVERSE, _universe(FIRST)),
        "features": (FEATURE_ROWS, [{"feature_set": "f1", "ticker": "ACME", "complete": True, **day}]),
        "windows": (FEATURE_WINDOWS, [{**window, "first_session": FIRST, "usable": True, **day}]),
        "predict": (PREDICTIONS, [made]),
        "strategy": (STRATEGIC_PRIORITIES, [_stance(FIRST)]),
        "plan": (TRADE_PLANS, [_plan(FIRST, LAST, "ACME", taken=True, shares=50, prediction_id=PREDICTION)]),
        "value": (PORTFOLIO_VALUE, [_value(FIRST, "1000000.00")]),
    }


def last_session() -> dict[str, tuple[Table, list[Row]]]:
    """What came of it, what was learned, and the next plan."""
    day = {"session": LAST}
    article = {"article_id": "cd" * 32, "title": "ACME beats estimates", "tickers": ["ACME"], "source": "simulated"}
    scored = {"article_id": "cd" * 32, "ticker": "ACME", "scorer": "lexicon", "score": 0.5, "strength": 1.0}
    trade = {"trade_id": "2022-03-01:ACME:buy", "plan_id": f"{FIRST}:ACME", "ticker": "ACME", "side": "buy"}
    held = {"ticker": "ACME", "sector": "Energy", "shares": 50, "weight": 0.0052, "opened": LAST, "close_session": LAST}
    quarantined = {"payload_id": PAYLOAD, "line": 7, "target": "market_prices", "ticker": "ZETA", "row": "{}"}
    broken = {**quarantined, "rule": "close is a finite number", "source": "simulated", **day}
    return {
        "prices": (MARKET_PRICES, [{**b, "payload_id": PAYLOAD} for b in bars("ACME", [105.0], LAST)]),
        "quarantine": (QUARANTINED_ROWS, [broken]),
        "universe": (TICKER_UNIVERSE, _universe(LAST)),
        "articles": (NEWS_ARTICLES, [{**article, "payload_id": PAYLOAD, **day}]),
        "sentiment": (NEWS_SENTIMENT, [{**scored, **day}]),
        "execute": (EXECUTED_TRADES, [{**trade, "status": "filled", "ordered": 50, "shares": 50, **day}]),
        "ledger": (LEDGER_ENTRIES, _funding()),
        "holdings": (
            PORTFOLIO_HOLDINGS,
            [{**held, "market_value": Decimal("5250.00"), "cost": Decimal("5200.00"), **day}],
        ),
        "value": (PORTFOLIO_VALUE, [_value(LAST, "1010000.00")]),
        "validate": (PREDICTION_ACCURACY, [_score()]),
        "metrics": (
            FEEDBACK_METRICS,
            [_metric("pinball_skill", 0.02, "skill"), _metric("coverage_80", 0.79, "calibrated")],
        ),
        "bias": (BIAS_FLAGS, [{"scope": "all", "slice": "all", "horizon": 5, "p_value": 0.5, "n": 10, **day}]),
        "insights": (LEARNING_INSIGHTS, [_insight()]),
        "promote": (
            MODEL_PROMOTIONS,
            [{"model_id": "m-1", "promoted": True, "champion": "m-1", "reason": "better", **day}],
        ),
        "predict": (
            PREDICTIONS,
            [forecast("ACME", 1, point=0.01), forecast("ACME", 5, point=0.03), forecast("ZETA", 5)],
        ),
        "inference_log": (INFERENCE_LOG, [{"ticker": "OLDC", "status": "no_bar", "reason": "no bar today", **day}]),
        "strategy": (STRATEGIC_PRIORITIES, [_stance(LAST)]),
        "plan": (TRADE_PLANS, _plans()),
    }


def _universe(session: date) -> list[Row]:
    fine = {"ticker": "ACME", "member": True, "reason": "member", "sector": "Energy", "close": 105.0, "history": 60}
    late = {"ticker": "ZETA", "member": True, "reason": "member", "sector": "Health", "stale": 2, "history": 50}
    return [{**fine, "session": session}, {**late, "session": session}]


def _stance(session: date) -> Row:
    return {
        "session": session,
        "regime": "normal",
        "risk_budget": 0.6,
        "target_exposure": 0.5,
        "reason": "no skill yet",
    }


def _plans() -> list[Row]:
    blocked = {"blocked_by": "cost_awareness", "expected_return": 0.001, "edge": -0.0021}
    return [
        _plan(LAST, LAST + timedelta(days=1), "ACME", taken=True, shares=10, edge=0.02),
        _plan(LAST, LAST + timedelta(days=1), "ZETA", taken=False, shares=0, **blocked),
    ]


def _plan(session: date, opened: date, ticker: str, **given: Any) -> Row:
    refused = "blocked_by" in given
    given = {"blocked_by": None} | given
    verdicts = [
        {"rule": "eligibility", "verdict": "allow", "scale": 1.0, "distance": 0.0, "reason": "in the universe"},
        {
            "rule": "cost_awareness",
            "verdict": "refuse" if refused else "allow",
            "scale": 0.0 if refused else 1.0,
            "distance": 0.0021 if refused else 0.0,
            "reason": "its edge does not pay for its cost" if refused else "it pays for its cost",
        },
    ]
    own = {"plan_id": f"{session}:{ticker}", "session": session, "for_session": opened, "ticker": ticker, "rate": None}
    return {**own, "side": "buy", "intent": "enter", "wanted_shares": 50, "close": 105.0, "verdicts": verdicts, **given}


def _value(session: date, nav: str) -> Row:
    amounts = {name: Decimal(0) for name in ("receivable", "realised", "unrealised", "dividends", "commission")}
    worth = {"nav": Decimal(nav), "cash": Decimal(1_000_000), "capital": Decimal(1_000_000), "peak": Decimal(nav)}
    return {
        **amounts,
        **worth,
        "session": session,
        "equal_weight": 1_004_000.0,
        "benchmark": 1_002_000.0,
        "cash_alone": 1_000_000.0,
        "equal_weight_net": 1_003_000.0,
        "benchmark_net": 1_001_500.0,
        "top_k": 1_006_000.0,
        "drawdown": 0.0,
    }


def _funding() -> list[Row]:
    legs = {"cash": Decimal(1_000_000), "capital": Decimal(-1_000_000)}
    return [
        {"entry_id": f"fund:{n}", "event_id": "fund", "session": LAST, "kind": "fund", "account": account, "amount": a}
        | {"ticker": None, "due": None, "sequence": n}
        for n, (account, a) in enumerate(legs.items())
    ]


def _score() -> Row:
    own = {"prediction_id": "fedcba9876543210", "session": LAST, "made_session": FIRST, "target_session": LAST}
    figures = {"point": 0.01, "realised": 0.02, "error": 0.01, "absolute_error": 0.01, "naive_absolute_error": 0.02}
    return {**own, "ticker": "ACME", "horizon": 1, "model_id": "naive", "role": "naive", **figures, "inside_80": True}


def _metric(metric: str, value: float, verdict: str) -> Row:
    own = {"session": LAST, "scope": "all", "slice": "all", "horizon": 5, "metric": metric}
    baseline = 0.8 if metric == "coverage_80" else 0.0
    return {
        **own,
        "value": value,
        "low": value - 0.01,
        "high": value + 0.01,
        "baseline": baseline,
        "verdict": verdict,
        "n": 900,
    }


def _insight() -> Row:
    own = {"insight_id": "bias:all:all:5:20220228", "session": LAST, "opened": FIRST, "kind": "bias", "scope": "all"}
    figures = {"before": 0.004, "after": 0.001}
    told = {"hypothesis": "5-session forecasts are too low", "evidence": "mean error 0.4 %", "action": "added 0.3 %"}
    return {**own, "slice": "all", "horizon": 5, "status": "measured", **told, "effect": "helped", "n": 40, **figures}


def _check(service: str, check: str, status: str, message: str) -> Row:
    return {"session": LAST, "service": service, "check": check, "status": status, "message": message}


def frame_of(lake: Lake, table: Table) -> pl.DataFrame:
    """What the lake holds, as published."""
    return lake.read(table)
