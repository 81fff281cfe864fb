"""A file of five-minute bars that grows as a session goes on, and the lake that takes snapshots of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.config.settings import Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from tests.new_lake import new_lake

OPEN = datetime(2025, 6, 2, 13, 30, tzinfo=UTC)
"""09:30 in New York."""
FIVE = timedelta(minutes=5)


def at(minutes: int, *, days: int = 0) -> datetime:
    """The moment that many minutes after an open."""
    return OPEN + timedelta(minutes=minutes, days=days)


def write_bars(path: Path, closes: Mapping[datetime, float], ticker: str = "AAA", *, more: bool = False) -> None:
    """Write bars of five minutes by the moment each ends; a file has their starts, in UTC."""
    rows = [
        f"{ticker},{(end - FIVE).isoformat()},{close},{close + 1},{close - 1},{close},1000"
        for end, close in closes.items()
    ]
    text = "\n".join(rows) + "\n"
    if more:
        path.write_text(path.read_text() + text)
    else:
        path.write_text("ticker,ts,open,high,low,close,volume\n" + text)


def files_settings(path: Path, /, **chosen: object) -> Settings:
    """The settings of a lake that takes five-minute bars of a file."""
    given: dict[str, object] = {"prices": (str(path),), "intraday": (str(path),), "intervals": ("1d", "5m")}
    return Settings(source=SourceParams(name="files", files=FilesParams(**(given | chosen))))  # type: ignore[arg-type]


def snapshot_runner(folder: Path, **chosen: object) -> Runner:
    """A runner on a new lake beside the file `bars.csv` of a folder."""
    return Runner(new_lake(folder / "lake"), files_settings(folder / "bars.csv", **chosen))
