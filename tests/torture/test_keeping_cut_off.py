"""Making, migrating and restoring a lake, a request and upkeep can be cut off at any call: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from lake.errors import NotALakeError
from lake.migrations import FORMATS
from lake.migrations.run import migrate
from lake.storage.manifest import MANIFEST
from lake.store import Lake
from lake.tables.control import RUNS, TASK_REQUESTS
from lake.upkeep.backup import backup, restore
from lake.upkeep.scrub import scrub
from tests.frames.published import publish_sessions, request_rows
from tests.lake.migrations.test_run import unpacked as unpacked
from tests.lake.upkeep.test_log_archive import MOVED, contents, grown
from tests.torture.faults import Fault, Worker
from tests.torture.plays import FAULTS, Check, Play

KEEPING = ("making", "appending", "archiving", "tidying", "migrating", "restoring")


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """A lake that is made in an empty folder; a table takes 18 calls, so each step is tried, on one table or other."""

    def goes_on(path: Path) -> None:
        new = Lake.create(path)
        publish_sessions(new, 1)
        assert (new.rows(MOVED[0]), scrub(Lake.open(path)).findings) == (1, ())

    nothing, folder = tmp_path_factory.mktemp("nothing"), tmp_path_factory.mktemp("made")
    return Play("create", nothing, folder, lambda _: None, goes_on, step=17)


@pytest.fixture(scope="module")
def appending(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """A request that is written beside the writer: acknowledged, it is promised at once."""
    lake = Lake.create(tmp_path_factory.mktemp("asked") / "lake")
    publish_sessions(lake, 1)

    def whole(path: Path) -> None:
        assert Lake.open(path).rows(TASK_REQUESTS) in (1, 2)

    def goes_on(path: Path) -> None:
        again = Lake.open(path)
        with again.lock("the next writer"):
            pass
        again.commit(TASK_REQUESTS, request_rows(100), "request 100", {})
        assert Lake.open(path).rows(TASK_REQUESTS) == 2
        assert scrub(Lake.open(path)).findings == ()

    return Play("append", lake.path, tmp_path_factory.mktemp("appended"), whole, goes_on)


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose logs have seven versions."""
    return grown(tmp_path_factory.mktemp("long") / "lake")


def as_before(lake: Lake) -> tuple[Check, Check]:
    """A reader sees what it saw, and the next writer and the library go on from there."""
    before = contents(lake)

    def whole(path: Path) -> None:
        now = contents(Lake.open(path))
        assert {version: now[version] for version in before} == before, "a reader sees something else"

    def goes_on(path: Path) -> None:
        again = Lake.open(path)
        with again.lock("the next writer"):
            pass
        whole(path)
        for table in MOVED:
            assert DeltaTable(again.uri(table)).version() == again.newest(table), "the library cannot open it"
        publish_sessions(again, 1, start=7)
        assert Lake.open(path).rows(MOVED[0]) == 8
        assert scrub(Lake.open(path)).findings == ()

    return whole, goes_on


@pytest.fixture(scope="module")
def archiving(seven: Lake, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """The logs are checkpointed once more, and archived."""
    return Play("checkpoint", seven.path, tmp_path_factory.mktemp("archived"), *as_before(seven))


@pytest.fixture(scope="module")
def tidying(seven: Lake, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """The small files of every table are written again as one, and what no run names is given back."""
    return Play("tidy", seven.path, tmp_path_factory.mktemp("tidied"), *as_before(seven))


@pytest.fixture(scope="module")
def migrating(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """A lake of the first program that is brought up to date."""

    def whole(path: Path) -> None:
        assert Lake.open(path, older=True).rows(RUNS) == 152

    def goes_on(path: Path) -> None:
        try:
            Lake.open(path)
        except NotALakeError as error:
            assert "nextgen migrate" in str(error)
            migrate(Lake.open(path, older=True))
        new = Lake.open(path)
        changed = {step.table for steps in FORMATS for step in steps} - {RUNS.name}
        others = [name for name in changed if (unpacked / "tables" / name).exists()]  # each leaves a run of its own
        assert new.rows(RUNS) == 152 + len(others), "the change was made twice, or rows are lost"
        assert new.newest(RUNS) == 11
        assert new.columns(RUNS)[-1] == "contract"
        assert scrub(new).findings == ()

    return Play("migrate", unpacked, tmp_path_factory.mktemp("migrated"), whole, goes_on)


@pytest.fixture(scope="module")
def restoring(seven: Lake, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """A backup that is made a lake of: an empty log has one file, so each step is tried, on one table or other."""
    before, safe = contents(seven), tmp_path_factory.mktemp("safe")
    backup(seven, safe / "backup")

    def whole(path: Path) -> None:
        if (path / "restored" / MANIFEST).exists():
            assert contents(Lake.open(path / "restored")) == before
            assert scrub(Lake.open(path / "restored")).findings == ()

    def goes_on(path: Path) -> None:
        whole(path)
        if not (path / "restored" / MANIFEST).exists():
            restore(path / "backup", path / "restored")
        whole(path)

    return Play("restore", safe, tmp_path_factory.mktemp("restored"), whole, goes_on, step=7)


@pytest.mark.parametrize(("part", "drop_names"), [(0.5, True), pytest.param(0.99, False, marks=pytest.mark.slow)])
def test_a_lake_whose_making_a_power_cut_undid_is_made_after_all(
    order: Worker, making: Play, part: float, drop_names: bool
) -> None:
    making.cut_off(order, Fault.KILL, int(making.calls(order) * part), drop_names)


def test_a_disk_that_is_full_while_a_lake_is_made_is_named_as_such(order: Worker, making: Play) -> None:
    making.cut_off(order, Fault.NO_SPACE, 205)  # a folder is made


@pytest.mark.parametrize("early", [5, 0])
@pytest.mark.parametrize("drop_names", [False, True])
def test_a_power_cut_while_a_request_is_written_or_thereafter_leaves_all_of_it_or_nothing(
    order: Worker, appending: Play, early: int, drop_names: bool
) -> None:
    appending.cut_off(order, Fault.KILL, appending.calls(order) + 1 - early, drop_names)


@pytest.mark.parametrize(
    ("what", "fault", "part"),
    [
        ("archiving", Fault.KILL, 0.9),
        ("tidying", Fault.KILL, 0.3),
        pytest.param("tidying", Fault.NO_SPACE, 0.2, marks=pytest.mark.slow),
    ],
)
def test_upkeep_cut_off_somewhere_loses_nothing(
    order: Worker, request: pytest.FixtureRequest, what: str, fault: Fault, part: float
) -> None:
    play: Play = request.getfixturevalue(what)
    play.cut_off(order, fault, int(play.calls(order) * part))


@pytest.mark.parametrize("part", [0.5, pytest.param(0.9, marks=pytest.mark.slow)])
def test_a_migration_cut_off_somewhere_is_brought_to_its_end(order: Worker, migrating: Play, part: float) -> None:
    migrating.cut_off(order, Fault.KILL, int(migrating.calls(order) * part))


@pytest.mark.parametrize(
    ("early", "drop_names"),
    [(1, False), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((0, True), (40, False)))],
)
def test_a_power_cut_while_a_backup_is_restored_leaves_a_lake_that_is_whole_or_none(
    order: Worker, restoring: Play, early: int, drop_names: bool
) -> None:
    restoring.cut_off(order, Fault.KILL, restoring.calls(order) + 1 - early, drop_names)


@pytest.mark.parametrize("early", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_a_disk_that_refuses_the_end_of_a_restore_leaves_no_lake_without_its_rows(
    order: Worker, restoring: Play, early: int
) -> None:
    restoring.cut_off(order, Fault.NO_SPACE, restoring.calls(order) - early)


@pytest.mark.torture
@pytest.mark.parametrize("what", KEEPING)
@pytest.mark.parametrize("fault", FAULTS)
def test_keeping_cut_off_at_every_call_loses_nothing(
    order: Worker, request: pytest.FixtureRequest, what: str, fault: Fault
) -> None:
    play: Play = request.getfixturevalue(what)
    play.cut_off_everywhere(order, fault)


@pytest.mark.torture
@pytest.mark.parametrize("what", KEEPING)
@pytest.mark.parametrize("drop_names", [False, True])
def test_a_power_cut_at_every_call_of_keeping_loses_nothing(
    order: Worker, request: pytest.FixtureRequest, what: str, drop_names: bool
) -> None:
    play: Play = request.getfixturevalue(what)
    play.cut_power_everywhere(order, drop_names=drop_names)
