"""A name that is left out for its currency is not left out in silence."""

import polars as pl

from pipeline.health.report import check_currencies
from tests.frames.trading import DAYS, members


def test_names_left_out_for_their_currency_are_counted_and_the_first_is_named() -> None:
    words = "quoted in JPY, the book is kept in USD"
    foreign = members(DAYS[0], "TYO", "OSA", member=False, reason=words)
    [check] = check_currencies(pl.concat([members(DAYS[0], "AAA"), foreign]))
    assert (check.status, check.value) == ("warn", 2.0)
    assert check.message == f"2 names left out for the currency, the first is OSA: {words}"


def test_where_every_name_is_quoted_in_the_books_currency_nothing_is_said() -> None:
    assert check_currencies(members(DAYS[0], "AAA")) == []
