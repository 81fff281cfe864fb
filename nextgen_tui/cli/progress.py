"""Progress on stderr: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from nextgen_tui.text.safe_text import safe_text

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is."""
SECONDS_BETWEEN_LINES = 5.0
"""How often progress is printed where no terminal shows a bar."""


@contextmanager
def show_progress(console: Console, title: str, *, quiet: bool) -> Iterator[Progress]:
    """Give a progress callable that suits the console."""
    if quiet:
        yield _silent
    elif console.is_terminal:
        with _bar(console, title) as progress:
            yield progress
    else:
        yield PlainLines(console, title, time.monotonic)


def _silent(_what: str, _done: int, _total: int) -> None:
    return None


@contextmanager
def _bar(console: Console, title: str) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}", markup=False, style="dim"),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", title=title, what="", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total or None, what=safe_text(what, 60))

        yield progress


class PlainLines:
    """Writes a line now and then: the first, the last, and one every few seconds."""

    def __init__(self, console: Console, title: str, clock: Callable[[], float]) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._last = -SECONDS_BETWEEN_LINES

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say where the work stands, if it is time to."""
        now = self._clock()
        if now - self._last < SECONDS_BETWEEN_LINES and done < total:
            return
        self._last = now
        line = f"{self._title}: {safe_text(what, 80)} ({done} of {total})"
        self._console.print(Text(line), soft_wrap=True)
