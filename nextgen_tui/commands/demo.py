"""`nextgen demo`: a market, a year of learning, and what came of it, in one command."""

from __future__ import annotations

import sys
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.arguments import count_from, parse_settings, setting_option
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from lake.store import Lake
    from nextgen_tui.setup.demo_lake import Timing


@click.command("demo", cls=ReadingCommand)
@click.option("--fresh", is_flag=True, help="Delete the present demo lake and start over.")
@click.option("--sessions", type=count_from(1), default=60, show_default=True, help="Sessions to replay.")
@click.option("--live", is_flag=True, help="Then keep the market running, one session every few seconds, until ctrl-c.")
@click.option(
    "--pace", type=click.FloatRange(min=0.1), default=10, show_default=True, help="With --live: seconds per session."
)
@click.option("--stop-after", type=count_from(1), metavar="N", help="With --live: stop after N more sessions.")
@setting_option("A setting, such as source.simulated.signal=0.")
@pass_invocation
def command(
    invocation: Invocation,
    fresh: bool,
    sessions: int,
    live: bool,
    pace: float,
    stop_after: int | None,
    chosen: tuple[str, ...],
) -> int:
    """Build a simulated lake, replay it and show the results.

    The market is simulated, with a weak signal planted in it for the models to find. Run it again to
    continue where it stopped. It never touches a lake that is not a demo. With --live, a daemon runs the market at
    high speed: in a terminal the console opens, elsewhere each session prints a line.
    """
    from nextgen_tui.setup.demo_lake import prepare, replay

    prepare(invocation, fresh)
    started = perf_counter()
    timing = replay(invocation, parse_settings(chosen), sessions)
    _show(invocation, invocation.lake, timing, perf_counter() - started)
    if not live:
        return exit_codes.DONE
    from nextgen_tui.setup.live_demo import Live, run_live

    watched = stop_after is None and sys.stdin.isatty() and sys.stdout.isatty()
    return run_live(invocation, Live(pace, stop_after, console=watched))


def _show(invocation: Invocation, lake: Lake, timing: Timing, seconds: float) -> None:
    from lake.tables import books, market, news
    from nextgen_tui.report.span_output import show_span
    from nextgen_tui.report.summary_view import data_part, heading
    from nextgen_tui.text import formats
    from pipeline.reading.results.summary import data_facts

    data = data_facts(
        lake.read(market.MARKET_PRICES, columns=("ticker", "session", "revision")),
        lake.read(news.NEWS_ARTICLES, columns=("article_id",)),
        lake.read(market.QUARANTINED_ROWS, columns=("rule",)),
    )
    sessions = lake.read(books.PORTFOLIO_VALUE, columns=("session",))["session"]
    invocation.output.show(data_part(data))
    summary = show_span(invocation, sessions[0], sessions[-1])
    invocation.output.show(_next_things(invocation))
    invocation.output.show(heading("Time"))
    invocation.output.show(
        f"{formats.duration(seconds)} in all: {formats.duration(timing.history)} for the history, "
        f"{formats.duration(timing.replay)} for {formats.counted(timing.sessions, 'session')}."
    )
    invocation.output.record({"data": asdict(data), "summary": summary, "seconds": seconds})


def _next_things(invocation: Invocation) -> str:
    lake = f" --lake {invocation.shown_lake}" if invocation.shown_lake else ""
    return "\n".join(
        (
            "The same market on the screens; every run computed again; one session more",
            f"  nextgen console{lake}",
            f"  nextgen reproduce --all{lake}",
            f"  nextgen cycle{lake}",
        )
    )
