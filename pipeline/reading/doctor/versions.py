"""The program and its libraries: whether each is installed in a version that fits, and as the last run had it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.engine.code_fingerprint import libraries
from pipeline.reading.doctor.finding import Finding
from pipeline.text_format import counted

DISTRIBUTION = "nextgen-trading"
EXTRAS = {
    "web": "the console in a browser",
    "files": "prices from Excel and DuckDB files",
    "metrics": "the daemon's figures for Prometheus",
    "s3": "lakes in an object store",
}
"""Extra -> what it brings."""


def look_at_program(version: str) -> Iterator[Finding]:
    """The program's version, its libraries, its extras.

    Args:
        version: what `nextgen --version` says.
    """
    yield Finding("versions", "ok", version)
    try:
        stated = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        yield Finding(
            "versions", "warn", "The program is not installed, so its libraries cannot be told", "`make install`"
        )
        return
    yield judge_libraries([one for one in stated if _counts(one, "")])
    for extra, brings in EXTRAS.items():
        own = [one for one in stated if _counts(one, extra) and not _counts(one, "")]
        missing = [one.name for one in own if not _installed(one)]
        words = f"The extra `{extra}` ({brings}) is {'not installed' if missing else 'installed'}"
        yield Finding("versions", "ok", words, facts={"extra": extra, "missing": missing})


def judge_libraries(stated: list[Requirement]) -> Finding:
    """Whether each library is there in a version that fits."""
    wrong = [one for one in stated if not _installed(one)]
    if not wrong:
        return Finding("versions", "ok", f"All {len(stated)} libraries are installed in versions that fit")
    first, found = wrong[0], _version(wrong[0].name)
    words = f"{counted(len(wrong), 'library', 'libraries')} of {len(stated)} do not fit, the first is {first.name}"
    words += (
        f": {found} is installed, {first.specifier} is needed"
        if found
        else f", which is not installed ({first.specifier})"
    )
    fix = "`make install` in the checkout, or `pip install --upgrade nextgen-trading`"
    return Finding("versions", "fail", words, fix, {"libraries": [one.name for one in wrong]})


def compare_with_last_run(lake: Lake) -> Finding:
    """Whether the libraries are those of the lake's last run; others may give other last digits."""
    done = lake.read(RUNS, columns=("run_id", "started_at", "status", "libraries", "kind")).sort("started_at")
    recorded = [json.loads(text) for text in done["libraries"].tail(200).to_list()]
    last: dict[str, str] = next((one for one in reversed(recorded) if one), {})
    now = libraries()
    other = [f"{name} {was} -> {now[name]}" for name, was in last.items() if now.get(name, was) != was]
    if other:
        words = f"{counted(len(other), 'library', 'libraries')} changed since the last run, the first is {other[0]}"
        fix = "`nextgen reproduce --sample 20` tells whether recorded runs still come out the same to the bit"
        return Finding("versions", "warn", words, fix, {"changed": other})
    return Finding(
        "versions", "ok", "The libraries are those of the last run" if last else "No run has recorded libraries yet"
    )


def _counts(one: Requirement, extra: str) -> bool:
    return one.marker is None or one.marker.evaluate({"extra": extra})


def _installed(one: Requirement) -> bool:
    found = _version(one.name)
    return found is not None and one.specifier.contains(found, prereleases=True)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
