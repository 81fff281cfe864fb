"""Scrub finds every changed byte of every kind of file, and names it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lake.errors import DamageError, LakeError
from lake.storage import delta_log
from lake.storage.lock import WRITER_HOLDER, WRITER_LOCK
from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from lake.upkeep.scrub import scrub
from tests.lake.upkeep.conftest import hurt


def test_an_untouched_lake_scrubs_clean(old: Lake) -> None:
    result = scrub(old)
    assert result.findings == ()
    assert result.files > 40


def kind_of(lake: Path, path: Path) -> str:
    """What a file of a lake is."""
    if path.parent == lake or path.name == "_last_checkpoint":
        return path.name
    where = path.parent.name if path.parent.parent.name != "tables" else "data"
    return f"{where} {'checkpoint' if '.checkpoint.' in path.name else ''.join(path.suffixes[-1:])}"


def kinds(lake: Path) -> dict[str, list[Path]]:
    """Every file there is but the lock and its note, which say only who wrote last."""
    found: dict[str, list[Path]] = {}
    for path in sorted(
        path for path in lake.rglob("*") if path.is_file() and path.name not in (WRITER_LOCK, WRITER_HOLDER)
    ):
        found.setdefault(kind_of(lake, path), []).append(path)
    return found


def told(lake: Path) -> list[str]:
    """The names of the files that opening and scrubbing complain of, and their words."""
    try:
        findings = scrub(Lake.open(lake)).findings
    except LakeError as error:
        return [str(error)]
    return [word for one in findings for word in (str(lake / one.file), one.what)]


def scrub_finds(lake: Lake, times: int, seed: int) -> None:
    chance, targets = random.Random(seed), kinds(lake.path)
    for number in range(times):
        kind = sorted(targets)[number % len(targets)]
        path = chance.choice(targets[kind])
        whole = path.read_bytes()
        hurt(path, chance)
        assert any(path.name in words for words in told(lake.path)), f"{path} was changed and nobody said so"
        path.write_bytes(whole)
    assert told(lake.path) == []


def test_every_kind_of_file_is_among_those_that_are_hurt(old: Lake) -> None:
    assert set(kinds(old.path)) == {
        "HEAD",
        "lake.json",
        "data .parquet",
        "_delta_log .json",
        "_delta_log checkpoint",
        "_last_checkpoint",
        "_log_archive .json",
        "_log_archive checkpoint",
        "_witness .commit",
        "_witness .sha256",
    }


def test_a_flipped_bit_or_a_cut_anywhere_is_found(old: Lake) -> None:
    scrub_finds(old, 15, seed=1)


@pytest.mark.torture
def test_a_thousand_flips_and_cuts_are_all_found(old: Lake) -> None:
    scrub_finds(old, 1_000, seed=2)


def test_a_missing_file_is_named_by_where_it_lay(old: Lake) -> None:
    entry = next(iter(Path(old.uri(MARKET_PRICES)).glob("_delta_log/*.json")))
    entry.unlink()
    assert str(entry.relative_to(old.path)) in [finding.file for finding in scrub(old).findings]


def test_a_table_that_lost_its_end_is_damage_and_not_an_error_of_the_reader(old: Lake) -> None:
    newest = old.newest(MARKET_PRICES)
    for entry in Path(old.uri(MARKET_PRICES)).glob("_delta_log/*[1-9].json"):
        entry.unlink()
    with pytest.raises(DamageError, match=f"has no version {newest}, the newest is 0.*nextgen scrub.*nextgen restore"):
        Lake.open(old.path).read(MARKET_PRICES, version=newest)


def test_a_swapped_file_is_found(old: Lake) -> None:
    first, second = (next(iter(delta_log.added_files(old.uri(MARKET_PRICES), at))) for at in (1, 2))
    one = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(one)
    assert {Path(f.file).name for f in scrub(old).findings} == {first.name, second.name}
