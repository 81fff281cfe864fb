"""Every screen of the console, in the order of its number."""

from __future__ import annotations

from typing import Any

from nextgen_tui.console.page import Page
from nextgen_tui.console.pages.accuracy import AccuracyPage
from nextgen_tui.console.pages.book import BookPage
from nextgen_tui.console.pages.data import DataPage
from nextgen_tui.console.pages.health import HealthPage
from nextgen_tui.console.pages.learning import LearningPage
from nextgen_tui.console.pages.plan import PlanPage
from nextgen_tui.console.pages.predictions import PredictionsPage
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
)
