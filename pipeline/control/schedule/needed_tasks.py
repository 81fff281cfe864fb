"""Which tasks the configuration turns on: those that bring what it asks for between cycles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.config.settings import Settings


@dataclass(frozen=True)
class Need:
    """Whether the configuration asks for what a task brings."""

    is_there: bool
    reason: str
    """The setting that says so, in words."""


def find_need(run: Sequence[str], settings: Settings) -> Need | None:
    """What the configuration says of a task that runs this; None for one that runs whatever it says."""
    judge = _JUDGES.get(run[0]) if run else None
    return judge(settings) if judge else None


def _need_snapshots(settings: Settings) -> Need:
    source = settings.source
    key, shorter = f"source.{source.name}.intervals", ", ".join(source.shorter_intervals)
    return Need(bool(shorter), f"{key} names {shorter}" if shorter else f"{key} names no bars shorter than a day")


def _need_news(settings: Settings) -> Need:
    asked = settings.source.news_between_cycles
    return Need(asked, f"source.news_between_cycles is {str(asked).lower()}")


_JUDGES: Mapping[str, Callable[[Settings], Need]] = {"snapshot": _need_snapshots, "news": _need_news}
"""By what the task runs."""
