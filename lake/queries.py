"""Query any table by ticker, session, moment of knowledge or latest, opening only the files that can have an answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import polars as pl

from lake.contract import RUN_ID, Table
from lake.errors import LakeError
from lake.storage.snapshot import FileSpan, select_overlapping
from lake.store import Lake
from lake.tables.control import RUNS

Sign = Literal["=", "!=", "<", "<=", ">", ">="]
PUBLIC_BY_CLOCK = frozenset({"market_prices", "price_restatements"})
"""Tables whose rows become public no earlier than the day of their clock: an as-of read skips later files."""

DECIDED_AT = {"predictions": "made_at", "trade_plans": "decided_at"}
"""Tables of decisions, whose rows are known from the moment they state: an as-of read within a day asks for it."""


@dataclass(frozen=True)
class Query:
    """A query of one table; each method returns a narrower one, and nothing is read before `read`.

    Tickers, sessions and the moment of knowledge become predicates of the scan, and files that cannot have an answer
    are not opened. Values are compared by type: a naive moment, a ticker for a table that has none, or a text for a
    number is an error.
    """

    lake: Lake
    table: Table
    version: int | None = None
    first: date | datetime | None = None
    last: date | datetime | None = None
    moment: datetime | None = None
    tests: tuple[tuple[pl.Expr, bool], ...] = ()
    """Conditions, and whether each uses only columns that all revisions of one fact share."""
    columns: tuple[str, ...] | None = None
    last_revision: bool = False

    # ---- narrower

    def of(self, *tickers: str) -> Query:
        """Only rows of these tickers; of articles, those about any of them."""
        if "ticker" in self.table.columns:
            return self._add_test(pl.col("ticker").is_in(tickers), "ticker")
        if "tickers" in self.table.columns:
            about = [pl.col("tickers").list.contains(ticker) for ticker in tickers]
            return self._add_test(pl.any_horizontal(about) if about else pl.lit(False), "tickers")
        raise LakeError(f"{self.table.name} has no tickers; it has {', '.join(self.table.columns)}")

    def between(self, first: date | None = None, last: date | None = None) -> Query:
        """Only rows whose clock is between the two, inclusive; a day of an instant is a day in UTC."""
        return replace(self, first=self._clock(first, ends=False), last=self._clock(last, ends=True))

    def on(self, session: date) -> Query:
        """Only rows of one session."""
        return self.between(session, session)

    def as_of(self, moment: datetime) -> Query:
        """Only what was public at the moment, each fact in its last revision by then.

        Where a table does not say when its rows became public, its clock does: rows of later days are left out, and
        of that day what was decided later, or was written by a run that knew more than could be known at the moment.

        Raises:
            LakeError: if the moment has no zone, or lies ahead of the clock and of all that the lake was run for.
        """
        moment = _aware(moment, f"{self.table.name} as of")
        refuse_ahead(self.lake, moment)
        decided = DECIDED_AT.get(self.table.name)
        asked = self if decided is None else replace(self, tests=(*self.tests, (pl.col(decided) <= moment, True)))
        return replace(asked, moment=moment)

    def in_last_revision(self) -> Query:
        """Each fact once, in its last revision; those withdrawn are left out."""
        return replace(self, last_revision=True)

    def at(self, version: int) -> Query:
        """At a version of the table instead of the published one.

        Raises:
            LakeError: if there is no such version.
        """
        if not 0 <= version <= (newest := self.lake.newest(self.table)):
            raise LakeError(f"{self.table.name} has versions 0 to {newest}; there is no version {version}")
        return replace(self, version=version)

    def having(self, column: str, sign: Sign, value: Any) -> Query:
        """Only rows whose column compares so with the value; None is null, NaN is neither above nor below anything."""
        return self._add_test(compare(self.table, column, sign, value), column)

    def only(self, *columns: str) -> Query:
        """Only these columns, in this order.

        Raises:
            LakeError: if the table lacks one.
        """
        for column in columns:
            _find_type(self.table, column)
        return replace(self, columns=columns)

    # ---- answers

    def read(self) -> pl.DataFrame:
        """The rows, sorted by the table's key, with the `run_id` that wrote each unless columns were chosen."""
        reducing = (self.moment is not None or self.last_revision) and bool(self.table.entity)
        pushed = [test for test, shared in self.tests if shared or not reducing]
        pushed += self._known_that_day()
        after = [test for test, shared in self.tests if not (shared or not reducing)]
        first, last = self._span()
        rows = self.lake.read(
            self.table,
            version=self.version,
            since=first,
            until=last,
            as_of=self.moment,
            where=pl.all_horizontal(pushed) if pushed else None,
            columns=None if after else self._columns_to_read(),
            every_revision=not reducing,
        )
        # A superseded revision may meet a condition that the last one does not.
        rows = rows.filter(*after) if after else rows
        return rows.select(self.columns) if self.columns is not None else rows

    def latest(self) -> pl.DataFrame:
        """The rows at the last value of the clock that has any; files are opened from the last one backwards."""
        clock = self.table.clock
        for span in sorted(self.files(), key=_late, reverse=True):
            found = replace(self._within(span), columns=(clock,)).read()[clock].max()
            if isinstance(found, date):
                columns = None if self.columns is None else tuple(dict.fromkeys((*self.columns, clock)))
                rows = replace(self, first=found, columns=columns).read()
                rows = rows.filter(pl.col(clock) == pl.col(clock).max())
                return rows.select(self.columns) if self.columns is not None else rows
        return self.read().clear()

    def files(self) -> list[FileSpan]:
        """The files that `read` opens: the others cannot have an answer."""
        version = self.lake.version(self.table) if self.version is None else self.version
        return select_overlapping(self.lake.files(self.table, version), *self._span())

    # ---- inner workings

    def _add_test(self, test: pl.Expr, column: str) -> Query:
        shared = column in self.table.entity or column == self.table.clock
        return replace(self, tests=(*self.tests, (test, shared)))

    def _span(self) -> tuple[date | datetime | None, date | datetime | None]:
        """The span of the clock, limited by the moment of knowledge."""
        bounded = self.table.available is None or self.table.name in PUBLIC_BY_CLOCK
        if self.moment is None or not bounded:
            return self.first, self.last
        moment = self.moment if self._is_instant else self.moment.date()
        return self.first, moment if self.last is None else min(self.last, moment)

    def _known_that_day(self) -> list[pl.Expr]:
        """Of the moment's own day only what runs wrote that decided by then; days before it are whole.

        A day's rows are the work of runs, and each run records the moment up to which it knew the world.
        """
        table = self.table
        if self.moment is None or table.available is not None or self._is_instant or table.name in DECIDED_AT:
            return []
        later = (pl.col("session") == self.moment.astimezone(UTC).date()) & (pl.col("as_of") > self.moment)
        if table.name == RUNS.name:
            return [~later]
        late = self.lake.read(RUNS, where=later, columns=("run_id",))["run_id"]
        return [~pl.col(RUN_ID).is_in(late.to_list())] if len(late) else []

    def _within(self, span: FileSpan) -> Query:
        """The query limited to a file's span; not limited where the log does not record the span."""
        first, last = self._span()
        low = max((one for one in (first, span.first) if one is not None), default=None)
        high = min((one for one in (last, span.last) if one is not None), default=None)
        return replace(self, first=low, last=high)

    def _columns_to_read(self) -> tuple[str, ...] | None:
        """The chosen columns, and those that reducing to last revisions needs."""
        if self.columns is None:
            return None
        return tuple(dict.fromkeys((*self.columns, *self.table.entity)))

    @property
    def _is_instant(self) -> bool:
        return isinstance(self.table.columns[self.table.clock].dtype, pl.Datetime)

    def _clock(self, value: date | None, *, ends: bool) -> date | datetime | None:
        if value is None:
            return None
        name = f"{self.table.name}.{self.table.clock}"
        if isinstance(value, datetime):
            if not self._is_instant:
                raise LakeError(f"{name} is a day, and {value.isoformat()} is a moment; give a date")
            return _aware(value, name)
        if not self._is_instant:
            return value
        midnight = datetime.combine(value, time(), UTC)
        return midnight + timedelta(days=1, microseconds=-1) if ends else midnight


def query(lake: Lake, table: Table) -> Query:
    """Ask about a table."""
    return Query(lake, lake.contract(table))


def compare(table: Table, column: str, sign: Sign, value: Any) -> pl.Expr:
    """A condition on a column, correct for every value that a number can have.

    None matches null. polars treats NaN as greater than any number; here it is neither above nor below anything.

    Raises:
        LakeError: if there is no such column, or the value has another type.
    """
    dtype = _find_type(table, column)
    at = pl.col(column)
    if value is None:
        if sign not in ("=", "!="):
            raise LakeError(f"{table.name}.{column} {sign} null is never true; use = or !=")
        return at.is_null() if sign == "=" else at.is_not_null()
    if isinstance(value, datetime):
        value = _aware(value, f"{table.name}.{column}")
    _check_type(table, column, dtype, value)
    literal = pl.lit(value, dtype=dtype)
    number = at.is_not_nan() if dtype.is_float() else pl.lit(True)
    found: dict[str, pl.Expr] = {
        "=": at == literal,
        "!=": at != literal,
        "<": (at < literal) & number,
        "<=": (at <= literal) & number,
        ">": (at > literal) & number,
        ">=": (at >= literal) & number,
    }
    return found[sign]


def _check_type(table: Table, column: str, dtype: pl.DataType, value: Any) -> None:
    """Refuse a text that looks like a number, or a day for a moment."""
    kinds: Iterable[type] = (str,)
    if isinstance(dtype, pl.Datetime):
        kinds = (datetime,)
    elif dtype == pl.Date:
        kinds = (date,)
    elif dtype == pl.Boolean:
        kinds = (bool,)
    elif dtype.is_numeric():
        from decimal import Decimal

        kinds = (int, float, Decimal) if not dtype.is_integer() else (int,)
    elif dtype.is_nested() or dtype == pl.Binary:
        raise LakeError(f"{table.name}.{column} is {dtype}, which cannot be compared")
    mistaken = (isinstance(value, bool) and dtype != pl.Boolean) or (isinstance(value, datetime) and dtype == pl.Date)
    if mistaken or not isinstance(value, tuple(kinds)):
        raise LakeError(f"{table.name}.{column} is {dtype}, and {value!r} is not")


def _find_type(table: Table, column: str) -> pl.DataType:
    schema = table.stored_schema
    if column not in schema:
        from difflib import get_close_matches

        near = get_close_matches(column, schema, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(schema)}"
        raise LakeError(f"{table.name} has no column {column!r}; {hint}")
    return schema[column]


def _aware(moment: datetime, what: str) -> datetime:
    if moment.tzinfo is None:
        raise LakeError(f"{what} {moment.isoformat()} has no time zone; add one")
    return moment.astimezone(UTC)


def _late(span: FileSpan) -> tuple[bool, Any]:
    """Order by the last value of the clock; a file without one comes last of all, to be opened first."""
    return (True, "") if span.last is None else (False, span.last)


def refuse_ahead(lake: Lake, moment: datetime) -> None:
    """Refuse a moment that nobody can look back from.

    Raises:
        LakeError: if it lies ahead of the clock and of all that the lake was run for: simulated markets are run ahead.
    """
    if moment.date() <= datetime.now(UTC).date():
        return
    last = lake.read(RUNS, columns=("as_of",))["as_of"].max()
    if not isinstance(last, datetime) or last < moment:
        raise LakeError(f"{moment:%Y-%m-%d %H:%M} UTC has not come yet; name a moment that has")
