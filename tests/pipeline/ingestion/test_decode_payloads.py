"""What becomes of payloads before anybody judges them."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingestion.decode_payloads import UNKNOWN_FORMAT, UNREADABLE, UNREADABLE_REQUEST, decode
from tests.frames.market import DAY, landing


def test_the_vendors_names_become_ours() -> None:
    raw = landing(
        [{"Symbol": "AAA", "Adj. Close": "1.50"}], request={"fields": {"ticker": "Symbol", "close": "Adj. Close"}}
    )
    assert decode(raw, ("ticker", "close", "volume")).select("ticker", "close", "volume").rows() == [
        ("AAA", "1.50", None)
    ]


def test_a_field_the_request_does_not_name_is_absent_even_if_the_vendor_uses_our_word() -> None:
    raw = landing([{"Symbol": "AAA", "close": "9"}], request={"fields": {"ticker": "Symbol"}})
    assert decode(raw, ("ticker", "close")).select("ticker", "close").rows() == [("AAA", None)]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("BRK_A", "BRK.A"),
        ("BRK/B", "BRK.B"),
        ("BF.B, RDS_B", "BF.B, RDS.B"),
        ("BRK-A", "BRK-A"),
        ("ABC_DEF", "ABC_DEF"),
        ("../A", "../A"),
    ],
)
def test_the_class_of_a_share_comes_after_a_point_and_nothing_else_of_a_ticker_changes(theirs: str, ours: str) -> None:
    line = {"ticker": theirs, "tickers": theirs, "successor": theirs, "title": theirs}
    decoded = decode(landing([line]), ("ticker", "tickers", "successor", "title"))
    assert decoded.select("ticker", "tickers", "successor", "title").row(0) == (ours, ours, ours, theirs)
    assert json.loads(decoded["text"][0]) == line, "the line is kept as it came"


def test_the_same_landing_is_taken_apart_once_and_any_other_for_itself() -> None:
    raw, fields = landing([{"ticker": "AAA", "close": "1"}]), ("ticker", "close")
    assert decode(raw, fields) is decode(raw.with_columns(beside=pl.lit("not read")), fields)
    for other in (
        raw.with_columns(payload=pl.lit('{"ticker": "AAA", "close": "2"}')),
        raw.with_columns(request=pl.lit('{"currency": "EUR"}')),
        raw.with_columns(pl.col("fetched_at") + pl.duration(days=1)),
        raw.with_columns(pl.col("session") + pl.duration(days=1)),
    ):
        assert not decode(other, fields).equals(decode(raw, fields))
    assert decode(raw, ("ticker",)).columns != decode(raw, fields).columns


def test_line_numbers_count_the_lines_of_the_payload_blank_ones_included() -> None:
    raw = landing(['{"ticker": "AAA"}', "", "  ", '{"ticker": "BBB"}\r', ""])
    assert decode(raw, ("ticker",)).select("line", "ticker").rows() == [(0, "AAA"), (3, "BBB")]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "null", '"text"', "7", '{"ticker": NaN}', '{"ticker": "A"} {}', "[" * 100_000],
)
def test_a_line_that_is_no_object_gets_a_fault_and_leaves_its_neighbours_alone(line: str) -> None:
    decoded = decode(landing(['{"ticker": "AAA"}', line, '{"ticker": "BBB"}']), ("ticker",))
    assert decoded["fault"].to_list() == [None, UNREADABLE, None]
    assert decoded["ticker"].to_list() == ["AAA", None, "BBB"]
    assert decoded["text"][1] == line


def test_a_number_is_read_the_same_beside_a_broken_line_and_without_one() -> None:
    line = '{"close": 1.50, "volume": 12, "open": true, "high": null}'
    fields = ("close", "volume", "open", "high")
    fast = decode(landing([line]), fields).select(fields)
    slow = decode(landing([line, "{"]), fields).select(fields)[:1]
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in ("close", "volume")]
    assert fast.select(numbers).equals(slow.select(numbers))
    assert fast.select("open", "high").equals(slow.select("open", "high"))


def test_an_unknown_format_is_one_faulty_row() -> None:
    decoded = decode(landing(["<xml/>", "<xml/>"], form="parquet"), ("ticker",))
    assert decoded.select("line", "text", "fault", "ticker").rows() == [(0, "<xml/>\n<xml/>", UNKNOWN_FORMAT, None)]


@pytest.mark.parametrize("request_text", ["no JSON", "[]", '{"fields": 3}'])
def test_an_unreadable_request_makes_every_line_faulty(request_text: str) -> None:
    decoded = decode(landing([{"ticker": "AAA"}], request=request_text), ("ticker",))
    assert decoded["fault"].to_list() == [UNREADABLE_REQUEST]


def test_nothing_landed_decodes_to_no_rows() -> None:
    decoded = decode(landing([]).clear(), ("ticker",))
    assert decoded.is_empty()
    assert decoded.schema["fetched_at"] == pl.Datetime("us", "UTC")


def test_facts_of_the_landing_stand_beside_each_line() -> None:
    decoded = decode(landing([{"ticker": "AAA"}], history=True), ("ticker",))
    names = ("source", "landed", "asked_interval", "asked_exchange", "asked_currency", "history")
    assert decoded.select(names).rows() == [("test", DAY, "1d", "XNYS", "USD", True)]


@given(st.lists(st.text(max_size=30), max_size=6))
def test_no_text_whatever_raises(lines: list[str]) -> None:
    sound = [line.encode("utf-8", "replace").decode() for line in lines]
    decoded = decode(landing([*sound, json.dumps({"ticker": "AAA"})]), ("ticker",))
    assert decoded["ticker"].to_list()[-1] == "AAA"
