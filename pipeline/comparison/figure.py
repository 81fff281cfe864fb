"""One thing that both systems state, and how far they agree on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What was compared: every row of either side is in one of the counts."""

    name: str
    matched: int = 0
    differs: int = 0
    """Rows that both have, further apart than the tolerance."""
    missing_here: int = 0
    """Rows that the lake lacks."""
    missing_there: int = 0
    """Rows that the older system lacks."""
    taken_over: int = 0
    """Rows that the lake has from the older system: they agree, and prove nothing."""
    judged: bool = True
    """False where a difference is no fault, as between two forecasters."""
    first: str = ""
    """The first row on which they differ, in words; else the first that one of them lacks."""
    numbers: dict[str, float | None] = field(default_factory=dict)
    """Further figures by name."""

    @property
    def within(self) -> bool:
        """Whether nothing differs and nothing is missing, or that is no fault."""
        return not self.judged or not (self.differs or self.missing_here or self.missing_there)


def merge_figures(figures: list[Figure], name: str) -> Figure:
    """The same figure of several stretches of time as one."""
    counts = ("matched", "differs", "missing_here", "missing_there", "taken_over")
    worst = [one.first for one in figures if one.differs and one.first] + [one.first for one in figures if one.first]
    return Figure(
        name=name,
        first=worst[0] if worst else "",
        **{count: sum(getattr(one, count) for one in figures) for count in counts},
    )


def states(apart: pl.Expr) -> pl.Expr:
    """What is the case with a row that has `old` from there and `ours` from here, either of which may be null."""
    return (
        pl.when(pl.col("ours").is_null())
        .then(pl.lit("missing_here"))
        .when(pl.col("old").is_null())
        .then(pl.lit("missing_there"))
        .when(apart)
        .then(pl.lit("differs"))
        .otherwise(pl.lit("matched"))
        .alias("state")
    )


def counted(name: str, both: pl.DataFrame, words: pl.Expr, order: tuple[str, ...]) -> Figure:
    """A figure from rows with their `state`; the first that differs, or is missing, is told in words."""
    counts = dict(both.group_by("state").len().iter_rows())
    first = ""
    for state in ("missing_there", "missing_here", "differs"):
        rows = both.filter(pl.col("state") == state).sort(order).head(1)
        first = str(rows.select(words).item()) if rows.height else first
    return Figure(name=name, first=first, **counts)


def to_words(name: str) -> pl.Expr:
    """A value in words."""
    return pl.col(name).cast(pl.String).fill_null("nothing")
