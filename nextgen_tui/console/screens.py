"""Every screen of the console, in the order of its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nextgen_tui.console.page import PAGE_KEYS, Page
from nextgen_tui.console.pages.accuracy import AccuracyPage
from nextgen_tui.console.pages.book import BookPage
from nextgen_tui.console.pages.corporate_actions import ActionsPage
from nextgen_tui.console.pages.data import DataPage
from nextgen_tui.console.pages.health import HealthPage
from nextgen_tui.console.pages.learning import LearningPage
from nextgen_tui.console.pages.plan import PlanPage
from nextgen_tui.console.pages.predictions import PredictionsPage
from nextgen_tui.console.pages.research import ResearchPage
from nextgen_tui.console.pages.runs import RunsPage
from nextgen_tui.console.pages.schedule import SchedulePage

PAGES: tuple[Page[Any], ...] = (
    HealthPage(),
    DataPage(),
    PredictionsPage(),
    AccuracyPage(),
    PlanPage(),
    BookPage(),
    LearningPage(),
    SchedulePage(),
    RunsPage(),
    ActionsPage(),
    ResearchPage(),
)


def check_keys(pages: Sequence[Page[Any]]) -> None:
    """Let each page have a key and a name of its own.

    Raises:
        TypeError: naming the page, and the key that is free.
    """
    taken: dict[str, str] = {}
    free = next((key for key in PAGE_KEYS if key not in {page.number for page in pages}), "none")
    for page in pages:
        if page.number not in PAGE_KEYS or len(page.number) != 1 or page.number in taken:
            used = f"which leads to {taken[page.number]}" if page.number in taken else "which cannot lead to a screen"
            raise TypeError(f"screen {page.name} has the number {page.number!r}, {used}; the next free one is {free!r}")
        if page.name in taken.values():
            raise TypeError(f"two screens are named {page.name!r}; rename one of them")
        taken[page.number] = page.name


check_keys(PAGES)
