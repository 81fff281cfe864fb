"""The rungs say what the same money would have become, at which risk and cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from math import sqrt
from typing import Any

import polars as pl
import pytest

from lake.tables.books import PORTFOLIO_VALUE
from pipeline.reading.report.ladder import Rung, build_ladder, name_reference
from pipeline.reading.report.span import Span
from pipeline.reading.report.tracks import read_cash, read_tracks
from pipeline.trading.mandates.mandate import Mandate
from tests.nextgen_tui.lakes import rows
from tests.pipeline.reading.report.conftest import CHARGED, value_rows

PATHS = {
    "cash_alone": (1000.0, 1000.0, 1001.0, 1001.0, 1002.0),
    "equal_weight_net": (995.0, 1000.0, 1010.0, 990.0, 1020.0),
    "equal_weight_net_cost": (5.0, 5.5, 6.0, 6.5, 7.0),
    "top_k": (1000.0, 990.0, 1089.0, 1089.0, 1100.0),
    "top_k_cost": (0.0, 2.0, 3.0, 4.0, 5.0),
}


def span_of(first: int = 0, **without: None) -> Span:
    """The small book's rows with what the references were worth, from one of its sessions on."""
    told = [
        row | {name: path[number] for name, path in PATHS.items()} | without for number, row in enumerate(value_rows())
    ]
    frame = rows(PORTFOLIO_VALUE, *told)
    before: dict[str, Any] | None = frame.row(first - 1, named=True) if first else None
    return Span(frame[first:], before, frame)


def ladder_of(span: Span) -> dict[str, Rung]:
    """Its rungs by name."""
    return {rung.name: rung for rung in build_ladder(read_tracks(span), read_cash(span), span.start_value, 252)}


def test_the_rungs_lead_from_cash_up_to_the_book() -> None:
    assert list(ladder_of(span_of())) == ["cash", "equal weight", "top-k dropout", "book"]


def test_each_rung_is_told_with_its_return_risk_and_costs() -> None:
    rungs = ladder_of(span_of())
    top_k, equal_weight, cash, book = (rungs[name] for name in ("top-k dropout", "equal weight", "cash", "book"))
    assert (top_k.value, top_k.costs) == (pytest.approx(1100.0), 5.0)
    assert top_k.active == pytest.approx(0.10 - 0.02)
    assert top_k.max_drawdown == pytest.approx(0.01)
    gains = pl.Series([0.0, -0.01, 0.1, 0.0, 1100 / 1089 - 1])
    assert top_k.volatility == pytest.approx(float(gains.std()) * sqrt(252))  # type: ignore[arg-type]
    assert (equal_weight.value, equal_weight.active, equal_weight.costs) == (pytest.approx(1020.0), 0.0, 7.0)
    assert (cash.value, cash.total_return) == (pytest.approx(1002.0), pytest.approx(0.002))
    assert (book.value, book.active, book.costs) == (pytest.approx(1039.5), pytest.approx(0.0395 - 0.02), 4.5)


def test_a_later_span_begins_with_what_the_book_had_then() -> None:
    rungs = ladder_of(span_of(3))
    assert rungs["book"].value == pytest.approx(1039.5)
    assert rungs["top-k dropout"].value == pytest.approx(990.0 * 1100 / 1089)
    assert rungs["top-k dropout"].costs == pytest.approx((5.0 - 3.0) * 990 / 1089)


def test_rows_of_earlier_programs_are_compared_without_costs() -> None:
    rungs = ladder_of(span_of(**dict.fromkeys(CHARGED)))  # type: ignore[arg-type]
    assert list(rungs) == ["cash", "equal weight", "book"]
    assert (rungs["equal weight"].total_return, rungs["equal weight"].costs) == (pytest.approx(0.04), None)
    assert rungs["cash"].value == 1000.0


def test_a_book_that_begins_today_has_no_volatility_yet() -> None:
    frame = rows(PORTFOLIO_VALUE, value_rows()[0] | {"session": date(2022, 1, 28), "nav": Decimal("1000.00")})
    rungs = ladder_of(Span(frame, None, frame))
    assert rungs["book"].volatility is None


@pytest.mark.parametrize(
    ("mandate", "against", "active"),
    [
        (Mandate(), "equal weight", 0.0395 - 0.02),
        (Mandate(mode="absolute", benchmark="cash"), "cash", 0.0395 - 0.002),
        (Mandate(benchmark="SPY"), "equal weight", 0.0395 - 0.02),  # the small book is beside no benchmark
    ],
)
def test_active_is_against_what_the_mandate_says(mandate: Mandate, against: str, active: float) -> None:
    span = span_of()
    rungs = build_ladder(read_tracks(span), read_cash(span), span.start_value, 252, name_reference(mandate))
    assert {rung.against for rung in rungs} == {against}
    assert rungs[-1].active == pytest.approx(active)
    assert name_reference(Mandate(benchmark="SPY")) == "benchmark"
