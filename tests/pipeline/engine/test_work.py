"""What each kind of work is: its stages and its name."""

from __future__ import annotations

from datetime import UTC, date, datetime

from lake.tables.control import WorkKind
from pipeline.engine import work
from pipeline.engine.session_order import find_stage
from pipeline.engine.stages import BACKFILL, CYCLE, IMPORT, MERGE, NEWS_BETWEEN, SNAPSHOT, TRAINING

FIRST, LAST = date(2021, 3, 1), date(2021, 3, 5)
NOON = datetime(2021, 3, 5, 17, tzinfo=UTC)
ALL = (
    work.cycle(LAST),
    work.backfill(FIRST, LAST),
    work.import_from("old", IMPORT, FIRST, LAST, "abcd"),
    work.training(LAST),
    work.single_stage(find_stage("plan"), LAST),
    work.snapshot(LAST, NOON),
    work.news(LAST, NOON),
    work.merge("merge-abcd", LAST, NOON),
)


def test_every_kind_but_upkeep_has_its_stages_and_an_id_of_its_own() -> None:
    assert {one.kind for one in ALL} == set(WorkKind) - {WorkKind.UPKEEP}
    assert len({one.cycle_id for one in ALL}) == len(ALL)
    assert [one.stages for one in ALL[:4]] == [CYCLE, BACKFILL, IMPORT, TRAINING]
    assert (ALL[5].stages, ALL[5].as_of) == (SNAPSHOT, NOON)
    assert (ALL[6].stages, ALL[6].as_of) == (NEWS_BETWEEN, NOON)
    assert (ALL[7].stages, ALL[7].as_of) == (MERGE, NOON)


def test_ids_are_those_that_earlier_programs_gave() -> None:
    assert [one.cycle_id for one in ALL] == [
        "cycle-20210305",
        "history-20210301-20210305",
        "import-old-20210301-20210305-abcd",
        "training-20210305",
        "single-plan-20210305",
        "snapshot-20210305T170000Z",
        "news-20210305T170000Z",
        "merge-abcd",
    ]


def test_a_backfill_alone_derives_anew_from_all_landings() -> None:
    assert [one.folds(find_stage("prices")) for one in ALL] == [False, True, *[False] * 6]
    assert not ALL[1].folds(find_stage("land_prices")), "a landing is asked for its own span"
