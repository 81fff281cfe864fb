"""The page holds whatever the lake holds, as text, and needs nothing else."""

from __future__ import annotations

from dataclasses import replace

from nextgen_tui.report.page import POLICY, write_page
from pipeline.reading.report.full_report import Report
from tests.nextgen_tui.hostile import HOSTILE
from tests.nextgen_tui.report.parsed_page import Words

ATTACK = '</td></table><script src="https://evil.example/x.js">alert(1)</script><img src=x onerror=alert(1)>'


def page_of(report: Report) -> Words:
    return Words(write_page(report, "nextgen 1.0", "nextgen report --html 'a b.html'", "nextgen reproduce --all"))


def attacked(report: Report, text: str) -> Report:
    """The report with the text wherever one from outside can stand."""
    summary = report.summary
    sale = replace(summary.best[0], ticker=text, lesson=text, verdict=text)
    refusals = tuple(replace(one, rule=text, last_reason=text) for one in summary.plans.refusals)
    origins = tuple(
        replace(view, parts=tuple(replace(part, items=((text, part.amount),)) for part in view.parts))
        for view in summary.origins
    )
    data = replace(report.quality.data, quarantined=((text, 3),))
    return replace(
        report,
        summary=replace(
            summary, best=(sale,), worst=(sale,), plans=replace(summary.plans, refusals=refusals), origins=origins
        ),
        verdicts=((text, 1, sale.profit),),
        quality=replace(report.quality, data=data, forecasts=((text, 1),)),
        provenance=replace(report.provenance, lake=text, libraries={text: text}),
    )


def test_every_part_is_there(report: Report) -> None:
    words = " ".join(page_of(report).words)
    for part in (
        "Change since the start",
        "Drawdown",
        "Returns by month",
        "Performance",
        "Exposure",
        "Where the profit came from",
        "By decision",
        "sector limit",
        "Forecasts",
        "Calibration",
        "What blocked most",
        "Best and worst sales",
        "what AAA taught",
        "Soundness of the data",
        "Where this comes from",
        "nextgen report --html 'a b.html'",
        "nextgen reproduce --all",
    ):
        assert part in words


def test_text_from_outside_stays_text(report: Report) -> None:
    plain, hostile = page_of(report), page_of(attacked(report, ATTACK))
    assert "script" not in {name for name, _ in hostile.elements}
    assert "img" not in {name for name, _ in hostile.elements}
    assert any("evil.example" in word for word in hostile.words)
    assert {name for name, _ in hostile.elements} == {name for name, _ in plain.elements}


def test_no_text_breaks_the_page(report: Report) -> None:
    for text in HOSTILE:
        seen = page_of(attacked(report, text))
        assert not any("\x1b" in word or "\u202e" in word for word in seen.words)


def test_a_browser_is_told_to_load_nothing(report: Report) -> None:
    policies = [given["content"] for name, given in page_of(report).elements if given.get("http-equiv")]
    assert policies == [POLICY]
    assert POLICY.startswith("default-src 'none'")
