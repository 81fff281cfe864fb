"""Creates a lake: its folder, its configuration file, and its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.invocation import Invocation
from nextgen_tui.cli.progress import Progress

if TYPE_CHECKING:
    from pipeline.config.check_values import Given
    from pipeline.config.settings import Settings
    from pipeline.engine.runner import Runner
    from pipeline.ingestion.sources.files.checks.understanding import Understanding
    from pipeline.ingestion.sources.source import Source
    from pipeline.market.sessions import Sessions


@dataclass(frozen=True)
class NewLake:
    """A lake made and configured, whose history is still to be loaded."""

    runner: Runner
    first: date
    last: date
    known: date
    """The last session the source has today."""
    notes: tuple[str, ...] = ()
    """What is worth a word of the operator's files: columns and files not used, actions that they tell."""

    def load(self, progress: Progress) -> dict[str, int]:
        """Load the history; return table -> rows."""
        cycle = self.runner.backfill(self.first, self.last, progress)
        return {run.recipe.output_table: run.rows for run in cycle.runs}


def make_lake(invocation: Invocation, chosen: Mapping[str, Given], until: date | None) -> NewLake:
    """Make the invocation's lake and leave what was chosen in its configuration file.

    The source is opened before anything is written, so that a mistake in a file's name leaves no half-made lake. A
    lake that was made but holds no history yet (an interrupted new_lake) is taken up again.

    Raises:
        click.UsageError: if the lake has history already, or `until` leaves nothing to load.
        OutOfReachError: if the source does not answer; nothing was made.
        NotALakeError: if the folder holds something else.
    """
    from lake.runs import last_session
    from lake.store import MANIFEST, Lake
    from pipeline.config.toml_document import toml_document, write_document
    from pipeline.engine.runner import Runner
    from pipeline.ingestion.sources.registry import open_source

    path = invocation.lake_path
    if (path / MANIFEST).exists() and (done := last_session(Lake.open(path))) is not None:
        raise click.UsageError(
            f"there is a lake at {invocation.lake_name} already, with history to {done}; continue with "
            "`nextgen replay`, or name another with --lake"
        )
    settings, calendar = _choose_settings(invocation, chosen)
    source = open_source(settings.source, calendar, settings.currency)
    first, known = source.coverage()
    last = calendar.at_or_before(until) if until else known
    if not first <= last <= known:
        raise click.UsageError(
            f"the source has sessions from {first} to {known}; choose --until between them, not {until}"
        )
    source.check_reachable()
    lake = Lake.create(path)
    if chosen:
        write_document(path, toml_document((key, given.value) for key, given in chosen.items()))
    return NewLake(Runner(lake, settings, source), first, last, known, _tell_notes(source))


def understand_files(invocation: Invocation, chosen: Mapping[str, Given]) -> Understanding:
    """Return what was understood of the files that were chosen; nothing is made.

    Raises:
        click.UsageError: if another source was chosen.
        SourceError: if the files cannot be read.
    """
    from pipeline.ingestion.sources.files.source import FilesSource

    settings, calendar = _choose_settings(invocation, chosen)
    if settings.source.name != "files":
        raise click.UsageError(
            f"--dry-run shows what was understood of files; the {settings.source.name} source has none"
        )
    return FilesSource(settings.source.files.at(calendar.exchange, settings.currency), calendar).understand()


def _tell_notes(source: Source) -> tuple[str, ...]:
    from nextgen_tui.setup.understanding_view import tell_notes
    from pipeline.ingestion.sources.files.source import FilesSource

    return tuple(tell_notes(source.understand())) if isinstance(source, FilesSource) else ()


def _choose_settings(invocation: Invocation, chosen: Mapping[str, Given]) -> tuple[Settings, Sessions]:
    from pipeline.config.loading import load
    from pipeline.market.sessions import exchange_sessions

    settings = load(invocation.lake_path, invocation.environ, chosen).settings
    return settings, settings.market.changes.apply(exchange_sessions(settings.market.exchange))
