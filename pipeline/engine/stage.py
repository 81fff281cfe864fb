"""What a stage is: a pure function over frames read at pinned versions, and the one table it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from inspect import signature
from typing import Any, Literal

import polars as pl

from lake.contract import Table
from lake.runs import Recipe
from lake.store import Lake
from pipeline.market.sessions import Sessions
from pipeline.plugins.extensions import NONE, Extensions, Kind

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Read:
    """What a stage sees of one table.

    Always: rows whose clock is not after the session, and that were available by the as-of. The frame arrives sorted
    by the table's key, without `run_id`, restated rows already reduced to the last revision known.
    """

    table: Table
    lookback: int | None = 0
    """Sessions before `moment.since` that are read as well; None reads all history."""
    upto: Literal["session", "previous", "held"] = "session"
    """`previous` leaves out the session itself: for a table's own earlier state, and plans made before. `held` is what
    earlier work has left, of the session as well: for stages that run several times within one."""
    every_revision: bool = False
    """True to see all revisions of an entity instead of the last one available."""
    known_later: bool = False
    """True to see, at the pinned version, what became public after the as-of as well: for what the operator forbids,
    which binds a run that is at work already or catches up on a session of the past."""
    where: pl.Expr | None = None
    """A further condition, pushed down to the files."""
    columns: tuple[str, ...] | None = None
    """Only these columns; None reads all. They must include the key."""
    further: Callable[[Mapping[str, pl.DataFrame], Moment], Sequence[tuple[date, date]]] | None = None
    """Spans of sessions to read beside the look-back, told from the frames before it by their tables' names: what was
    learned late reaches back as far as it has to, and nobody else pays for that."""
    needs: pl.Expr | None = None
    """What one row at least has to meet; where none does, there is nothing to be seen in the others, and the frame is
    empty. It is asked of the files first: of a large table that is read for the few rows that changed."""
    wanted: Callable[[Extensions], bool] | None = None
    """Whether a run that uses these extensions reads it; where it does not, the frame is empty."""

    def is_wanted(self, extensions: Extensions) -> bool:
        """Whether a run reads it."""
        return self.wanted is None or self.wanted(extensions)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Where in time a run stands and what it may know. Nothing else tells a stage the time."""

    session: date
    """The session the run is for."""
    since: date
    """First session to compute; equals `session` except when history is loaded in one go."""
    as_of: datetime
    """What became public later does not exist."""
    seed: int
    versions: Mapping[str, int]
    """Table name -> version read."""
    calendar: Sessions
    currency: str = "USD"
    """ISO 4217 code of the currency that the book is kept in; empty for runs of programs that asked for none."""
    target: str = ""
    """Whom a training is for, as `pipeline.models.targets.target` reads it; empty for all names."""
    search: bool = False
    """Whether a training searches for settings first."""
    test_from: date | None = None
    """The first session of the test window, for a stage that learns; None where all may be read."""
    extensions: Extensions = NONE
    """What the run uses of its kinds beyond the built-in features, rules and members."""

    def __post_init__(self) -> None:
        if self.since > self.session:
            raise ValueError(f"a run cannot start at {self.since} and end before, at {self.session}")

    @property
    def sessions(self) -> list[date]:
        """The sessions to compute, in order."""
        return self.calendar.between(self.since, self.session)


def join_spans(further: Iterable[tuple[date, date]], usual: tuple[date | None, date]) -> list[tuple[date | None, date]]:
    """Return the spans a read asks the lake for, in order and without overlap; the usual one is the last of them."""
    since = usual[0]
    if since is None:
        return [usual]
    joined: list[tuple[date | None, date]] = []
    reached = date.min
    for first, last in sorted((first, min(last, since - ONE_DAY)) for first, last in further):
        begin = max(first, reached)
        if begin <= last:
            joined.append((begin, last))
            reached = last + ONE_DAY
    return [*joined, usual]


def cut_to_recent(frame: pl.DataFrame, clock: str, sessions: int, moment: Moment) -> pl.DataFrame:
    """Return what a read with that look-back would have given of a frame that reaches further back."""
    return frame.filter(pl.col(clock) >= moment.calendar.offset(moment.since, -sessions))


@dataclass(frozen=True)
class Condition:
    """A question about a table, asked before a cycle runs a stage that is not always needed."""

    table: Table
    holds: Callable[[pl.DataFrame], bool]
    """Whether the rows of the session call for the stage."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A pure function `(*frames, moment, params) -> rows` with its declaration.

    The function's parameters are the names of the tables it reads, then `moment`, then `params`. A landing takes
    `source` before them: it is the only kind of stage that may touch the world.
    """

    name: str
    function: Callable[..., pl.DataFrame]
    reads: tuple[Read, ...]
    writes: Table
    params: Any
    """A frozen dataclass holding the defaults of the stage's domain."""
    section: str
    """The configuration section the parameters come from."""
    kind: Literal["pure", "landing"] = "pure"
    asks: Literal["sessions", "snapshots"] = "sessions"
    """Of a landing: which of the source's two ways of answering it needs."""
    catches_up: bool = False
    """True where a cycle computes every session since the table's last one, not only its own: a lake's first cycle
    then derives all history, knowing no more than that cycle may know."""
    keeps_currency: bool = False
    """True where it depends on the currency of the book, which its runs then record."""
    learns: bool = False
    """True where it chooses models: what it reads ends before the test window, if there is one, and the lake refuses it
    the rest."""
    attend: Callable[[Lake, Recipe, Callable[[str], None]], AbstractContextManager[None]] | None = None
    """Of one that works for long: a context around its run that shows how far it is (told in words, to the last
    argument) and keeps where it stands, so that a kill does not cost all of it. It changes no row."""
    splits_by: Literal["nothing", "sessions"] = "nothing"
    """How its runs can be split in parts that are computed apart: by ranges of sessions, where a session's rows depend
    neither on which others are computed nor on rows of later ones; the rows of all parts together are the run's."""
    uses: tuple[Kind, ...] = ()
    """The kinds of extension it sees in `moment.extensions`; a plugin that declares others does not concern it."""

    def __post_init__(self) -> None:
        takes = tuple(signature(self.function).parameters)
        given = (*(read.table.name for read in self.reads), "moment", "params")
        given = ("source", *given) if self.kind == "landing" else given
        if takes != given:
            raise TypeError(f"stage {self.name!r} gives {given}, but its function takes {takes}")
        for read in self.reads:
            lacking = set(read.table.key) - set(read.columns or read.table.columns)
            if lacking:
                raise TypeError(f"stage {self.name!r} reads {read.table.name} without its key: {sorted(lacking)}")

    @property
    def doc(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]
