"""Files as text: every cell as it stands in the file, nothing interpreted, and clear words for what cannot be read."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import IO, Any, TypeVar

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.typed_text import write_out

TEXT_ENDINGS = (".csv", ".tsv", ".txt")
COMPRESSED: dict[str, Callable[..., IO[Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
CSV_ENDINGS = (*TEXT_ENDINGS, *(text + packed for text in TEXT_ENDINGS for packed in COMPRESSED))
PARQUET_ENDINGS = (".parquet", ".pq")
ARROW_ENDINGS = (".feather", ".arrow", ".ipc")
FLAT_ENDINGS = (*CSV_ENDINGS, *PARQUET_ENDINGS, *ARROW_ENDINGS)
"""Of files that hold one table each; those that hold several are read by `containers`."""
Read = TypeVar("Read")
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SAMPLED = 60
"""Lines read to find out how a text table begins."""
ISO_DAYS = date(1000, 1, 1), date(9999, 12, 31)
LONGEST_LINE = 1_000_000
"""Characters of a line that are looked at: a wide table of ten thousand tickers fits."""


def read_text(path: Path) -> pl.DataFrame:
    """Return the file's rows, all columns String, missing cells null.

    CSV cells are kept as written. Parquet and Arrow values become text: floats in the shortest form that reads back the
    same (NaN as "NaN"), dates and instants in ISO 8601, naive timestamps without an offset, lists of text
    space-separated.

    Raises:
        SourceError: if the file does not exist, has an unknown ending, cannot be read, or holds no row.
    """
    check_file(path)
    if not is_readable(path):
        known = ", ".join((*TEXT_ENDINGS, *PARQUET_ENDINGS, *ARROW_ENDINGS))
        raise SourceError(f"{path} has the unsupported extension {path.suffix!r}; convert it to one of {known}")
    frame = reading(path, lambda: _read_csv(path) if is_text(path) else read_columns(path))
    if frame.is_empty():
        raise SourceError(f"{path} has no rows; give a file with a header and at least one row")
    return frame


def check_file(path: Path) -> None:
    """Refuse a path at which there is no file.

    Raises:
        SourceError: if so.
    """
    if not path.is_file():
        raise SourceError(f"there is no file {path}; give the path of a CSV or Parquet file that exists")


def reading(path: Path, read: Callable[[], Read]) -> Read:
    """Do the reading, what goes wrong with it told in words.

    Raises:
        SourceError: for whatever the file's content is the cause of.
    """
    try:
        return read()
    except SourceError:
        raise
    except UnicodeDecodeError as error:
        raise no_text(path) from error
    except csv.Error as error:
        raise no_text(path) from error
    except pl.exceptions.ComputeError as error:
        raise (no_text(path) if "utf-8" in str(error).lower() else _unreadable(path, error)) from error
    except (pl.exceptions.PolarsError, OSError, EOFError, lzma.LZMAError) as error:
        raise _unreadable(path, error) from error


def is_readable(path: Path) -> bool:
    """Whether the file's name has an ending this module reads."""
    return path.name.lower().endswith(FLAT_ENDINGS)


def is_text(path: Path) -> bool:
    """Whether the file's name has an ending of a text table."""
    return path.name.lower().endswith(CSV_ENDINGS)


def stem(name: str, endings: tuple[str, ...] = FLAT_ENDINGS) -> str:
    """The file's name without its ending: `BRK.B` for BRK.B.csv.gz."""
    lowered = name.lower()
    ending = max((e for e in endings if lowered.endswith(e)), key=len, default="")
    return name[: len(name) - len(ending)]


def read_sample(path: Path) -> list[str]:
    """Return the first lines of a text table.

    Raises:
        SourceError: if it is empty, or holds no text.
    """
    lines: list[str] = []
    with _open_text(path) as text:
        while len(lines) < SAMPLED and (line := text.readline(LONGEST_LINE)):
            lines.append(str(line))
    if not lines or not lines[0].strip():
        raise SourceError(f"{path} is empty; give a file with a header and at least one row")
    if any("\0" in line for line in lines[:2]):
        raise no_text(path)
    return lines


def read_body(path: Path, separator: str, *, skipped: int = 0, names: tuple[str, ...] | None = None) -> pl.DataFrame:
    """Return the cells of a text table, all String.

    Args:
        path: the file.
        separator: between cells.
        skipped: lines above the header, or above the data where `names` are given.
        names: of the columns of a table whose header is not one line; None where it is.
    """
    source: Any = path
    if path.suffix.lower() in (".bz2", ".xz") or is_utf16(path) or _ends_lines_by_returns(path):
        with open_bytes(path) as stream:
            source = with_line_feeds(as_utf8(stream.read()))
    return read_csv(source, separator, skipped=skipped, names=names)


def read_csv(source: Any, separator: str, *, skipped: int, names: tuple[str, ...] | None) -> pl.DataFrame:
    """Return the cells of a text table in a file or in bytes, all String."""
    return pl.read_csv(
        source,
        separator=separator,
        infer_schema=False,
        skip_lines=skipped,
        has_header=names is None,
        new_columns=list(names) if names is not None else None,
        glob=False,
    )


def read_columns(path: Path) -> pl.DataFrame:
    """Return the columns of a Parquet or Arrow file as text."""
    return as_text(read_typed(path), str(path))


def read_typed(path: Path) -> pl.DataFrame:
    """Return the columns of a Parquet or Arrow file as it has them."""
    return _scan_typed(path).collect()


def _scan_typed(path: Path) -> pl.LazyFrame:
    """The file's own columns; stars and brackets in its path are signs like any other."""
    return pl.scan_parquet(path, glob=False) if is_parquet(path) else pl.scan_ipc(path, glob=False)


def is_parquet(path: Path) -> bool:
    """Whether the file's name has an ending of Parquet."""
    return path.name.lower().endswith(PARQUET_ENDINGS)


def numeric_columns(path: Path) -> frozenset[str]:
    """Return the columns of a Parquet or Arrow file that hold numbers."""
    schema = _scan_typed(path).collect_schema()
    return frozenset(name for name, dtype in schema.items() if dtype.is_numeric())


def as_text(frame: pl.DataFrame, name: str, kept: Collection[str] = ()) -> pl.DataFrame:
    """Return typed columns as text.

    Args:
        frame: the columns.
        name: of the file, for errors.
        kept: columns that stay as they are if they hold numbers or days whose text reads back the same.

    Raises:
        SourceError: for a table without columns, or a column of lists, structures or bytes.
    """
    if not frame.width:
        raise SourceError(f"{name} has no columns; give a file with at least one row")
    if all(dtype == pl.String for dtype in frame.dtypes):
        return frame
    return pl.DataFrame(
        [column if column.name in kept and _reads_back(column) else _column_as_text(column, name) for column in frame]
    )


def is_exact(dtype: pl.DataType) -> bool:
    """Whether numbers of a type are the same as Float64 and as what their text is read as; Float32 is not."""
    return dtype == pl.Float64 or dtype.is_integer()


def _reads_back(column: pl.Series) -> bool:
    """Whether a column is numbers that are exact, or days that ISO 8601 writes in ten characters."""
    if column.dtype != pl.Date:
        return is_exact(column.dtype)
    return bool(column.is_between(*ISO_DAYS).all())


def no_text(name: object) -> SourceError:
    """What is said of a binary file, and of text in another encoding, which looks the same."""
    return SourceError(f"{name} is not a text file in UTF-8; give a CSV or Parquet file, or save it as UTF-8")


def _unreadable(path: Path, error: Exception) -> SourceError:
    reason = str(error).strip().split("\n")[0][:200]
    return SourceError(f"{path} cannot be read: {reason}; open it, repair it, and save it as UTF-8")


def _read_csv(path: Path) -> pl.DataFrame:
    header = read_sample(path)[0]
    return read_body(path, max(",;\t|", key=header.count))


def _open_text(path: Path) -> IO[Any]:
    opener = COMPRESSED.get(path.suffix.lower(), open)
    stream: IO[Any] = opener(path, "rt", encoding="utf-16" if is_utf16(path) else "utf-8-sig")
    return stream


def open_bytes(path: Path) -> IO[Any]:
    """Open a text file for its bytes, unpacked."""
    stream: IO[Any] = COMPRESSED.get(path.suffix.lower(), open)(path, "rb")
    return stream


def is_utf16(path: Path) -> bool:
    """Whether a text file begins as UTF-16 does, the "Unicode text" of spreadsheets and trading terminals."""
    with open_bytes(path) as stream:
        return stream.read(2) in UTF16


def as_utf8(data: bytes) -> bytes:
    """The bytes of a text in UTF-8, if they begin as UTF-16 does; else as they are."""
    return data.decode("utf-16").encode() if data[:2] in UTF16 else data


def with_line_feeds(data: bytes) -> bytes:
    """The bytes of a text whose lines end by carriage returns alone, as on old Macs, with line feeds; others as they
    are."""
    return data if b"\n" in data else data.replace(b"\r", b"\n")


def _ends_lines_by_returns(path: Path) -> bool:
    with open_bytes(path) as stream:
        head = stream.readline(LONGEST_LINE)
    return b"\r" in head and not head.endswith(b"\n")


def _column_as_text(column: pl.Series, where: str) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if dtype.time_zone else ""))
    if dtype == pl.List(pl.String):
        return column.list.join(" ")
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        raise SourceError(f"column {column.name!r} of {where} holds {dtype}; leave it out or convert it to text")
    return column if dtype == pl.String else write_out(column)
