"""A report on the small book, for terminal and page."""

from __future__ import annotations

import pytest

from lake.store import Lake
from pipeline.config.loading import load
from pipeline.reading.report.full_report import Report, build_report
from tests.frames.sessions import weekday_sessions
from tests.pipeline.reading.report.conftest import DAYS
from tests.pipeline.reading.report.conftest import book_lake as book_lake


@pytest.fixture(scope="session")
def report(book_lake: Lake) -> Report:
    """On all five sessions. Tests only read it."""
    return build_report(book_lake, load(book_lake.path, {}), weekday_sessions(DAYS[0], DAYS[-1]))
