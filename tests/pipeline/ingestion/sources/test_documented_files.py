"""Every example of `docs/your_own_data.md` is read as the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from pipeline.market.sessions import exchange_sessions

PAGE = Path(__file__).parents[4] / "docs" / "your_own_data.md"


def _examples() -> dict[str, str]:
    """Name of a file -> its text: each block stands below a line that begins with the name."""
    found: dict[str, str] = {}
    name, inside = "", False
    for line in PAGE.read_text("utf-8").splitlines(keepends=True):
        if line.startswith("```"):
            inside = line.strip() == "```csv"
        elif inside:
            found[name] = found.get(name, "") + line
        elif match := re.match(r"`([\w /.-]+\.csv)`", line):
            name = match[1]
    return found


EXAMPLES = _examples()
PRICES = {name: text for name, text in EXAMPLES.items() if "lose" in text or "Price" in text or name.startswith("BTC")}
SEEN = "vintages.csv"
"""The one whose rows say when they were seen, by a column that has to be named."""
OTHERS = {"actions.csv": "actions", "news.csv": "news", "listings.csv": "listings"}
OTHERS |= {"constituents.csv": "constituents", "rates.csv": "fx"}


def _write(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def _source(path: Path, exchange: str = "XNYS", **further: Any) -> FilesSource:
    return FilesSource(FilesParams(prices=(str(path),), **further), exchange_sessions(exchange))


def test_the_page_has_an_example_of_each_kind() -> None:
    assert len(PRICES) == 11 and EXAMPLES.keys() >= OTHERS.keys()


@pytest.mark.parametrize("name", PRICES)
def test_an_example_of_prices_becomes_sound_bars(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path, name, EXAMPLES[name])
    if name.startswith("values/"):
        for other in ("open", "high", "low", "volume"):
            _write(tmp_path, f"values/{other}.csv", EXAMPLES[name])
        path = path.parent
    mapped = {"columns": ("available_at=collected",)} if name == SEEN else {}
    source = _source(path, "24/7" if name.startswith("BTC") else "XNYS", **mapped)
    found = source.understand()
    assert not found.problems and not found.set_aside
    bars = read_bars(source.prices(*source.coverage(), history=True), INSTRUMENTS.empty(), source.calendar)
    assert bars.height and bars["rule"].null_count() == bars.height


@pytest.mark.parametrize(
    ("name", "told"),
    [("TSLA.csv", ("split", None)), ("KO.csv", ("dividend", 0.485)), ("SEP.csv", ("split", None))],
)
def test_the_actions_that_an_example_tells_are_kept(tmp_path: Path, name: str, told: tuple[str, float | None]) -> None:
    source = _source(_write(tmp_path, name, EXAMPLES[name]))
    landed = source.prices(*source.coverage(), history=True)
    (action,) = validate_actions(
        landed, INSTRUMENTS.empty(), CORPORATE_ACTIONS.empty(), source.calendar
    ).good.to_dicts()
    assert (action["kind"], action["amount"]) == (told[0], pytest.approx(told[1]) if told[1] else None)


@pytest.mark.parametrize(("name", "setting"), OTHERS.items())
def test_an_example_of_another_file_lands_whole(tmp_path: Path, name: str, setting: str) -> None:
    prices = _write(tmp_path, "prices.csv", EXAMPLES["prices.csv"])
    source = _source(prices, **{setting: str(_write(tmp_path, name, EXAMPLES[name]))})
    first, last = source.coverage()
    early = source.calendar.offset(first, -700)
    landed = source.prices(early, last, history=True)
    if setting == "news":
        landed = source.news(early, last, history=True)
    rows = EXAMPLES[name].count("\n") - 1
    kinds = landed.filter(pl.col("kind") != "bars") if "kind" in landed.columns else landed
    assert int(kinds["payload"].str.count_matches("\n").sum()) + kinds.height >= rows
