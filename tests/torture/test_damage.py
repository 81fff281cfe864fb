"""Damage to a real operation's files: above what is published it is repaired, below it is named and nothing is done."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lake.storage import delta_log
from lake.store import Lake
from lake.tables import TABLES
from tests.lake.storage.test_file_repair import KINDS, Damage, cut_in_a_line, empty, missing, nulls
from tests.torture.conftest import STRIDE, Before, Bench, Benches
from tests.torture.faults import Fault
from tests.torture.test_disk import contents

FLIPS = 1_000


def cut(path: Path) -> None:
    """A third of it is gone."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


DATA_KINDS: list[Damage] = [empty, cut, nulls, missing]


@dataclass(frozen=True)
class Hurt:
    """A commit of a table, which of its files is hurt, and how."""

    table: str
    version: int
    which: int
    """0 is the log entry, 1 the first data file that it added: data files have another name in each run."""
    damage: Damage

    def __str__(self) -> str:
        return f"{self.damage.__name__} {self.table} {self.version}/{self.which}"

    def strike(self, lake: Path) -> Path:
        """Do it; returns the file."""
        uri = lake / "tables" / self.table
        file = (delta_log.entry_path(uri, self.version), *delta_log.added_files(uri, self.version))[self.which]
        self.damage(file)
        return file


def interrupted(bench: Bench) -> Path:
    """A copy whose cycle has written nearly all it has to, and published nothing."""
    lake = bench.copy()
    given = {"session": bench.prepared.session, "durable": True}
    assert bench.order("cycle", lake, **given, mode=int(Fault.KILL), k=bench.prepared.publishing)["signal"] == 9
    return lake


def find_unpublished(lake: Path) -> Iterator[Hurt]:
    """All that can happen to each log entry and data file above the published versions."""
    published = Lake.open(lake).published_versions()
    for table in TABLES.values():
        uri = lake / "tables" / table.name
        for version in delta_log.entry_versions(uri) if table.published_by_run else []:
            if version > published[table.name]:
                yield from (Hurt(table.name, version, 0, damage) for damage in KINDS)
                added = range(1, len(delta_log.added_files(uri, version)) + 1)
                yield from (Hurt(table.name, version, which, damage) for which in added for damage in DATA_KINDS)


def read_promises(lake: Path) -> Iterator[Hurt]:
    """All that can happen to each table's last published log entry, and the first one behind its last checkpoint."""
    opened = Lake.open(lake)
    for table in TABLES.values():
        last = opened.version(table) if table.published_by_run else 0
        checkpoints = delta_log.checkpoint_versions(lake / "tables" / table.name)
        first = max([at for at in checkpoints if at <= last], default=0) + 1
        for version in sorted({first, last}) if first <= last else []:
            yield from (Hurt(table.name, version, 0, damage) for damage in KINDS)


def repaired(bench: Bench, lake: Path) -> None:
    """Readers see nothing of the damage to an interrupted cycle, and the next run ends as if there had been none."""
    resumed = bench.order("resume", lake, session=bench.prepared.session, durable=True)
    assert "error" not in resumed, resumed
    assert resumed["seen"] == bench.prepared.before
    assert resumed["state"] == bench.prepared.after


def struck(bench: Bench, hurt: Hurt) -> None:
    """Play: a file above what is published is damaged, and repaired."""
    lake = interrupted(bench)
    hurt.strike(lake)
    repaired(bench, lake)


def refused(bench: Bench, hurt: Hurt) -> None:
    """Play: a published log entry is damaged; the writer stops with its name and records no more than its failure."""
    lake = bench.copy()
    file = hurt.strike(lake)
    before = contents(lake)
    ended = bench.order("cycle", lake, session=bench.prepared.session, durable=True)
    assert ended.get("code") == 74, ended
    assert file.name in ended["error"], ended
    after = contents(lake)
    assert all(name.startswith("tables/runs/") for name in after.keys() - before.keys()), "only the failed run is new"
    assert {name: after.get(name) for name in before} == before


def flipped(bench: Bench, seed: int) -> None:
    """Play: one bit is turned, or the end cut off, the content replaced by another file's, or the file removed."""
    chance, lake = random.Random(seed), bench.prepared.lake
    promised = Lake.open(lake)
    tables = [table for table in TABLES.values() if table.published_by_run and promised.version(table) > 0]
    table = chance.choice(tables)
    uri = lake / "tables" / table.name
    files = [
        file
        for v in range(1, promised.version(table) + 1)
        for file in (delta_log.entry_path(uri, v), *delta_log.added_files(uri, v))
    ]
    file, other = chance.choice(files), chance.choice(files)
    target = bench.copy() / file.relative_to(lake)
    content = bytearray(target.read_bytes())
    how = chance.choice(["bit", "bit", "bit", "cut", "cut", "other", "gone"])
    if how == "bit":
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del content[chance.randrange(len(content)) :]
    elif other != file:
        content = bytearray(other.read_bytes())
    else:
        how = "gone"
    target.unlink() if how == "gone" else target.write_bytes(content)
    found = bench.order("scrub", bench.folder / target.relative_to(bench.folder).parts[0])
    told = str(found.get("found", "")) + str(found.get("error", ""))
    assert target.name in told, f"{how} of {file.relative_to(lake)} was not found: {found}"


@pytest.mark.slow
def test_damage_to_what_is_not_published_is_repaired_and_the_cycle_ends_the_same(bench: Bench) -> None:
    lake = interrupted(bench)
    hurts = {(hurt.table, hurt.which, hurt.damage): hurt for hurt in find_unpublished(lake)}
    hurts["ledger_entries", 0, cut_in_a_line].strike(lake)
    hurts["executed_trades", 1, nulls].strike(lake)
    repaired(bench, lake)


def test_damage_to_what_was_promised_stops_the_writer_with_the_files_name(bench: Bench) -> None:
    ledger = [hurt for hurt in read_promises(bench.prepared.lake) if hurt.table == "ledger_entries"]
    refused(bench, next(hurt for hurt in ledger if hurt.damage is nulls))


def test_a_changed_file_of_a_real_operation_is_found(bench: Bench) -> None:
    for seed in range(2):
        flipped(bench, seed)


@pytest.mark.torture
def test_every_kind_of_damage_to_every_unpublished_file_is_repaired(bench: Bench, benches: Benches) -> None:
    hurts = list(find_unpublished(interrupted(bench)))
    assert len(hurts) >= 36
    benches.each("unpublished damage", hurts[::STRIDE], struck)


@pytest.mark.torture
def test_every_kind_of_damage_to_promised_entries_of_every_table_stops_the_writer(
    benches: Benches, prepared: Before
) -> None:
    hurts = list(read_promises(prepared.lake))
    assert len(hurts) >= 30
    benches.each("promised damage", hurts[::STRIDE], refused)


@pytest.mark.torture
def test_a_thousand_changed_files_of_a_real_operation_are_all_found(benches: Benches) -> None:
    benches.each("flips", range(100, 100 + FLIPS, STRIDE), flipped)
