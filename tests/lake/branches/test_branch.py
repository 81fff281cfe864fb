"""A branch has what its lake had published, shares its files, and neither ever sees what becomes of the other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lake.branches import branch as module
from lake.branches.branch import (
    BRANCHES,
    create_branch,
    discard_branch,
    find_branch,
    list_branches,
    own_bytes,
    remove_leftovers,
)
from lake.branches.fork_point import OF_THE_DAEMON
from lake.errors import BranchError, BusyError, NoSuchError, StorageError
from lake.storage.lock import hold_lock
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from lake.tables.market import MARKET_PRICES
from lake.upkeep.compaction import compact_tables
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import vacuum
from tests.frames.published import FIRST, publish_sessions, request_rows
from tests.lake.upkeep.conftest import aged as aged
from tests.lake.upkeep.conftest import every_version
from tests.lake.upkeep.conftest import old as old


def files(path: Path) -> dict[str, bytes]:
    """Every file of a lake but for those of its branches."""
    found = (one for one in path.rglob("*") if one.is_file() and BRANCHES not in one.relative_to(path).parts)
    return {str(one.relative_to(path)): one.read_bytes() for one in found}


def shared_versions(lake: Lake) -> dict[tuple[str, int], str]:
    """A hash of each version that a run named, those of the daemon's tables left out."""
    return {one: digest for one, digest in every_version(lake).items() if one[0] not in OF_THE_DAEMON}


def test_a_branch_has_every_version_that_a_run_named_and_copies_no_data(old: Lake) -> None:
    made = create_branch(old, "one", reason="to try something")
    there = Lake.open(made.path)
    assert shared_versions(there) == shared_versions(old)
    assert own_bytes(made.path) < 4_000
    assert (made.name, made.reason, made.session) == ("one", "to try something", FIRST + timedelta(days=7))
    assert [one.name for one in list_branches(old.path)] == ["one"]
    with there.lock("look"):
        assert there.repairs == []
    assert scrub(there).findings == ()


def test_a_branch_of_a_past_session_has_nothing_of_later_ones(old: Lake) -> None:
    made = create_branch(old, "past", session=FIRST + timedelta(days=3))
    there = Lake.open(made.path)
    assert there.read(MARKET_PRICES)["session"].to_list() == [FIRST + timedelta(days=day) for day in range(4)]
    publish_sessions(there, 2, start=4)
    assert there.read(MARKET_PRICES).height == 6
    assert old.read(MARKET_PRICES).height == 8


def test_whatever_is_done_on_a_branch_leaves_every_file_of_its_lake_as_it_was(old: Lake) -> None:
    before = files(old.path)
    there = Lake.open(create_branch(old, "busy").path)
    publish_sessions(there, 3, start=8)
    compact_tables(there, min_files=2)
    vacuum(there)
    discard_branch(old.path, "busy")
    assert files(old.path) == before


def test_what_becomes_of_a_lake_leaves_its_branches_as_they_were(old: Lake) -> None:
    there = Lake.open(create_branch(old, "still").path)
    before = every_version(there)
    publish_sessions(old, 2, start=8)
    compact_tables(old, min_files=2)
    vacuum(old)
    assert every_version(Lake.open(there.path)) == before
    assert scrub(there).findings == ()


def test_research_waits_for_nobody_who_writes_to_the_lake(old: Lake) -> None:
    with Lake.open(old.path).lock("a cycle"):
        there = Lake.open(create_branch(old, "meanwhile").path)
        publish_sessions(there, 1, start=8)
    assert there.read(MARKET_PRICES).height == 9


def test_a_branch_takes_no_request_that_was_made_to_the_daemon_of_its_lake(old: Lake) -> None:
    old.commit(TASK_REQUESTS, request_rows(1), "request", {})
    there = Lake.open(create_branch(old, "quiet").path)
    assert (old.rows(TASK_REQUESTS), there.rows(TASK_REQUESTS)) == (old.read(TASK_REQUESTS).height, 0)


def test_its_configuration_comes_along_and_is_its_own_from_then_on(old: Lake) -> None:
    (old.path / "nextgen.toml").write_text("[trading]\nhorizon = 5\n", encoding="utf-8")
    made = create_branch(old, "own")
    (made.path / "nextgen.toml").write_text("[trading]\nhorizon = 20\n", encoding="utf-8")
    assert "horizon = 5" in (old.path / "nextgen.toml").read_text(encoding="utf-8")
    assert find_branch(old.path, "own").config_at_fork == "[trading]\nhorizon = 5\n"


@pytest.mark.parametrize(
    "name", ["", "main", "..", "../up", "a/b", "a\\b", "A", ".hidden", "-x", "x" * 61, "nul\0", "a b"]
)
def test_a_name_that_no_folder_should_have_is_refused_before_anything_is_made(old: Lake, name: str) -> None:
    with pytest.raises(BranchError):
        create_branch(old, name)
    assert not (old.path / BRANCHES).exists()


def test_what_is_not_there_is_refused_with_what_is(old: Lake) -> None:
    create_branch(old, "one")
    with pytest.raises(BranchError, match="already"):
        create_branch(old, "one")
    with pytest.raises(NoSuchError, match="choose from one"):
        find_branch(old.path, "two")
    with pytest.raises(NoSuchError, match="there are cycles from 2021-03-01 to 2021-03-08"):
        create_branch(old, "two", session=FIRST - timedelta(days=30))
    assert [one.name for one in list_branches(old.path)] == ["one"]


def test_a_branch_that_somebody_writes_or_that_has_branches_is_not_discarded(old: Lake) -> None:
    made = create_branch(old, "one")
    with Lake.open(made.path).lock("work"), pytest.raises(BusyError, match="being written"):
        discard_branch(old.path, "one")
    create_branch(Lake.open(made.path), "inner")
    with pytest.raises(BusyError, match="branches of its own"):
        discard_branch(old.path, "one")
    discard_branch(made.path, "inner")
    assert discard_branch(old.path, "one") > 0
    assert list_branches(old.path) == []


class Crash(BaseException):
    """Power is cut."""


def crash_at(number: int, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, that ends everything when it is made for the n-th time."""
    made = 0

    def calls(*arguments: Any, **named: Any) -> Any:
        nonlocal made
        made += 1
        if made == number:
            raise Crash
        return call(*arguments, **named)

    return calls


@pytest.mark.parametrize("number", [1, 40, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 7, 90))])
def test_a_crash_while_it_is_made_leaves_no_branch_and_the_lake_as_it_was(
    old: Lake, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = files(old.path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", crash_at(number, os.link))
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a crash cleans nothing up
        with pytest.raises(Crash):
            create_branch(old, "one")
    assert list_branches(old.path) == []
    assert files(old.path) == before
    assert remove_leftovers(old.path, 0.0) == 1
    assert shared_versions(Lake.open(create_branch(old, "one").path)) == shared_versions(old)


def test_a_crash_while_it_is_discarded_leaves_it_gone_or_whole(old: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    create_branch(old, "one")
    before = files(old.path)
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", crash_at(1, shutil.rmtree))
        with pytest.raises(Crash):
            discard_branch(old.path, "one")
    assert list_branches(old.path) == []
    assert files(old.path) == before
    assert remove_leftovers(old.path, 3600.0) == 0, "one that may be in the making is left"
    assert remove_leftovers(old.path, 0.0) == 1
    assert list((old.path / BRANCHES).iterdir()) == []


def test_a_disk_that_cannot_give_a_file_two_names_is_told_so(old: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StorageError, match="give a file two names"):
        create_branch(old, "one")
    assert list((old.path / BRANCHES).iterdir()) == []


def test_the_lock_of_a_branch_is_its_own(old: Lake) -> None:
    made = create_branch(old, "one")
    with hold_lock(made.path / ".writer.lock", "somebody"):
        publish_sessions(old, 1, start=8)
    assert old.read(MARKET_PRICES).height == 9
