"""A real browser opens the page without an error and without asking anything of anybody."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from nextgen_tui.report.page import write_page
from pipeline.reading.report.full_report import Report

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(BROWSERS)} is installed"),
]


def visit(page: Path) -> tuple[str, list[str], set[str]]:
    """The document as the browser built it, what it complained of, and the addresses it asked for."""
    log = page.with_suffix(".json")
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--enable-logging=stderr",
    )
    done = subprocess.run(
        [
            str(BROWSER),
            *flags,
            f"--user-data-dir={page.parent / 'profile'}",
            f"--log-net-log={log}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    told = [event["params"] for event in events if "url" in event.get("params", {})]
    # What a page asks for says on whose behalf; a browser that looks for its own updates does so on nobody's.
    asked = {one["url"] for one in told if one.get("initiator", "not an origin") != "not an origin"}
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line], asked


def test_a_browser_shows_the_page_without_an_error_or_a_request(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(write_page(report, "nextgen 1.0", "nextgen report", "nextgen reproduce --all"), encoding="utf-8")
    document, complaints, asked = visit(page)
    assert not complaints
    assert not asked
    assert "+3.95 %" in document
    assert document.count("<polyline") >= 4


def test_the_policy_stops_what_would_ask(report: Report, tmp_path: Path) -> None:
    whole = write_page(report, "nextgen 1.0", "nextgen report", "nextgen reproduce --all")
    page = tmp_path / "report.html"
    page.write_text(whole.replace("</body>", '<img src="http://127.0.0.1:9/x.png"></body>'), encoding="utf-8")
    _, complaints, asked = visit(page)
    assert any("Content Security Policy" in line for line in complaints)
    assert not asked
