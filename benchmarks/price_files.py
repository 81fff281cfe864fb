"""What reading price files costs beside plain polars reading them, up to the whole first load of a lake:
`python -m benchmarks.price_files`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from time import process_time

import numpy as np
import polars as pl

from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from pipeline.market.sessions import exchange_sessions

FIRST = date(2004, 1, 2)
KINDS = {"per_ticker": "folder of CSV", "csv": "one CSV", "parquet": "one Parquet"}
"""What the last line calls them, and the table."""
BARS = ("open", "high", "low", "close", "volume")


def main() -> None:
    """Write the files, read each kind in processes of their own, and print seconds, ratio and peak memory.

    The last line has the figures that count: processor seconds of importing, times plain polars, times the floor, and
    the most memory of all kinds; then those of the whole first load.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3, help="of each way; the one that took least counts")
    parser.add_argument("--folder", type=Path, help="where to write the files, such as on another disk")
    parser.add_argument("--without-load", action="store_true", help="leave the whole first load out")
    parser.add_argument("--read", nargs=2, metavar=("HOW", "PATH"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        _report(HOW[asked.read[0]], asked.read[1])
        return
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        paths = write_files(Path(folder), asked.tickers, asked.years)
        sys.stdout.write(
            f"{'files':15}" + "".join(f"{how + ' s':>12}{'x plain':>9}{'peak MB':>9}" for how in HOW) + "\n"
        )
        told, peaks = [], []
        for (short, kind), path in zip(KINDS.items(), paths, strict=True):
            figures = {how: min(_measure(how, path) for _ in range(asked.runs)) for how in HOW}
            plain, floor, (cpu, peak) = figures["plain"][0], figures["floor"][0], figures["imported"]
            cells = (f"{cpu:12.2f}{cpu / plain:9.1f}{peak:9.0f}" for cpu, peak in figures.values())
            sys.stdout.write(f"{kind:15}" + "".join(cells) + "\n")
            told.append(f"{short}={cpu:.2f}s,{cpu / plain:.1f}x_plain,{cpu / floor:.1f}x_floor")
            peaks.append(peak)
        told.append(f"peak={max(peaks):.0f}MB")
        if not asked.without_load:
            told += [f"init_{short}={_load(path)}" for short, path in zip(KINDS, paths, strict=True)]
        sys.stdout.write(f"price_files: {' '.join(told)}\n")


def _load(path: Path) -> str:
    """Make a lake of the files as an operator does; return processor seconds and the peak of memory."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        lake = Path(folder) / "lake"
        asked = ["init", "--source", "files", "--prices", str(path), "--lake", str(lake), "--quiet"]
        program = f"from nextgen_tui.cli.main import outcome; raise SystemExit(outcome({asked!r}))"
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        if status:
            raise SystemExit(f"nextgen {' '.join(asked)} ended with {os.waitstatus_to_exitcode(status)}")
    return f"{used.ru_utime + used.ru_stime:.1f}s,{used.ru_maxrss / 1024:.0f}MB"


def write_files(folder: Path, tickers: int, years: int) -> list[Path]:
    """Write the same bars as a folder of a CSV a ticker, as one CSV and as one Parquet file; return the paths."""
    calendar = exchange_sessions("XNYS")
    days = calendar.between(FIRST, FIRST.replace(year=FIRST.year + years))
    rng = np.random.default_rng(7)
    single = folder / "single"
    single.mkdir()
    parts = []
    for number in range(tickers):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, len(days))))
        opened = close * np.exp(rng.normal(0, 0.003, len(days)))
        values = {"open": opened, "high": np.maximum(opened, close) * 1.004, "low": np.minimum(opened, close) * 0.996}
        frame = pl.DataFrame({"date": days, **values, "close": close}).with_columns(
            pl.col("open", "high", "low", "close").round(2), volume=pl.Series(rng.integers(1_000, 9_000_000, len(days)))
        )
        frame.write_csv(single / f"T{number:04d}.csv")
        parts.append(frame.with_columns(ticker=pl.lit(f"T{number:04d}")))
    whole = pl.concat(parts)
    whole.write_csv(folder / "all.csv")
    whole.write_parquet(folder / "all.parquet")
    return [single, folder / "all.csv", folder / "all.parquet"]


def _measure(how: str, path: Path) -> tuple[float, float]:
    """Processor seconds and the peak of memory (MB) of a process of its own, beyond what it had before."""
    asked = [sys.executable, "-m", "benchmarks.price_files", "--read", how, str(path)]
    told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
    return float(told[0]), float(told[1])


def _report(read: Callable[[str], object], path: str) -> None:
    exchange_sessions("XNYS")
    Path("/proc/self/clear_refs").write_text("5")
    before, start = _peak(), process_time()
    kept = read(path)
    spent, peak = process_time() - start, _peak()
    del kept
    sys.stdout.write(f"{spent} {(peak - before) / 1024}\n")


def _peak() -> int:
    """KiB: the most memory the process has held since the mark was cleared."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def _plain(path: str) -> object:
    if path.endswith(".parquet"):
        return pl.read_parquet(path)
    place = Path(path)
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return [pl.read_csv(file, try_parse_dates=True) for file in files]


def _floor(path: str) -> object:
    """What no import can leave out, written straight in polars for files of this one form: cells as they stand,
    numbers and days, the rules of a bar, one bar for each day, and each ticker's lines as text with their sha256."""
    place = Path(path)
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    return [_check_and_land(_read_cells(file), file.stem) for file in files]


def _read_cells(file: Path) -> pl.DataFrame:
    return pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema=False)


def _check_and_land(cells: pl.DataFrame, stem: str) -> list[str]:
    cells = cells if "ticker" in cells.columns else cells.with_columns(ticker=pl.lit(stem))
    typed = cells["date"].dtype == pl.Date
    day = pl.col("date") if typed else pl.col("date").str.to_date("%Y-%m-%d", strict=False)
    bars = cells.with_columns(day.alias("day"), pl.col(BARS).cast(pl.Float64, strict=False))
    sessions = pl.Series(exchange_sessions("XNYS").days, dtype=pl.Date).implode()
    ordered = (
        pl.col("low") <= pl.min_horizontal("open", "close"),
        pl.max_horizontal("open", "close") <= pl.col("high"),
    )
    numbers = (pl.col(BARS).is_finite(), pl.col("low") > 0, pl.col("volume") >= 0, *ordered)
    rising = (pl.col("day") > pl.col("day").shift(1)) | (pl.col("ticker") != pl.col("ticker").shift(1))
    found = bars.select(
        sound=pl.all_horizontal(*numbers, pl.col("day").is_in(sessions)).fill_null(False).all(),
        once=rising.slice(1).all(),
    )
    if not all(found.row(0)):
        raise SystemExit(f"a bar of {stem} is not sound, or there twice")
    line = pl.format("{{" + ",".join(f'"{name}":"{{}}"' for name in cells.columns) + "}}", *cells.columns)
    text, start, identities = line.str.join("\n"), 0, []
    for rows in cells["ticker"].rle().struct.field("len"):
        landed = cells.slice(start, rows).select(text).item()
        identities.append(sha256(landed.encode()).hexdigest())
        start += rows
    return identities


def _source(path: str) -> FilesSource:
    return FilesSource(FilesParams(prices=(path,)), exchange_sessions("XNYS"))


def _recognised(path: str) -> object:
    source = _source(path)
    return source, source.coverage()


def _checked(path: str) -> object:
    return _source(path).understand()


def _landed(path: str) -> object:
    source = _source(path)
    _land(source)
    return source


def _imported(path: str) -> object:
    source = _source(path)
    source.check_reachable()
    _land(source)
    return source


def _land(source: FilesSource) -> None:
    for rows in source.read_blocks(*source.coverage(), history=True):
        del rows


HOW: dict[str, Callable[[str], object]] = {
    "plain": _plain,
    "floor": _floor,
    "read": _recognised,
    "checked": _checked,
    "landed": _landed,
    "imported": _imported,
}
"""plain polars; what no import can leave out; recognised and dated; judged by every rule, as before a lake is made; as
rows of raw_prices, a block at a time; and all of these, as a new lake does."""

if __name__ == "__main__":
    main()
