"""A stage that is run in parts writes what it writes in one piece: the same rows to the bit, in one commit."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lake.fingerprint import fingerprint
from lake.parts.part import NotInPartsError, fingerprint_parts, put_parts_in_order, remove_parts, write_part
from lake.runs import Run
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine import in_parts
from pipeline.engine.failures import StageFailedError
from pipeline.engine.in_parts import split_sessions
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.execution import opening
from pipeline.execution.current import working_on
from pipeline.execution.params import ExecutionParams
from pipeline.execution.processes import Processes
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from tests.copies import copy_lake
from tests.new_lake import new_lake
from tests.pipeline.execution.killing import killing

WHOLE = ExecutionParams(piece_rows=100_000_000)
IN_PARTS = ExecutionParams(piece_rows=1_500)
"""Of sixty sessions each; smaller than may be configured."""
SETTINGS = Settings(
    runtime=RuntimeParams(durable=False),
    source=SourceParams(simulated=SimulatedParams(names=25)),
)
STAGE = find_stage("features")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with its history, and no features yet."""
    path = tmp_path_factory.mktemp("parts") / "lake"
    runner = Runner(new_lake(path), SETTINGS)
    last = runner.source.coverage()[1]
    first = runner.calendar.offset(last, -260)
    runner.backfill(first, last)
    for name in ("constituents", "universe"):
        runner.run_stage(find_stage(name), last, first)
    return path


@pytest.fixture(scope="module")
def whole(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return compute(history, tmp_path_factory.mktemp("whole") / "lake", WHOLE)[1]


def compute(history: Path, path: Path, execution: ExecutionParams) -> tuple[Runner, Run]:
    """All features of a copy of the history."""
    copy_lake(history, path)
    runner = Runner(Lake.open(path), replace(SETTINGS, execution=execution))
    return runner, runner.run_stage(STAGE, runner.source.coverage()[1])


@pytest.fixture(scope="module", autouse=True)
def closed_executors() -> Iterator[None]:
    """Who does pieces stays there from test to test, as from stage to stage, and ends with them."""
    yield
    opening.close_executors()


@pytest.mark.parametrize(
    "execution",
    [
        IN_PARTS,
        replace(IN_PARTS, workers=2),
        pytest.param(replace(IN_PARTS, workers=3, piece_rows=100_000_000), marks=pytest.mark.slow),
        pytest.param(replace(IN_PARTS, executor="dask", workers=2), marks=pytest.mark.slow),
    ],
    ids=["here", "two", "three", "dask"],
)
def test_the_rows_are_those_of_one_piece_whoever_computes_them(
    history: Path, whole: Run, tmp_path: Path, execution: ExecutionParams
) -> None:
    runner, run = compute(history, tmp_path / "lake", execution)
    assert (run.rows, run.written, run.fingerprint) == (whole.rows, whole.written, whole.fingerprint)
    assert run.rows > 5_000 and run.output_version == whole.output_version
    files = runner.lake.files(FEATURE_ROWS, run.output_version)
    assert len(files) >= 3
    stored = runner.lake.read(FEATURE_ROWS)
    assert (
        fingerprint(stored, FEATURE_ROWS.key, [name for name in stored.columns if name != "run_id"]) == run.fingerprint
    )
    on_disk = {path.name for path in Path(runner.lake.uri(FEATURE_ROWS)).glob("*.parquet")}
    assert on_disk == {file.path for file in files}
    assert reproduce(runner, run).identical


@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_workers_that_are_killed_cost_no_row_and_leave_no_file(
    history: Path, whole: Run, tmp_path: Path, count: int
) -> None:
    """The small version of tests/torture/test_scale.py."""
    executor = Processes(2, retries=20)
    with closing(executor), working_on(lambda: executor), killing(executor, count) as killed:
        rounds = 0
        while len(killed) < count:
            runner, run = compute(history, tmp_path / str(rounds), IN_PARTS)
            assert (run.rows, run.fingerprint) == (whole.rows, whole.fingerprint)
            files = {file.path for file in runner.lake.files(FEATURE_ROWS, run.output_version or 0)}
            assert {path.name for path in Path(runner.lake.uri(FEATURE_ROWS)).glob("*.parquet")} == files
            rounds += 1


def test_it_goes_on_where_rows_in_parts_end(history: Path, tmp_path: Path) -> None:
    """The next run appends to the columns that the parts brought, and reads them."""
    runner, run = compute(history, tmp_path / "lake", IN_PARTS)
    columns = runner.lake.columns(FEATURE_ROWS)
    assert set(columns) > {*FEATURE_ROWS.columns, "run_id"}
    with runner.lake.lock("test"):
        rows = runner.lake.read(FEATURE_ROWS).head(3).drop("run_id")
        later = rows.with_columns(pl.col("session") + pl.duration(days=40_000))
        runner.lake.commit(FEATURE_ROWS.for_columns(later.columns), later, "later", {})
    assert runner.lake.rows(FEATURE_ROWS, runner.lake.newest(FEATURE_ROWS)) == run.rows + 3


def test_a_part_that_fails_leaves_no_file_and_its_error_names_it(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = in_parts.write_part

    def refuse(lake: Lake, *given: object) -> object:
        if given[-1] == 1:
            raise ValueError("the second part is no good")
        return written(lake, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(in_parts, "write_part", refuse)
    with pytest.raises(StageFailedError, match="the second part is no good") as raised:
        compute(history, tmp_path / "lake", IN_PARTS)
    assert "in the piece 'features of " in str(raised.value.__cause__.__notes__)  # type: ignore[union-attr]
    assert list((tmp_path / "lake").rglob("feature_rows/*.parquet")) == []


def test_rows_that_are_there_already_are_compared_and_not_written_in_parts(
    history: Path, tmp_path: Path, whole: Run
) -> None:
    runner, run = compute(history, tmp_path / "lake", IN_PARTS)
    with runner.lake.lock("test"):
        recipe = replace(run.recipe, attempt=1)
        work = in_parts.Work(
            kind=recipe.work, cycle_id=recipe.cycle_id, since=recipe.since, session=recipe.session, stages=(STAGE,)
        )
        again = runner.executor.execute(work, STAGE, (recipe.since, recipe.session), 1)
    assert (again.rows, again.written, again.fingerprint) == (whole.rows, 0, whole.fingerprint)


def test_workers_log_and_tell_as_if_they_were_here(
    history: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    copy_lake(history, tmp_path / "lake")
    runner = Runner(Lake.open(tmp_path / "lake"), replace(SETTINGS, execution=replace(IN_PARTS, workers=2)))
    with runner.lake.lock("test"), caplog.at_level(logging.INFO):
        last = runner.source.coverage()[1]
        span = (runner.calendar.offset(last, -200), last)
        work = in_parts.Work(kind=in_parts_kind(), cycle_id="single", since=span[0], session=last, stages=(STAGE,))
        runner.executor.execute(work, STAGE, span, 0, told.append)
    assert told[-1] == f"{len(told)} of {len(told)} parts" and len(told) >= 3


def in_parts_kind() -> object:
    from lake.tables.control import WorkKind

    return WorkKind.SINGLE_STAGE


def test_parts_that_overlap_are_refused_and_their_fingerprint_is_that_of_all_rows(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    rows = pl.DataFrame(
        {
            "feature_set": "f1",
            "session": pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 1, 1), eager=True),
            "ticker": ["A", "BÉ", "C"] * 122 + ["A"],
            "complete": [True, False, True] * 122 + [True],
            "x": pl.Series([None, 1.5, -0.0] * 122 + [2.0], dtype=pl.Float32),
        }
    )
    with lake.lock("test"):
        parts = [write_part(lake, FEATURE_ROWS, rows[at : at + 100], "r", at) for at in range(0, len(rows), 100)]
        assert write_part(lake, FEATURE_ROWS, rows[:0], "r", 9) is None
        ordered = put_parts_in_order(FEATURE_ROWS, reversed(parts))
        assert ordered == parts
        assert fingerprint_parts(lake, FEATURE_ROWS, ordered) == fingerprint(rows, FEATURE_ROWS.key)
        with pytest.raises(NotInPartsError, match="overlap"):
            put_parts_in_order(FEATURE_ROWS, [*parts, parts[0]])
        with pytest.raises(NotInPartsError, match="not in the order of their key"):
            write_part(lake, FEATURE_ROWS, rows.reverse(), "r", 5)
        wide = FEATURE_ROWS.for_columns(rows.columns)
        assert lake.add_files(wide, [one.entry for one in ordered], "r", {}).rows == len(rows)
        assert lake.add_files(wide, [one.entry for one in ordered], "r", {}).rows == 0  # exactly once per run
        with pytest.raises(NotInPartsError, match="100 rows of part 7 are there already"):
            write_part(lake, FEATURE_ROWS, rows[:100], "s", 7)
        remove_parts(lake, FEATURE_ROWS, "r", kept=ordered)
        assert lake.read(FEATURE_ROWS, version=lake.newest(FEATURE_ROWS)).drop("run_id").equals(rows)


def test_sessions_are_split_without_a_gap() -> None:
    days = list(pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 10), eager=True))
    spans = split_sessions(days, 4)
    assert [(first.day, last.day) for first, last in spans] == [(1, 4), (5, 8), (9, 10)]
