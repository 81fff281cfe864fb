"""The contract of a table: its columns, key and rules, and how rows are checked against them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Literal

import polars as pl
from polars.datatypes import DataType, DataTypeClass

from lake.errors import ContractError, NotALakeError

PolarsType = DataType | DataTypeClass
UTC = pl.Datetime("us", "UTC")
"""Every instant: microseconds, zone-aware, never naive."""
CENTS = pl.Decimal(18, 2)
"""Money that is accounted for: exact to the cent."""
PRICE = pl.Decimal(18, 6)
"""A traded price inside the ledger: exact to a millionth."""
RATE = pl.Decimal(30, 12)
"""What one unit of a currency is worth in another: exact to twelve places."""

Mode = Literal["append", "merge"]
RUN_ID = "run_id"
COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What a further column of an open table may be called."""


@dataclass(frozen=True)
class Column:
    """One column of a contract."""

    dtype: PolarsType
    unit: str
    doc: str
    nullable: bool = False
    pattern: str | None = None
    """Regular expression that a text value has to match completely."""
    max_length: int = 4_000
    """Characters of the longest text; text from outside is truncated before it is written."""
    provenance: bool = False
    """True where the value names table versions: stored, but not part of the content fingerprint."""
    first_counts: bool = False
    """Whether a row that comes again may say otherwise here and is the same row all the same; the first stays."""
    refers: tuple[str, ...] = ()
    """"table.column" of the rows that this one is derived from. Columns that refer to the same table are compared
    together; several that refer to the same column of it are references of their own. A list refers to each value."""
    refers_until: str | None = None
    """Where the row rests on a span of sessions, of which this column has the first: the column with the last."""

    recalls: str = ""
    """"table.column" of earlier rows that this one remembers, in a loop that learns from itself: a walk back names
    them and goes no further, since behind them lies an earlier turn of the same loop."""

    def recall(self, target: str) -> Column:
        """The same column, remembering earlier rows with its value in that column ("table.column")."""
        return replace(self, recalls=target)

    def refer_to(self, *targets: str, until: str | None = None) -> Column:
        """The same column, referring to these columns ("table.column") of other tables; see `refers`."""
        return replace(self, refers=targets, refers_until=until)


@dataclass(frozen=True)
class Reference:
    """Which rows of another table a row is derived from: those with the same values in these columns."""

    table: str
    columns: Mapping[str, str]
    """Column there -> column here."""
    span: tuple[str, str] | None = None
    """Columns here with the first and last session of a span; the other columns are equal."""

    @property
    def last_columns(self) -> Mapping[str, str]:
        """Column there -> column here, of a span its last session."""
        first, last = self.span or ("", "")
        return {there: last if here == first else here for there, here in self.columns.items()}


@dataclass(frozen=True)
class Rule:
    """A named condition that every row meets. A condition that is null counts as met: presence is a rule of its own."""

    holds: pl.Expr
    fix: str
    """What to do about a row that breaks it, in the imperative."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The contract of one table.

    `append` tables are insert-only by key: a row once written never changes. `merge` tables keep the latest row of
    each key.
    """

    name: str
    domain: str
    doc: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    mode: Mode
    owner: str
    """The stage that writes the table, or `source`, `operator`, `kernel` for what comes from outside the stages."""
    clock: str
    """The column with the event's time; look-backs and file pruning act on it."""
    rules: Mapping[str, Rule] = field(default_factory=dict)
    available: str | None = None
    """The column saying when the fact became public; an as-of read shows nothing later."""
    entity: tuple[str, ...] = ()
    """Rows that share these values restate each other; an as-of read keeps the last one available."""
    withdrawal: str | None = None
    """The flag column of a revision that takes its fact back: a read of last revisions leaves the entity out."""
    further: Column | None = None
    """What every further column is, in a table that takes columns its contract does not name: a commit that brings one
    adds it, and rows written before have null in it. None where the columns are all there are."""
    root: str = ""
    """What the rows are, where they are derived from no other row of the lake."""
    diffuse: bool = False
    """True where each row has a little influence on everything after it, such as a model: what it influenced is listed
    when it is asked about, but not when it is met on the way from another row."""
    published_by_run: bool = True
    """True if readers see the version that the last published run left; False if they see the newest version."""

    def __post_init__(self) -> None:
        named = {*self.key, self.clock, *self.entity, *filter(None, (self.available, self.withdrawal))}
        if unknown := sorted(named - set(self.columns)):
            raise TypeError(f"table {self.name!r} refers to columns it does not have: {unknown}")
        if self.further is not None and not self.further.nullable:
            raise TypeError(f"table {self.name!r}: a further column is null in rows from before it, so let it be")

    def for_columns(self, names: Iterable[str]) -> Table:
        """The contract with the further columns among these names; the table itself where it takes none.

        Raises:
            ContractError: if a further column has no name that a column may have.
        """
        if self.further is None:
            return self
        added = tuple(name for name in names if name not in self.columns and name != RUN_ID)
        if not added:
            return self
        if wrong := [name for name in added if not COLUMN_NAME.fullmatch(name)]:
            raise ContractError(
                f"{self.name}: {len(wrong)} columns have invalid names, the first is {wrong[0]!r}; "
                "use lower-case letters, digits and underscores, at most 63 of them"
            )
        if added not in self._widened:
            self._widened[added] = replace(self, columns={**self.columns, **dict.fromkeys(added, self.further)})
        return self._widened[added]

    @cached_property
    def _widened(self) -> dict[tuple[str, ...], Table]:
        """Each contract once: its rules and expressions cost more than a check with them."""
        return {}

    @cached_property
    def schema(self) -> pl.Schema:
        """What a stage produces: the contract's columns, without `run_id`."""
        return pl.Schema({name: column.dtype for name, column in self.columns.items()})

    @cached_property
    def stored_schema(self) -> pl.Schema:
        """What is stored: the contract's columns and the run that wrote the row."""
        return pl.Schema({**self.schema, RUN_ID: pl.String()})

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with the contract's columns."""
        return self._no_rows.clone()

    def empty_as_stored(self) -> pl.DataFrame:
        """The same with the columns that are stored."""
        return self._no_stored_rows.clone()

    @cached_property
    def _no_rows(self) -> pl.DataFrame:
        """Cached: typing some thirty columns takes milliseconds, and every stage that finds nothing needs it."""
        return pl.DataFrame(schema=self.schema)

    @cached_property
    def _no_stored_rows(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.stored_schema)

    @cached_property
    def content_columns(self) -> tuple[str, ...]:
        """The columns that make up a row's content (all but provenance)."""
        return tuple(name for name, column in self.columns.items() if not column.provenance)

    @cached_property
    def compared_columns(self) -> tuple[str, ...]:
        """The content that a row which comes again has to repeat."""
        return tuple(name for name in self.content_columns if not self.columns[name].first_counts)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """What rows of this table are derived from, as their columns say; shared sessions and tickers come last."""
        targets: dict[str, dict[str, list[str]]] = {}
        for name, column in self.columns.items():
            for target in column.refers:
                table, _, there = target.partition(".")
                targets.setdefault(table, {}).setdefault(there, []).append(name)
        found = [
            self._make_reference(table, dict(zip(columns, names, strict=True)))
            for table, columns in targets.items()
            for names in product(*columns.values())
        ]
        return tuple(sorted(found, key=lambda reference: not self._has_id(reference)))

    @cached_property
    def recollections(self) -> tuple[Reference, ...]:
        """The earlier rows that rows of this table remember."""
        told = [(column.recalls.partition("."), name) for name, column in self.columns.items() if column.recalls]
        return tuple(Reference(table, {there: name}) for (table, _, there), name in told)

    def _make_reference(self, table: str, columns: dict[str, str]) -> Reference:
        spans = [(name, until) for name in columns.values() if (until := self.columns[name].refers_until) is not None]
        return Reference(table, columns, spans[0] if spans else None)

    def _has_id(self, reference: Reference) -> bool:
        names = reference.columns.values()
        return any(name != "ticker" and self.columns[name].dtype != pl.Date for name in names)

    @cached_property
    def all_rules(self) -> Mapping[str, Rule]:
        """The table's own rules after those every table has: present, finite, bounded, well-formed."""
        return {**self._column_rules(), **self.rules}

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame in the contract's column order.

        Raises:
            ContractError: naming the table, how many rows break which rule, the first of them, and the fix.
        """
        if (widened := self.for_columns(frame.columns)) is not self:
            return widened.check(frame)
        frame = self._conform(frame)
        if not frame.is_empty() and not self._holds(frame):
            self._refuse(frame)
        return frame

    def _holds(self, frame: pl.DataFrame) -> bool:
        """Whether every row meets each rule and no key repeats; how many values are missing a frame knows already."""
        missing = zip(self.columns.values(), frame.null_count().row(0), strict=True)
        if any(count and not column.nullable for column, count in missing):
            return False
        if not all(_is_finite(frame.get_column(name)) for name in self._floats):
            return False
        *met, in_order = frame.select(*self._conditions, self._in_order).row(0)
        return all(met) and (in_order or self._has_unique_key(frame))

    def split(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Split the frame into valid rows and the others, which gain `rule`: the first rule that each breaks.

        Of identical rows one is kept; rows that give one key two values are all rejected. The result does not
        depend on the order of the rows.
        """
        extra = [name for name in frame.columns if name not in self.columns]
        frame = pl.concat([self._conform(frame.drop(extra)), frame.select(extra)], how="horizontal")
        frame = frame.with_columns(rule=self._first_broken)
        valid = frame.filter(pl.col("rule").is_null())
        valid = valid.with_columns(rule=self._repeats(extra)) if self.key else valid
        good = valid.filter(pl.col("rule").is_null()).drop("rule")
        bad = pl.concat([frame.filter(pl.col("rule").is_not_null()), valid.filter(pl.col("rule").is_not_null())])
        return good, bad

    @cached_property
    def _conditions(self) -> tuple[pl.Expr, ...]:
        """Whether every row meets each rule that is not looked up: in one pass, because nearly always all hold."""
        seen = {*map(_presence, self.columns), *map(_finiteness, self._floats)}
        others = {name: rule for name, rule in self.all_rules.items() if name not in seen}
        return tuple(rule.holds.fill_null(True).all().alias(name) for name, rule in others.items())

    @cached_property
    def _floats(self) -> tuple[str, ...]:
        return tuple(name for name, column in self.columns.items() if column.dtype in (pl.Float32, pl.Float64))

    @cached_property
    def _in_order(self) -> pl.Expr:
        """Whether the rows are in the order of the key and no key repeats, as of most frames: it is cheap to see."""
        after: pl.Expr = pl.lit(not self.key)
        for column in map(pl.col, reversed(self.key)):
            after = (column > column.shift(1)) | ((column == column.shift(1)) & after)
        return after.slice(1).fill_null(value=False).all().alias("keys rise")

    def _has_unique_key(self, frame: pl.DataFrame) -> bool:
        return not frame.select(pl.struct(self.key).is_duplicated().any()).item()

    def _refuse(self, frame: pl.DataFrame) -> None:
        for name, rule in self.all_rules.items():
            broken = frame.filter(~rule.holds.fill_null(True))
            if not broken.is_empty():
                raise ContractError(self._describe_violation(name, rule.fix, broken, frame.height))
        repeated = frame.filter(pl.struct(self.key).is_duplicated())
        fix = "drop the repeats before writing"
        raise ContractError(self._describe_violation(f"key {self.key} is unique", fix, repeated, frame.height))

    def _repeats(self, extra: list[str]) -> pl.Expr:
        content = pl.struct([name for name in self.columns if name not in extra])
        one_value = content.n_unique().over(self.key) == 1
        first = pl.int_range(pl.len()).over(self.key, order_by=extra or None) == 0
        return (
            pl.when(one_value & first)
            .then(None)
            .when(one_value)
            .then(pl.lit("a repeat of another row"))
            .otherwise(pl.lit("one key has two values"))
        )

    @cached_property
    def _first_broken(self) -> pl.Expr:
        expression = pl.lit(None, dtype=pl.String)
        for name, rule in reversed(list(self.all_rules.items())):
            broken = ~rule.holds.fill_null(True)
            expression = pl.when(broken).then(pl.lit(name)).otherwise(expression)
        return expression

    def _column_rules(self) -> dict[str, Rule]:
        rules: dict[str, Rule] = {}
        for name, column in self.columns.items():
            at = pl.col(name)
            if not column.nullable:
                rules[_presence(name)] = Rule(at.is_not_null(), f"give every row its {name}")
            if column.dtype in (pl.Float32, pl.Float64):
                rules[_finiteness(name)] = Rule(
                    at.is_finite(), "leave out what is not a number; a missing value is null"
                )
            if column.dtype == pl.String:
                rules[f"{name} has at most {column.max_length} characters"] = Rule(
                    at.str.len_chars() <= column.max_length, "shorten the text before it is written"
                )
            if column.pattern is not None:
                rules[f"{name} is well-formed"] = Rule(
                    at.str.contains(f"^(?:{column.pattern})$"), f"use values that match {column.pattern}"
                )
        return rules

    def _conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        found = frame.schema
        if found == self.schema:
            return frame
        missing = [name for name in self.columns if name not in found]
        extra = [name for name in found if name not in self.columns]
        other = [
            f"{name} is {found[name]} and should be {dtype}"
            for name, dtype in self.schema.items()
            if name in found and found[name] != dtype
        ]
        wrong = [
            *([f"{len(missing)} columns are missing, the first is {missing[0]!r}"] if missing else []),
            *([f"{len(extra)} columns are not in the contract, the first is {extra[0]!r}"] if extra else []),
            *other,
        ]
        if wrong:
            raise ContractError(f"{self.name}: {'; '.join(wrong)}; make the frame match the contract")
        return frame.select(*self.columns)

    def _describe_violation(self, rule: str, fix: str, broken: pl.DataFrame, total: int) -> str:
        first = {name: _shorten(value) for name, value in broken.row(0, named=True).items()}
        return f"{self.name}: {broken.height} of {total} rows break {rule!r}; the first is {first}; {fix}"


def _presence(column: str) -> str:
    """The name of the rule that a column has no nulls."""
    return f"{column} is present"


def _finiteness(column: str) -> str:
    """The name of the rule that a column of floats has numbers alone."""
    return f"{column} is a finite number"


def _is_finite(column: pl.Series) -> bool:
    """Whether all values but nulls are numbers; what is null lies there as none."""
    import numpy as np  # here, since it takes a tenth of a second and who only reads needs none of it

    return bool(np.count_nonzero(~np.isfinite(column.to_numpy())) == column.null_count())


def _shorten(value: object) -> object:
    text = str(value)
    return value if len(text) <= 80 else text[:77] + "..."


def require_columns(uri: str, table: Table, columns: Collection[str]) -> None:
    """Check that a table on disk has the contract's columns.

    Args:
        uri: the table's folder.
        table: its contract.
        columns: those on disk, after the migration steps this program knows.

    Raises:
        NotALakeError: naming the first column that differs, and what to do about it.
    """
    expected = table.for_columns(columns).stored_schema
    further = {name for name, column in table.columns.items() if column is table.further}
    unknown = [name for name in columns if name not in expected]
    if unknown and table.published_by_run:  # a control table goes on: nothing reads what it does not know
        raise NotALakeError(
            f"{uri} has {_name_first(unknown)}, which this program does not know: a newer program or another "
            "one made it; use that program"
        )
    if missing := [name for name in expected if name not in columns and name not in further]:
        raise NotALakeError(
            f"{uri} lacks {_name_first(missing)}, new in this program; run `nextgen migrate`, or, if you are adding it "
            f"to {table.name} yourself, declare the step in lake/migrations"
        )


def _name_first(columns: list[str]) -> str:
    others = f" and {len(columns) - 1} more" if len(columns) > 1 else ""
    return f"the column {columns[0]!r}{others}"
