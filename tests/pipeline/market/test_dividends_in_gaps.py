"""A dividend and a split that both fall where a ticker has no bar give a holder what they would have given apart."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from tests.frames.market import CALENDAR, DAY, actions, prices

DAYS = [CALENDAR.offset(DAY, number) for number in range(8)]


def bars(*levels: tuple[int, float]) -> pl.DataFrame:
    return prices(*({"session": DAYS[number], "close": close} for number, close in levels))


def paid(day: date, amount: float) -> dict[str, object]:
    return {"kind": "dividend", "ex_date": day, "amount": amount, "numerator": None, "denominator": None}


def divided(day: date, new: int, old: int = 1) -> dict[str, object]:
    return {"ex_date": day, "numerator": new, "denominator": old}


def last_return(market_prices: pl.DataFrame, *acted: dict[str, object]) -> float:
    facts = restate_in_gaps(actions(*acted), market_prices)
    return float(daily_total_returns(market_prices, facts)["total_return"][-1])


@pytest.mark.parametrize(
    ("acted", "close"),
    [
        ((paid(DAYS[2], 4.0), divided(DAYS[4], 4)), 24.0),
        ((divided(DAYS[2], 4), paid(DAYS[4], 1.0)), 24.0),
        ((paid(DAYS[3], 1.0), divided(DAYS[3], 4)), 24.0),  # of one day: per share of after the split
        ((paid(DAYS[2], 4.0), divided(DAYS[3], 4), paid(DAYS[4], 1.0), divided(DAYS[5], 1, 2)), 46.0),
        ((paid(DAYS[6], 4.0), divided(DAYS[7], 4)), 96.0),  # a bar parts them: the split is still to come
    ],
)
def test_the_total_return_over_the_gap_is_that_of_a_holder(acted: tuple[dict[str, object], ...], close: float) -> None:
    assert last_return(bars((0, 100.0), (6, close)), *acted) == pytest.approx(0.0)


def test_what_falls_in_no_gap_is_left_as_it_is() -> None:
    facts = actions(paid(DAYS[1], 2.0), divided(DAYS[2], 2))
    whole = bars(*((number, 100.0) for number in range(5)))
    assert restate_in_gaps(facts, whole).equals(facts)
    assert restate_in_gaps(facts.clear(), whole).is_empty()


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([(2, 1), (3, 1), (1, 2)]) | st.integers(1, 5)), max_size=6)
)
def test_a_holder_through_any_gap_earns_what_the_prices_say(drawn: list[tuple[int, object]]) -> None:
    shares, cash, price = 1.0, 0.0, 100.0
    acted = []
    for number, what in sorted(drawn, key=lambda one: (one[0], not isinstance(one[1], tuple))):
        if isinstance(what, tuple):
            shares, price = shares * what[0] / what[1], price * what[1] / what[0]
            acted.append(divided(DAYS[number], *what) | {"sequence": len(acted)})
        else:
            amount = price * float(what) / 100  # type: ignore[arg-type]
            cash, price = cash + shares * amount, price - amount
            acted.append(paid(DAYS[number], amount) | {"sequence": len(acted)})
    earned = last_return(bars((0, 100.0), (6, price)), *acted)
    assert earned == pytest.approx((shares * price + cash) / 100 - 1, abs=1e-9)
