"""What no landing that says what it covers gets believed: terms that contradict themselves or the listing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.ingestion.actions.validate_actions import validate_actions
from tests.frames.market import CALENDAR, DAY, instruments, landing

COVERS = {"covers": {"since": "2019-01-01", "until": None}}
SPIN_OFF = {"kind": "spin_off", "amount": "8", "numerator": "1", "denominator": "4", "successor": "NEW"}
MERGER = {"kind": "merger", "amount": "52", "cash": "2", "numerator": "1", "denominator": "2", "successor": "ACQ"}


def rules_broken(*lines: dict[str, Any], listed: pl.DataFrame | None = None, **landed: Any) -> list[str]:
    usual = {"ticker": "AAA", "ex_date": DAY.isoformat(), "kind": "dividend"}
    raw = landing([usual | line for line in lines], kind="actions", request=COVERS, **landed)
    known = instruments("AAA") if listed is None else listed
    bad: list[str] = validate_actions(raw, known, CORPORATE_ACTIONS.empty(), CALENDAR).bad["rule"].to_list()
    return bad


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ({"amount": "1", "ticker": "ZZZ"}, "ticker is listed"),
        ({"amount": "-0.1"}, "a dividend has a positive amount"),
        ({"kind": "split", "numerator": "0", "denominator": "1"}, "a split has a positive ratio other than 1"),
        ({"kind": "split", "numerator": "3", "denominator": "-1"}, "a split has a positive ratio other than 1"),
        ({"kind": "stock_dividend", "numerator": "0", "denominator": "1"}, "a split has a positive ratio other than 1"),
        (SPIN_OFF | {"successor": ""}, "a spin-off has a successor and a ratio"),
        (SPIN_OFF | {"denominator": "0"}, "a spin-off has a successor and a ratio"),
        (SPIN_OFF | {"successor": "AAA"}, "what is handed out is another company's"),
        (SPIN_OFF | {"cost_share": "1.2"}, "cost_share is between 0 and 1"),
        (SPIN_OFF | {"cost_share": "-0.2"}, "cost_share is between 0 and 1"),
        (MERGER | {"successor": ""}, "a merger for shares has a successor and a ratio"),
        (MERGER | {"numerator": ""}, "a merger for shares has a successor and a ratio"),
        (MERGER | {"numerator": "-1"}, "a merger for shares has a successor and a ratio"),
        (MERGER | {"cash": "53"}, "cash is between nothing and the amount"),
        (MERGER | {"cash": "-1"}, "cash is between nothing and the amount"),
        (MERGER | {"amount": "-1", "cash": ""}, "a delisting has a value of zero or more"),
        (
            {"kind": "merger", "amount": "52", "cash": "2"},
            "a merger worth more than its cash has a successor and a ratio",
        ),
        ({"amount": "1", "numerator": "0"}, "a ratio is of more than no shares"),
        ({"kind": "rename", "successor": "BBB", "amount": "-1"}, "amount is between nothing and a billion"),
        ({"amount": "1e300"}, "amount is between nothing and a billion"),
        ({"kind": "split", "numerator": "9000000", "denominator": "1"}, "a ratio is within one to a million"),
        ({"amount": "1", "pay_date": "2021-03-06"}, "paid within a year of the ex-date"),
        ({"amount": "1", "pay_date": "2019-03-01"}, "paid within a year of the ex-date"),
        ({"amount": "1", "ex_date": "2018-12-31"}, "no earlier than the ticker's first session"),
    ],
)
def test_terms_that_cannot_be_are_refused_by_name(line: dict[str, Any], rule: str) -> None:
    assert rules_broken(line) == [rule]


def test_what_lies_on_the_edge_of_a_rule_is_sound() -> None:
    edges = (
        MERGER | {"cash": "52"},
        {"kind": "merger", "amount": "52", "cash": "52"},
        {"kind": "merger", "amount": "52"},
        SPIN_OFF | {"cost_share": "1"},
        {"kind": "delisting", "amount": "0"},
        {"amount": "1", "ex_date": "2019-01-01"},
        {"amount": "1", "pay_date": "2020-03-03"},
    )
    assert rules_broken(*edges) == []


def test_no_ticker_is_unknown_where_nothing_is_listed() -> None:
    assert rules_broken({"amount": "1", "ticker": "ZZZ"}, listed=instruments()) == []


def test_an_answer_about_one_ticker_may_go_back_further_than_its_listing_says() -> None:
    listed = instruments("AAA", listed_on=DAY + timedelta(days=1))
    assert rules_broken({"amount": "1"}, listed=listed) == ["no earlier than the ticker's first session"]
    assert rules_broken({"amount": "1"}, listed=listed, ticker="AAA") == []


def test_an_action_of_an_earlier_company_on_the_ticker_is_sound() -> None:
    listed = instruments("AAA", listed_on=DAY)
    old = {"amount": "1", "ex_date": "2020-02-03"}
    end = {"kind": "delisting", "amount": "0", "ex_date": "2020-02-20"}
    assert rules_broken(old, end, listed=listed) == []
    late = end | {"ex_date": str(DAY + timedelta(days=1))}
    assert rules_broken(old, late, listed=listed) == ["no earlier than the ticker's first session"]


def test_the_cash_of_a_dividend_is_its_amount_and_no_term_of_its_own() -> None:
    raw = landing(
        [{"ticker": "AAA", "ex_date": DAY.isoformat(), "kind": "dividend", "amount": "1", "cash": "7"}],
        kind="actions",
        request=COVERS,
    )
    good, bad = validate_actions(raw, instruments("AAA"), CORPORATE_ACTIONS.empty(), CALENDAR)
    assert bad.is_empty()
    assert good.select("amount", "cash").rows() == [(1.0, None)]
