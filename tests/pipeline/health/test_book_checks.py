"""What the health report says of the book: a difference by its event, a restatement, a debt."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from lake.tables.books import PORTFOLIO_VALUE
from pipeline.health.params import HealthParams
from pipeline.health.report import check_book


def checks(**values: object) -> dict[str, tuple[str, str]]:
    money = {name: Decimal(0) for name, column in PORTFOLIO_VALUE.columns.items() if column.unit == "currency"}
    row = money | {"session": date(2024, 3, 4), "drawdown": 0.0, "difference": None, "restated": None} | values
    book = pl.DataFrame([row], schema=PORTFOLIO_VALUE.schema)
    return {one.check: (one.status, one.message) for one in check_book(book, HealthParams())}


def test_a_book_that_adds_up_says_so_and_nothing_else() -> None:
    assert checks() == {
        "reconciled": ("ok", "every cent of value is explained"),
        "drawdown": ("ok", "0.0 % below its peak"),
    }


@pytest.mark.parametrize(
    ("off", "told"),
    [
        ("-5000", "-5,000.00 of value is unexplained: AAA:2024-03-01:split:0: 100 shares of AAA in the ledger"),
        ("0", "the value is explained, but not where it stands: AAA:2024-03-01:split:0: 100 shares"),
    ],
)
def test_a_difference_fails_with_the_name_of_its_event(off: str, told: str) -> None:
    difference = "AAA:2024-03-01:split:0: 100 shares of AAA in the ledger, 200 by fills and actions"
    status, message = checks(unexplained=Decimal(off), difference=difference)["reconciled"]
    assert status == "fail"
    assert message.startswith(told)


def test_what_was_learned_of_the_past_is_a_remark_of_its_own() -> None:
    status, message = checks(restated=Decimal("5000"))["restated"]
    assert (status, message[:9]) == ("warn", "+5,000.00")


def test_a_debt_left_by_corrections_is_a_failure() -> None:
    status, message = checks(cash=Decimal("-4000"))["cash"]
    assert status == "fail"
    assert "-4,000.00" in message
