"""The reconciliation finds whatever is wrong with a ledger, by the name of the event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from pipeline.trading.books import holdings, ledger, value
from pipeline.trading.books.differences import Difference, compare
from pipeline.trading.books.reconciliation import Reconciliation, reconcile
from pipeline.trading.execution import execute
from tests.frames.trading import CALENDAR, DAYS, World, bar, delisting, dividend, split

LAST = DAYS[9]
LATE = CALENDAR.close_at(DAYS[6]) + timedelta(minutes=5)


@pytest.fixture(scope="module")
def world() -> World:
    """A book with fills, commissions, a split with a fraction, a dividend paid and one owed, and corrections."""
    names = ("AAA", "BBB", "CCC")
    given = World(*[bar(name, day, 50.0 + number) for number, name in enumerate(names) for day in DAYS[:10]])
    for name in names:
        given.order(DAYS[0], name, "buy", 101)
    given.order(DAYS[4], "AAA", "sell", 30)
    given.act(
        split("AAA", DAYS[3], 3, 2),
        split("AAA", DAYS[3], 5, 2, revision=1, available_at=LATE),
        dividend("BBB", DAYS[2], 1.0, DAYS[4]),
        dividend("BBB", DAYS[7], 0.5, DAYS[20]),
        dividend("CCC", DAYS[3], 0.24, DAYS[5]),
        dividend("CCC", DAYS[3], 0.24, DAYS[5], revision=1, available_at=LATE, withdrawn=True),
        {"ticker": "BBB", "ex_date": DAYS[8], "kind": "rename", "successor": "DDD", "numerator": None,
         "denominator": None, "amount": None},
        delisting("CCC", DAYS[8], 12.5),
    )  # fmt: skip
    for day in DAYS[:10]:
        for stage in (execute.STAGE, ledger.STAGE, holdings.STAGE, value.STAGE):
            given.run(stage, day)
    return given


def reconciled(world: World) -> Reconciliation:
    facts = world.frame(ledger.STAGE.reads[2], world.moment(LAST))
    given = (world.rows("executed_trades"), facts, world.rows("market_prices"))
    return reconcile(*given, (DAYS[0], 100_000_000), LAST, CALENDAR)


def differences(world: World, entries: pl.DataFrame) -> list[Difference]:
    return compare(reconciled(world), entries, LAST)


def test_a_ledger_that_follows_its_facts_has_no_difference(world: World) -> None:
    entries = world.rows("ledger_entries")
    assert {"reversal", "correction", "cash_in_lieu", "rename", "delisting"} <= set(entries["kind"])
    assert differences(world, entries) == []


def corruptions(entries: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """What, of which event, and the ledger after it: a leg of each kind spoiled in each way."""
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(entries.rows(named=True)):
        name, leg = row["reference"], (row["kind"], row["account"])
        if leg in seen:
            continue
        seen.add(leg)
        rest = pl.concat([entries[:number], entries[number + 1 :]])
        yield "a leg dropped", name, rest
        spoiled = {
            "a cent more": {"amount": row["amount"] + Decimal("0.01")},
            "a share more": {"shares": row["shares"] + 1},
            "another session": {"session": CALENDAR.next(row["session"])},
            "counted for another session": {"effective": CALENDAR.next(row["effective"])},
            "another ticker": {"ticker": "ZZZ"},
        }
        if row["due"] is not None:
            spoiled["paid on another day"] = {"due": row["due"] + timedelta(days=1)}
        for what, values in spoiled.items():
            changed = pl.DataFrame([row | values], schema=entries.schema)
            yield what, name, pl.concat([rest, changed])
        yield "the same leg twice", name, pl.concat([entries, entries[number : number + 1]])
        again = pl.DataFrame([row | {"entry_id": "again"}], schema=entries.schema)
        yield "the leg twice under another id", name, pl.concat([entries, again])
    for (event, name), legs in entries.group_by("event_id", "reference", maintain_order=True):
        yield "an event dropped", str(name), entries.filter(pl.col("event_id") != event)
        again = legs.with_columns(pl.format("again {}", "entry_id").alias("entry_id"), event_id=pl.lit("again"))
        yield "an event twice", str(name), pl.concat([entries, again])


def test_every_planted_corruption_is_found_by_the_name_of_its_event(world: World) -> None:
    found = reconciled(world)
    missed = [
        (what, name)
        for what, name, entries in corruptions(world.rows("ledger_entries"))
        if name not in {one.reference for one in compare(found, entries, LAST)}
    ]
    assert not missed, missed


def test_a_corrupt_ledger_is_told_with_the_value_that_nothing_explains(world: World) -> None:
    spoiled = World()
    spoiled.tables = dict(world.tables)
    entries = world.rows("ledger_entries")
    gone = (pl.col("kind") == "correction") & (pl.col("reference") == f"AAA:{DAYS[3]}:split:0")
    spoiled.tables["ledger_entries"] = entries.filter(~gone)
    for name in ("portfolio_holdings", "portfolio_value"):
        spoiled.tables[name] = spoiled.tables[name].filter(pl.col("session") < LAST)
    spoiled.run(holdings.STAGE, LAST)
    row = spoiled.compute(value.STAGE, LAST).row(0, named=True)
    assert row["unexplained"] < 0
    assert row["difference"].startswith(f"AAA:{DAYS[3]}:split:0: ")
    assert "shares of AAA in the ledger" in row["difference"]


def test_sums_that_agree_in_all_but_the_account_are_found(world: World) -> None:
    entries = world.rows("ledger_entries").with_columns(
        account=pl.when(pl.col("account") == "dividends").then(pl.lit("realised")).otherwise("account")
    )
    assert f"BBB:{DAYS[2]}:dividend:0" in {one.reference for one in differences(world, entries)}


def test_an_event_that_nothing_gives_rise_to_is_found(world: World) -> None:
    entries = world.rows("ledger_entries")
    fund = entries.filter(pl.col("kind") == "fund")
    invented = fund.with_columns(
        pl.format("x{}", "entry_id").alias("entry_id"), event_id=pl.lit("x"), reference=pl.lit("x")
    )
    assert [one.reference for one in differences(world, pl.concat([entries, invented]))] == ["x"]
