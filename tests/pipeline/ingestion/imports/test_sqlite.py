"""A SQLite database is foreign ground: it is only read, and whatever lies in it comes out as text or as a sentence."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.ingestion.imports.old_system import MAX_CELL, PORTION
from pipeline.ingestion.imports.sqlite import SqliteStore, open_sqlite
from pipeline.ingestion.sources.errors import SourceError
from tests.frames.older import execute, insert

HOSTILE_NAMES = ['say "hi"', "x; DROP TABLE bars; --", "it's", "[a]", "naïve ünï", "a\nb", "*", "rowid2", "%s {0}"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    execute(path, "CREATE TABLE bars (a, b)")
    with open_sqlite(path) as opened:
        yield opened


def column(path: Path, table: str = "bars", name: str = "a") -> list[str | None]:
    with open_sqlite(path) as opened:
        return [cell for rows in opened.rows(table, (name,)) for cell in rows[name]]


def test_every_type_a_cell_can_have_comes_as_text(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a)")
    cells = [1, -(2**63), 0.1, 1e300, float("inf"), "text", "", None, b"\x00\xff", "a\x00b"]
    insert(path, "bars", [(cell,) for cell in cells])
    execute(path, "INSERT INTO bars VALUES (CAST(X'ff41' AS TEXT))")
    told = column(path)
    assert told[:8] == ["1", "-9223372036854775808", "0.1", "1e+300", "inf", "text", "", None]
    assert told[8] == "blob 00FF"  # no rule takes it for a number
    assert told[9] in ("a\x00b", "a")
    assert told[10] == "�A"


def test_one_column_may_hold_another_type_in_every_row(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a INTEGER)")
    insert(path, "bars", [(n if n % 2 else f"t{n}",) for n in range(6)])
    assert column(path) == ["t0", "1", "t2", "3", "t4", "5"]


def test_a_cell_of_megabytes_is_cut(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a)")
    insert(path, "bars", [("x" * 5_000_000,), (b"\xab" * 5_000_000,)])
    text, blob = column(path)
    assert text == "x" * MAX_CELL
    assert blob == "blob " + "AB" * 16


def test_rows_come_in_portions_and_all_of_them(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a)")
    insert(path, "bars", [(n,) for n in range(PORTION + 1)])
    with open_sqlite(path) as opened:
        heights = [rows.height for rows in opened.rows("bars", ("a",))]
    assert heights == [PORTION, 1]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_is_a_name_whatever_signs_it_has(path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    execute(path, "CREATE TABLE bars (a)", f"CREATE TABLE {quoted} ({quoted}, b)")
    insert(path, quoted, [(7, 8)])
    assert column(path, name, name) == ["7"]
    with open_sqlite(path) as opened:
        assert {"bars", name} <= opened.tables().keys()


def test_a_view_is_read_like_a_table(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a)", "CREATE VIEW seen AS SELECT a * 2 AS twice FROM bars")
    insert(path, "bars", [(4,)])
    assert column(path, "seen", "twice") == ["8"]


def test_a_table_without_row_ids_has_none_and_the_others_have(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a)", "CREATE TABLE keyed (k PRIMARY KEY) WITHOUT ROWID")
    with open_sqlite(path) as opened:
        assert opened.tables() == {"bars": ("a", "rowid"), "keyed": ("k",)}
    insert(path, "bars", [("x",)])
    assert column(path, "bars", "rowid") == ["1"]


def test_a_view_whose_own_text_is_broken_is_a_sentence(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a)", "CREATE VIEW lost AS SELECT a FROM nowhere")
    with open_sqlite(path) as opened, pytest.raises(SourceError, match=r"no such table: main\.nowhere"):
        list(opened.rows("lost", ("a",)))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO bars VALUES (1, 2)",
        "DROP TABLE bars",
        "ATTACH DATABASE 'other.db' AS other",
        "CREATE TEMP TABLE t (a)",
        "PRAGMA query_only = OFF",
        "SELECT load_extension('x')",
    ],
)
def test_nothing_can_be_written_or_reached_through_it(store: SqliteStore, path: Path, statement: str) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        store._ask(statement)
        store._ask("INSERT INTO bars VALUES (1, 2)")  # what the pragma would allow


def test_reading_leaves_the_file_as_it_was(path: Path) -> None:
    execute(path, "PRAGMA journal_mode = WAL", "CREATE TABLE bars (a)")
    insert(path, "bars", [(1,)])
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    assert column(path) == ["1"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    # SQLite itself leaves its shared memory behind; nothing else may be there
    assert {file.name for file in path.parent.iterdir()} <= {"old.db", "old.db-shm", "old.db-wal"}


def test_what_is_written_meanwhile_is_not_seen(path: Path) -> None:
    execute(path, "PRAGMA journal_mode = WAL", "CREATE TABLE bars (a)")
    insert(path, "bars", [(1,)])
    with open_sqlite(path) as opened:
        insert(path, "bars", [(2,)])
        assert [rows["a"].to_list() for rows in opened.rows("bars", ("a",))] == [["1"]]


def test_a_writer_that_does_not_let_go_is_named_with_the_way_out(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a)")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with (
            pytest.raises(SourceError, match=r"database is locked; stop the program.*\.backup"),
            open_sqlite(path, 0.05),
        ):
            pass


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("date,close\n")
    for name, words in (
        ("empty.db", "is empty"),
        ("text.db", "not a SQLite database"),
        ("none.db", "there is no file"),
    ):
        with pytest.raises(SourceError, match=words), open_sqlite(tmp_path / name):
            pass
    with pytest.raises(SourceError, match="there is no file"), open_sqlite(tmp_path):
        pass


def test_a_damaged_database_is_a_sentence_and_no_crash(path: Path) -> None:
    execute(path, "CREATE TABLE bars (a)")
    insert(path, "bars", [("x" * 200,) for _ in range(500)])
    whole = path.read_bytes()
    for damaged in (
        whole[:6000],
        whole[:100] + b"\xff" * 3000 + whole[3100:],
        whole[:4096] + b"\x07" * (len(whole) - 4096),
    ):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match=r"cannot be read|contains no table|integrity_check"):
            column(path)


def test_a_database_without_tables_and_a_missing_column_are_named(path: Path) -> None:
    execute(path, "CREATE TABLE bars (close)", "CREATE TABLE t (a)", "DROP TABLE t")
    with open_sqlite(path) as opened:
        with pytest.raises(SourceError, match=r"has no table 'bar'; did you mean 'bars'\?"):
            list(opened.rows("bar", ("close",)))
        with pytest.raises(SourceError, match=r"has no column 'clsoe'; did you mean 'close'\?"):
            list(opened.rows("bars", ("clsoe",)))
    execute(path, "DROP TABLE bars")
    with open_sqlite(path) as opened, pytest.raises(SourceError, match="contains no table"):
        opened.tables()


@pytest.mark.parametrize("folder", ["with space", "a#b", "what?", "100%", "[x]", "ünï", "mode=rw&x"])
def test_a_path_may_have_any_sign(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "old.db"
    execute(path, "CREATE TABLE bars (a)")
    insert(path, "bars", [(1,)])
    assert column(path) == ["1"]
