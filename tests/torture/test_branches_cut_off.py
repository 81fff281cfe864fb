"""Branches are made, merged, discarded and tidied around, cut off at any call: no half is seen, no lake is hurt."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.branches.branch import BRANCHES, CONFIG, create_branch, discard_branch, list_branches, remove_leftovers
from lake.branches.fork_point import OF_THE_DAEMON
from lake.publication import find_unpublished
from lake.store import Lake
from lake.tables.control import MODEL_CHOICES, RUNS, WorkKind
from lake.tables.research import BRANCH_MERGES
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import vacuum
from pipeline.research.merging.merge_branch import merge_branch
from pipeline.research.merging.plan_merge import plan_merge
from tests.copies import copy_lake
from tests.frames.published import publish_sessions
from tests.lake.upkeep.conftest import every_version
from tests.lake.upkeep.test_log_archive import MOVED, grown
from tests.operation.test_merged_models import content, runner_of
from tests.torture.conftest import Before
from tests.torture.faults import Fault, Worker
from tests.torture.plays import FAULTS, Play
from tests.torture.settings import tortured_settings
from tests.torture.worker import BRANCH, configure

CONFIGURED = "[trading]\nhorizon = 5\n"
WORK = ("branching", "discarding", "collecting", "branch_collecting", "merging")
OF_WORK = pl.col("work") != WorkKind.UPKEEP.value
Make = Callable[..., Play]


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Seven sessions, and a configuration of its own."""
    lake = grown(tmp_path_factory.mktemp("parent") / "lake")
    (lake.path / CONFIG).write_text(CONFIGURED, encoding="utf-8")
    return lake


@pytest.fixture(scope="module")
def make(parent: Lake, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Something to cut off in that lake."""

    def made(do: str, **given: Any) -> Play:
        return Play(do, parent.path, tmp_path_factory.mktemp(do), **given)

    return made


@pytest.fixture(scope="module")
def is_untouched(parent: Lake) -> Callable[[Path], None]:
    """Whether a lake has every version it had, and each of its branches is whole or is not there."""
    before, shared = every_version(parent), rows(parent)

    def check(path: Path) -> None:
        lake = Lake.open(path)
        assert {one: digest for one, digest in every_version(lake).items() if one in before} == before
        for branch in list_branches(path):
            there = Lake.open(branch.path)
            assert rows(there) == shared, "half a branch is seen"
            assert (branch.path / CONFIG).read_text(encoding="utf-8") == CONFIGURED
            assert scrub(there).findings == ()

    return check


def rows(lake: Lake) -> list[list[tuple[Any, ...]]]:
    """What both lakes have to show, whichever of them was compacted."""
    shared = (table for table in MOVED if table.name not in OF_THE_DAEMON)
    return [(lake.read(one).filter(OF_WORK) if one is RUNS else lake.read(one)).rows() for one in shared]


def fork(path: Path) -> None:
    create_branch(Lake.open(path), BRANCH)


def repair(path: Path) -> None:
    """After a power cut it is the next writer that has to come first."""
    with Lake.open(path).lock("the next writer"):
        pass


def branches(path: Path) -> list[str]:
    """The names of the branches, once what was left half is taken away; no other folder is there then."""
    remove_leftovers(path, 0.0)
    names = [one.name for one in list_branches(path)]
    folder = path / BRANCHES
    assert sorted(one.name for one in folder.iterdir()) == names if folder.exists() else not names
    return names


@pytest.fixture(scope="module")
def branching(make: Make, is_untouched: Callable[[Path], None]) -> Play:
    """A branch is made: it is there whole or not at all, and can be worked on."""

    def goes_on(path: Path) -> None:
        is_untouched(path)
        if not branches(path):
            fork(path)
        there = Lake.open(list_branches(path)[0].path)
        publish_sessions(there, 1, start=7)
        assert there.rows(MOVED[0]) == 8
        is_the_same(Lake.open(path))

    def is_the_same(lake: Lake) -> None:
        assert lake.rows(MOVED[0]) == 7
        assert scrub(lake).findings == ()

    return make("branch", whole=is_untouched, goes_on=goes_on, step=11)


@pytest.fixture(scope="module")
def discarding(make: Make, is_untouched: Callable[[Path], None]) -> Play:
    """A branch is discarded: it is gone or whole, and its name is free."""

    def goes_on(path: Path) -> None:
        is_untouched(path)
        if branches(path):
            discard_branch(path, BRANCH)
        fork(path)
        is_untouched(path)
        assert branches(path) == [BRANCH]

    return make("discard", whole=is_untouched, goes_on=goes_on, step=11, begins=fork)


def fork_and_leave_halves(path: Path) -> None:
    """A branch, and what crashes left long ago of two others."""
    fork(path)
    for name in (".making-two-0a", ".discarded-three-0b"):
        folder = copy_lake(path / BRANCHES / BRANCH, path / BRANCHES / name)
        os.utime(folder, (1.0, 1.0))


@pytest.fixture(scope="module")
def collecting(make: Make, is_untouched: Callable[[Path], None]) -> Play:
    """A lake with a branch is compacted and what nobody needs given back."""

    def goes_on(path: Path) -> None:
        repair(path)
        is_untouched(path)
        vacuum(Lake.open(path))
        is_untouched(path)
        assert branches(path) == [BRANCH]

    return make("tidy", whole=is_untouched, goes_on=goes_on, step=5, begins=fork_and_leave_halves)


@pytest.fixture(scope="module")
def branch_collecting(make: Make, is_untouched: Callable[[Path], None]) -> Play:
    """The same on the branch: its lake has the same files under names of its own."""

    def goes_on(path: Path) -> None:
        repair(path / BRANCHES / BRANCH)
        is_untouched(path)
        there = Lake.open(path / BRANCHES / BRANCH)
        vacuum(there)
        publish_sessions(there, 1, start=7)
        assert (there.rows(MOVED[0]), Lake.open(path).rows(MOVED[0])) == (8, 7)

    return make("tidy branch", whole=is_untouched, goes_on=goes_on, step=5, begins=fork)


@pytest.fixture(scope="module")
def merging(order: Worker, prepared: Before, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Settings, a mandate and a model that a branch trained are brought over."""
    lake = copy_lake(prepared.lake, tmp_path_factory.mktemp("merging") / "lake")
    configure(lake, tortured_settings(durable=True))
    assert "error" not in (done := order("teach", lake, patience=600)), done
    before = content(Lake.open(lake))
    merged = copy_lake(lake, lake.with_name("merged"))
    assert "error" not in (done := order("merge", merged)), done
    after = content(Lake.open(merged))
    branch = content(Lake.open(lake / BRANCHES / BRANCH))

    def whole(path: Path) -> None:
        assert content(Lake.open(path)) in (before, after), "half of what was trained is seen"
        assert content(Lake.open(path / BRANCHES / BRANCH)) == branch

    def goes_on(path: Path) -> None:
        repair(path)
        if not plan_merge(Lake.open(path), BRANCH).is_empty:
            merge_branch(runner_of(Lake.open(path)), BRANCH, "once more")
        left = Lake.open(path)
        assert content(left) == after
        assert (left.rows(BRANCH_MERGES), left.rows(MODEL_CHOICES)) == (1, 1)
        assert plan_merge(left, BRANCH).is_empty and find_unpublished(left) == []
        assert scrub(left).findings == ()
        assert content(Lake.open(path / BRANCHES / BRANCH)) == branch

    return Play("merge", lake, tmp_path_factory.mktemp("merged"), whole, goes_on)


@pytest.mark.parametrize(("what", "part"), [("branching", 0.6), ("discarding", 0.5), ("collecting", 0.8)])
def test_work_on_branches_cut_off_somewhere_leaves_no_half(
    order: Worker, request: pytest.FixtureRequest, what: str, part: float
) -> None:
    play: Play = request.getfixturevalue(what)
    play.cut_off(order, Fault.KILL, int(play.calls(order) * part))


@pytest.mark.parametrize("drop_names", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_power_cut_after_a_branch_was_made_takes_nothing_from_it(
    order: Worker, branching: Play, drop_names: bool
) -> None:
    branching.cut_off(order, Fault.KILL, branching.calls(order) + 1, drop_names)


@pytest.mark.torture
@pytest.mark.parametrize("what", WORK)
@pytest.mark.parametrize("fault", FAULTS)
def test_work_on_branches_cut_off_at_every_call_leaves_no_half(
    order: Worker, request: pytest.FixtureRequest, what: str, fault: Fault
) -> None:
    play: Play = request.getfixturevalue(what)
    play.cut_off_everywhere(order, fault)


@pytest.mark.torture
@pytest.mark.parametrize("what", WORK)
@pytest.mark.parametrize("drop_names", [False, True])
def test_a_power_cut_at_every_call_of_work_on_branches_leaves_no_half(
    order: Worker, request: pytest.FixtureRequest, what: str, drop_names: bool
) -> None:
    play: Play = request.getfixturevalue(what)
    play.cut_power_everywhere(order, drop_names=drop_names)
