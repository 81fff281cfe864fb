"""The book follows what the operator states of an action, late as it is, as if a source had stated it in time."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS
from pipeline.ingestion.actions.corporate_actions import actions
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import landing, moment
from tests.frames.trading import CALENDAR, DAYS, World, assert_reconciled, bar, free

EX = DAYS[5]


def holding() -> World:
    """A hundred shares of a name whose price halves on EX, and of which no source states a split."""
    world = World(*[bar("AAA", DAYS[number], 100.0 if number < 5 else 50.0) for number in range(14)], params=free())
    world.order(DAYS[0], "AAA", "buy", 100)
    return world


def state(world: World, session: date, *lines: dict[str, Any], verb: str = "add", source: str = "operator") -> None:
    """Take in what the operator, or a source, says of the splits of AAA on EX, as the stage does."""
    covers = {"since": str(EX), "until": str(EX)}
    request = {"ticker": "AAA", "kind": "split", "covers": covers, "verb": verb}
    told = [{"ticker": "AAA", "ex_date": str(EX), "kind": "split", "denominator": "1"} | line for line in lines]
    raw = landing(
        told, kind="actions", source=source, ticker="AAA", request=request, session=session, calendar=CALENDAR
    )
    known = world.rows("corporate_actions")
    at = moment(session, calendar=CALENDAR)
    world.add(CORPORATE_ACTIONS, actions(raw, known, INSTRUMENTS.empty(), FX_RATES.empty(), at, IngestionParams()))


def test_a_split_stated_late_corrected_and_withdrawn_moves_the_shares_in_the_session_that_learns_it() -> None:
    world = holding()
    worth = []
    for last, lines in ((8, []), (9, [{"numerator": "3"}]), (10, [{"numerator": "2"}])):
        if lines:
            state(world, DAYS[last], *lines)
        world.settle_to(DAYS[last])
        worth.append((world.book.positions["AAA"].shares, world.value(DAYS[last])["nav"]))
    assert worth == [
        (100, Decimal("995000.00")),
        (300, Decimal("1005000.00")),
        (200, Decimal("1000000.00")),
    ]
    state(world, DAYS[11])
    world.settle_to(DAYS[11])
    assert (world.book.positions["AAA"].shares, world.value(DAYS[11])["nav"]) == worth[0]
    assert_reconciled(world)
    told = world.rows("portfolio_value").filter(pl.col("session") >= DAYS[9])
    assert told["restated"].to_list() == [Decimal(10_000), Decimal(-5_000), Decimal(-5_000)]
    assert told["session_return"].abs().max() == 0, "what is learned of the past is earned in no session"


def test_what_was_sold_before_the_split_was_stated_is_of_the_new_basis() -> None:
    world = holding()
    world.order(DAYS[5], "AAA", "sell", 40)  # filled at the open after the split, at the new price
    world.settle_to(DAYS[8])
    state(world, DAYS[9], {"numerator": "2"})
    world.settle_to(DAYS[9])
    assert world.book.positions["AAA"].shares == 160
    assert world.value(DAYS[9])["nav"] == Decimal("1000000.00")
    assert_reconciled(world)


def test_the_book_follows_the_source_again_once_the_operator_has_given_his_word_back() -> None:
    world = holding()
    state(world, DAYS[5], {"numerator": "2"}, source="files")
    world.settle_to(DAYS[8])
    state(world, DAYS[9], {"numerator": "4"}, verb="correct")
    world.settle_to(DAYS[9])
    assert world.book.positions["AAA"].shares == 400
    state(world, DAYS[10], verb="release")
    world.settle_to(DAYS[11])
    assert (world.book.positions["AAA"].shares, world.value(DAYS[11])["nav"]) == (200, Decimal("1000000.00"))
    assert_reconciled(world)
    told = world.rows("portfolio_value").filter(pl.col("session") >= DAYS[9])
    assert told["restated"].to_list() == [Decimal(10_000), Decimal(-10_000), Decimal(0)]
