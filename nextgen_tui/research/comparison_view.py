"""A comparison of two runs as a person reads it: the verdict first, then what differs, then the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.research.compare_runs import RunComparison
from pipeline.research.paired import PairedDifference

STYLES = {"helped": "bold green", "hurt": "bold red", "equal": "bold", "cannot be told": "bold yellow"}
MAX_SETTINGS = 20
WIDTH = 48


def show_comparison(compared: RunComparison) -> RenderableType:
    """The whole comparison."""
    return Group(*_parts(compared))


def _parts(compared: RunComparison) -> Iterator[RenderableType]:
    yield Text(safe_text(compared.sentence, 600), STYLES[compared.verdict])
    if compared.computed:
        yield Text(safe_text(compared.computed, 600), "dim")
    if compared.difference is not None:
        yield Text(f"They first differ at {safe_text(compared.difference.describe(compared.names), 600)}.")
    if compared.code and compared.settings:
        stages = ", ".join(compared.code[:8])
        yield Text(f"The code of {stages} has changed as well; what-if without --set tells what that does.", "yellow")
    if compared.looks:
        yield Text(f"The holdout has been opened {formats.whole(compared.looks)} times.", "yellow")
    if compared.settings:
        yield Text()
        yield _settings(compared)
    if compared.difference is not None:
        yield Text()
        yield _figures(compared)
        yield Text()
        yield from _paths(compared)


def _settings(compared: RunComparison) -> RenderableType:
    view = grid("Settings that differ")
    for heading in ("setting", *compared.names):
        view.add_column(safe_text(heading, 60))
    for key, one, other in compared.settings[:MAX_SETTINGS]:
        view.add_row(key, safe_text(_value(one), 60), safe_text(_value(other), 60))
    left = len(compared.settings) - MAX_SETTINGS
    if left > 0:
        view.add_row(f"and {left} more (--json has all)", "", "")
    return view


def _figures(compared: RunComparison) -> RenderableType:
    view = grid(f"{compared.sessions} sessions, {compared.first} to {compared.last}")
    for heading, justify in (
        ("figure", "left"), (compared.names[0], "right"), (compared.names[1], "right"), ("difference", "right"),
        ("95 % interval", "right"), ("verdict", "left"), ("unit", "left"),
    ):  # fmt: skip
        view.add_column(safe_text(heading, 40), justify=justify)  # type: ignore[arg-type]
    for one in compared.figures:
        verdict = one.verdict if one.better else ""
        view.add_row(
            one.name,
            formats.number(one.one),
            formats.number(one.other),
            formats.number(one.difference, signed=True),
            _interval(one),
            Text(verdict, STYLES.get(verdict, "").removeprefix("bold ")),
            one.unit,
        )
    deepest = [formats.number(fall) for fall in compared.drawdowns]
    change = formats.number(compared.drawdowns[1] - compared.drawdowns[0], signed=True)
    view.add_row("deepest fall", *deepest, change, "", "", "from a peak")
    return view


def _interval(one: PairedDifference) -> str:
    if one.low is None or one.high is None:
        return "too few"
    return f"{formats.number(one.low, signed=True)} to {formats.number(one.high, signed=True)}"


def _paths(compared: RunComparison) -> Iterator[RenderableType]:
    """Growth and falls of both, on one scale each."""
    width = max(len(name) for name in compared.names)
    drawn = (("Growth", ("one", "other"), 1.0), ("Falls", ("drawdown_one", "drawdown_other"), 0.0))
    for title, columns, start in drawn:
        series = [compared.equity[column].to_list() for column in columns]
        low, high = min(map(min, series)), max(map(max, series))
        for name, values in zip(compared.names, series, strict=True):
            line = formats.sparkline(values, WIDTH, low, high)
            yield Text(
                f"{title:7} {safe_text(name, 40):{width}} {line} {formats.percent(values[-1] - start, 2, signed=True)}"
            )


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def record_comparison(compared: RunComparison) -> dict[str, Any]:
    """The same for a script."""
    found = compared.difference
    return {
        "names": list(compared.names),
        "first": compared.first,
        "last": compared.last,
        "sessions": compared.sessions,
        "metric": compared.metric,
        "verdict": compared.verdict,
        "sentence": compared.sentence,
        "settings": {key: [one, other] for key, one, other in compared.settings},
        "figures": [{**vars(one), "verdict": one.verdict} for one in compared.figures],
        "drawdowns": list(compared.drawdowns),
        "first_difference": None
        if found is None
        else {**vars(found), "key": dict(found.key), "sentence": found.describe(compared.names)},
        "other_code": list(compared.code),
        "holdout_openings": compared.looks,
        "computed": compared.computed,
        "equity": compared.equity.to_dicts(),
    }
