"""What each kind of work is: its stages, its name, and how it goes on when it was cut off."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from lake.runs import Run
from lake.tables.control import WorkKind
from pipeline.engine import work_kinds
from pipeline.engine.stages import BACKFILL, CYCLE, IMPORT, TRAINING, find_stage
from pipeline.engine.work_kinds import Work
from tests.frames.control import recipe, run

FIRST, LAST = date(2021, 3, 1), date(2021, 3, 5)
ALL = (
    work_kinds.cycle(LAST),
    work_kinds.backfill(FIRST, LAST),
    work_kinds.import_from("old", IMPORT, FIRST, LAST, "abcd"),
    work_kinds.training(LAST),
    work_kinds.single_stage(find_stage("plan"), LAST),
)


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


def test_every_kind_but_upkeep_has_its_stages_and_an_id_of_its_own() -> None:
    assert {one.kind for one in ALL} == set(WorkKind) - {WorkKind.UPKEEP}
    assert len({one.cycle_id for one in ALL}) == len(ALL)
    assert [one.stages for one in ALL[:4]] == [CYCLE, BACKFILL, IMPORT, TRAINING]


def test_ids_are_those_that_earlier_programs_gave() -> None:
    assert [one.cycle_id for one in ALL] == [
        "cycle-20210305",
        "history-20210301-20210305",
        "import-old-20210301-20210305-abcd",
        "training-20210305",
        "single-plan-20210305",
    ]


@pytest.mark.parametrize("wanted", [ALL[0], ALL[1], ALL[3]], ids=["cycle", "backfill", "training"])
def test_what_was_cut_off_goes_on_as_the_same_work(wanted: Work) -> None:
    assert work_kinds.resume([left_by(wanted), left_by(wanted, "prices")]) == wanted


def test_an_import_goes_on_without_the_older_system() -> None:
    resumed = work_kinds.resume([left_by(ALL[2])])
    assert resumed == replace(ALL[2], stages=tuple(stage for stage in IMPORT if stage.kind == "pure"))


@pytest.mark.parametrize("kind", [WorkKind.SINGLE_STAGE, WorkKind.UPKEEP])
def test_one_stage_or_the_files_of_one_table_are_done_with_their_commit(kind: WorkKind) -> None:
    assert work_kinds.resume([left_by(replace(ALL[4], kind=kind))]).stages == ()


def test_a_backfill_alone_derives_anew_from_all_landings() -> None:
    assert [one.folds(find_stage("prices")) for one in ALL] == [False, True, False, False, False]
    assert not ALL[1].folds(find_stage("land_prices")), "a landing is asked for its own span"
