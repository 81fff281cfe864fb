"""Every screen of the console, in the order of its number; each is imported when it is called for, or beforehand."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from nextgen_tui.console.page import PAGE_KEYS, Page


@dataclass(frozen=True)
class PageEntry:
    """What bar, keys and help say of a page that may not be imported yet: its own words."""

    number: str
    name: str
    question: str
    find: Callable[[], Page[Any]]

    @cached_property
    def page(self) -> Page[Any]:
        """The page itself, imported now if it is not yet."""
        return self.find()


def find_page(module: str, name: str) -> Page[Any]:
    """Import a page."""
    page: Page[Any] = getattr(importlib.import_module(f"nextgen_tui.console.pages.{module}"), name)()
    return page


PAGES = (
    PageEntry(
        "1", "Health", "Is everything all right, did the last cycle run?", partial(find_page, "health", "HealthPage")
    ),
    PageEntry("2", "Data", "Is today's data complete and trustworthy?", partial(find_page, "data", "DataPage")),
    PageEntry(
        "3",
        "Predictions",
        "What does the system expect of each ticker, how surely?",
        partial(find_page, "predictions", "PredictionsPage"),
    ),
    PageEntry(
        "4",
        "Accuracy",
        "How good were we, and are we still calibrated?",
        partial(find_page, "accuracy", "AccuracyPage"),
    ),
    PageEntry("5", "Plan", "What will it trade, and what did it reject?", partial(find_page, "plan", "PlanPage")),
    PageEntry("6", "Book", "How is the book doing, and what is my risk?", partial(find_page, "book", "BookPage")),
    PageEntry(
        "7", "Learning", "What has it learned, did the last fix help?", partial(find_page, "learning", "LearningPage")
    ),
    PageEntry(
        "8", "Schedule", "What runs next, what did anything change?", partial(find_page, "schedule", "SchedulePage")
    ),
    PageEntry("9", "Runs", "What ran, from which inputs, and how did it end?", partial(find_page, "runs", "RunsPage")),
    PageEntry(
        "0",
        "Actions",
        "What happened to companies, and what was learned late?",
        partial(find_page, "corporate_actions", "ActionsPage"),
    ),
    PageEntry(
        "A",
        "Research",
        "What was tried, did it help, and how often did anybody look?",
        partial(find_page, "research", "ResearchPage"),
    ),
)


ASKED = ("pipeline.engine.stages", "pipeline.reading.foresight.consequences", "pipeline.reading.doctor.examine")
"""What dialogs and details tell of a cycle, of what an action brings, and of everything that the program rests on."""


def load_ahead() -> None:
    """Import what the first screen did without, so that no key waits for it: once there is something to read."""
    for entry in PAGES:
        _ = entry.page
    for module in ASKED:
        importlib.import_module(module)


def check_keys(pages: Sequence[PageEntry]) -> None:
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
