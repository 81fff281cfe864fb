"""Two machines with working copies of one lake see the same, and one of them at a time publishes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import lake as published
from lake.branches.branch import create_branch
from lake.errors import BusyError, DamageError, NotALakeError, StorageError
from lake.publication import publish
from lake.remote import lease as lease_module
from lake.remote import sharing
from lake.remote.address import resolve
from lake.remote.changes import change_key
from lake.remote.differences import find_differences
from lake.remote.following import is_hollow
from lake.remote.index import open_index
from lake.remote.objects import Objects
from lake.remote.sharing import LeaseLostError
from lake.storage.lock import writer_died
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import TASK_REQUESTS
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from lake.upkeep.backup import backup, restore
from lake.upkeep.compaction import compact_tables
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import vacuum
from tests.frames.published import publish_sessions, request_rows, write_session
from tests.loopback.object_store import Fault, Place, Request, of_this_store

On = Callable[..., Lake]


def contents(lake: Lake) -> dict[str, pl.DataFrame]:
    """What is published of every table that a session writes."""
    return {table.name: lake.read(table) for table in (MARKET_PRICES, INSTRUMENTS, TASK_REQUESTS)}


def same(one: Lake, other: Lake) -> bool:
    """Whether two lakes have the same rows."""
    mine, theirs = contents(one), contents(other)
    return all(rows.equals(theirs[name]) for name, rows in mine.items())


def data_files(lake: Lake) -> list[Path]:
    return sorted(Path(lake.uri(MARKET_PRICES)).glob("*.parquet"))


def test_what_one_machine_publishes_another_reads(on: On) -> None:
    mine = on("one", create=True)
    publish_sessions(mine, 3)
    theirs = on("two")
    assert theirs.path != mine.path
    assert same(mine, theirs)
    assert scrub(theirs).findings == ()


def test_a_machine_goes_on_where_another_stopped(on: On) -> None:
    mine = on("one", create=True)
    publish_sessions(mine, 2)
    theirs = on("two")
    publish_sessions(theirs, 2, start=2)
    again = on("one")
    assert again.rows(MARKET_PRICES) == 4
    assert same(again, theirs)
    with again.lock("look"):
        assert again.repairs == []


def test_a_reader_that_stays_open_sees_what_is_published_later(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.remote.working_copy.REFRESH_SECONDS", 0.0)
    publish_sessions(on("one", create=True), 1)
    reader = on("two")
    publish_sessions(on("one"), 2, start=1)
    assert reader.rows(MARKET_PRICES) == 3


def test_data_is_fetched_when_it_is_read_and_not_before(on: On) -> None:
    publish_sessions(on("one", create=True), 2)
    theirs = on("two")
    assert all(is_hollow(file.stat()) for file in data_files(theirs))
    assert theirs.read(MARKET_PRICES).height == 2
    assert not any(is_hollow(file.stat()) for file in data_files(theirs))


def test_data_used_long_ago_gives_its_room_back(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.remote.following.GRACE_SECONDS", -1.0)
    mine = on("one", create=True)
    publish_sessions(mine, 3)
    before = contents(mine)
    monkeypatch.setenv("NEXTGEN_COPY_GB", "0")
    again = on("one")
    assert all(is_hollow(file.stat()) for file in data_files(again))
    assert all(rows.equals(before[name]) for name, rows in contents(again).items())


def test_a_room_that_is_no_number_is_refused(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    on("one", create=True)
    monkeypatch.setenv("NEXTGEN_COPY_GB", "much")
    with pytest.raises(NotALakeError, match="NEXTGEN_COPY_GB is 'much'"):
        on("one")


def test_the_tables_in_the_store_are_delta_tables(on: On, place: Place) -> None:
    import deltalake

    mine = on("one", create=True)
    publish_sessions(mine, 2)
    options = {key: value for key, value in place.environ("one").items() if key.startswith("AWS")}
    table = deltalake.DeltaTable(
        f"{place.address}/tables/market_prices", storage_options=options | {"AWS_ALLOW_HTTP": "true"}
    )
    assert table.version() == mine.newest(MARKET_PRICES)
    assert pl.DataFrame(pl.read_delta(table)).height == 2


@pytest.mark.slow
def test_from_python_an_address_opens_like_a_folder(on: On, place: Place) -> None:
    publish_sessions(on("one", create=True), 2)
    assert published.open(place.address).read("market_prices").height == 2


# ---- one writer at a time


def test_of_two_writers_one_writes_and_the_other_is_told_who(on: On) -> None:
    mine = on("one", create=True)
    theirs = on("two")
    with mine.lock("a cycle"):
        with pytest.raises(BusyError, match=rf"process {os.getpid()} on .* \(a cycle"), theirs.lock("another"):
            pass
        assert not writer_died(theirs.path), "who is refused has left nothing to repair"
        publish(mine, write_session(mine, 0), "cycle 0/0", durable=False)
    with theirs.lock("another"):
        publish(theirs, write_session(theirs, 1), "cycle 1/0", durable=False)
    assert on("one").rows(MARKET_PRICES) == 2


def test_a_lease_that_is_not_renewed_is_taken_over_and_its_holder_cannot_publish(
    on: On, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = on("one", create=True)
    publish_sessions(mine, 1)
    theirs = on("two")
    monkeypatch.setattr(lease_module, "MAX_AGE", lease_module.timedelta(seconds=-1))
    with pytest.raises(LeaseLostError, match="another machine took over"), mine.lock("asleep"):
        asleep = write_session(mine, 1)
        with theirs.lock("awake"):
            publish(theirs, write_session(theirs, 2), "cycle 2/0", durable=False)
        publish(mine, asleep, "cycle 1/0", durable=False)
    again = on("one")
    assert same(again, on("two"))
    assert again.read(MARKET_PRICES)["close"].to_list() == [10.0, 10.02]
    with again.lock("go on"):
        publish(again, write_session(again, 3), "cycle 3/0", durable=False)
    assert on("two").rows(MARKET_PRICES) == 3
    assert scrub(on("two")).findings == ()


@pytest.mark.slow
def test_the_holder_renews_its_lease(on: On, place: Place) -> None:
    mine = on("one", create=True)
    objects = Objects(mine.exchange.address)  # type: ignore[union-attr]
    with lease_module.hold_lease(objects, "me", "long work", renew_seconds=0.05) as held:
        first = held.lease.nonce
        place.wire.fault = lambda request: "refuse" if request.number % 3 == 0 else "pass"
        deadline = lease_module.datetime.now() + lease_module.timedelta(seconds=20)
        while held.lease.nonce == first and lease_module.datetime.now() < deadline:
            pass
        place.wire.always("pass")
        assert held.lease.nonce != first
        assert not held.lost
    assert not lease_module.find_lease(objects).held  # type: ignore[union-attr]


@pytest.mark.slow
def test_requests_of_several_machines_are_all_kept(on: On) -> None:
    mine = on("one", create=True)
    theirs = on("two")
    for number in range(6):
        lake = (mine, theirs)[number % 2]
        lake.commit(TASK_REQUESTS, request_rows(number), f"request {number}", {})
    assert sorted(on("three").read(TASK_REQUESTS)["request_id"]) == [f"request {number}" for number in range(6)]


def test_a_request_that_meets_another_of_its_number_is_made_again(on: On, place: Place) -> None:
    mine, theirs = on("one", create=True), on("two")
    made: list[int] = []

    def interrupt(request: Request) -> Fault:
        if not made and request.method == "PUT" and "/_nextgen/changes/" in request.path:
            made.append(request.number)
            theirs.commit(TASK_REQUESTS, request_rows(1), "request 1", {})
        return "pass"

    place.wire.fault = interrupt
    mine.commit(TASK_REQUESTS, request_rows(0), "request 0", {})
    assert made
    for lake in (on("one"), on("two"), on("three")):
        assert sorted(lake.read(TASK_REQUESTS)["request_id"]) == ["request 0", "request 1"]
        assert scrub(lake).findings == ()


@of_this_store
def test_a_store_that_ignores_conditions_is_refused_before_anything_is_made(on: On, place: Place) -> None:
    place.wire.always("unconditional")
    with pytest.raises(StorageError, match="ignores conditional writes"):
        on("one", create=True)
    assert not (resolve(place.address, os.environ) / "lake.json").exists()
    place.wire.always("pass")
    publish_sessions(on("one", create=True), 1)
    place.wire.always("unconditional")
    with pytest.raises(StorageError, match="ignores conditional writes"), on("one").lock("write"):
        pass


# ---- upkeep


@pytest.mark.slow
def test_compacting_vacuuming_and_pruning_leave_the_same_rows(
    on: On, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.upkeep.vacuum.LEFTOVER_SECONDS", -60.0)
    monkeypatch.setattr(sharing, "SNAPSHOT_EVERY", 4)
    mine = on("one", create=True)
    publish_sessions(mine, 6)
    before = contents(mine)
    assert compact_tables(mine, min_files=2)
    vacuum(mine)
    objects = Objects(mine.exchange.address)  # type: ignore[union-attr]
    kept = [one.key for one in objects.list("_nextgen/changes")]
    assert kept[0] > change_key(0), "old changes are gone"
    for name in ("one", "two"):
        lake = on(name)
        assert all(rows.equals(before[table]) for table, rows in contents(lake).items())
        assert scrub(lake).findings == ()
    with open_index(mine.path / ".remote") as index:
        assert not find_differences(mine.path, index)
        assert {one.key for one in objects.list("tables")} == {
            path for path in index.files() if path.startswith("tables")
        }


@pytest.mark.slow
def test_a_copy_that_slept_through_a_pruning_begins_anew(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.upkeep.vacuum.LEFTOVER_SECONDS", -60.0)
    monkeypatch.setattr(sharing, "SNAPSHOT_EVERY", 3)
    publish_sessions(on("one", create=True), 1)
    on("two").read(MARKET_PRICES)
    for number in range(1, 6):
        publish_sessions(on("one"), 1, start=number)
    vacuum(on("one"))
    assert same(on("two"), on("one"))


def test_a_copy_that_was_away_follows_past_files_that_are_gone_by_now(on: On) -> None:
    publish_sessions(on("one", create=True), 1)
    on("two").read(MARKET_PRICES)
    mine = on("one")
    publish_sessions(mine, 3, start=1)
    compact_tables(mine, min_files=2)
    kept = {one.path for one in mine.files(TASK_REQUESTS, mine.newest(TASK_REQUESTS))}
    gone = [file for file in Path(mine.uri(TASK_REQUESTS)).glob("*.parquet") if file.name not in kept]
    assert gone, "rows that the other copy would fetch as it follows"
    with mine.lock("as a vacuum does once they are old"):
        for file in gone:
            file.unlink()
    assert same(on("two"), on("one"))


@pytest.mark.slow
def test_a_bucket_keeps_what_is_not_of_the_lake(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.upkeep.vacuum.LEFTOVER_SECONDS", -60.0)
    mine = on("one", create=True)
    objects = Objects(mine.exchange.address)  # type: ignore[union-attr]
    objects.put("notes/mine.txt", b"mine")
    objects.put("tables/market_prices/orphan.parquet", b"of a crash")
    vacuum(mine)
    assert objects.find("notes/mine.txt")
    assert not objects.find("tables/market_prices/orphan.parquet")


@pytest.mark.slow
def test_a_backup_of_one_machine_is_restored_to_another_address(
    on: On, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish_sessions(on("one", create=True), 2)
    theirs = on("two")
    backup(theirs, tmp_path / "backup")
    target = resolve(place.address.replace("lake", "restored"), os.environ)
    restore(tmp_path / "backup", target)
    place.machine("three", monkeypatch)
    there = Lake.open(resolve(place.address.replace("lake", "restored"), os.environ))
    assert same(there, theirs)


@pytest.mark.slow
def test_a_branch_of_a_working_copy_has_all_its_data(on: On) -> None:
    publish_sessions(on("one", create=True), 2)
    theirs = on("two")
    branch = Lake.open(create_branch(theirs, "idea").path)
    for table in (MARKET_PRICES, INSTRUMENTS):
        assert branch.read(table).equals(theirs.read(table))
    publish_sessions(branch, 1, start=5)
    assert theirs.rows(MARKET_PRICES) == 2


@pytest.mark.slow
def test_a_configuration_changed_on_one_machine_reaches_the_other(on: On) -> None:
    mine = on("one", create=True)
    (mine.path / "nextgen.toml").write_text("[trading]\nhorizon = 5\n")
    with mine.lock("share"):
        pass
    assert "horizon = 5" in (on("two").path / "nextgen.toml").read_text()


# ---- what is there is what was written


@pytest.mark.parametrize("part", [pytest.param("data", marks=pytest.mark.slow), "change"])
def test_what_was_altered_in_the_store_is_told_and_not_read(on: On, part: str) -> None:
    mine = on("one", create=True)
    publish_sessions(mine, 2)
    objects = Objects(mine.exchange.address)  # type: ignore[union-attr]
    prefix = "tables/market_prices" if part == "data" else "_nextgen/changes"
    key = next(one.key for one in objects.list(prefix) if one.key.endswith((".parquet", "3.json")))
    found = objects.find(key)
    assert found
    objects.put(key, found.content.replace(b"e", b"f", 1) if part == "change" else found.content[::-1])
    with pytest.raises(DamageError, match="restore the lake from a backup"):
        on("two").read(MARKET_PRICES)


@pytest.mark.slow
def test_a_change_that_names_a_path_outside_the_lake_is_refused(on: On, tmp_path: Path) -> None:
    mine = on("one", create=True)
    objects = Objects(mine.exchange.address)  # type: ignore[union-attr]
    first = next(one.key for one in objects.list("_nextgen/changes"))
    found = objects.find(first)
    assert found
    for path in ("../../escaped", "/etc/escaped", ".remote/address.json", "tables/../../escaped"):
        objects.put(
            first, found.content.replace(b'"nextgen.toml"', b'"x"').replace(b'"lake.json"', f'"{path}"'.encode())
        )
        with pytest.raises(DamageError, match="is damaged"):
            on(f"two {len(path)}")
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.slow
def test_a_lake_that_never_got_to_the_store_is_not_mixed_with_another(on: On, place: Place) -> None:
    place.wire.fault = lambda request: (
        "refuse" if "/_nextgen/changes/" in request.path and request.method == "PUT" else "pass"
    )
    with pytest.raises(StorageError):
        on("one", create=True)
    place.wire.always("pass")
    publish_sessions(on("two", create=True), 1)
    with pytest.raises(NotALakeError, match="never got to"):
        on("one", create=True)


@pytest.mark.slow
def test_every_table_is_there_on_another_machine(on: On) -> None:
    on("one", create=True)
    theirs = on("two")
    assert all(theirs.has_table(table) for table in TABLES.values())
