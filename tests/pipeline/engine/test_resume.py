"""Work that was cut off goes on as the work it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from lake.runs import Run
from lake.tables.control import WorkKind
from pipeline.engine.resume import resume
from pipeline.engine.stages import IMPORT
from pipeline.engine.work import Work
from tests.frames.control import recipe, run
from tests.pipeline.engine.test_work import ALL, NOON


def left_by(wanted: Work, stage: str = "land_prices", since: date | None = None) -> Run:
    return run(
        recipe=recipe(
            work=wanted.kind,
            cycle_id=wanted.cycle_id,
            stage=stage,
            session=wanted.session,
            since=since or wanted.since,
        )
    )


@pytest.mark.parametrize("wanted", [ALL[0], ALL[1], ALL[3]], ids=["cycle", "backfill", "training"])
def test_what_was_cut_off_goes_on_as_the_same_work(wanted: Work) -> None:
    assert resume([left_by(wanted), left_by(wanted, "prices")]) == wanted


@pytest.mark.parametrize(("wanted", "stage"), [(ALL[5], "intraday_prices"), (ALL[7], "merge_models")])
def test_a_snapshot_or_a_merge_goes_on_as_of_its_own_moment(wanted: Work, stage: str) -> None:
    cut_off = left_by(wanted, stage)
    assert resume([replace(cut_off, recipe=replace(cut_off.recipe, as_of=NOON))]) == wanted


def test_an_import_goes_on_without_the_older_system() -> None:
    resumed = resume([left_by(ALL[2])])
    assert resumed == replace(ALL[2], stages=tuple(stage for stage in IMPORT if stage.kind == "pure"))


@pytest.mark.parametrize("kind", [WorkKind.SINGLE_STAGE, WorkKind.UPKEEP])
def test_one_stage_or_the_files_of_one_table_are_done_with_their_commit(kind: WorkKind) -> None:
    assert resume([left_by(replace(ALL[4], kind=kind))]).stages == ()
