"""A feature that changes is computed anew for all of history, under a new set; the others keep the values they had."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.lineage import trace
from lake.runs import Run
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.features import FEATURE_ROWS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.config.settings import FeatureParams, PluginParams
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.engine.stages import INGEST
from pipeline.plugins.load_plugin_file import MODULE_PREFIX
from pipeline.reading.provenance.row_sources import RowSources
from tests.copies import copy_lake
from tests.operation.conftest import Operation

pytestmark = pytest.mark.slow

PLUGIN = """
from pipeline.features.engine.expressions import fact, lag, mean
from pipeline.features.feature import Feature

CLOSE = fact("close")
COMPUTED = []


def stay(view):
    COMPUTED.append(view.session)
    return view.close(2)[0]


FEATURES = (
    Feature("stays", "own", "ratio", "the close before over the close", 1, stay),
    Feature.express("near", "own", "ratio", CLOSE / mean(CLOSE, {near})),
    Feature.express("far", "own", "ratio", CLOSE / lag(CLOSE, 30)),
)
"""


MODULE = f"{MODULE_PREFIX}own"


class Changing:
    """The small operation going on with a plugin whose features change."""

    def __init__(self, operation: Operation, path: Path) -> None:
        copy_lake(operation.lake.path, path)
        self.lake, self.plugin = Lake.open(path), path / "own.py"
        self.settings = replace(operation.settings, plugins=PluginParams(files=("own.py",)))
        self.session = operation.sessions[-1]
        self.computed: list[date] = []
        """The sessions for which the last run computed the feature that stays."""

    def run(self, near: int, *, advance: bool) -> Run:
        """The features of the last session or the next one, and of all before it where the set is a new one."""
        self.plugin.write_text(PLUGIN.replace("{near}", str(near)))
        runner = Runner(self.lake, self.settings)
        if advance:
            self.session = runner.calendar.next(self.session)
            for stage in INGEST:
                runner.run_stage(stage, self.session)
        run = runner.run_stage(find_stage("features"), self.session)
        self.computed = [day for day in sys.modules[MODULE].COMPUTED if day >= runner.source.coverage()[0]]
        return run

    def read(self, run: Run) -> pl.DataFrame:
        rows = self.lake.read(self.lake.contract(FEATURE_ROWS), where=pl.col("run_id") == run.run_id)
        assert rows["feature_set"].n_unique() == 1
        return rows


@pytest.fixture(scope="module")
def changing(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Changing, list[Run]]]:
    made = Changing(operation, tmp_path_factory.mktemp("changing") / "lake")
    yield made, [made.run(5, advance=False), made.run(5, advance=True), made.run(6, advance=True)]


def test_a_new_set_takes_over_what_it_shares_with_the_one_before(
    changing: tuple[Changing, list[Run]], operation: Operation
) -> None:
    _, (first, again, changed) = changing
    assert first.recipe.since < first.recipe.session and changed.recipe.since < changed.recipe.session
    assert again.recipe.since == again.recipe.session and "carried" not in again.recipe.params["extensions"]
    told = [run.recipe.params["extensions"] for run in (first, changed)]
    names = sorted([*operation.features.names, "near", "far", "stays"])
    assert told[0]["carried_from"] == operation.features.name
    assert [name for name, flag in zip(names, told[0]["carried"], strict=True) if flag == "0"] == [
        "far",
        "near",
        "stays",
    ]
    assert [name for name, flag in zip(names, told[1]["carried"], strict=True) if flag == "0"] == ["near"]


def test_old_values_stay_readable_at_their_set_and_only_what_changed_differs(
    changing: tuple[Changing, list[Run]], operation: Operation
) -> None:
    made, (first, _, changed) = changing
    old, new = made.read(first), made.read(changed)
    assert old["feature_set"][0] != new["feature_set"][0]
    both = old.join(new, on=["session", "ticker"], suffix=" new")
    assert both.height == old.height
    names = (*operation.features.names, "near", "far", "stays")
    differ = [name for name in names if not both[name].equals(both[f"{name} new"])]
    assert differ == ["near"]


def test_a_run_that_took_values_over_is_reproduced(changing: tuple[Changing, list[Run]]) -> None:
    made, (_, _, changed) = changing
    assert reproduce(Runner(made.lake, made.settings), changed).identical


def test_what_is_taken_over_is_what_would_be_computed(changing: tuple[Changing, list[Run]]) -> None:
    made, (_, _, changed) = changing
    runner = Runner(made.lake, made.settings)
    stage = find_stage("features")
    frames, moment = runner.executor.read_inputs(stage, changed.recipe)
    alone = replace(moment, extensions=replace(moment.extensions, carried=(), carried_from=""))
    whole = stage.function(*frames.values(), alone, FeatureParams())
    stored = made.read(changed).drop("run_id")
    assert stage.writes.check(whole).sort(FEATURE_ROWS.key).equals(stored.sort(FEATURE_ROWS.key))


def test_what_stays_is_computed_for_the_new_session_alone(changing: tuple[Changing, list[Run]]) -> None:
    made, (first, _, changed) = changing
    assert made.computed == [changed.recipe.session] and changed.recipe.since == first.recipe.since


def test_a_range_is_rebuilt_by_one_command_and_comes_out_the_same(
    changing: tuple[Changing, list[Run]], tmp_path: Path
) -> None:
    made, (_, _, changed) = changing
    copy_lake(made.lake.path, tmp_path / "lake")
    (tmp_path / "lake" / "nextgen.toml").write_text('[plugins]\nfiles = ["own.py"]\n', encoding="utf-8")
    calendar = Runner(made.lake, made.settings).calendar
    first, last = (calendar.offset(changed.recipe.session, -back) for back in (40, 10))
    words = ["--lake", str(tmp_path / "lake"), "run", "features", "--from", str(first), "--session", str(last)]
    assert outcome(words) == exit_codes.DONE
    runs = Lake.open(tmp_path / "lake").read(RUNS, where=pl.col("stage") == "features").sort("started_at")
    rebuilt = Run.from_row(runs.row(-1, named=True))
    assert (rebuilt.recipe.since, rebuilt.recipe.session, rebuilt.written) == (first, last, 0)
    assert rebuilt.rows == made.read(changed).filter(pl.col("session").is_between(first, last)).height
    wrong = ["--lake", str(tmp_path / "lake"), "run", "predict", "--from", str(first), "--session", str(last)]
    assert outcome(wrong) == exit_codes.USAGE


def test_a_value_that_was_taken_over_is_made_of_the_row_it_is_from_and_of_what_that_is_made_of(
    changing: tuple[Changing, list[Run]],
) -> None:
    made, (_, again, changed) = changing
    executor = Runner(made.lake, made.settings).executor
    row = made.read(changed).filter(pl.col("session") == again.recipe.session).row(3, named=True)
    for name, kept in (("return_5", True), ("near", False)):
        found = {table.name: rows for table, rows in RowSources(made.lake, executor, [name]).list_rows(row)}
        assert (FEATURE_ROWS.name in found) == kept, name
        assert (
            set(found["market_prices"]["ticker"]) == {row["ticker"]}
            and row["session"] in found["market_prices"]["session"]
        )
    sources = {"feature_rows": RowSources(made.lake, executor).list_rows}
    hops = trace(made.lake, FEATURE_ROWS, {name: row[name] for name in FEATURE_ROWS.key}, sources=sources)
    earlier = next(hop for hop in hops[1:] if hop.table == "feature_rows")
    assert earlier.run_id == again.run_id and "return_5" in earlier.used and "near" not in earlier.used


def test_a_set_computed_under_other_settings_is_not_taken_over(
    changing: tuple[Changing, list[Run]], tmp_path: Path
) -> None:
    made, _ = changing
    copy_lake(made.lake.path, tmp_path / "lake")
    shutil.copy(made.plugin, tmp_path / "lake" / "own.py")
    other = replace(made.settings, features=replace(made.settings.features, news_prior=2.0))
    plugin = tmp_path / "lake" / "own.py"
    plugin.write_text(PLUGIN.replace("{near}", "9"))
    lake = Lake.open(tmp_path / "lake")
    runner = Runner(lake, other)
    run = runner.run_stage(find_stage("features"), made.session)
    assert "carried" not in run.recipe.params["extensions"] and run.recipe.params["extensions"]["hashes"]
    assert lake.read(RUNS, where=pl.col("run_id") == run.run_id).height == 1
