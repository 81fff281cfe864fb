"""Writes a first mapping by looking: usual names of columns, and what the first rows hold. A person reads it after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline.config.toml_document import toml_value
from pipeline.ingestion.imports.convert import days_of, instants_of
from pipeline.ingestion.imports.mapping import EPOCHS, KINDS
from pipeline.ingestion.imports.old_system import Store
from pipeline.ingestion.imports.sqlite import ROWID
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.columns import DAILY_BARS, DAY, NEWS, TICKER, Usual, recognise
from pipeline.ingestion.sources.files.dates import FORMATS

SAMPLE = 1_000
"""Rows of a table that are looked at."""
READABLE = 0.9
"""Share of a sample's cells that a form has to read to be proposed."""
PERCENT = 0.2
"""Median size from which forecasts are taken for percentages: no one forecasts a move of 20 % as a rule."""
SECURITY = (*TICKER, "sym", "tkr", "code")
WHEN = ("made_at", "made", "created_at", "predicted_at", "timestamp", "datetime", "time", "ts", "created", "run_at")
USUAL: dict[str, Usual] = {
    "prices": {
        **{name: names for name, names in DAILY_BARS.items() if name != "adj_close"},
        "ticker": SECURITY,
        "session": (*DAY, "dt", "d"),
    },
    "predictions": {
        "ticker": SECURITY,
        "horizon": ("horizon", "horizon_days", "days", "days_ahead", "steps", "h"),
        "value": (
            *("value", "prediction", "predicted", "predicted_return", "pred", "pct", "forecast", "expected_return"),
            *("yhat", "pred_return", "signal", "score", "return"),
        ),
        "reference": ("reference", "reference_price", "reference_close", "close", "last_price", "price"),
        "session": ("session", "date", "day", "trade_date", "as_of", "asof_date", "prediction_date"),
        "made_at": WHEN,
        "probability_up": ("probability_up", "prob_up", "p_up", "probability", "prob", "proba"),
        "model": ("model", "model_id", "model_name", "strategy", "algo"),
    },
    "trades": {
        "id": ("id", "trade_id", "fill_id", "execution_id", "order_id", ROWID),
        "ticker": SECURITY,
        "side": ("side", "action", "direction", "buy_sell", "type"),
        "shares": ("shares", "qty", "quantity", "size", "amount", "units", "volume"),
        "price": ("price", "fill_price", "exec_price", "execution_price", "avg_price", "px"),
        "at": ("at", "filled_at", "executed_at", "execution_time", "trade_time", "timestamp", "datetime", "time", "ts"),
        "day": ("day", "date", "trade_date", "session", "filled_on"),
        "fees": ("fees", "fee", "commission", "costs", "cost"),
        "profit": ("profit", "pnl", "realised_pnl", "realized_pnl", "realised", "realized", "pl"),
    },
    "news": {**NEWS, "published_at": (*NEWS["published_at"], "pub", "pubdate", "published_on")},
}
"""Kind -> field -> the names it usually has; in the order in which tables are given to kinds."""


@dataclass
class _Guess:
    """What a table may be."""

    kind: str
    table: str
    columns: dict[str, str]
    formats: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    divide: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def propose(store: Store, name: str = "old") -> str:
    """Return a mapping as TOML, with remarks where a person has to decide.

    Raises:
        SourceError: if no table looks like anything that can be imported.
    """
    guesses = list(_guesses(store))
    if not guesses:
        shown = "; ".join(f"{table}: {', '.join(columns[:12])}" for table, columns in list(store.tables().items())[:8])
        raise SourceError(
            f"no table of {store.where} looks like prices, predictions, trades or news ({shown}); "
            "write the mapping by hand, as docs/importing.md shows"
        )
    lines = [
        f"# A first mapping of {_comment(store.where)}: check every line, then try it with --dry-run.",
        f"name = {toml_value(name)}",
        '# zone = "America/New_York"  # of times that state no offset; unless set, the zone of the exchange',
        '# currency = "USD"  # unless set, the currency of the exchange',
        'benchmark = "SPY"  # listed as the benchmark if it is among the prices',
    ]
    for guess in guesses:
        lines += ["", *_format(guess)]
    return "\n".join(lines) + "\n"


def _guesses(store: Store) -> Iterator[_Guess]:
    left = dict(store.tables())
    for kind, usual in USUAL.items():
        found = {table: _recognise(kind, usual, columns) for table, columns in left.items()}
        fitting = {table: columns for table, columns in found.items() if columns}
        if not fitting:
            continue
        # Of several the one with the most fields, then the one that says so itself.
        table = max(fitting, key=lambda one: (len(fitting[one]), kind.rstrip("s") in one.lower(), one))
        yield _inspect(store, _Guess(kind, table, fitting[table]))
        del left[table]


def _recognise(kind: str, usual: Usual, columns: Sequence[str]) -> dict[str, str]:
    """Field -> column; empty where a needed field is not there, or one column would have to be two things."""
    of = KINDS[kind]
    found = recognise(columns, usual, {}, required=(), file="", strict=False)
    if kind == "predictions" and found.get("session") and found.get("made_at") == found.get("session"):
        del found["made_at"]
    taken: dict[str, str] = {}
    for name in (*of.needed, *of.one_of, *of.optional):
        if name in found and found[name] not in taken.values():
            taken[name] = found[name]
    whole = all(name in taken for name in of.needed) and (not of.one_of or any(name in taken for name in of.one_of))
    return taken if whole else {}


def _inspect(store: Store, guess: _Guess) -> _Guess:
    rows = next(store.rows(guess.table, tuple(guess.columns.values())), None)
    if rows is None:
        guess.remarks.append("the table is empty")
        return guess
    sample = rows.head(SAMPLE)
    of = KINDS[guess.kind]
    if guess.kind == "trades" and "at" not in guess.columns:
        _rename(guess, "day", "at", when=not _are_days(sample[guess.columns["day"]]))
    elif guess.kind == "trades":
        _rename(guess, "at", "day", when=_are_days(sample[guess.columns["at"]]))
    elif guess.kind == "predictions" and "session" not in guess.columns:
        _rename(guess, "made_at", "session", when=_are_days(sample[guess.columns["made_at"]]))
    elif guess.kind == "prices":
        _intraday(guess, sample)
    for name in (*of.days, *of.instants):
        if name in guess.columns:
            _form(guess, name, sample[guess.columns[name]], timed=name in of.instants)
    if guess.kind == "predictions":
        _unit(guess, sample)
    if guess.columns.get("id") == ROWID:
        guess.remarks.append("VACUUM can give rows other row ids: leave id out, or map a column that stays")
    return guess


def _rename(guess: _Guess, old: str, new: str, *, when: bool) -> None:
    if when:
        guess.columns[new] = guess.columns.pop(old)


def _are_days(text: pl.Series) -> bool:
    """Whether cells hold days without a time."""
    cells = text.drop_nulls().str.strip_chars()
    return not cells.is_empty() and bool((cells.str.len_chars() <= 12).all()) and not _epoch(cells)


def _intraday(guess: _Guess, sample: pl.DataFrame) -> None:
    """Bars within the day carry a time; how long they are shows in the distance between two."""
    text = sample[guess.columns["session"]]
    form = _epoch(text.drop_nulls()) or "iso"
    at = instants_of(text, form, "UTC").drop_nulls().unique().sort()
    steps = at.diff().drop_nulls().dt.total_minutes()
    if at.len() < 2 or bool((at.dt.hour() == at.dt.hour()[0]).all()):
        return
    shortest = steps.min()
    interval = {60: "1h", 5: "5m", 1: "1m"}.get(shortest if isinstance(shortest, int) else 0)
    if interval is not None:
        guess.settings["interval"] = interval
        _rename(guess, "session", "ts", when=True)


def _form(guess: _Guess, name: str, text: pl.Series, *, timed: bool) -> None:
    """Find the form that reads the cells; nothing is written where ISO 8601 does."""
    cells = text.drop_nulls()
    read = instants_of if timed else days_of
    forms = ["iso", *([epoch] if (epoch := _epoch(cells)) else []), *FORMATS]
    if timed:
        forms += [f"{form} {time}" for form in FORMATS for time in ("%H:%M:%S", "%H:%M")]
        forms = [form for form in forms if form in ("iso", *EPOCHS) or "%H" in form]
    hits = [form for form in forms if cells.len() and _share(read(cells, form, "UTC")) >= READABLE]
    if not hits:
        first = cells[0] if cells.len() else None
        guess.remarks.append(f"no usual form reads {name}, the first is {_comment(repr(first))}: set its format")
    elif any("%d/%m" in hit for hit in hits) and any("%m/%d" in hit for hit in hits):
        guess.remarks.append(f"day and month of {name} cannot be told apart: write %m/%d/%Y or %d/%m/%Y")
    elif hits[0] != "iso":
        guess.formats[name] = hits[0]


def _share(read: pl.Series) -> float:
    return 1 - read.null_count() / len(read)


def _epoch(cells: pl.Series) -> str | None:
    """Which epoch a column of numbers counts from 1970, by its size: from 1990 to 2100."""
    numbers = cells.cast(pl.Float64, strict=False)
    if cells.is_empty() or numbers.null_count() > (1 - READABLE) * len(cells):
        return None
    middle = numbers.median()
    for form, micros in EPOCHS.items():
        if isinstance(middle, float) and 631_152_000e6 <= middle * micros <= 4_102_444_800e6:
            return form
    return None


def _unit(guess: _Guess, sample: pl.DataFrame) -> None:
    median = sample[guess.columns["value"]].cast(pl.Float64, strict=False).abs().median()
    size = median if isinstance(median, float) else 0.0
    if size > 5 and "reference" in guess.columns:
        guess.settings["value"] = "price"
        guess.remarks.append("the values look like prices; reference is the close they start from")
        return
    guess.columns.pop("reference", None)
    if size > PERCENT:
        guess.divide["value"] = 100
        guess.remarks.append("the values look like per cent: they are divided by 100")


def _format(guess: _Guess) -> Iterator[str]:
    yield f"[{guess.kind}]"
    yield from (f"# {remark}" for remark in guess.remarks)
    yield f"table = {toml_value(guess.table)}"
    if guess.kind == "prices":
        yield "adjusted = true  # set to false if these are prices as traded; adjusted ones cannot be imported"
    yield from (f"{name} = {toml_value(value)}" for name, value in guess.settings.items())
    yield from _table(f"{guess.kind}.columns", guess.columns)
    yield from _table(f"{guess.kind}.formats", guess.formats)
    yield from _table(f"{guess.kind}.divide", guess.divide)


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    if values:
        yield f"[{name}]"
        yield from (f"{field} = {toml_value(value)}" for field, value in values.items())


def _comment(text: str) -> str:
    """Text from outside within a remark: one line, nothing that could end it."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:200]
