"""`nextgen init`: a new lake with its history."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.arguments import DAY, parse_settings, setting_option
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from pipeline.ingestion.sources.registry import SOURCES

if TYPE_CHECKING:
    from nextgen_tui.setup.create_lake import NewLake
    from pipeline.config.check_values import Given

_OPTIONS = {
    **{name: f"--{name}" for name in ("prices", "benchmark", "actions", "listings", "news", "tickers")},
    "columns": "--column",
    "first_session": "--start",
}
"""Setting -> the option that chooses it."""
_A_FILE = click.Path(exists=True, path_type=Path)


@click.command("init", cls=ReadingCommand)
@click.option("--source", type=click.Choice(SOURCES), help="Where prices and news come from.")
@click.option("--prices", type=_A_FILE, multiple=True, help="CSV or Parquet file with bars, or a folder of them.")
@click.option("--benchmark", type=_A_FILE, help="File with the benchmark's bars.")
@click.option("--benchmark-ticker", help="The benchmark's ticker (default: SPY).")
@click.option("--actions", type=_A_FILE, help="File with splits, dividends, delistings, renames.")
@click.option("--listings", type=_A_FILE, help="File that lists the instruments.")
@click.option("--news", type=_A_FILE, help="File with news.")
@click.option("--tickers", metavar="A,B,C", help="Tickers to load from Yahoo, written like AAPL,BRK.B.")
@click.option("--start", type=DAY, help="First session to load from Yahoo (default: 2018-01-02).")
@click.option("--column", multiple=True, metavar="CANONICAL=VENDOR", help="Map a column, e.g. close=LAST.")
@click.option("--until", type=DAY, help="Load history up to this session (default: all).")
@click.option("--dry-run", is_flag=True, help="Show what is understood of the files; at a terminal, then ask.")
@setting_option("Any other setting of the lake.")
@pass_invocation
def command(
    invocation: Invocation,
    source: str | None,
    prices: tuple[Path, ...],
    benchmark: Path | None,
    benchmark_ticker: str | None,
    actions: Path | None,
    listings: Path | None,
    news: Path | None,
    tickers: str | None,
    start: date | None,
    column: tuple[str, ...],
    until: date | None,
    dry_run: bool,
    chosen: tuple[str, ...],
) -> int:
    """Create a lake and load its price history.

    The choices made here are written to nextgen.toml in the lake. Loading from Yahoo is throttled: a few hundred
    tickers take some minutes. With --until before the end of the data, the sessions after it are left for
    `nextgen replay`. With --dry-run, what was understood of files is shown first: their layouts, the columns used and
    not used, the first bars, and what would be set aside.
    """
    from nextgen_tui.setup.create_lake import make_lake
    from pipeline.config.check_values import Given
    from pipeline.config.home import CONFIG_VARIABLE

    given = parse_settings(chosen)
    files = {
        "prices": tuple(str(path.absolute()) for path in prices),
        "benchmark": _absolute(benchmark),
        "actions": _absolute(actions),
        "listings": _absolute(listings),
        "news": _absolute(news),
        "columns": column,
    }
    asked = {
        "tickers": tuple((tickers or "").replace(",", " ").upper().split()),
        "first_session": start.isoformat() if start else "",
    }
    named = {"files": _select_given(files), "yahoo": _select_given(asked)}
    source = source or _find_implied_source(named)
    for other in ("files", "yahoo"):
        if named[other] and source != other:
            option = _OPTIONS[next(iter(named[other]))]
            raise click.UsageError(f"the {source} source takes no {option}; leave it out, or use --source {other}")
    if benchmark_ticker and source == "simulated":
        raise click.UsageError("the simulated source has its own benchmark; leave --benchmark-ticker out")
    own = named.get(source or "", {}) | _select_given({"benchmark_ticker": benchmark_ticker})
    settings = {f"source.{source or 'files'}.{name}": Given(value, "the command line") for name, value in own.items()}
    if source is not None or settings:
        given["source.name"] = Given(source or "files", "the command line")
    if dry_run and not _is_wanted(invocation, {**given, **settings}):
        return exit_codes.DONE
    new_lake = make_lake(invocation, {**given, **settings}, until)
    if CONFIG_VARIABLE in invocation.environ:
        invocation.output.say(f"{CONFIG_VARIABLE} is set: its file is used instead of the lake's nextgen.toml")
    return _load(invocation, new_lake)


def _is_wanted(invocation: Invocation, chosen: Mapping[str, Given]) -> bool:
    """Show what was understood of the files, and ask, where somebody can answer, whether to make the lake.

    Raises:
        SourceError: if they cannot become a lake.
    """
    from nextgen_tui.setup.create_lake import understand_files
    from nextgen_tui.setup.understanding_view import to_record, understanding_view
    from pipeline.ingestion.sources.errors import SourceError

    found = understand_files(invocation, chosen)
    invocation.output.show(understanding_view(found))
    invocation.output.record(to_record(found))
    if found.problems:
        raise SourceError("nothing can be made of these files: " + "; and ".join(found.problems))
    return sys.stdin.isatty() and click.confirm(f"Make the lake at {invocation.lake_name}?", err=True)


def _select_given(values: Mapping[str, object]) -> dict[str, object]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value}


def _find_implied_source(named: Mapping[str, Mapping[str, object]]) -> str | None:
    """The source that the options speak of; None where they speak of none."""
    return next((source for source, options in named.items() if options), None)


def _absolute(path: Path | None) -> str:
    return str(path.absolute()) if path else ""


def _next_step(new_lake: NewLake) -> str:
    """What can be done with the lake, which depends on what its source has left."""
    if new_lake.last < new_lake.known:
        return f"Next: nextgen replay --to {new_lake.known}, then nextgen status and nextgen console."
    if new_lake.runner.settings.source.name == "simulated":
        return (
            "Its market is simulated; --source names a real one. "
            "Next: nextgen replay --sessions 20, then nextgen status and nextgen console."
        )
    return (
        f"History to {new_lake.last} is loaded. Next: `nextgen replay --from DATE "
        "--to DATE` runs any part of it as if live, knowing only what was public then."
    )


def _load(invocation: Invocation, new_lake: NewLake) -> int:
    """Load the history, show the result, and return the exit code."""
    from lake.tables.market import MARKET_PRICES, QUARANTINED_ROWS
    from nextgen_tui.text.formats import duration
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.reading.results.summary import count_by_rule

    started = perf_counter()
    with invocation.output.progress("history") as progress:
        rows = new_lake.load(progress)
    for note in new_lake.notes:
        invocation.output.say(safe_text(note, 400))
    usable = rows[MARKET_PRICES.name] > 0
    _tell(invocation, rows, count_by_rule(invocation.lake.read(QUARANTINED_ROWS, columns=("rule",))), usable)
    if not usable:
        invocation.output.show_error(_no_bar(invocation, rows[QUARANTINED_ROWS.name]))
        return exit_codes.DEGRADED
    if not _has_benchmark(invocation):
        choice = "; choose it with --benchmark" if new_lake.runner.settings.source.name == "files" else ""
        invocation.output.say(f"no benchmark was loaded, so the book is not compared with one{choice}")
    invocation.output.show(f"The lake at {invocation.lake_name} is ready ({duration(perf_counter() - started)}).")
    invocation.output.show(_next_step(new_lake))
    return exit_codes.DONE


def _has_benchmark(invocation: Invocation) -> bool:
    from lake.tables.market import INSTRUMENTS

    return "benchmark" in invocation.lake.read(INSTRUMENTS, columns=("role",))["role"]


def _no_bar(invocation: Invocation, quarantined: int) -> str:
    found = f"all {quarantined:,} rows were set aside by the rules above" if quarantined else "the files have no rows"
    return (
        f"no bar was loaded: {found}, so the lake at {invocation.lake_name} is unusable. "
        "`nextgen show quarantined_rows --json --limit 3` shows rows as they arrived; prices need one row per session "
        "with ticker, date, open, high, low, close and volume (--column maps columns). Then create another lake"
    )


def _tell(invocation: Invocation, rows: dict[str, int], quarantined: Sequence[tuple[str, int]], usable: bool) -> None:
    from nextgen_tui.report.summary_view import set_aside_part
    from nextgen_tui.text import formats
    from nextgen_tui.text.table_view import grid

    view = grid()
    view.add_column("table")
    view.add_column("rows", justify="right")
    for name, count in rows.items():
        view.add_row(name, formats.whole(count))
    invocation.output.show(view)
    invocation.output.show(set_aside_part(quarantined))
    invocation.output.record(
        {"lake": invocation.lake_name, "usable": usable, "rows": rows, "set_aside": dict(quarantined)}
    )
