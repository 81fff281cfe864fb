"""Where the operator stands in each sheet of a screen: kept while he is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class SheetState:
    """Where the operator stands in one sheet: kept while he is elsewhere."""

    filter: str = ""
    order: tuple[str, bool] | None = None
    key: tuple[Any, ...] | None = None
    marked: set[tuple[Any, ...]] = field(default_factory=set)
    """The keys of rows that were chosen together."""


@dataclass
class PageMemory:
    """The sheets of one screen."""

    sheet: str = ""
    states: dict[str, SheetState] = field(default_factory=dict)
