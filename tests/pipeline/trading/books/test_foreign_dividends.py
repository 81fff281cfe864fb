"""What is paid in another currency is booked in that of the book, and follows the rate it was converted at."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.ingestion.actions.corporate_actions import actions
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import instruments, landing, moment, rates
from tests.frames.trading import CALENDAR, DAYS, World, assert_reconciled, bar, free

EX, PAID = DAYS[5], DAYS[7]


def take_in(world: World, session: date, rate: str, revision: int = 0) -> None:
    """Take in a dividend of 0.35 euros, with what a euro was worth the session before, as the stage does."""
    line = {"ticker": "AAA", "ex_date": str(EX), "kind": "dividend", "amount": "0.35", "currency": "EUR"}
    covers = {"covers": {"since": str(DAYS[0]), "until": None}, "units": "converted"}
    told = [line | {"pay_date": str(PAID)}]
    raw = landing(told, kind="actions", request=covers, session=session, calendar=CALENDAR)
    known = rates({"session": DAYS[4], "rate": Decimal(rate), "revision": revision}, calendar=CALENDAR)
    at, before = moment(session, calendar=CALENDAR), world.rows("corporate_actions")
    world.add(CORPORATE_ACTIONS, actions(raw, before, instruments("AAA"), known, at, IngestionParams()))


def test_a_dividend_in_another_currency_is_booked_at_its_rate_and_again_when_the_rate_is_corrected() -> None:
    world = World(*[bar("AAA", day, 100.0) for day in DAYS[:12]], params=free())
    world.order(DAYS[0], "AAA", "buy", 100)
    world.settle_to(DAYS[4])
    take_in(world, EX, "1.1")
    world.settle_to(PAID)
    assert world.value(PAID)["dividends"] == Decimal("38.50")
    take_in(world, DAYS[8], "1.2", revision=1)
    world.settle_to(DAYS[8])
    row = world.value(DAYS[8])
    assert (row["dividends"], row["restated"], row["unexplained"]) == (Decimal("42.00"), Decimal("3.50"), Decimal(0))
    assert world.book.cash == 100_000_000 - 1_000_000 + 4_200
    assert_reconciled(world)
    assert world.rows("portfolio_value").filter(pl.col("session") > EX)["session_return"].abs().max() == 0
