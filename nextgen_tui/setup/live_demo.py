"""The demo's market run live: a daemon that paces it, and a console or a line per session."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.errors import LakeError
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation
from nextgen_tui.cli.output import to_records
from pipeline.control.daemon.main import daemon_command

if TYPE_CHECKING:
    import polars as pl

    from lake.store import Lake

LOOK = 0.25
"""Seconds between two looks at what was published."""
READY = 60.0
"""Seconds within which the daemon has to serve."""


@dataclass(frozen=True)
class Live:
    """How the market is run."""

    seconds: float
    """Real seconds for a session."""
    sessions: int | None
    """End after so many; None goes on until told to end."""
    console: bool
    """Open the console rather than write a line per session."""


def run_live(invocation: Invocation, live: Live) -> int:
    """Serve the lake at high speed until the operator has seen enough; nothing is left running behind.

    Raises:
        LakeError: if the daemon does not come to serve the lake, in its words.
    """
    with end_on_sigterm(), daemon(invocation.lake_path, live.seconds) as served:
        try:
            if live.console:
                _open_console(invocation, served)
            else:
                _follow(invocation, live, served)
        except KeyboardInterrupt:
            invocation.output.say("stopping once the running work is finished; ctrl-c again stops at once")
    invocation.output.say("the market is paused; run the command again to continue")
    return exit_codes.DONE


@contextmanager
def daemon(lake: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A daemon that paces the lake's market for the block; afterwards it has ended, and its workers with it."""
    command = daemon_command(lake, "--pace", seconds)
    # A session of its own: ctrl-c is ours to pass on, once, so that what runs can be finished.
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            _until_ready(lake, process)
            yield process
        finally:
            _end(process)


@contextmanager
def end_on_sigterm() -> Iterator[None]:
    """Let SIGTERM, and a terminal that hangs up, end the block as ctrl-c does: a daemon must not be left behind."""

    def end(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    signs = [sign for sign in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(sign) is not signal.SIG_IGN]
    before = {sign: signal.signal(sign, end) for sign in signs}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


def _until_ready(lake: Path, process: subprocess.Popen[str]) -> None:
    from pipeline.reading.daemon import read_daemon

    waited = 0.0
    while (beat := read_daemon(lake).beat) is None or beat.who.pid != process.pid:
        if process.poll() is not None or waited > READY:
            process.kill()
            words = process.communicate()[1].strip().removeprefix("Error: ")
            raise LakeError(words or "the daemon stopped before it was ready; its log is in control/logs of the lake")
        _wait(process, LOOK)
        waited += LOOK


def _wait(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _end(process: subprocess.Popen[str]) -> None:
    """Ask the daemon to finish; each further ctrl-c makes it more urgent."""
    while process.poll() is None:
        process.terminate()
        try:
            process.wait()
        except KeyboardInterrupt:
            continue


def _open_console(invocation: Invocation, served: subprocess.Popen[str]) -> None:
    from nextgen_tui.console.app import ConsoleApp
    from nextgen_tui.console.runtime.lifeline import Lifeline
    from nextgen_tui.console.runtime.terminal import restore_terminal

    lifeline = Lifeline(last_act=served.terminate).start()
    with restore_terminal():
        ConsoleApp(invocation.lake_path, lifeline=lifeline).run()


def _follow(invocation: Invocation, live: Live, served: subprocess.Popen[str]) -> None:
    """Write a line for each session as it is published."""
    from lake.runs import last_session

    lake, seen = invocation.lake, 0
    last = last_session(lake)
    lake_option = f" --lake {invocation.lake_name}" if invocation.lake_option else ""
    invocation.output.say(f"one session every {live.seconds:g} s; watch with `nextgen console{lake_option}`")
    while live.sessions is None or seen < live.sessions:
        for row in to_records(_since(lake, last)):
            invocation.output.show(_line(row))
            last, seen = row["session"], seen + 1
        if served.poll() is not None:
            raise LakeError("the daemon has stopped; its log is in control/logs of the lake")
        _wait(served, LOOK)


def _since(lake: Lake, last: date | None) -> pl.DataFrame:
    """The book of each session published after the last one seen."""
    import polars as pl

    from lake.tables.books import PORTFOLIO_VALUE

    columns = ("session", "nav", "session_return", "positions", "drawdown")
    return lake.read(PORTFOLIO_VALUE, where=pl.col("session") > last if last else None, columns=columns)


def _line(row: dict[str, Any]) -> str:
    from nextgen_tui.text.formats import counted, percent

    held = counted(row["positions"], "position")
    value = f"{row['session']}  {row['nav']:>16,.2f}  {percent(row['session_return'], signed=True)}"
    return f"{value}  {held}, {percent(row['drawdown'], 1)} down"
