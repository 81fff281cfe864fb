"""Calendars are computed once a week; what was kept is used only if it is whole, young and of the same library."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.market.calendar_cache import ChildCalendars
from pipeline.market.sessions import exchange_sessions

TODAY = date(2025, 11, 24)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the calendar of XNYS was kept."""
    folder = tmp_path_factory.mktemp("state") / "calendars"
    ChildCalendars(folder)("XNYS")
    return folder


def kept(computed: Path, folder: Path, **changes: Any) -> Path:
    """The same, with some values of the file changed."""
    (folder / "XNYS.json").write_text(json.dumps(json.loads((computed / "XNYS.json").read_text()) | changes))
    return folder


def test_the_calendar_that_was_kept_is_the_exchanges_own(computed: Path) -> None:
    ours, theirs = ChildCalendars(computed)("XNYS"), exchange_sessions("XNYS")
    assert (ours.days, ours.opens, ours.closes) == (theirs.days, theirs.opens, theirs.closes)


def test_what_was_kept_is_used_without_computing_anything(computed: Path, tmp_path: Path) -> None:
    folder = kept(computed, tmp_path, days=["2025-11-24"], opens=[1.0], closes=[2.0])
    assert ChildCalendars(folder)("XNYS").days == (TODAY,)


@pytest.mark.parametrize(
    "changes",
    [
        {"made": (datetime.now(UTC).date() - timedelta(days=7)).isoformat()},
        {"made": (datetime.now(UTC).date() + timedelta(days=2)).isoformat()},
        {"form": "three years"},
        {"library": "0.1"},
        {"opens": []},
        {"days": ["soon"], "opens": [1.0], "closes": [2.0]},
    ],
    ids=["a week old", "from the future", "too short", "of another library", "cut short", "no dates"],
)
def test_what_cannot_be_trusted_is_not_used(computed: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = kept(computed, tmp_path, **{"days": ["2025-11-24"], "opens": [1.0], "closes": [2.0], **changes})
    assert ChildCalendars(folder).read_cached("XNYS") is None


def test_a_code_that_no_exchange_has_is_refused_and_leads_nowhere_else(computed: Path, tmp_path: Path) -> None:
    kept(computed, tmp_path).joinpath("XNYS.json").rename(tmp_path / "---XNYS.json")
    (tmp_path / "deeper").mkdir()
    assert ChildCalendars(tmp_path / "deeper").read_cached("../XNYS") is None


def test_a_folder_that_cannot_be_written_costs_only_time(computed: Path, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    folder = tmp_path / "a file" / "calendars"
    with pytest.raises(ValueError, match="no exchange"):
        ChildCalendars(folder)("XNO")
    assert not folder.exists()
