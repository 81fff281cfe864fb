"""The demo lake: recognised by a note inside it, so that no other lake is ever thrown away."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from lake.remote.address import attached_to, has_contents
from nextgen_tui.cli.invocation import Invocation
from nextgen_tui.setup.create_lake import make_lake

if TYPE_CHECKING:
    from pipeline.config.check_values import Given

NOTE = "demo.json"
"""Lies in a demo lake and in no other."""


@dataclass(frozen=True)
class Timing:
    """Seconds the demo took, by part; the history takes none when it was there already."""

    history: float
    replay: float
    sessions: int


def is_demo(lake: Path) -> bool:
    """Whether the folder was made by the demo."""
    return (lake / NOTE).is_file()


def prepare(invocation: Invocation, fresh: bool) -> None:
    """Make room for the demo lake.

    Raises:
        click.UsageError: if the folder holds anything that is not a demo lake.
        BusyError: if the demo lake is being written.
    """
    path = invocation.lake_path
    if has_contents(path) and not is_demo(path):
        raise click.UsageError(f"{path} is not a demo lake; choose another folder with --lake")
    if fresh and is_demo(path):
        if address := attached_to(path):
            raise click.UsageError(f"--fresh deletes a folder, and this demo is at {address}; use another address")
        _throw_away(path)


def _throw_away(path: Path) -> None:
    from lake.storage.lock import writer_lock

    with writer_lock(path, "deleting the demo"):
        shutil.rmtree(path)


def replay(invocation: Invocation, chosen: Mapping[str, Given], sessions: int) -> Timing:
    """Load the simulated history if the lake is new, then replay until `sessions` sessions after it are done.

    Raises:
        click.UsageError: if settings are given for a demo lake that exists already.
    """
    from lake.runs import last_session
    from nextgen_tui.cli.session_choice import history_end

    path = invocation.lake_path
    begun = is_demo(path) and last_session(invocation.lake) is not None
    if begun and chosen:
        raise click.UsageError("this demo lake already has its settings; add --fresh to start over with others")
    history = 0.0 if begun else _begin(invocation, chosen)
    started = perf_counter()
    calendar = invocation.runner.calendar
    loaded = calendar.position(history_end(invocation.lake))
    first, last = calendar.days[loaded + 1], calendar.days[loaded + sessions]
    done = 0
    with invocation.output.progress("replay") as progress:
        for cycle in invocation.runner.replay(first, last, progress):
            done += not cycle.already_done
    return Timing(history, perf_counter() - started, done)


def _begin(invocation: Invocation, chosen: Mapping[str, Given]) -> float:
    from pipeline.config.check_values import Given

    started = perf_counter()
    # A demo can be made again at any time: what a power cut may cost is not worth waiting for the disk.
    own = {
        "source.name": Given("simulated", "the demo"),
        "runtime.durable": Given(False, "the demo"),
    }
    new_lake = make_lake(invocation, {**own, **chosen}, None)
    (invocation.lake_path / NOTE).write_text("{}\n", encoding="utf-8")
    with invocation.output.progress("history") as progress:
        new_lake.load(progress)
    return perf_counter() - started
