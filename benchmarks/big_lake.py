"""A lake as big as one likes, written through its own door in a few commits: made-up rows under real contracts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import Table
from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS, SYSTEM_HEALTH
from lake.tables.features import FEATURE_ROWS, FEATURE_WINDOWS
from lake.tables.feedback import PREDICTION_ACCURACY
from lake.tables.market import MARKET_PRICES, RAW_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS, QUANTILE_COLUMNS
from lake.tables.trading import EXECUTED_TRADES, STRATEGIC_PRIORITIES, TRADE_PLANS
from pipeline.engine.stages import CYCLE

LAST = date(2025, 12, 31)
CLOSE = time(21, 0, tzinfo=UTC)
FEATURES_ID, PAYLOAD = "f1-20251231-0123456789ab", "ab" * 32
HORIZONS = (1, 5, 10, 20, 60)


class Builder:
    """Commits tables and publishes them, one run of its own for each."""

    def __init__(self, path: Path) -> None:
        self.lake = Lake.create(path)
        self.lake.durable = False
        self._number = 0

    def publish(self, table: Table, rows: pl.DataFrame, session: date = LAST) -> None:
        """Write the rows, filled up to the contract, and publish them."""
        self._number += 1
        frame = filled(table, rows)
        run = {
            "run_id": f"built-{self._number}",
            "work": "single-stage",
            "cycle_id": f"built-{self._number}",
            "stage": table.owner,
        }
        version = self.lake.commit(table, frame, run["run_id"], {}).version
        row = {**run, "session": session, "since": session, "status": "done", "kind": "pure", "rows": frame.height}
        told = {"output_table": table.name, "output_version": version, "written": frame.height}
        self.lake.commit(RUNS, filled(RUNS, pl.DataFrame([row | told])), f"publish-{self._number}", {})


def filled(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with every column of the contract; what is left out is empty, zero or the last session."""
    missing = [
        pl.lit("{}" if column.unit == "JSON" else _anything(column.dtype), dtype=column.dtype).alias(name)
        for name, column in table.columns.items()
        if name not in rows.columns
    ]
    return rows.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in table.schema.items())


def _anything(dtype: Any) -> Any:
    if dtype == pl.String:
        return ""
    if dtype == pl.Date:
        return LAST
    if isinstance(dtype, pl.Datetime):
        return datetime.combine(LAST, CLOSE)
    if dtype == pl.Boolean:
        return False
    return [] if isinstance(dtype, pl.List) else 0


def weekdays(count: int) -> list[date]:
    """So many weekdays up to the last session."""
    days = (LAST - timedelta(days=number) for number in range(2 * count))
    return sorted([day for day in days if day.weekday() < 5][:count])


def build(path: Path, *, tickers: int, sessions: int, forecasts: int) -> Lake:
    """Prices of so many tickers over so many sessions, the runs of as many cycles, and a last session's forecasts.

    Args:
        path: an empty folder.
        tickers: names with a bar in every session.
        sessions: cycles, each with a run of every stage.
        forecasts: rows of `predictions` for the last session, over five horizons.
    """
    made, days = Builder(path), weekdays(sessions)
    with made.lake.lock("building"):
        _fill(made, days, tickers, forecasts)
    return made.lake


def _fill(made: Builder, days: list[date], tickers: int, forecasts: int) -> None:
    names = pl.DataFrame({"ticker": [f"T{number:05d}" for number in range(max(tickers, forecasts // len(HORIZONS)))]})
    for block in _blocks(days, 250):
        made.publish(MARKET_PRICES, _bars(names.head(tickers), block), block[-1])
    made.publish(TICKER_UNIVERSE, _universe(names.head(tickers)))
    made.publish(PREDICTIONS, _forecasts(names, forecasts))
    made.publish(PREDICTION_ACCURACY, _scores(names, forecasts))
    _one_trade(made, names["ticker"][0])
    value = pl.DataFrame({"session": days}).with_columns(nav=pl.lit(1_000_000) + pl.int_range(len(days)), capital=10**6)
    made.publish(PORTFOLIO_VALUE, value.with_columns(peak="nav", equal_weight=1e6, benchmark=1e6))
    _cycles(made.lake, days)


def _blocks(days: list[date], size: int) -> Iterator[list[date]]:
    for start in range(0, len(days), size):
        yield days[start : start + size]


def _bars(names: pl.DataFrame, days: list[date]) -> pl.DataFrame:
    rows = names.join(pl.DataFrame({"session": days}), how="cross")
    level = 100 + (pl.int_range(pl.len()) % 97).cast(pl.Float64)
    closed = pl.col("session").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=21)
    prices = rows.with_columns(interval=pl.lit("1d"), ts=closed, available_at=closed, open=level, close=level)
    prices = prices.with_columns(high=pl.col("close") + 1, low=pl.col("close") - 1, volume=1_000)
    return prices.with_columns(currency=pl.lit("USD"), source=pl.lit("simulated"), payload_id=pl.lit(PAYLOAD))


def _universe(names: pl.DataFrame) -> pl.DataFrame:
    return names.with_columns(member=True, reason=pl.lit("member"), sector=pl.lit("Energy"), close=100.0, history=500)


def _forecasts(names: pl.DataFrame, count: int) -> pl.DataFrame:
    horizons = pl.DataFrame({"horizon": HORIZONS, "target_session": [LAST + timedelta(days=2 * h) for h in HORIZONS]})
    rows = names.join(horizons, how="cross").head(count)
    point = (pl.int_range(pl.len()) % 997).cast(pl.Float64) / 10_000
    spread = {name: point + level / 100 for level, name in enumerate(QUANTILE_COLUMNS, start=-3)}
    member = pl.struct(pl.lit("naive").alias("member"), pl.lit(1.0).alias("weight"), point.alias("point"), **spread)
    return rows.with_columns(
        prediction_id=_ids(),
        point=point,
        **spread,
        members=pl.concat_list(member, member),
        reference_close=100.0,
        probability_up=0.5,
        confidence=0.5,
        sigma=0.02,
        interval_scale=1.0,
        features_id=pl.lit(FEATURES_ID),
        model_id=pl.lit("naive"),
        role=pl.lit("naive"),
    )


def _scores(names: pl.DataFrame, count: int) -> pl.DataFrame:
    rows = names.join(pl.DataFrame({"horizon": HORIZONS}), how="cross").head(count)
    return rows.with_columns(prediction_id=_ids(), role=pl.lit("naive"), model_id=pl.lit("naive"))


def _ids() -> pl.Expr:
    return pl.int_range(pl.len()).cast(pl.String).str.zfill(16)


def _one_trade(made: Builder, ticker: str) -> None:
    """A trade with all that it rests on, down to what the vendor sent."""
    own = pl.DataFrame({"ticker": [ticker], "session": [LAST]})
    plan = {"plan_id": f"{LAST}:{ticker}", "prediction_id": "0" * 16, "taken": True, "side": "buy", "intent": "enter"}
    made.publish(RAW_PRICES, own.with_columns(payload_id=pl.lit(PAYLOAD), payload=pl.lit('{"close":"104.0"}')))
    made.publish(FEATURE_ROWS, own.with_columns(feature_set=pl.lit("f1"), complete=True))
    made.publish(FEATURE_WINDOWS, own.with_columns(features_id=pl.lit(FEATURES_ID), usable=True))
    stance = {"regime": "normal", "risk_budget": 0.6, "target_exposure": 0.5}
    made.publish(STRATEGIC_PRIORITIES, pl.DataFrame([{"session": LAST, **stance}]))
    lits = [pl.lit(value).alias(name) for name, value in plan.items()]
    made.publish(TRADE_PLANS, own.with_columns(lits).with_columns(blocked_by=pl.lit(None, dtype=pl.String)))
    trade = own.with_columns(plan_id=pl.lit(plan["plan_id"]), trade_id=pl.lit(f"{LAST}:{ticker}:buy"), shares=50)
    made.publish(EXECUTED_TRADES, trade.with_columns(side=pl.lit("buy"), status=pl.lit("filled"), ordered=50))


def _cycles(lake: Lake, days: list[date]) -> None:
    """A run of every stage in every session, and a report."""
    stages = pl.DataFrame({"stage": [stage.name for stage in CYCLE]}).with_row_index("order")
    runs = pl.DataFrame({"session": days}).join(stages, how="cross")
    day = pl.col("session").dt.strftime("%Y%m%d")
    started = pl.col("session").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=22, seconds="order")
    told = runs.select(
        "session",
        "stage",
        since="session",
        run_id=pl.format("{}-{}", "stage", day),
        work=pl.lit("cycle"),
        cycle_id=pl.format("cycle-{}", day),
        started_at=started,
        seconds=0.2,
        status=pl.lit("done"),
        kind=pl.lit("pure"),
        rows=500,
        output_version=pl.lit(None, dtype=pl.Int64),
    )
    check = {"session": LAST, "service": "book", "check": "reconciled", "status": "ok", "message": "all is explained"}
    lake.commit(RUNS, filled(RUNS, told), "cycles", {})
    lake.commit(SYSTEM_HEALTH, filled(SYSTEM_HEALTH, pl.DataFrame([check])), "report", {})
