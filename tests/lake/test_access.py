"""Files are as open as the lake's folder and no more, whatever mask a program was started with."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.access import follow_access, keep_private, make_lake_folder, make_private_folder, set_access, write_output
from lake.storage.atomic import write_atomic
from lake.storage.lock import find_holder, hold_lock, holder_file
from lake.store import Lake
from lake.tables.market import INSTRUMENTS
from tests.frames.published import publish_sessions

MASKS = (0o000, 0o022, 0o077, 0o277)


@pytest.fixture(autouse=True)
def mask_as_before() -> Iterator[None]:
    mask = os.umask(0o022)
    yield
    os.umask(mask)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> set[tuple[bool, int]]:
    """(whether it is a folder, mode) of everything in a folder."""
    return {(path.is_dir(), mode(path)) for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize(
    "mask",
    [pytest.param(one, marks=() if one in (0, 0o277) else pytest.mark.slow) for one in MASKS],
    ids=map(oct, MASKS),
)
def test_a_new_lake_and_all_that_is_written_to_it_are_its_owners_alone(tmp_path: Path, mask: int) -> None:
    os.umask(mask)
    lake = Lake.create(tmp_path / "above" / "lake")
    publish_sessions(lake, 1)
    assert modes(tmp_path / "above") == {(True, 0o700), (False, 0o600)}


def test_a_lake_is_opened_to_its_group_and_closed_again(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    (lake.path / "outside").symlink_to(tmp_path)
    before = mode(tmp_path)
    assert set_access(lake.path, "group") > 0
    (lake.path / "outside").unlink()
    publish_sessions(lake, 1)
    assert modes(lake.path) == {(True, 0o2770), (False, 0o660)}
    assert set_access(lake.path, "group") == 0
    set_access(lake.path, "private")
    publish_sessions(lake, 1, start=1)
    assert modes(lake.path) == {(True, 0o700), (False, 0o600)}
    assert mode(tmp_path) == before, "a link led out of the lake"
    assert Lake.open(lake.path).rows(INSTRUMENTS) > 0


def test_an_older_lake_stays_as_open_as_it_was(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    for path in (lake.path, *lake.path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    keep_private()
    follow_access(lake.path)
    publish_sessions(lake, 1)
    assert modes(lake.path) == {(True, 0o755), (False, 0o644)}


def test_a_folder_that_anybody_may_write_lends_nobody_else_the_right(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    follow_access(tmp_path)
    write_atomic(tmp_path / "made", "")
    assert mode(tmp_path / "made") == 0o664


def test_a_folder_prepared_for_a_group_becomes_a_lake_of_the_group(tmp_path: Path) -> None:
    for name, before, after in (("plain", 0o755, 0o700), ("prepared", 0o2775, 0o2770)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(before)
        make_lake_folder(tmp_path / name)
        assert mode(tmp_path / name) == after


def test_a_private_folder_that_is_there_stays_as_it_is_and_new_ones_above_it_are_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    os.umask(0)
    make_private_folder(tmp_path / "one" / "two")
    make_private_folder(tmp_path)
    assert [mode(one) for one in (tmp_path, tmp_path / "one", tmp_path / "one" / "two")] == [0o755, 0o700, 0o700]


def test_an_output_is_its_makers_alone_unless_it_replaces_a_more_open_one(tmp_path: Path) -> None:
    os.umask(0)
    write_output(tmp_path / "page.html", "first")
    assert mode(tmp_path / "page.html") == 0o600
    (tmp_path / "page.html").chmod(0o644)
    write_output(tmp_path / "page.html", "second é")
    assert (mode(tmp_path / "page.html"), (tmp_path / "page.html").read_text("utf-8")) == (0o644, "second é")


def test_whoever_may_read_the_folder_may_see_who_holds_its_lock(tmp_path: Path) -> None:
    for folder, file in ((0o700, 0o600), (0o2770, 0o660), (0o755, 0o644)):
        tmp_path.chmod(folder)
        keep_private()
        lock = tmp_path / f"{file:o}.lock"
        with hold_lock(lock, "a test"):
            assert (mode(lock), mode(holder_file(lock))) == (file, file)
            assert "a test" in find_holder(lock)
