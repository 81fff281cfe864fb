"""Legal rows of the prediction tables and of what the prediction stages read, filled in where a test does not care."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

import polars as pl

from lake.tables.books import PORTFOLIO_HOLDINGS
from lake.tables.features import FEATURE_WINDOWS
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS, QUANTILE_COLUMNS, TICKER_PRIORITIES
from pipeline.features.feature_set import current_set
from tests.frames.market import CALENDAR, DAY

Z = (-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645)
"""Quantiles of a normal distribution at the stated levels."""
BATCH = f"f1-{DAY:%Y%m%d}-0123456789ab"


def normal(point: float, sigma: float) -> dict[str, float]:
    """The quantiles of a normal forecast."""
    return {name: point + z * sigma for name, z in zip(QUANTILE_COLUMNS, Z, strict=True)}


def member(name: str = "naive", weight: float = 1.0, point: float = 0.0, sigma: float = 0.02) -> dict[str, Any]:
    """One member's entry in a forecast's breakdown."""
    return {"member": name, "weight": weight, "point": point, **normal(point, sigma)}


def predictions(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of predictions: a champion's normal forecast of +1 % over one session with a deviation of 2 %.

    `point`, `sigma` and `interval_scale` shape the quantiles unless the row gives them itself.
    """
    return PREDICTIONS.check(pl.DataFrame([_prediction(row) for row in rows], schema=PREDICTIONS.schema))


def _prediction(row: Mapping[str, Any]) -> dict[str, Any]:
    session = row.get("session", DAY)
    horizon = row.get("horizon", 1)
    sigma = row.get("sigma", 0.02)
    key = f"{session}|{row.get('ticker', 'AAA')}|{horizon}|{row.get('model_id', 'm-test')}"
    point = row.get("point", 0.01)
    return {
        "prediction_id": sha256(key.encode()).hexdigest()[:16],
        "session": session,
        "made_at": CALENDAR.close_at(session) + timedelta(minutes=20),
        "ticker": "AAA",
        "horizon": horizon,
        "target_session": CALENDAR.offset(session, horizon),
        "reference_close": 100.0,
        "point": point,
        **normal(point, sigma * row.get("interval_scale", 1.0)),
        "probability_up": 0.69,
        "confidence": 0.5,
        "sigma": sigma,
        "members": [member("naive", 0.0, 0.0, sigma), member("ridge", 1.0, point, sigma)],
        "bias_adjustment": 0.0,
        "interval_scale": 1.0,
        "bounds": [],
        "features_id": BATCH,
        "model_id": "m-test",
        "role": "champion",
    } | dict(row)


def windows(*tickers: str, **values: object) -> pl.DataFrame:
    """Rows of feature_windows of one batch: usable windows of five sessions that end at DAY."""
    length = int(str(values.get("length", 5)))
    session = values.get("session", DAY)
    first = values.get("first_session") or CALENDAR.offset(session, 1 - length)  # type: ignore[arg-type]
    legal = {
        "features_id": BATCH,
        "session": session,
        "feature_set": current_set().name,
        "length": length,
        "first_session": first,
        "present": length,
        "usable": True,
        "window_hash": "0" * 64,
        "feature_rows_version": 1,
    } | values
    return pl.DataFrame([{"ticker": ticker} | legal for ticker in tickers], schema=FEATURE_WINDOWS.schema)


def priorities(*tickers: str, **values: object) -> pl.DataFrame:
    """Rows of ticker_priorities: all selected, in the order given."""
    rows = [
        {
            "session": DAY,
            "ticker": ticker,
            "rank": rank,
            "score": 1.0,
            "held": False,
            "liquidity": 1.0,
            "newsworthy": 0.0,
            "unusual": 0.0,
            "selected": True,
        }
        | values
        for rank, ticker in enumerate(tickers, start=1)
    ]
    return pl.DataFrame(rows, schema=TICKER_PRIORITIES.schema)


def universe(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of ticker_universe: a member of the sector 'tech' at DAY."""
    legal = {
        "session": DAY,
        "ticker": "AAA",
        "member": True,
        "reason": "member",
        "sector": "tech",
        "close": 100.0,
        "dollar_volume": 1e6,
        "history": 300,
        "stale": 0,
    }
    return pl.DataFrame([legal | dict(row) for row in rows], schema=TICKER_UNIVERSE.schema)


def holdings(*tickers: str, **values: object) -> pl.DataFrame:
    """Rows of portfolio_holdings: ten shares each after the session before DAY."""
    from decimal import Decimal

    session = CALENDAR.previous(DAY)
    legal = {
        "session": session,
        "sector": "tech",
        "shares": 10,
        "cost": Decimal("1000.00"),
        "close": Decimal("100.000000"),
        "close_session": session,
        "market_value": Decimal("1000.00"),
        "unrealised": Decimal("0.00"),
        "weight": 0.01,
        "opened": session,
        "held_sessions": 1,
    } | values
    return pl.DataFrame([{"ticker": ticker} | legal for ticker in tickers], schema=PORTFOLIO_HOLDINGS.schema)
