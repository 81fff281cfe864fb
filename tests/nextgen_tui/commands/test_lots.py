"""`nextgen lots`: open and sold lots of the demo's book add up to what its ledger says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS
from nextgen_tui.cli import exit_codes
from tests.frames.trading import DAYS, SETTLE, World, bar, free
from tests.nextgen_tui.lakes import publish
from tests.nextgen_tui.runner import Run, json_of


@pytest.fixture
def traded(lake: Lake) -> Lake:
    """100 bought at 10 and 100 at 14; 150 sold at 12."""
    prices = (10.0, 10.0, 14.0, 12.0)
    world = World(*[bar("AAA", day, p) for day, p in zip(DAYS, prices, strict=False)], params=free(), settling=SETTLE)
    for day, side, shares in ((0, "buy", 100), (1, "buy", 100), (2, "sell", 150)):
        world.order(DAYS[day], "AAA", side, shares, intent="enter" if side == "buy" else "reduce")
    world.settle_to(DAYS[3])
    for table in (LEDGER_ENTRIES, PORTFOLIO_HOLDINGS):
        publish(lake, table, world.rows(table.name), name=f"{table.name}-of-lots")
    return lake


def test_lots_are_told_by_method_with_their_gains(run: Run, traded: Lake) -> None:
    told = json_of(run, "lots")
    assert [(one["shares"], one["gain"], one["term"]) for one in told["sold"]] == [
        (100, "200.00", "short"), (50, "-100.00", "short"),
    ]  # fmt: skip
    assert [(one["shares"], one["cost"], one["value"]) for one in told["open"]] == [(50, "700.00", "600.00")]
    assert (told["short_term"], told["long_term"]) == ("100.00", "0")
    dear = json_of(run, "lots", "--method", "highest-cost")
    assert dear["short_term"] == "-100.00"
    assert json_of(run, "lots", "--year", "1999")["sold"] == []


def test_lots_that_were_named_for_a_sale_go_first_and_strangers_are_refused(
    run: Run, traded: Lake, tmp_path: Path
) -> None:
    file = tmp_path / "named.csv"
    sale, second = f"{DAYS[3]}:AAA:sell", f"{DAYS[2]}:AAA:buy"
    file.write_text(f"sale,buy,shares\n{sale},{second},100\n")
    assert json_of(run, "lots", "--named", str(file))["short_term"] == "-100.00"
    for text, words in (
        (f"sale,buy,shares\n{sale},nobody,5\n", "the first is 'nobody'"),
        (f"sale,buy,shares\n{sale},{second},-5\n", "'-5' is no number of shares"),
        ("sale,lot,shares\n", "has no column buy"),
    ):
        file.write_text(text)
        code, _, err = run("lots", "--named", str(file))
        assert code == exit_codes.USAGE
        assert words in " ".join(err.split())


def test_a_lake_without_a_book_has_no_lots(run: Run, lake: Lake) -> None:
    told = json_of(run, "lots")
    assert (told["open"], told["sold"], Decimal(told["short_term"])) == ([], [], 0)
