"""What an older system forecast and traded is held to rules, and each row that breaks one is named with it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.imports import IMPORTED_PREDICTIONS, IMPORTED_TRADES, RAW_IMPORTS
from pipeline.ingestion.imports.validate import ValidatedImports, validate_predictions, validate_trades
from tests.frames.market import digest
from tests.frames.sessions import weekday_sessions

CALENDAR = weekday_sessions(date(2023, 1, 2), date(2023, 3, 31))
AT = datetime(2023, 2, 1, 12, tzinfo=UTC)
FORECAST = {"ticker": "AAA", "session": "2023-01-04", "horizon": "5", "value": "0.01"}
FILL = {"id": "7", "ticker": "AAA", "side": "buy", "shares": "10", "price": "101.5", "day": "2023-01-04"}


def landed(kind: str, *lines: dict[str, Any] | str, at: datetime = AT) -> pl.DataFrame:
    payload = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    row = {
        "payload_id": digest(kind, payload, at),
        "source": "import-old",
        "kind": kind,
        "session": date(2023, 1, 31),
        "fetched_at": at,
        "format": "ndjson",
        "request": "{}",
        "payload": payload,
    }
    return RAW_IMPORTS.check(pl.DataFrame([row], schema=RAW_IMPORTS.schema))


def forecasts(*changes: dict[str, Any]) -> ValidatedImports:
    judged = validate_predictions(landed("predictions", *(FORECAST | change for change in changes)), CALENDAR)
    IMPORTED_PREDICTIONS.check(judged.good.drop("landed"))
    return judged


def fills(*changes: dict[str, Any]) -> ValidatedImports:
    judged = validate_trades(landed("trades", *(FILL | change for change in changes)), CALENDAR)
    IMPORTED_TRADES.check(judged.good.drop("landed"))
    return judged


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"ticker": "../../etc"}, "ticker is well-formed"),
        ({"ticker": None}, "ticker is well-formed"),
        ({"session": None}, "session is present"),
        ({"session": "soon"}, "session is readable"),
        ({"session": "2023-01-07"}, "the exchange trades that day"),
        ({"session": "1890-01-01"}, "the exchange trades that day"),
        ({"made_at": "yesterday"}, "the time it was made is readable"),
        ({"horizon": "next week"}, "horizon is a number of sessions"),
        ({"horizon": "0"}, "horizon is a session or more"),
        ({"horizon": "999999"}, "horizon is a session or more"),
        ({"value": "NaN"}, "value is a number"),
        ({"value": "inf"}, "value is a number"),
        ({"value": None}, "value is a number"),
        ({"value": "-1"}, "a return is above -100 %"),
        ({"value": "150"}, "a return is below 1,000 %"),
        ({"probability_up": "likely"}, "probability_up is a number"),
        ({"probability_up": "1.5"}, "probability lies in 0..1"),
        ({"model": "m" * 81}, "model has at most 80 characters"),
    ],
)
def test_a_forecast_that_breaks_a_rule_is_set_aside_with_it(change: dict[str, Any], rule: str) -> None:
    judged = forecasts({}, change)
    assert judged.good.height == 1
    assert judged.bad["rule"].to_list() == [rule]
    assert json.loads(judged.bad["text"][0]) == FORECAST | change


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"ticker": "a b"}, "ticker is well-formed"),
        ({"day": None}, "the time is present"),
        ({"day": "some day"}, "the time is readable"),
        ({"at": "noon"}, "the time is readable"),
        ({"day": "2023-01-08"}, "the exchange trades that day"),
        ({"id": " "}, "trade_id is present"),
        ({"shares": "many"}, "shares is a number"),
        ({"shares": "1e13"}, "shares is a number"),
        ({"shares": "0"}, "shares are positive"),
        ({"price": "NaN"}, "price is a number"),
        ({"price": "-3"}, "price is positive"),
        ({"fees": "some"}, "fees is a number"),
        ({"side": "hold"}, "side is buy or sell"),
    ],
)
def test_a_fill_that_breaks_a_rule_is_set_aside_with_it(change: dict[str, Any], rule: str) -> None:
    judged = fills({"id": "6"}, change)
    assert judged.good["trade_id"].to_list() == ["6"]
    assert judged.bad["rule"].to_list() == [rule]


def test_a_line_that_is_no_row_is_set_aside() -> None:
    judged = validate_predictions(landed("predictions", "{", json.dumps(FORECAST), "[1]"), CALENDAR)
    assert judged.good.height == 1
    assert judged.bad.select("line", "rule").rows() == [(0, "the line is readable"), (2, "the line is readable")]


@pytest.mark.parametrize(
    ("made_at", "session"),
    [
        ("2023-01-04T21:00:00+00:00", date(2023, 1, 4)),  # at the close
        ("2023-01-05T04:00:00+00:00", date(2023, 1, 4)),  # the evening after
        ("2023-01-05T20:59:59+00:00", date(2023, 1, 4)),  # before the next close
        ("2023-01-08T12:00:00+00:00", date(2023, 1, 6)),  # on Sunday
    ],
)
def test_a_forecast_starts_from_the_last_close_before_it_was_made(made_at: str, session: date) -> None:
    good = forecasts({"session": None, "made_at": made_at}).good
    assert good["session"].to_list() == [session]
    assert good["available_at"].to_list() == [datetime.fromisoformat(made_at)]


def test_a_forecast_that_does_not_say_when_it_was_made_is_known_from_its_import_on() -> None:
    good = forecasts({}).good
    assert good["made_at"].to_list() == [None]
    assert good["available_at"].to_list() == [AT]


@pytest.mark.parametrize("horizon", ["5", "5d", "5 days", " 5 ", "5.0", "5 sessions"])
def test_a_horizon_may_be_written_in_words(horizon: str) -> None:
    assert forecasts({"horizon": horizon}).good["horizon"].to_list() == [5]


@pytest.mark.parametrize(
    ("side", "shares", "told"),
    [
        ("BUY", "3", "buy"),
        ("b", "3", "buy"),
        ("Sold ", "3", "sell"),
        ("-1", "3", "sell"),
        (None, "-3", "sell"),
        ("", "3", "buy"),
        ("sell", "-3", "sell"),
    ],
)
def test_a_side_is_written_in_many_ways_or_is_the_sign(side: str | None, shares: str, told: str) -> None:
    good = fills({"side": side, "shares": shares}).good
    assert good.select("side", "shares").rows() == [(told, Decimal(3))]


def test_a_fill_with_a_time_belongs_to_the_exchanges_day_and_one_without_has_none() -> None:
    timed = fills({"at": "2023-01-05T00:30:00+00:00", "day": None}).good  # 19:30 on the fourth, in New York
    assert timed.select("session", "ts").rows() == [(date(2023, 1, 4), datetime(2023, 1, 5, 0, 30, tzinfo=UTC))]
    dated = fills({}).good
    assert dated.select("session", "ts").rows() == [(date(2023, 1, 4), None)]
    assert dated["available_at"].to_list() == [CALENDAR.close_at(date(2023, 1, 4))]


def test_amounts_are_exact_and_unknown_ones_null() -> None:
    good = fills({"price": "101.1234567", "fees": "1.005", "shares": "0.25"}).good
    assert good.select("price", "shares", "profit").rows() == [(Decimal("101.123457"), Decimal("0.25"), None)]
    assert abs(good["fees"][0] - Decimal("1.005")) <= Decimal("0.005")


def test_of_two_values_of_one_key_none_stands_and_a_repeat_counts_once() -> None:
    judged = forecasts({}, {}, {"session": "2023-01-05"}, {"session": "2023-01-05", "value": "0.5"})
    assert judged.good["session"].to_list() == [date(2023, 1, 4)]
    assert sorted(judged.bad["rule"]) == ["a repeat of another row", *["one key has two values"] * 2]


def test_what_was_imported_last_of_a_key_stands() -> None:
    raw = pl.concat(
        [
            landed("predictions", FORECAST, FORECAST | {"session": "2023-01-05"}),
            landed("predictions", FORECAST | {"value": "0.5"}, at=AT.replace(day=2)),
        ]
    )
    judged = validate_predictions(raw, CALENDAR)
    assert judged.good.select("session", "point").rows() == [(date(2023, 1, 4), 0.5), (date(2023, 1, 5), 0.01)]
    assert judged.bad.is_empty()


def test_of_nothing_comes_nothing_in_the_same_shape() -> None:
    for judge, kind in ((validate_predictions, "predictions"), (validate_trades, "trades")):
        nothing, something = judge(RAW_IMPORTS.empty(), CALENDAR), judge(landed(kind, "{"), CALENDAR)
        assert nothing.good.schema == something.good.schema
        assert nothing.bad.schema == something.bad.schema
        assert nothing.good.is_empty() and nothing.bad.is_empty()
