"""A rate is the last one before a day, exact either way round, and never older than is allowed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipeline.market.exchange_rates import ExchangeRates
from tests.frames.market import DAY, rates

DAYS = [DAY - timedelta(days=number) for number in range(10)]


def known(**of_days: str) -> ExchangeRates:
    """Euro in dollars: d1 is the day before."""
    return ExchangeRates.read(
        rates(
            *({"session": DAY - timedelta(days=int(day[1:])), "rate": Decimal(rate)} for day, rate in of_days.items())
        )
    )


def test_the_last_rate_before_the_day_counts_and_not_the_days_own() -> None:
    found = known(d0="1.3", d1="1.2", d2="1.1").last_before("EUR", "USD", DAY, 7)
    assert found == (DAY - timedelta(days=1), Fraction(6, 5))


def test_the_inverse_pair_is_inverted_exactly() -> None:
    found = known(d1="1.2").last_before("USD", "EUR", DAY, 7)
    assert found is not None
    assert found.rate == Fraction(5, 6)


def test_of_a_pair_and_its_inverse_the_later_day_counts() -> None:
    both = rates(
        {"session": DAYS[1], "rate": Decimal("0.8"), "base": "USD", "quote": "EUR"},
        {"session": DAYS[2], "rate": Decimal("1.1")},
    )
    assert ExchangeRates.read(both).last_before("EUR", "USD", DAY, 7) == (DAYS[1], Fraction(5, 4))


def test_the_last_revision_of_a_rate_counts() -> None:
    twice = rates(
        *({"session": DAYS[1], "rate": Decimal(rate), "revision": n} for n, rate in enumerate(("1.1", "1.2")))
    )
    assert ExchangeRates.read(twice).last_before("EUR", "USD", DAY, 7) == (DAYS[1], Fraction(6, 5))


def test_a_rate_is_carried_as_long_as_it_may_and_no_day_longer() -> None:
    carried = known(d7="1.1")
    assert carried.last_before("EUR", "USD", DAY, 7) == (DAYS[7], Fraction(11, 10))
    assert carried.last_before("EUR", "USD", DAY, 6) is None


def test_an_unknown_pair_has_no_rate_and_neither_has_a_day_before_the_first() -> None:
    assert known(d1="1.1").last_before("GBP", "USD", DAY, 366) is None
    assert known(d1="1.1").last_before("EUR", "USD", DAYS[1], 366) is None


def test_a_currency_is_worth_itself() -> None:
    assert known().last_before("USD", "USD", DAY, 7) == (DAY, Fraction(1))


@given(
    st.dictionaries(st.integers(0, 40), st.decimals("0.000001", 1_000_000, places=6), max_size=8),
    st.integers(0, 40),
    st.integers(1, 40),
)
def test_a_rate_is_what_a_search_through_all_days_finds(days: dict[int, Decimal], asked: int, age: int) -> None:
    first = date(2020, 1, 1)
    frame = rates(*({"session": first + timedelta(days=day), "rate": rate} for day, rate in days.items()))
    found = ExchangeRates.read(frame).last_before("EUR", "USD", first + timedelta(days=asked), age)
    fitting = [day for day in days if asked - age <= day < asked]
    assert (found and found.rate) == (Fraction(days[max(fitting)]) if fitting else None)
