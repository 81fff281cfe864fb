"""Rows and paths of the predictions screen."""

from __future__ import annotations

import polars as pl
import pytest

from lake.tables.predictions import PREDICTIONS
from nextgen_tui.console import forecasts
from tests.nextgen_tui.lakes import forecast, rows


def test_a_row_states_expectation_interval_and_who_made_it() -> None:
    (row,) = forecasts.forecast_rows(rows(PREDICTIONS, forecast("ACME")), 5, "expected")
    assert row.cells == ("ACME", "100.00", "+1.00 %", "-2.0 % to +5.0 %", "60 %", "50 %", "naive")


@pytest.mark.parametrize(
    ("order", "expected"),
    [("expected", ["B", "A"]), ("ticker", ["A", "B"]), ("width", ["A", "B"]), ("confidence", ["B", "A"])],
)
def test_every_order_puts_first_what_it_promises(order: str, expected: list[str]) -> None:
    made = rows(
        PREDICTIONS,
        forecast("A", point=0.01, confidence=0.2),
        forecast("B", point=0.02, confidence=0.9, q90=0.5, q95=0.6),
    )
    assert [row.ticker for row in forecasts.forecast_rows(made, 5, order)] == expected


def test_a_shadow_models_forecasts_are_not_shown() -> None:
    made = rows(PREDICTIONS, forecast("A", role="shadow", model_id="m-1"))
    assert forecasts.forecast_rows(made, 5, "expected") == ()
    assert forecasts.fan(made, "A") is None


def test_the_fan_is_in_prices_and_ordered_by_horizon() -> None:
    fan = forecasts.fan(rows(PREDICTIONS, forecast("A", 5), forecast("A", 1, point=0.0)), "A")
    assert fan is not None
    assert fan.horizons == (1, 5)
    assert fan.levels[0] == pytest.approx((95.0, 97.0, 99.0, 100.0, 102.0, 104.0, 106.0))


def test_a_split_leaves_no_step_in_the_past() -> None:
    closes = pl.DataFrame(
        {
            "ticker": ["A"] * 3,
            "session": [1, 2, 3],
            "close": [100.0, 110.0, 55.0],
            "total_return": [None, 0.1, 0.0],
        }
    )
    assert forecasts.past_levels(closes, "A") == pytest.approx((50.0, 55.0, 55.0))
    assert forecasts.past_levels(closes, "B") == ()


def test_members_are_listed_with_their_weight() -> None:
    lines = forecasts.member_lines(rows(PREDICTIONS, forecast("A", bounds=["cap"])), "A", 5)
    assert lines[0] == "naive    +0.00 %  weight 100 %"
    assert lines[-1] == "bounds cap"
