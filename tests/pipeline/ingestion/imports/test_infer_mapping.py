"""A first mapping is guessed from names and values, can be read as it is, and says where a person has to decide."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.ingestion.imports.infer_mapping import propose
from pipeline.ingestion.imports.mapping import parse_mapping
from pipeline.ingestion.imports.parquet import ParquetStore
from pipeline.ingestion.imports.sqlite import open_sqlite
from pipeline.ingestion.sources.errors import SourceError
from tests.frames.older import execute, insert

BARS = "CREATE TABLE daily (symbol, date, open, high, low, close, volume)"


def proposed(path: Path) -> tuple[dict[str, Any], str]:
    with open_sqlite(path) as store:
        text = propose(store, "mine")
    return tomllib.loads(text), text


def test_every_kind_is_found_by_the_usual_names(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    execute(
        path,
        BARS,
        "CREATE TABLE predictions (ticker, prediction_date, horizon_days, predicted_return, model_name)",
        "CREATE TABLE trades (trade_id, symbol, side, quantity, price, executed_at, commission, pnl)",
        "CREATE TABLE headlines (headline, published, summary, symbols)",
        "CREATE TABLE settings (key, value)",
    )
    insert(path, "daily", [("AAA", 1704412800, 1, 2, 1, 2, 5)])
    insert(path, "predictions", [("AAA", "01/31/2024", 5, 1.5, "m")])
    insert(path, "trades", [("a", "AAA", "BUY", 3, 1.5, "2024-01-05 09:30:00", 1, None)])
    insert(path, "headlines", [("up", "2024-01-05T12:00:00Z", "", "AAA")])
    content, text = proposed(path)
    assert content["prices"] == {
        "table": "daily",
        "adjusted": True,
        "columns": {
            "ticker": "symbol",
            "session": "date",
            **{name: name for name in ("open", "high", "low", "close", "volume")},
        },
        "formats": {"session": "epoch seconds"},
    }
    assert content["predictions"]["columns"] == {
        "ticker": "ticker",
        "horizon": "horizon_days",
        "value": "predicted_return",
        "session": "prediction_date",
        "model": "model_name",
    }
    assert content["predictions"]["formats"] == {"session": "%m/%d/%Y"}
    assert content["predictions"]["divide"] == {"value": 100}
    assert content["trades"]["columns"]["at"] == "executed_at"
    assert content["trades"]["columns"]["profit"] == "pnl"
    assert content["news"]["table"] == "headlines"
    assert "settings" not in text
    # whether prices are as traded only a person knows; with that said, it can be used as it is
    with pytest.raises(SourceError, match="adjusted = false"):
        parse_mapping(content, "m")
    content["prices"]["adjusted"] = False
    assert len(parse_mapping(content, "m").sections) == 4


def test_day_and_month_that_cannot_be_told_apart_are_left_to_a_person(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    execute(path, BARS)
    insert(path, "daily", [("AAA", f"0{month}/0{day}/2024", 1, 2, 1, 2, 5) for month in (1, 2) for day in (3, 4)])
    content, text = proposed(path)
    assert "formats" not in content["prices"]
    assert "day and month of session cannot be told apart" in text


def test_bars_within_the_day_are_seen_by_their_distance(tmp_path: Path) -> None:
    at = [f"2024-01-05T{hour}:{minute:02}:00Z" for hour in (15, 16) for minute in range(0, 60, 5)]
    frame = pl.DataFrame({"timestamp": at, "symbol": "A", "o": 1.0, "h": 1.0, "l": 1.0, "c": 1.0, "v": 1})
    frame.write_parquet(tmp_path / "bars.parquet")
    content = tomllib.loads(propose(ParquetStore(tmp_path)))
    assert content["prices"]["interval"] == "5m"
    assert content["prices"]["columns"]["ts"] == "timestamp"
    assert "session" not in content["prices"]["columns"]


def test_dates_stored_as_times_are_days(tmp_path: Path) -> None:
    days = [date(2024, 1, day) for day in (2, 3, 4)]
    frame = pl.DataFrame({"time": days, "symbol": "A", "o": 1.0, "h": 1.0, "l": 1.0, "c": 1.0, "v": 1})
    frame.with_columns(pl.col("time").cast(pl.Datetime)).write_parquet(tmp_path / "bars.parquet")
    content = tomllib.loads(propose(ParquetStore(tmp_path)))
    assert content["prices"]["columns"]["session"] == "time"
    assert "interval" not in content["prices"] and "formats" not in content["prices"]


def test_hostile_names_and_values_cannot_leave_their_place(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    table = 'x"\n[prices]\nadjusted = false # '
    quoted = '"' + table.replace('"', '""') + '"'
    execute(path, f"CREATE TABLE {quoted} (symbol, date, open, high, low, close, volume)")
    insert(path, quoted, [("A", "soon\n]evil[ = 1", 1, 1, 1, 1, 1)])
    content, _ = proposed(path)
    assert content["prices"]["table"] == table
    assert content["prices"]["adjusted"] is True


def test_where_nothing_fits_the_tables_are_named(tmp_path: Path) -> None:
    execute(tmp_path / "old.db", "CREATE TABLE settings (key, value)")
    with pytest.raises(SourceError, match=r"looks like prices.*settings: key, value, rowid.*docs/importing\.md"):
        proposed(tmp_path / "old.db")


def test_a_row_id_is_proposed_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    execute(path, "CREATE TABLE fills (symbol, qty, price, date)")
    insert(path, "fills", [("A", 1, 1.5, "2024-01-05")])
    content, text = proposed(path)
    assert content["trades"]["columns"]["id"] == "rowid"
    assert content["trades"]["columns"]["day"] == "date"
    assert "VACUUM can give rows other row ids" in text
