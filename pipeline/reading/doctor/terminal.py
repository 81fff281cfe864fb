"""The terminal: whether the console can be drawn in it, with its signs and its colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipeline.reading.doctor.finding import Finding

LEAST_COLUMNS, LEAST_ROWS = 80, 24


@dataclass(frozen=True)
class TerminalState:
    """What is known of the terminal that a command writes to."""

    is_terminal: bool
    """False for a file or a pipe."""
    columns: int = 0
    rows: int = 0
    encoding: str = "utf-8"
    """Of what is written."""
    environ: Mapping[str, str] = field(default_factory=dict)


def look_at_terminal(terminal: TerminalState) -> Iterator[Finding]:
    """Size, signs and colours; of a file or pipe there is nothing to tell."""
    if not terminal.is_terminal:
        yield Finding("terminal", "ok", "This is written to no terminal, so there is nothing to look at")
        return
    kind = terminal.environ.get("TERM", "")
    if kind in ("", "dumb"):
        words = f"TERM is {kind or 'not set'}, and the console cannot be drawn in such a terminal"
        yield Finding("terminal", "fail", words, "`export TERM=xterm-256color`, or use `nextgen status`")
    yield _size(terminal)
    yield _encoding(terminal.encoding)
    yield _colours(kind, terminal.environ)


def _size(terminal: TerminalState) -> Finding:
    words, facts = (
        f"It is {terminal.columns} x {terminal.rows} characters large",
        {"columns": terminal.columns, "rows": terminal.rows},
    )
    if terminal.columns < LEAST_COLUMNS or terminal.rows < LEAST_ROWS:
        fix = f"make the window larger or its letters smaller, to {LEAST_COLUMNS} x {LEAST_ROWS} at least"
        return Finding("terminal", "warn", f"{words}; the console leaves out columns and pictures", fix, facts)
    return Finding("terminal", "ok", words, facts=facts)


def _encoding(encoding: str) -> Finding:
    if encoding.lower().replace("-", "").replace("_", "") != "utf8":
        words = f"Text is written as {encoding}, which has no signs for charts and lines"
        return Finding("terminal", "warn", words, "`export LANG=C.UTF-8` before the program starts")
    return Finding("terminal", "ok", "Text is written as UTF-8")


def _colours(kind: str, environ: Mapping[str, str]) -> Finding:
    if "NO_COLOR" in environ:
        return Finding("terminal", "ok", "NO_COLOR is set: signs and words tell everything without colours")
    if environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return Finding("terminal", "ok", "It shows 16 million colours")
    if "256color" in kind or kind in ("xterm-kitty", "alacritty", "wezterm", "foot"):
        return Finding("terminal", "ok", "It shows 256 colours")
    words = f"It says it shows few colours (TERM is {kind or 'not set'}); grounds of charts look alike"
    return Finding("terminal", "warn", words, "`export COLORTERM=truecolor` if it shows more")
