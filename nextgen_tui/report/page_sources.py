"""What the figures rest on, on the page: soundness of the data, versions, settings, and commands that prove them."""

from __future__ import annotations

from nextgen_tui.report.markup import Html, table, tag, words
from nextgen_tui.text import formats
from pipeline.reading.report.full_report import Report


def quality_section(report: Report) -> Html:
    """What came in, what was set aside, what could not be forecast, and what health said."""
    quality, data = report.quality, report.quality.data
    came = (
        f"{formats.whole(data.bars)} bars of {formats.counted(data.tickers, 'ticker')}, "
        f"{formats.counted(data.restated, 'restatement')}, {formats.counted(data.articles, 'article')}. "
        f"{formats.percent(quality.forecast_share, 1)} of what was to be forecast was forecast."
    )
    aside = [[rule, formats.whole(count)] for rule, count in data.quarantined]
    missing = [[status.replace("_", " "), formats.whole(count)] for status, count in quality.forecasts]
    checks = [
        [
            f"{one.service}: {one.check}",
            tag("td", one.status, class_="bad" if one.status == "fail" else None),
            formats.whole(one.sessions),
            tag("td", one.last, class_="words"),
        ]
        for one in quality.checks
    ]
    return tag(
        "section",
        tag("h2", "Soundness of the data"),
        tag("p", came),
        tag("p", quality.survivors) if quality.survivors else Html(),
        table(("health check that was not well", "", "sessions", words("what it said last")), checks)
        if checks
        else tag("p", "Every health check was well in every session."),
        table(("set aside because this did not hold", "rows"), aside, "narrow")
        if aside
        else tag("p", "No row was set aside."),
        table(("tickers that were to be forecast", "times"), missing, "narrow") if missing else Html(),
    )


def source_section(report: Report, version: str, command: str, proof: str) -> Html:
    """Versions and settings, the command that writes the page again, and the one that recomputes every run."""
    source = report.provenance
    changed = [[one.key, str(one.value), tag("td", one.origin, class_="words")] for one in source.settings]
    versions = [[name, str(number)] for name, number in source.versions.items()]
    libraries = ", ".join(f"{name} {number}" for name, number in source.libraries.items())
    codes = "" if source.codes <= 1 else f" The planning code changed {source.codes - 1} times within these sessions."
    return tag(
        "section",
        tag("h2", "Where this comes from"),
        tag("p", "This page again:"),
        tag("pre", command),
        tag("p", "Every run behind it, recomputed and compared bit by bit:"),
        tag("pre", proof),
        tag("p", f"{version}. {formats.counted(source.runs, 'run')}, {source.failed_runs} failed.{codes}"),
        tag("p", libraries, class_="quiet"),
        tag("h3", "Settings that differ from their defaults"),
        table(("setting", "value", words("from")), changed, "narrow") if changed else tag("p", "None."),
        tag(
            "details",
            tag("summary", f"The published versions of {len(versions)} tables"),
            table(("table", "version"), versions, "narrow"),
        ),
    )
