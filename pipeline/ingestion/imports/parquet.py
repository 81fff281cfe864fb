"""Reads an older system's folder of Parquet files, each by itself, so that their schemas may differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from pipeline.ingestion.imports.old_system import MAX_CELL, PORTION, refuse_missing
from pipeline.ingestion.sources.errors import SourceError

ENDINGS = (".parquet", ".pq")


class ParquetStore:
    """A folder: each file in it is a table, and each folder in it is one whose files are its parts."""

    def __init__(self, path: Path) -> None:
        """Look at what lies there.

        Raises:
            SourceError: if the folder is not there or holds no Parquet file.
        """
        if not path.is_dir():
            raise SourceError(f"there is no folder {path}; give the folder your system writes Parquet files to")
        self.where = str(path)
        self._root = path.resolve()
        self._files = self._found()
        if not self._files:
            raise SourceError(f"{path} contains no file that ends in {' or '.join(ENDINGS)}")
        self._schemas = {file: self._schema(file) for files in self._files.values() for file in files}

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Table -> the columns that any of its files has."""
        return {
            table: tuple(dict.fromkeys(name for file in files for name in self._schemas[file]))
            for table, files in self._files.items()
        }

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows of a table in portions, all String; every file has to have every column.

        Raises:
            SourceError: if the table or a column is not there, holds what is no text, or reading fails.
        """
        refuse_missing(self, table, columns)
        for file in self._files[table]:
            if lacking := [name for name in columns if name not in self._schemas[file]]:
                raise SourceError(
                    f"{file} has no column {lacking[0]!r}, which other files of {table!r} have; "
                    "add it, or move the file aside"
                )
        for file in self._files[table]:
            yield from self._portions(file, columns)

    def _portions(self, file: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        texts = [_as_text(name, self._schemas[file][name], file) for name in columns]
        scan = pl.scan_parquet(file, glob=False).select(texts)
        at = 0
        while True:
            try:
                rows = scan.slice(at, PORTION).collect()
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
                raise _unreadable(file, error) from None
            if rows.is_empty():
                return
            yield rows
            at += PORTION

    def _found(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for entry in sorted(self._root.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                parts = [file for file in sorted(entry.rglob("*")) if self._is_ours(file)]
                if parts:
                    found[entry.name] = parts
            elif self._is_ours(entry):
                found.setdefault(entry.stem, []).append(entry)
        return found

    def _is_ours(self, file: Path) -> bool:
        """A link may lead to another place within the folder, and nowhere else."""
        return (
            file.name.lower().endswith(ENDINGS)
            and file.is_file()
            and file.resolve().is_relative_to(self._root)
            and not file.name.startswith((".", "_"))
        )

    def _schema(self, file: Path) -> dict[str, pl.DataType]:
        try:
            return dict(pl.scan_parquet(file, glob=False).collect_schema())
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise _unreadable(file, error) from None


def _unreadable(file: Path, error: BaseException) -> SourceError:
    reason = str(error).strip().split("\n")[0][:200]
    return SourceError(f"{file} cannot be read: {reason}; write it again, or move it aside")


def _as_text(name: str, dtype: pl.DataType, file: Path) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        text = column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if dtype.time_zone else ""))
    elif dtype == pl.List(pl.String):
        text = column.list.join(" ")
    elif dtype == pl.Binary:
        text = pl.concat_str(pl.lit("blob "), column.bin.head(16).bin.encode("hex"))
    elif dtype.is_nested() or dtype == pl.Object:
        raise SourceError(f"column {name!r} of {file} holds {dtype}; leave it out of the mapping")
    else:
        text = column.cast(pl.String)
    return text.str.slice(0, MAX_CELL).alias(name)
