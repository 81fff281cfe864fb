"""Splits and dividends are told from the columns of price files: stated ones, or the steps of adjusted closes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from pipeline.ingestion.actions.actions_in_price_files import ToldActions, later_ratios, tell_actions

FIRST = date(2024, 1, 1)


def rows(closes: list[float], **columns: list[Any]) -> pl.DataFrame:
    """One ticker's rows, a day after the other, with columns of the file as text."""
    empty = dict.fromkeys(("split", "dividend", "adjusted"), [None] * len(closes))
    days = [FIRST + timedelta(days=n) for n in range(len(closes))]
    told = {name: [None if c is None else str(c) for c in cells] for name, cells in {**empty, **columns}.items()}
    schema = dict.fromkeys(told, pl.String)
    return pl.DataFrame({"ticker": "AAA", "day": days, "close": closes}).hstack(pl.DataFrame(told, schema=schema))


def told(closes: list[float], **columns: list[Any]) -> ToldActions:
    """What the rows tell."""
    found = tell_actions([rows(closes, **columns)])
    assert found is not None
    return found


def lines(found: ToldActions) -> list[tuple[Any, ...]]:
    """Day (a number), kind, what it is, and the confidence."""
    days = [(date.fromisoformat(day) - FIRST).days for day in found.lines["ex_date"]]
    what = found.lines.select("kind", "numerator", "denominator", "amount", "confidence").rows()
    return [
        (day, kind, amount or f"{new}:{old}", float(sure))
        for day, (kind, new, old, amount, sure) in zip(days, what, strict=True)
    ]


def test_rows_without_such_columns_tell_nothing() -> None:
    assert tell_actions([rows([10.0, 11.0])]) is None


@pytest.mark.parametrize("text", ["4", "4.0", "4.000000", "4:1", "4/1", "4-for-1", " 4 "])
def test_a_stated_split_at_which_the_price_falls_leaves_prices_as_traded(text: str) -> None:
    found = told([100.0, 101.0, 25.5, 26.0], split=["1.0", None, text, "0.0"])
    assert lines(found) == [(2, "split", "4:1", 1.0)]
    assert found.later_splits is None


@pytest.mark.parametrize(
    ("text", "ratio"), [("1.5", "3:2"), ("0.1", "1:10"), ("0.3333", "1:3"), ("1.0497", "10497:10000")]
)
def test_a_ratio_is_the_simplest_that_is_written_so(text: str, ratio: str) -> None:
    number = float(text)
    assert lines(told([100.0, 100 / number], split=["1", text]))[0][2] == ratio


def test_closes_that_go_on_over_all_splits_were_adjusted_for_them() -> None:
    found = told([24.0, 25.0, 25.5, 26.0], split=["0", "0", "4", "2"])
    assert found.later_splits is not None
    assert later_ratios(rows([24.0, 25.0, 25.5, 26.0]), found.later_splits).to_list() == [8.0, 8.0, 2.0, None]
    assert [line[2] for line in lines(found)] == ["4:1", "2:1"]


def test_dividends_of_adjusted_prices_become_those_that_were_paid() -> None:
    found = told([25.0, 25.0, 26.0, 26.0], split=["0", "0", "4", "0"], dividend=["0", "0.25", "0", "0.3"])
    assert [line[1:3] for line in lines(found)] == [("dividend", "1.0"), ("split", "4:1"), ("dividend", "0.3")]


def test_a_split_that_the_price_does_not_follow_as_it_does_others_is_doubted() -> None:
    found = told([100.0, 50.0, 25.0, 25.1], split=["1", "2", "2", "3"])
    assert [line[2] for line in lines(found)] == ["2:1", "2:1"]
    assert "2024-01-04" in found.doubts[0] and "as it does at no other split" in found.doubts[0]


def test_what_is_no_ratio_is_told() -> None:
    assert "'soon' is no ratio" in told([10.0, 10.0], split=["1", "soon"]).doubts[0]


def test_steps_of_adjusted_closes_are_splits_or_cash_on_the_later_day() -> None:
    closes = [100.0, 104.0, 26.0, 26.5, 26.2]
    cash = 1 - 0.25 / 26.5
    adjusted = [
        f"{close * factor:.6f}" for close, factor in zip(closes, [cash / 4, cash / 4, cash, cash, 1], strict=True)
    ]
    found = told(closes, adjusted=adjusted)
    assert lines(found) == [(2, "split", "4:1", 0.99), (4, "dividend", "0.25", pytest.approx(0.99, abs=0.01))]
    assert not found.doubts


def test_an_amount_has_as_many_decimals_as_the_rounding_allows() -> None:
    closes = [50.0] * 6
    cash = 1 - 0.2235 / 50
    fine, coarse = ([f"{50 * f:.{n}f}" for f in [cash] * 3 + [1] * 3] for n in (6, 2))
    assert lines(told(closes, adjusted=fine))[0][2] == "0.2235"
    (rough,) = lines(told(closes, adjusted=coarse))
    assert rough[2] == "0.22" and rough[3] < 0.99


def test_a_step_that_no_action_explains_is_told_and_makes_none() -> None:
    found = told([100.0, 100.5, 100.0], adjusted=["110.0", "100.5", "100.0"])
    assert found.lines.is_empty()
    assert "no split and no dividend explains" in found.doubts[0]


def test_rounding_alone_makes_no_action() -> None:
    closes = [round(3 + n % 7 / 10, 2) for n in range(60)]
    assert told(closes, adjusted=[f"{close * 0.5:.2f}" for close in closes]).lines.is_empty()


@pytest.mark.parametrize(("adjusted", "told_twice"), [(True, True), (False, False)])
def test_closes_adjusted_for_the_dividends_beside_them_would_count_twice(adjusted: bool, told_twice: bool) -> None:
    traded = [round(50 + n % 7 * 0.13, 2) for n in range(60)]
    factor = 1 - 0.37 / traded[29] if adjusted else 1.0
    closes = [close * (factor if n < 30 else 1.0) for n, close in enumerate(traded)]
    found = told(closes, dividend=["0.37" if n == 30 else "0" for n in range(60)])
    assert ("auto_adjust=False" in found.twice) == told_twice
