"""A row is opened with every value it holds."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lake.store import Lake
from lake.tables.trading import TRADE_PLANS
from nextgen_tui.console.lake_view import LakeView, read_runs
from nextgen_tui.console.lineage.lineage_view import follow
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.page import Link


def test_what_a_row_holds_several_of_is_told_each_on_a_line_of_its_own(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    plan = lake.read(TRADE_PLANS, where=pl.col("ticker") == "ZETA").row(0, named=True)
    key = {name: plan[name] for name in TRADE_PLANS.key}
    detail = follow(LakeView(lake, read_runs(lake)), Link("", TRADE_PLANS.name, key))
    told = plain_text([line for section in detail.sections for line in section.lines]).splitlines()
    rules = [one["rule"] for one in plan["verdicts"]]
    assert rules
    assert [line.split()[1].rstrip(",") for line in told if line.strip().startswith("rule ")] == rules
