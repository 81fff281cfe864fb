"""The Tab key offers names of the program and of the lake at hand, and nothing where there is no lake."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.shell_completion import ShellComplete

from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.market import INSTRUMENTS
from lake.tables.models import MODEL_REGISTRY
from lake.tables.trading import TRADE_PLANS
from nextgen_tui.cli.main import main


def offered(line: str) -> list[str]:
    *words, begun = line.split(" ")
    shell = ShellComplete(main, {}, "nextgen", "_NEXTGEN_COMPLETE")
    return [item.value for item in shell.get_completions(words, begun)]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("show market_p", ["market_prices"]),
        ("lineage predictions prediction_", ["prediction_id="]),
        ("show market_prices --where tick", ["ticker="]),
        ("run predict", ["predict"]),
        ("init --set market.exch", ["market.exchange="]),
        ("config show trading.co", ["trading.costs"]),
    ],
)
def test_names_of_the_program_are_offered(line: str, names: list[str]) -> None:
    assert offered(line) == names


def test_names_of_the_lake_are_offered_the_newest_first(lake: Lake) -> None:
    runs = lake.read(RUNS).sort("started_at", descending=True)
    begun = runs.filter(pl.col("stage").str.starts_with("p"))["run_id"].to_list()
    assert len(begun) > 1
    assert offered(f"runs --lake {lake.path} p") == begun
    assert offered(f"reproduce --lake {lake.path} {begun[0]}") == begun[:1]
    assert offered(f"reproduce --lake {lake.path} --cycle cycle-")[0] == f"cycle-{runs['session'].max():%Y%m%d}"
    assert offered(f"securities --lake {lake.path} ") == sorted(set(lake.read(INSTRUMENTS)["ticker"]))
    plans = lake.read(TRADE_PLANS).filter(pl.col("taken"), pl.col("session") == pl.col("session").max())
    assert offered(f"veto --lake {lake.path} ") == sorted(plans["plan_id"])
    assert set(offered(f"promote --lake {lake.path} ")) == set(lake.read(MODEL_REGISTRY)["model_id"])


@pytest.mark.parametrize(
    "line", ["runs a", "reproduce --cycle c", "securities A", "veto 2", "promote m", "show none --where a"]
)
def test_without_a_lake_nothing_is_offered_and_nothing_is_made(tmp_path: Path, line: str) -> None:
    assert offered(f"--lake {tmp_path / 'none'} {line}") == []
    assert list(tmp_path.iterdir()) == []
