"""Files as text: every cell as it stands in the file, nothing interpreted, and clear words for what cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl

from pipeline.ingestion.sources.errors import SourceError

CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")


def read_text(path: Path) -> pl.DataFrame:
    """Return the file's rows, all columns String, missing cells null.

    CSV cells are kept as written. Parquet values become text: floats in the shortest form that reads back the same
    (NaN as "NaN"), dates and instants in ISO 8601, naive timestamps without an offset, lists of text space-separated.

    Raises:
        SourceError: if the file does not exist, has an unknown ending, cannot be read, or holds no row.
    """
    if not path.is_file():
        raise SourceError(f"there is no file {path}; give the path of a CSV or Parquet file that exists")
    if not is_readable(path):
        known = ", ".join((*CSV_ENDINGS, *PARQUET_ENDINGS))
        raise SourceError(f"{path} has the unsupported extension {path.suffix!r}; convert it to one of {known}")
    try:
        frame = _read_csv(path) if path.name.lower().endswith(CSV_ENDINGS) else _read_parquet(path)
    except SourceError:
        raise
    except UnicodeDecodeError as error:
        raise _no_text(path) from error
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise SourceError(f"{path} cannot be read: {reason}; open it, repair it, and save it as UTF-8") from error
    if frame.is_empty():
        raise SourceError(f"{path} has no rows; give a file with a header and at least one row")
    return frame


def is_readable(path: Path) -> bool:
    """Whether the file's name has an ending this module reads."""
    return path.name.lower().endswith((*CSV_ENDINGS, *PARQUET_ENDINGS))


def stem(path: Path) -> str:
    """The file's name without its ending: `BRK.B` for BRK.B.csv.gz."""
    lowered = path.name.lower()
    ending = max((e for e in (*CSV_ENDINGS, *PARQUET_ENDINGS) if lowered.endswith(e)), key=len)
    return path.name[: -len(ending)]


def _read_csv(path: Path) -> pl.DataFrame:
    header = _first_line(path)
    if not header.strip():
        raise SourceError(f"{path} is empty; give a file with a header and at least one row")
    if "\0" in header:
        raise _no_text(path)
    separator = max(",;\t|", key=header.count)
    try:
        return pl.read_csv(path, separator=separator, infer_schema=False)
    except pl.exceptions.ComputeError as error:
        raise (_no_text(path) if "utf-8" in str(error).lower() else error) from None


def _no_text(path: Path) -> SourceError:
    """What is said of a binary file, and of text in another encoding, which looks the same."""
    return SourceError(f"{path} is not a text file in UTF-8; give a CSV or Parquet file, or save it as UTF-8")


def _first_line(path: Path) -> str:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig") as lines:
        return str(lines.readline())


def _read_parquet(path: Path) -> pl.DataFrame:
    frame = pl.read_parquet(path)
    if not frame.width:
        raise SourceError(f"{path} has no columns; give a file with at least one row")
    return frame.select(_as_text(name, dtype, path) for name, dtype in frame.schema.items())


def _as_text(name: str, dtype: pl.DataType, path: Path) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if dtype.time_zone else ""))
    if dtype == pl.List(pl.String):
        return column.list.join(" ")
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        raise SourceError(f"column {name!r} of {path} holds {dtype}; leave it out or convert it to text")
    return column.cast(pl.String)
