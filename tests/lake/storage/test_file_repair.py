"""A writer repairs what a crash left above the published versions, and refuses damage at or below them."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from lake.contract import Table
from lake.errors import DamageError
from lake.publication import find_unpublished, publish
from lake.storage import delta_log
from lake.storage.lock import WRITER_HOLDER
from lake.store import Lake
from lake.tables.control import RUNS, TASK_REQUESTS
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from lake.tables.trading import DECISION_SCORES
from lake.upkeep.scrub import scrub
from tests.copies import copy_lake
from tests.frames.published import publish_sessions, write_session
from tests.new_lake import new_lake

Damage = Callable[[Path], None]


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_after_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def cut_in_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def nulls(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def garbage(path: Path) -> None:
    path.write_bytes(b"\x89PNG" + path.read_bytes()[4:])


def missing(path: Path) -> None:
    path.unlink()


KINDS: list[Damage] = [empty, cut_after_a_line, cut_in_a_line, nulls, garbage, missing]
damages = pytest.mark.parametrize("damage", KINDS, ids=lambda damage: damage.__name__)


def every_kind_and_two(name: str, one: object, other: object) -> pytest.MarkDecorator:
    """Every kind of damage with one value of the name, and the two kinds that differ most with another."""
    pairs = [*((one, kind) for kind in KINDS), (other, nulls), (other, missing)]
    told = [f"{getattr(value, 'name', value)}-{kind.__name__}" for value, kind in pairs]
    return pytest.mark.parametrize((name, "damage"), pairs, ids=told)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, bool], Path]:
    """Lakes some sessions old, each made once; nobody writes to them."""
    folder = tmp_path_factory.mktemp("made")

    @cache
    def make(sessions: int, interrupted: bool) -> Path:
        lake = new_lake(folder / f"{sessions}{interrupted}")
        publish_sessions(lake, sessions)
        if interrupted:
            with lake.lock("a writer that dies"):
                write_session(lake, sessions)
        return lake.path

    return make


@pytest.fixture
def aged(made: Callable[[int, bool], Path], tmp_path: Path) -> Callable[[int], Lake]:
    """A lake with so many sessions published, for a test to do with as it likes."""
    return lambda sessions: Lake.open(copy_lake(made(sessions, False), tmp_path / "lake"))


@pytest.fixture
def interrupted(made: Callable[[int, bool], Path], tmp_path: Path) -> Lake:
    """Two sessions published, a third written and not published."""
    return Lake.open(copy_lake(made(2, True), tmp_path / "lake"))


def resume(path: Path) -> Lake:
    """The next writer: what a crash left is repaired, then the third session is done if it is not there."""
    lake = Lake.open(path)
    with lake.lock("the next writer"):
        left = {run.recipe.output_table: run for run in find_unpublished(lake)}
        runs = [left.get(run.recipe.output_table, run) for run in write_session(lake, 2)]
        publish(lake, runs, "cycle 2/0", durable=False)
    return lake


@every_kind_and_two("table", MARKET_PRICES, INSTRUMENTS)
def test_damage_above_the_published_version_is_quarantined_and_done_again(
    interrupted: Lake, table: Table, damage: Damage
) -> None:
    damage(delta_log.entry_path(interrupted.uri(table), 3))
    again = resume(interrupted.path)
    assert {one.table for one in again.repairs} >= ({table.name} if damage is not missing else set())
    assert again.published_versions()["market_prices"] == again.published_versions()["instruments"] == 3
    assert again.read(MARKET_PRICES)["close"].to_list() == [10.0, 10.01, 10.02]
    assert again.read(INSTRUMENTS)["name"].to_list() == ["name 2"]
    assert again.rows(RUNS) == 6


@damages
def test_a_dead_writers_leftovers_beside_a_damaged_entry_are_swept_too(interrupted: Lake, damage: Damage) -> None:
    root = Path(interrupted.uri(MARKET_PRICES))
    orphan = Path(shutil.copy(next(root.glob("*.parquet")), root / "part-named-by-nobody.parquet"))
    damage(delta_log.entry_path(root, 3))
    (interrupted.path / WRITER_HOLDER).write_text("it did not release the lock")
    assert resume(interrupted.path).read(MARKET_PRICES).height == 3
    assert not orphan.exists()


def test_a_table_whose_creation_was_cut_off_is_created_by_the_next_writer(aged: Callable[[int], Lake]) -> None:
    lake = aged(1)
    root = Path(lake.uri(DECISION_SCORES))
    shutil.rmtree(root)
    (root / delta_log.FOLDER).mkdir(parents=True)
    assert scrub(lake).findings == () and not lake.has_table(DECISION_SCORES)
    with lake.lock("the next writer"):
        assert lake.has_table(DECISION_SCORES)
    assert scrub(lake).findings == () and lake.read(DECISION_SCORES).is_empty()


@every_kind_and_two("witness", True, False)
def test_a_table_whose_creation_a_power_cut_interrupted_is_created_again(
    aged: Callable[[int], Lake], damage: Damage, witness: bool
) -> None:
    lake = aged(1)
    root = Path(lake.uri(DECISION_SCORES))
    damage(delta_log.entry_path(root, 0))
    if not witness:
        empty(root / "_witness" / f"{0:020d}.commit")
    again = Lake.open(lake.path)
    with again.lock("the next writer"):
        assert [repair.table for repair in again.repairs] == [DECISION_SCORES.name]
    assert scrub(again).findings == () and again.read(DECISION_SCORES).is_empty()


@damages
def test_a_table_with_rows_whose_first_entry_is_damaged_is_not_made_again(
    aged: Callable[[int], Lake], damage: Damage
) -> None:
    lake = aged(1)
    path = delta_log.entry_path(lake.uri(TASK_REQUESTS), 0)
    damage(path)
    with pytest.raises(DamageError, match=path.name), Lake.open(lake.path).lock("the next writer"):
        pass


@pytest.mark.parametrize("table", [MARKET_PRICES, INSTRUMENTS, RUNS], ids=lambda table: table.name)
@every_kind_and_two("version", 2, 1)
def test_damage_at_or_below_the_published_version_stops_the_writer_with_the_files_name(
    interrupted: Lake, table: Table, version: int, damage: Damage
) -> None:
    path = delta_log.entry_path(interrupted.uri(table), version)
    damage(path)
    before = sorted(path.parent.iterdir())
    with pytest.raises(DamageError, match=path.name), Lake.open(interrupted.path).lock("the next writer"):
        pass
    assert sorted(path.parent.iterdir()) == before, "something was written"


@damages
def test_a_publication_that_was_never_acknowledged_is_published_again(
    aged: Callable[[int], Lake], damage: Damage
) -> None:
    lake = aged(2)
    head = (lake.path / "HEAD").read_bytes()
    publish_sessions(lake, 1, start=2)
    (lake.path / "HEAD").write_bytes(head)
    damage(delta_log.entry_path(lake.uri(RUNS), 3))
    again = resume(lake.path)
    assert again.rows(RUNS) == 6
    assert again.read(INSTRUMENTS)["name"].to_list() == ["name 2"]


def test_a_complete_publication_whose_commit_pointer_was_not_written_counts(aged: Callable[[int], Lake]) -> None:
    lake = aged(1)
    head = (lake.path / "HEAD").read_bytes()
    publish_sessions(lake, 1, start=1)
    (lake.path / "HEAD").write_bytes(head)
    with Lake.open(lake.path).lock("the next writer"):
        pass
    assert (lake.path / "HEAD").read_bytes() != head
    assert Lake.open(lake.path).rows(RUNS) == 4


def test_publications_that_vanish_with_their_log_are_missed(aged: Callable[[int], Lake]) -> None:
    lake = aged(3)
    delta_log.entry_path(lake.uri(RUNS), 3).unlink()
    with pytest.raises(DamageError, match=r"00003\.json is missing"), Lake.open(lake.path).lock("next"):
        pass


@pytest.mark.parametrize("damage", [empty, cut_in_a_line, garbage], ids=lambda damage: damage.__name__)
def test_an_unreadable_commit_pointer_is_named(aged: Callable[[int], Lake], damage: Damage) -> None:
    lake = aged(1)
    damage(lake.path / "HEAD")
    with pytest.raises(DamageError, match="HEAD"), Lake.open(lake.path).lock("next"):
        pass


def test_a_missing_commit_pointer_is_reported_and_rebuilt_where_the_chain_is_intact(
    aged: Callable[[int], Lake],
) -> None:
    lake = aged(3)
    head = (lake.path / "HEAD").read_bytes()
    (lake.path / "HEAD").unlink()
    assert [(one.file, one.what) for one in scrub(lake).findings] == [
        ("HEAD", "it is missing; the next writer rebuilds it if the chain of publications is intact")
    ]
    again = Lake.open(lake.path)
    with again.lock("next"):
        assert [(one.file, one.what) for one in again.repairs] == [
            ("HEAD", "it was missing and has been rebuilt from the chain of publications up to version 3")
        ]
    assert (lake.path / "HEAD").read_bytes() == head
    with again.lock("next"):
        assert again.repairs == []


@pytest.mark.parametrize("damage", [nulls, garbage, missing, cut_after_a_line], ids=lambda damage: damage.__name__)
def test_a_missing_commit_pointer_is_not_rebuilt_from_a_broken_chain(
    aged: Callable[[int], Lake], damage: Damage
) -> None:
    lake = aged(3)
    (lake.path / "HEAD").unlink()
    damage(delta_log.entry_path(lake.uri(RUNS), 2))
    with pytest.raises(DamageError, match=r"00002\.json"), Lake.open(lake.path).lock("next"):
        pass
    assert not (lake.path / "HEAD").exists()
    assert scrub(lake).findings


def test_a_chain_that_lost_its_end_together_with_the_commit_pointer_is_refused(aged: Callable[[int], Lake]) -> None:
    lake = aged(4)
    (lake.path / "HEAD").unlink()
    for version in (3, 4):
        delta_log.entry_path(lake.uri(RUNS), version).unlink()
    for _ in range(2):  # the first refusal may not make it pass the second time
        with pytest.raises(DamageError, match="HEAD is missing, and 2 cycles"), Lake.open(lake.path).lock("next"):
            pass


def test_a_commit_pointer_whose_bits_changed_is_distinct_from_damage_to_the_runs(aged: Callable[[int], Lake]) -> None:
    lake = aged(2)
    path = lake.path / "HEAD"
    path.write_bytes(path.read_bytes().replace(b'"version": 2', b'"version": 1'))
    with pytest.raises(DamageError, match="HEAD is damaged"), Lake.open(lake.path).lock("next"):
        pass
    assert [one.file for one in scrub(lake).findings] == ["HEAD", "HEAD"]


@damages
def test_damage_to_a_log_that_several_append_to_loses_that_entry_only(
    aged: Callable[[int], Lake], damage: Damage
) -> None:
    lake = aged(3)
    damage(delta_log.entry_path(lake.uri(TASK_REQUESTS), 2))
    publish_sessions(Lake.open(lake.path), 1, start=3)
    assert Lake.open(lake.path).read(TASK_REQUESTS)["request_id"].to_list() == ["request 0", "request 2", "request 3"]


@damages
def test_a_damaged_checkpoint_is_healed_from_the_log(aged: Callable[[int], Lake], damage: Damage) -> None:
    lake = aged(3)
    with lake.lock("upkeep"):
        lake.checkpoint(MARKET_PRICES)
        lake.checkpoint(RUNS)
    for table in (MARKET_PRICES, RUNS):
        damage(delta_log.checkpoint_path(lake.uri(table), lake.newest(table)))
    publish_sessions(Lake.open(lake.path), 1, start=3)
    assert Lake.open(lake.path).rows(MARKET_PRICES) == 4


@damages
def test_a_damaged_hint_at_the_checkpoint_does_no_harm(aged: Callable[[int], Lake], damage: Damage) -> None:
    lake = aged(2)
    with lake.lock("upkeep"):
        lake.checkpoint(MARKET_PRICES)
    damage(Path(lake.uri(MARKET_PRICES)) / delta_log.FOLDER / "_last_checkpoint")
    publish_sessions(Lake.open(lake.path), 1, start=2)
    assert Lake.open(lake.path).rows(MARKET_PRICES) == 3


def test_what_a_dead_writer_had_begun_is_swept(aged: Callable[[int], Lake]) -> None:
    lake = aged(1)
    root = Path(lake.uri(MARKET_PRICES))
    leftovers = [
        root / "part-0.parquet#1",
        root / delta_log.FOLDER / "00000000000000000002.json#1",
        root / "part-9.parquet",
    ]
    for path in leftovers:
        path.write_bytes(b"half")
    (lake.path / WRITER_HOLDER).write_text("{}")  # of a holder that did not release the lock
    fresh = Lake.open(lake.path)
    with fresh.lock("next"):
        pass
    assert not [path for path in leftovers if path.exists()]
    assert fresh.rows(MARKET_PRICES) == 1


@damages
def test_an_old_version_is_not_read_through_a_damaged_log(aged: Callable[[int], Lake], damage: Damage) -> None:
    lake = aged(3)
    with lake.lock("upkeep"):
        lake.checkpoint(MARKET_PRICES)
    damage(delta_log.entry_path(lake.uri(MARKET_PRICES), 1))
    with pytest.raises(DamageError, match=r"00001\.json"):
        Lake.open(lake.path).read(MARKET_PRICES, version=2)


def test_a_lake_cut_off_while_it_was_made_is_made_after_all(tmp_path: Path) -> None:
    path = tmp_path / "lake"
    Lake.create(path)
    (path / "lake.json").unlink()
    (path / ".creating").touch()
    assert Lake.create(path).rows(RUNS) == 0


def test_a_data_file_that_was_swapped_or_cut_is_never_read_silently(aged: Callable[[int], Lake]) -> None:
    lake = aged(2)
    file = next(iter(delta_log.added_files(lake.uri(MARKET_PRICES), 2)))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DamageError, match=file.name):
        Lake.open(lake.path).read(MARKET_PRICES)
    with pytest.raises(DamageError, match=file.name), Lake.open(lake.path).lock("next"):
        pass
