"""Sets two lakes beside each other over the same sessions: what differs, what came of it, and if that is chance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from lake.errors import NoSuchError
from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.feedback import SESSION_SCORES
from pipeline.config.resolving import values_of
from pipeline.config.settings import Settings
from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.sessions import Sessions
from pipeline.reading.tried import count_openings
from pipeline.research.first_difference import FirstDifference, find_first_difference, find_other_code
from pipeline.research.paired import PairedDifference, compare_pairs
from pipeline.text_format import counted
from pipeline.trading.review.performance import max_drawdown

RETURN = "return"
A_YEAR = "of NAV a year"
"""The mean of sessions, times the sessions of a year, however few were run."""
BOOK_UNITS = {RETURN: A_YEAR, "costs": A_YEAR, "turnover": A_YEAR}
SCORE_UNITS = {"ic": "rank correlation", "pinball": "of return"}
"""Of each horizon: ic_5."""
COST_COLUMNS = ("commission", "spread_cost", "impact_cost")
BETTER = {RETURN: 1, "costs": -1, "turnover": 0, "ic": 1, "pinball": -1}
"""1 where more of a figure is better, -1 where less is, 0 where neither."""
SCORED = ("session", "scope", "horizon", "n", "ic", "pinball", "role")


@dataclass(frozen=True)
class Side:
    """A lake and the settings it runs under."""

    name: str
    lake: Lake
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """Two runs of the same sessions."""

    names: tuple[str, str]
    first: date
    last: date
    sessions: int
    settings: list[tuple[str, Any, Any]]
    """Dotted key and both values, of the settings that differ."""
    figures: list[PairedDifference]
    drawdowns: tuple[float, float]
    """Deepest fall of each over the sessions, as a positive fraction."""
    equity: pl.DataFrame
    """[sessions] session; of each: return_one (fraction), one (growth of one unit of money), drawdown_one (0 or
    less); and the same for other."""
    difference: FirstDifference | None
    metric: str = RETURN
    """By which the verdict is given."""
    code: tuple[str, ...] = ()
    """Stages that ran with other code in the other: some of the difference may be theirs."""
    looks: int = 0
    """Times that the holdout was opened in the first one's lake."""
    unit: str = "row"
    """What was compared."""
    computed: str = ""
    """How the other came about, where that is not plain; a sentence."""

    def figure(self, name: str) -> PairedDifference:
        """The figure of that name.

        Raises:
            NoSuchError: if there is none.
        """
        found = next((one for one in self.figures if one.name == name), None)
        if found is None:
            names = ", ".join(one.name for one in self.figures)
            raise NoSuchError(f"there is no figure {name!r} of these runs; choose from {names}")
        return found

    @property
    def verdict(self) -> str:
        """helped, hurt, equal or cannot be told."""
        return "equal" if self.difference is None else self.figure(self.metric).verdict

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        one, other = self.names
        if self.difference is None:
            return f"{other} is equal to {one}: not one {self.unit} differs from {self.first} to {self.last}."
        found = self.figure(self.metric)
        size = f"{self.metric} {found.other:.4g} against {found.one:.4g} {found.unit}"
        interval = (
            "" if found.low is None else f" (difference {found.difference:+.4g}, {found.low:+.4g} to {found.high:+.4g})"
        )
        if found.verdict in ("helped", "hurt"):
            return f"{other} {found.verdict}: {size}{interval}."
        if found.verdict == "equal":
            return f"{other} changes rows, but not the {self.metric}: {size}."
        wait = f"; about {counted(found.needed, 'session')} would tell" if found.needed else ""
        return (
            f"Whether {other} helped cannot be told from {counted(found.sessions, 'session')}: {size}{interval}{wait}."
        )


def compare_runs(
    one: Side,
    other: Side,
    calendar: Sessions,
    first: date | None = None,
    last: date | None = None,
    metric: str = RETURN,
) -> RunComparison:
    """Return how two lakes compare over the sessions that both have, between two days.

    Args:
        one: what it is compared with.
        other: what is judged.
        calendar: the sessions, by whose number a year is counted.
        first: first day; all sessions that both have where None.
        last: last day.
        metric: the figure that decides the verdict.

    Raises:
        NoSuchError: if they have no session in common, or there is no such figure.
    """
    books = [side.lake.read(PORTFOLIO_VALUE) for side in (one, other)]
    common = books[0].join(books[1].select("session"), on="session", how="semi")["session"]
    days = [day for day in common if (first is None or day >= first) and (last is None or day <= last)]
    if not days:
        raise NoSuchError(
            f"{one.name} and {other.name} have no session of their books in common"
            f"{f' from {first}' if first else ''}{f' to {last}' if last else ''}; name sessions that both have run"
        )
    books = [book.filter(pl.col("session").is_in(days)).sort("session") for book in books]
    values = compare_values(books[0], books[1], calendar)
    values["figures"] += _compare_scores(one.lake, other.lake, days[0], days[-1])
    found = RunComparison(
        names=(one.name, other.name),
        first=days[0],
        last=days[-1],
        sessions=len(days),
        settings=compare_settings(one.settings, other.settings),
        **values,
        difference=find_first_difference(one.lake, other.lake, days[0], days[-1]),
        metric=metric,
        code=find_other_code(one.lake, other.lake, days[0], days[-1]),
        looks=count_openings(one.lake),
    )
    found.figure(metric)
    return found


def compare_values(one: pl.DataFrame, other: pl.DataFrame, calendar: Sessions) -> dict[str, Any]:
    """Return figures, drawdowns and equity of two books over the same sessions, as `RunComparison` has them.

    Args:
        one: rows of `portfolio_value`, by session.
        other: the same sessions.
        calendar: by which a year is counted.
    """
    returns = [book["session_return"].to_list() for book in (one, other)]
    year = sessions_per_year(calendar, one["session"][-1])
    return {
        "figures": _compare_books(one, other, year),
        "drawdowns": (max_drawdown(returns[0]), max_drawdown(returns[1])),
        "equity": _grow(one, other),
    }


def unit_of(figure: str) -> str:
    """What a figure of a comparison is counted in.

    Raises:
        NoSuchError: if no comparison has it at any horizon, naming those that there are.
    """
    name, _, horizon = figure.partition("_")
    if figure in BOOK_UNITS:
        return BOOK_UNITS[figure]
    if name in SCORE_UNITS and horizon.isdecimal():
        return SCORE_UNITS[name]
    known = ", ".join((*BOOK_UNITS, *(f"{score}_HORIZON" for score in SCORE_UNITS)))
    raise NoSuchError(f"there is no figure {figure!r} of runs; choose from {known}, as in ic_5")


def compare_settings(one: Settings, other: Settings) -> list[tuple[str, Any, Any]]:
    """Return dotted key and both values of the settings that differ."""
    there = dict(values_of(other))
    return [(key, value, there[key]) for key, value in values_of(one) if there[key] != value]


def _compare_books(one: pl.DataFrame, other: pl.DataFrame, year: int) -> list[PairedDifference]:
    """Return, volatility of the difference aside, costs and turnover, each per year."""
    returns = [book["session_return"].to_list() for book in (one, other)]
    costs = [_session_costs(book) for book in (one, other)]
    turnover = [book["turnover"].to_list() for book in (one, other)]
    return [
        compare_pairs(RETURN, *returns, unit=unit_of(RETURN), scale=year),
        compare_pairs("costs", *costs, unit=unit_of("costs"), scale=year, better=better_of("costs")),
        compare_pairs("turnover", *turnover, unit=unit_of("turnover"), scale=year, better=better_of("turnover")),
    ]


def better_of(figure: str) -> int:
    """Return 1 where more of a figure is better, -1 where less is, 0 where neither."""
    return BETTER.get(figure.partition("_")[0], 1)


def best_first(results: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Sort rows of `experiment_results` of one experiment: what improved its metric most comes first, nulls last."""
    return results.sort("difference", descending=better_of(metric) >= 0, nulls_last=True)


def _session_costs(book: pl.DataFrame) -> list[float]:
    """What each session's trades cost, as a fraction of NAV; of the first one only if the book begins with it."""
    paid = pl.sum_horizontal(pl.col(name).cast(pl.Float64) for name in COST_COLUMNS)
    share = (paid - paid.shift(1)) / pl.col("nav").cast(pl.Float64)
    return book.select(share.fill_null(float("nan"))).to_series().to_list()


def _compare_scores(one: Lake, other: Lake, first: date, last: date) -> list[PairedDifference]:
    """Rank correlation and pinball loss of the champion's forecasts by horizon and session of scoring."""
    scores = [
        lake.read(
            SESSION_SCORES, since=first, until=last, where=(pl.col("scope") == "all") & (pl.col("role") == "champion")
        )
        .group_by("session", "horizon")
        .agg(ic=pl.col("ic").mean(), pinball=pl.col("pinball").sum() / pl.col("n").sum())
        for lake in (one, other)
    ]
    both = scores[0].join(scores[1], on=["session", "horizon"], suffix="_other").sort("horizon", "session")
    found = []
    for horizon in both["horizon"].unique().sort().to_list():
        rows = both.filter(pl.col("horizon") == horizon)
        for score in SCORE_UNITS:
            pair = (rows[column].fill_null(float("nan")).to_list() for column in (score, f"{score}_other"))
            name = f"{score}_{horizon}"
            found.append(compare_pairs(name, *pair, unit=unit_of(name), better=better_of(name), overlap=horizon))
    return found


def _grow(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {"session": one["session"]}
    for name, book in (("one", one), ("other", other)):
        level = (1 + book["session_return"]).cum_prod()
        columns |= {
            f"return_{name}": book["session_return"],
            name: level,
            f"drawdown_{name}": level / level.cum_max().clip(lower_bound=1.0) - 1,
        }
    return pl.DataFrame(columns)
