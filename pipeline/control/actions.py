"""What a worker does for a task: run the cycle, train, run stages, or keep the lake in shape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import polars as pl

from lake.errors import BusyError, LakeError
from lake.maintenance import checkpoint_due
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.layers import Given
from pipeline.config.loading import choice, load
from pipeline.control.order import Order
from pipeline.control.outputs import missing
from pipeline.runner import Runner
from pipeline.stages import stage

BETWEEN_TRIES = 0.5
"""Seconds between two looks at whether the lake is free."""


class OutputMissingError(LakeError):
    """A task ran to its end and did not leave what its manifest entry promises."""


def perform(lake: Lake, order: Order, environ: Mapping[str, str]) -> str:
    """Do what the order says, and check that it left what it should.

    Returns:
        The id of the cycle or run that was published; empty if there was nothing to publish.

    Raises:
        OutputMissingError: if a promised output is not there afterwards.
        Exception: whatever the work raises.
    """
    # The environment stands over what the schedule says, as everywhere; only a fallback stands over both.
    environ = {k: v for k, v in environ.items() if not (order.fallback and k == "NEXTGEN_SOURCE__NAME")}
    runner = Runner(lake, load(lake.path, environ, _chosen(order)).settings)
    with waiting_lease(lake, f"{order.task} for {order.slot}"):
        published = _action(order)(runner, order)
    if lacking := missing(lake, order.outputs, order.session, order.due_at):
        raise OutputMissingError(f"{order.task} ended without its outputs: {'; '.join(lacking)}")
    return published


@contextmanager
def waiting_lease(lake: Lake, purpose: str) -> Iterator[None]:
    """Be the lake's writer, waiting for another to finish; the worker's deadline bounds the wait."""
    while True:
        try:
            held = lake.lease(purpose)
            held.__enter__()
            break
        except BusyError:
            time.sleep(BETWEEN_TRIES)
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def _chosen(order: Order) -> dict[str, Given]:
    chosen = {
        key: choice(key, value if isinstance(value, str) else str(value).lower())
        for key, value in order.settings.items()
    }
    return chosen | ({"source.name": choice("source.name", order.fallback)} if order.fallback else {})


def _action(order: Order) -> Callable[[Runner, Order], str]:
    actions = {"cycle": _cycle, "train": _train, "maintain": _maintain}
    return actions.get(order.run[0], _stages)


def _cycle(runner: Runner, order: Order) -> str:
    """Bring the lake up to the session, one session after the other; nothing to do if it is there already."""
    session = _session(runner, order)
    last = last_covered(runner.lake)
    if last is None:
        raise LakeError("the lake holds no history yet; load it with `nextgen init`")
    if session <= last:
        runner.recover()
        return f"cycle-{session:%Y%m%d}"
    for _ in runner.replay(runner.calendar.next(last), session):
        pass
    return f"cycle-{session:%Y%m%d}"


def _train(runner: Runner, order: Order) -> str:
    """Train at the session, or at the last one the lake has run if that is earlier; once, unless a person asked."""
    runner.recover()
    last = last_covered(runner.lake)
    if last is None:
        raise LakeError("the lake holds no history yet; load it with `nextgen init`")
    session = min(_session(runner, order), last)
    cycle_id = f"training-{session:%Y%m%d}"
    if order.asked_for or not _published(runner.lake, cycle_id):
        runner.train(session)
    return cycle_id


def _stages(runner: Runner, order: Order) -> str:
    session = _session(runner, order)
    return [runner.stage(stage(name), session).run_id for name in order.run][-1]


def _maintain(runner: Runner, _order: Order) -> str:
    """Finish what a crash left behind, and fold the logs into checkpoints."""
    runner.recover()
    checkpoint_due(runner.lake, {})
    return ""


def _session(runner: Runner, order: Order) -> date:
    return order.session or runner.calendar.last_closed(order.due_at)


def last_covered(lake: Lake) -> date | None:
    """The last session of a published cycle or history."""
    covers = pl.col("cycle_id").str.starts_with("cycle-") | pl.col("cycle_id").str.starts_with("history-")
    last = lake.read(RUNS, where=covers & (pl.col("status") == "done"), columns=("session",))["session"].max()
    return last if isinstance(last, date) else None


def _published(lake: Lake, cycle_id: str) -> bool:
    mine = (pl.col("cycle_id") == cycle_id) & (pl.col("status") == "done")
    return not lake.read(RUNS, where=mine, columns=("run_id",)).is_empty()
