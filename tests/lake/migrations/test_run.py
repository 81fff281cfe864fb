"""A lake of an earlier program is brought up to date, and what ran in it before still comes out the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lake.contract import Table
from lake.errors import LakeError, NotALakeError, OvertakenError
from lake.fingerprint import fingerprint
from lake.migrations import FORMAT, FORMATS, AddColumn, RenameColumn, format_4, format_5, format_6
from lake.migrations.run import migrate, plan_migration
from lake.migrations.steps import Formats
from lake.publication import find_unpublished, publish
from lake.runs import Run, find_done_runs, find_run, recompute_fingerprint
from lake.storage import delta
from lake.storage.delta_log import commit_entry, entry_versions
from lake.storage.manifest import MANIFEST
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, TASK_REQUESTS, WorkKind
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from lake.tables.vocabulary import count, text
from lake.upkeep.backup import backup, restore
from lake.upkeep.scrub import scrub
from tests.copies import copy_lake
from tests.frames.bars import bar_rows
from tests.frames.control import recipe, run
from tests.frames.golden import FIFTH, FIRST, FOURTH, SECOND, THIRD, unpack
from tests.frames.published import instrument_rows, publish_sessions, request_rows, write_session
from tests.new_lake import new_lake


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(FIRST, tmp_path_factory.mktemp("golden"))


@pytest.fixture
def golden(unpacked: Path, tmp_path: Path) -> Path:
    """The lake as the first program left it."""
    copy_lake(unpacked, tmp_path / "golden")
    return tmp_path / "golden"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake as the demo of format 2 left it."""
    return unpack(SECOND, tmp_path_factory.mktemp("demo"))


def rows_before(lake: Lake, table: Table) -> pl.DataFrame:
    """A table's rows without the record of the migration itself."""
    rows = lake.read(table)
    return rows.filter(pl.col("stage") != "migrate") if table is RUNS else rows


def files(path: Path) -> dict[str, bytes]:
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


# ---- a lake as the first program made it


def test_a_lake_of_an_earlier_program_is_refused_with_what_to_do_and_left_as_it_is(golden: Path) -> None:
    before = files(golden)
    with pytest.raises(NotALakeError, match=rf"format 1, .* {FORMAT}; .*`nextgen backup`.*`nextgen migrate`"):
        Lake.open(golden)
    assert files(golden) == before


def tables(lake: Path) -> set[str]:
    return {folder.name for folder in (lake / "tables").iterdir()}


def test_a_plan_names_each_table_and_changes_nothing(golden: Path) -> None:
    before = files(golden)
    *added, change = sorted(plan_migration(Lake.open(golden, older=True)), key=lambda one: (one.rewrites, one.table))
    steps = (*format_4.STEPS, *format_5.STEPS, *format_6.STEPS)
    assert [one.table for one in added] == sorted({step.table for step in steps} & tables(golden))
    assert not any(one.rewrites for one in added)
    assert (change.table, change.rows, change.version, change.rewrites) == ("runs", 152, 9, True)
    computed = [f"gains {column}, computed for older rows" for column in ("work", "plugins")]
    assert change.description.split("; ") == ["gains contract, null in older rows", *computed]
    assert files(golden) == before


def test_every_row_of_an_earlier_lake_is_there_after_its_migration_and_at_its_old_versions(golden: Path) -> None:
    old = Lake.open(golden, older=True)
    was = {name: old.read(table) for name, table in TABLES.items()}
    migrate(old)
    new = Lake.open(golden)
    for name, table in TABLES.items():
        assert rows_before(new, table).equals(was[name]), name
        assert new.read(table).schema == new.contract(table).stored_schema
    assert new.read(RUNS, version=9)["contract"].null_count() == 152
    assert [field.name for field in DeltaTable(new.uri(RUNS)).schema().fields][-1] == "contract"
    assert scrub(new).findings == ()
    assert plan_migration(new) == []


def test_runs_recorded_before_a_migration_come_out_the_same_after_it(golden: Path) -> None:
    from pipeline.config.settings import Settings
    from pipeline.engine.reproduction import reproduce
    from pipeline.engine.runner import Runner

    migrate(Lake.open(golden, older=True))
    runner = Runner(Lake.open(golden), Settings())
    runs = runner.lake.read(RUNS, where=pl.col("session") >= pl.col("session").max())
    # What these compute has not changed since the first program; a stage that will is taken off this list.
    lasting = {"land_prices", "land_news", "instruments", "actions", "prices", "quarantine", "restatements", "universe"}
    lasting |= {"execute", "ledger", "holdings", "value"}
    chosen = [Run.from_row(row) for row in runs.iter_rows(named=True) if row["stage"] in lasting]
    assert len(chosen) >= 10
    assert {one.contract for one in chosen} == {1}
    verdicts = [reproduce(runner, one) for one in chosen]
    assert [f"{one.run_id}: {one.difference}" for one in verdicts if not one.identical] == []
    assert [one.run_id for one in verdicts] == [one.run_id for one in chosen]


def test_work_goes_on_in_a_migrated_lake_and_a_second_migration_does_nothing(golden: Path) -> None:
    migrate(Lake.open(golden, older=True))
    before = files(golden / "tables")
    assert migrate(Lake.open(golden)).changes == ()
    assert files(golden / "tables") == before
    lake = Lake.open(golden)
    with lake.lock("test"):
        publish(lake, [run(recipe=recipe(), written=0, output_version=0)], "after", durable=False)
    assert find_run(Lake.open(golden), "universe-20210301").contract == FORMAT
    assert scrub(lake).findings == ()


def test_an_earlier_lake_can_be_backed_up_scrubbed_and_restored_as_it_is(golden: Path, tmp_path: Path) -> None:
    old = Lake.open(golden, older=True)
    assert scrub(old).findings == ()
    backup(old, tmp_path / "safe")
    restore(tmp_path / "safe", tmp_path / "back")
    assert (tmp_path / "back" / MANIFEST).read_bytes() == (golden / MANIFEST).read_bytes()
    migrate(Lake.open(tmp_path / "back", older=True))
    assert rows_before(Lake.open(tmp_path / "back"), RUNS).height == 152


def test_an_earlier_lake_that_was_opened_to_be_looked_at_takes_no_rows(golden: Path) -> None:
    old = Lake.open(golden, older=True)
    with pytest.raises(NotALakeError, match="work"), old.lock("test"):
        publish(old, [run(recipe=recipe(), written=0)], "too early", durable=False)
    assert old.newest(RUNS) == 9


# ---- a lake as the demo of format 2 made it


def test_the_plan_for_a_demo_lake_says_that_runs_gain_their_kind_of_work_and_changes_nothing(demo: Path) -> None:
    before = files(demo)
    with pytest.raises(NotALakeError, match=rf"format 2, .* {FORMAT}; .*`nextgen migrate`"):
        Lake.open(demo)
    *added, change = sorted(plan_migration(Lake.open(demo, older=True)), key=lambda one: (one.rewrites, one.table))
    steps = (*format_4.STEPS, *format_5.STEPS, *format_6.STEPS)
    assert [one.table for one in added] == sorted({step.table for step in steps} & tables(demo))
    assert not any(one.rewrites for one in added)
    assert (change.table, change.rows, change.rewrites) == ("runs", 358, True)
    assert "gains work" in change.description and "gains plugins" in change.description
    assert files(demo) == before


@pytest.fixture(scope="module")
def migrated(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The demo's lake after its migration, which this module only reads."""
    path = tmp_path_factory.mktemp("migrated") / "lake"
    copy_lake(demo, path)
    migrate(Lake.open(path, older=True))
    return Lake.open(path)


def test_a_migration_keeps_every_row_and_adds_which_work_it_was(demo: Path, migrated: Lake) -> None:
    old = Lake.open(demo, older=True)
    for name, table in TABLES.items():
        assert rows_before(migrated, table).equals(old.read(table)), name
    assert scrub(migrated).findings == ()
    kinds = dict(rows_before(migrated, RUNS).group_by("work").len().iter_rows())
    assert kinds == {"backfill": 12, "cycle": 333, "training": 2, "single-stage": 11}
    assert set(migrated.read(RUNS)["plugins"]) == {"{}"}


def test_a_run_recorded_before_it_said_its_work_keeps_its_id(golden: Path, migrated: Lake) -> None:
    for runs in (migrated.read(RUNS), Lake.open(golden, older=True).read(RUNS)):
        assert [Run.from_row(row).run_id for row in runs.iter_rows(named=True)] == runs["run_id"].to_list()


def assert_identical_again(migrated: Lake, runs: list[Run]) -> None:
    """Each of the runs gives the rows that it gave before the migration.

    Networks were trained on a processor with AVX-512: on another kind a training may differ, and says that this is why.
    """
    from pipeline.config.loading import load
    from pipeline.engine.code_fingerprint import MACHINE, libraries
    from pipeline.engine.reproduction import reproduce
    from pipeline.engine.runner import Runner

    runner = Runner(migrated, load(migrated.path, {}).settings)
    different = [(one, verdict) for one in runs if not (verdict := reproduce(runner, one)).identical]
    elsewhere = [verdict for one, verdict in different if one.recipe.libraries[MACHINE] != libraries()[MACHINE]]
    trained = [verdict for verdict in elsewhere if "a network's last bits" in verdict.difference]
    assert [f"{one.run_id}: {one.difference}" for _, one in different if one not in trained] == []
    assert {one.stage for one in trained} <= {"train"}


def test_the_last_run_of_every_stage_and_work_comes_out_the_same_after_the_migration(migrated: Lake) -> None:
    last = {(one.recipe.stage, one.recipe.work): one for one in find_done_runs(migrated)}
    assert len(last) > 40 and {work for _, work in last} >= {WorkKind.BACKFILL, WorkKind.CYCLE, WorkKind.TRAINING}
    assert_identical_again(migrated, list(last.values()))


@pytest.mark.slow
def test_every_run_of_the_demo_comes_out_the_same_after_the_migration(migrated: Lake) -> None:
    runs = [one for one in find_done_runs(migrated) if one.recipe.stage != "migrate"]
    assert len(runs) == 358
    assert_identical_again(migrated, runs)


# ---- lakes as the demos of formats 3 to 5 made them


@pytest.mark.parametrize(
    ("number", "archive"),
    [
        pytest.param(3, THIRD, marks=pytest.mark.slow),  # by default the first, the last, and the demo's
        pytest.param(4, FOURTH, marks=pytest.mark.slow),
        (5, FIFTH),
    ],
)
def test_a_later_lake_gains_the_columns_of_today_and_its_runs_come_out_the_same(
    tmp_path: Path, number: int, archive: Path
) -> None:
    path = unpack(archive, tmp_path)
    with pytest.raises(NotALakeError, match=rf"format {number}, .* {FORMAT}; .*`nextgen migrate`"):
        Lake.open(path)
    old = Lake.open(path, older=True)
    was = {name: old.read(table) for name, table in TABLES.items()}
    assert "ledger_entries" in {change.table for change in migrate(old).changes}
    new = Lake.open(path)
    for name, table in TABLES.items():
        assert rows_before(new, table).equals(was[name]), name
    last = {one.recipe.stage: one for one in find_done_runs(new) if one.recipe.stage != "migrate"}
    assert len(last) > 35
    assert_identical_again(new, list(last.values()))


def test_a_run_left_unpublished_by_an_earlier_program_is_read_with_its_work(lake: Lake) -> None:
    one = run(recipe=recipe(output_table="market_prices", stage="prices", cycle_id="history-20210301-20210302"))
    older = {name: value for name, value in one.row().items() if name not in ("work", "plugins", "contract")}
    with lake.lock("a program of format 1"):
        lake.commit(MARKET_PRICES, bar_rows({}), one.run_id, {"run": older})
    (left,) = find_unpublished(lake)
    assert (left.recipe.work, left.recipe.plugins, left.run_id) == (WorkKind.BACKFILL, {}, one.run_id)


# ---- kinds of change, on contracts of the tests' own


def evolved(table: Table, columns: dict[str, Any], **changes: Any) -> Table:
    return replace(table, columns=columns, **changes)


RENAMED = evolved(
    INSTRUMENTS,
    {("industry" if name == "sector" else name): column for name, column in INSTRUMENTS.columns.items()}
    | {"letters": count("characters", "length of the name"), "note": text("a remark", nullable=True)},
)
PRICED = evolved(MARKET_PRICES, {**MARKET_PRICES.columns, "lot": count("shares", "least traded", nullable=True)})
ASKED = evolved(TASK_REQUESTS, {"urgent": count("level", "how soon", nullable=True), **TASK_REQUESTS.columns})
LATER: Formats = (
    *FORMATS,
    (
        RenameColumn("instruments", "sector", "industry"),
        AddColumn("instruments", "letters", pl.col("name").str.len_chars()),
        AddColumn("market_prices", "lot"),
    ),
    (AddColumn("instruments", "note"), AddColumn("task_requests", "urgent")),
)
CONTRACTS = TABLES | {table.name: table for table in (RENAMED, PRICED, ASKED)}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake three sessions old, which this module only reads."""
    lake = new_lake(tmp_path_factory.mktemp("three") / "lake")
    publish_sessions(lake, 3)
    return lake.path


@pytest.fixture(scope="module")
def changed(three: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same seen by a later program, and migrated; this module only reads it."""
    path = copy_lake(three, tmp_path_factory.mktemp("changed") / "lake")
    migrate(Lake(path, LATER), tables=CONTRACTS)
    return Lake(path, LATER)


def test_a_plan_says_in_words_what_each_table_is_to_become(three: Path) -> None:
    plan = {one.table: one for one in plan_migration(Lake(three, LATER), CONTRACTS)}
    assert plan["instruments"].description == (
        "sector becomes industry; gains letters, computed for older rows; gains note, null in older rows"
    )
    assert {name: one.rewrites for name, one in plan.items()} == {
        "instruments": True,
        "market_prices": False,
        "task_requests": False,
    }


def test_older_rows_have_the_new_name_the_computed_value_and_null(changed: Lake) -> None:
    now = changed.read(RENAMED)
    assert now.select("industry", "letters", "note", "name").rows() == [("unknown", 6, None, "name 2")]
    assert changed.read(PRICED)["lot"].to_list() == [None] * 3
    assert changed.read(ASKED)["urgent"].to_list() == [None] * 3
    assert changed.version(RENAMED) == 4, "the change is not published"


def test_a_version_from_before_reads_in_todays_columns(changed: Lake) -> None:
    then = changed.read(RENAMED, version=1)
    assert then.schema == RENAMED.stored_schema
    assert then.select("industry", "letters", "name").rows() == [("unknown", 6, "name 0")]
    assert changed.read(RENAMED, version=2, where=pl.col("letters") > 6).is_empty()
    assert changed.read(RENAMED, version=2, columns=("letters",))["letters"].to_list() == [6]


def test_a_changed_table_is_on_disk_what_its_contract_says_units_and_nulls_included(changed: Lake) -> None:
    for table in (RENAMED, PRICED, ASKED):
        fields = {field.name: field for field in DeltaTable(changed.uri(table)).schema().fields}
        assert set(fields) == set(table.stored_schema)
        for name, column in table.columns.items():
            assert fields[name].nullable == column.nullable
            assert fields[name].metadata == {"unit": column.unit, "doc": column.doc}
    assert set(delta.open_table(changed.uri(PRICED), PRICED).metadata().configuration) >= set(delta.PROPERTIES)


def test_rows_are_written_restated_and_found_again_across_the_change(changed: Lake, tmp_path: Path) -> None:
    changed = Lake(copy_lake(changed.path, tmp_path / "lake"), LATER)
    new = instrument_rows("a longer name").rename({"sector": "industry"})
    new = pl.concat([new, new.with_columns(ticker=pl.lit("BBB"), listed_on=pl.date(2022, 1, 1))])
    new = new.with_columns(letters=pl.col("name").str.len_chars().cast(pl.Int64), note=pl.lit("new"))
    new = new.select(*RENAMED.columns)
    bars = changed.read(PRICED).drop("run_id").with_columns(lot=pl.lit(None, pl.Int64))
    with changed.lock("test"):
        assert changed.commit(PRICED, bars, "again", {}).rows == 0, "rows that were there were taken for new"
        assert changed.commit(RENAMED, new, "restated", {}).rows == 2
    assert changed.read(RENAMED, version=5)["letters"].to_list() == [13, 13]
    late = request_rows(9).with_columns(urgent=pl.lit(2, pl.Int64)).select(*ASKED.columns)
    changed.commit(ASKED, late, "request 9", {})
    assert changed.read(ASKED)["urgent"].to_list() == [None, None, None, 2]


def test_a_fingerprint_is_taken_again_over_the_columns_of_then(changed: Lake) -> None:
    before = instrument_rows("name 2")
    then = fingerprint(before, INSTRUMENTS.key, INSTRUMENTS.content_columns)
    older = run(recipe=recipe(output_table="instruments"), contract=FORMAT)
    now = changed.read(RENAMED).drop("run_id")
    assert recompute_fingerprint(older, RENAMED, now, RENAMED.content_columns, LATER) == then
    other = now.with_columns(industry=pl.lit("energy"))
    assert recompute_fingerprint(older, RENAMED, other, RENAMED.content_columns, LATER) != then
    today = replace(older, contract=len(LATER))
    assert recompute_fingerprint(today, RENAMED, now, RENAMED.content_columns, LATER) != then


def test_a_migration_cut_off_between_its_commits_is_brought_to_its_end(lake: Lake) -> None:
    publish_sessions(lake, 3)
    half = {name: CONTRACTS[name] for name in ("runs", "instruments")}
    later = Lake(lake.path, LATER)
    with later.lock("a migration that dies"):
        rows = later.read(RENAMED, version=3).sort("listed_on", "ticker")
        record = run(recipe=recipe(stage="migrate", output_table="instruments", cycle_id="single-migrate"), written=1)
        later.reshape(RENAMED, rows, record.run_id, {"run": record.row()}, before=3)
    assert Lake(lake.path, LATER).version(RENAMED) == 3
    done = migrate(Lake(lake.path, LATER), tables=CONTRACTS)
    assert [one.table for one in done.changes] == ["market_prices", "task_requests"]
    assert Lake(lake.path, LATER).version(half["instruments"]) == 4
    assert len(entry_versions(lake.uri(RENAMED))) == 5, "the change was made twice"
    assert scrub(Lake(lake.path, LATER)).findings == ()


def test_what_an_interrupted_cycle_left_is_quarantined_before_a_migration(lake: Lake) -> None:
    publish_sessions(lake, 2)
    with lake.lock("a writer that dies"):
        write_session(lake, 2)
    done = migrate(Lake(lake.path, LATER), tables=CONTRACTS)
    assert sum("will be made again" in one.what for one in done.repairs) == 2
    assert Lake(lake.path, LATER).read(RENAMED)["name"].to_list() == ["name 1"]
    assert Lake(lake.path, LATER).rows(PRICED) == 2


def test_only_the_writer_changes_a_table(lake: Lake) -> None:
    with pytest.raises(LakeError, match="writer lock"):
        lake.reshape(INSTRUMENTS, None, "x", {}, before=0)


def test_rows_that_another_appended_meanwhile_are_not_lost_to_a_change(lake: Lake) -> None:
    publish_sessions(lake, 2)
    later = Lake(lake.path, LATER)
    with later.lock("migrate"):
        rows = later.read(ASKED)
        lake.commit(TASK_REQUESTS, request_rows(7), "request 7", {})
        with pytest.raises(OvertakenError, match="task_requests"):
            later.reshape(ASKED, rows, "x", {}, before=2)
    migrate(later, tables=CONTRACTS)
    assert Lake(lake.path, LATER).read(ASKED).height == 3


def test_a_change_stands_in_the_log_with_its_recipe_and_among_the_runs(changed: Lake) -> None:
    entry = commit_entry(changed.uri(RENAMED), 4)
    published = changed.read(RUNS, where=pl.col("stage") == "migrate")
    assert set(published["output_table"]) == {"instruments", "market_prices"}
    assert entry["run_id"] in published["run_id"].to_list()
    assert set(published["inputs"]) == {'{"instruments": 3}', '{"market_prices": 3}'}
