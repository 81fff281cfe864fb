"""The mapping file: which table and column of the older system means what, in which zone, unit and form."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as Named
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.ingestion.sources.errors import SourceError

NAME = r"[a-z0-9][a-z0-9\-]{0,22}"
"""A system's name; its rows come from the source `import-NAME`."""
LARGEST = 1_000_000
"""Bytes of a mapping file."""
EPOCHS = {"epoch seconds": 1_000_000, "epoch milliseconds": 1_000, "epoch microseconds": 1}
"""Form of a time -> microseconds in one of its units."""
VALUES = ("return", "log return", "price")
"""What a forecast's value can be: a return as a fraction, a log return, or a price beside its reference."""


@dataclass(frozen=True)
class Kind:
    """What can be imported: its fields, which of them are needed, and of what type they are."""

    needed: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    """Of these, at least one is needed."""
    optional: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    instants: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    """Keys of the section beside those that every kind has."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field there is."""
        return (*self.needed, *self.one_of, *self.optional)


BAR_NUMBERS = ("open", "high", "low", "close", "volume")
KINDS: dict[str, Kind] = {
    "prices": Kind(
        needed=("ticker", *BAR_NUMBERS),
        one_of=("session", "ts"),
        optional=("available_at",),
        days=("session",),
        instants=("ts", "available_at"),
        numbers=BAR_NUMBERS,
        settings=("interval", "stamp", "adjusted"),
    ),
    "news": Kind(
        needed=("published_at", "title"),
        optional=("id", "body", "url", "tickers"),
        instants=("published_at",),
    ),
    "predictions": Kind(
        needed=("ticker", "horizon", "value"),
        one_of=("session", "made_at"),
        optional=("reference", "probability_up", "model"),
        days=("session",),
        instants=("made_at",),
        numbers=("value", "reference", "probability_up"),
        settings=("value",),
    ),
    "trades": Kind(
        needed=("ticker", "shares", "price"),
        one_of=("day", "at"),
        optional=("id", "side", "fees", "profit"),
        days=("day",),
        instants=("at",),
        numbers=("shares", "price", "fees", "profit"),
    ),
}
EVERY = ("table", "columns", "formats", "divide", "constants")


@dataclass(frozen=True, kw_only=True)
class MappingSection:
    """How one kind of record is held by the older system."""

    kind: str
    table: str
    """Table or view of a database; file or folder of Parquet files, without its ending."""
    columns: Named[str, str]
    """Our field -> the column."""
    formats: Named[str, str] = field(default_factory=dict)
    """Field of a time -> iso, epoch seconds, epoch milliseconds, epoch microseconds, or a strptime form."""
    divide: Named[str, float] = field(default_factory=dict)
    """Field -> what its numbers are divided by: 100 for cents and for percent."""
    constants: Named[str, str] = field(default_factory=dict)
    """Field -> its value in every row."""
    interval: str = "1d"
    stamp: str = "start"
    value: str = "return"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that have to be read, once each."""
        return tuple(dict.fromkeys(self.columns.values()))


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """A whole mapping file."""

    name: str
    zone: str | None
    """Of times that state no offset; None for that of the market's exchange."""
    currency: str | None
    """Of prices; None for that of the market's exchange."""
    benchmark: str
    sections: tuple[MappingSection, ...]

    @property
    def source(self) -> str:
        """The source its rows come from."""
        return f"import-{self.name}"


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        SourceError: if it cannot be read, or says what cannot be; naming the key and the fix.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise SourceError(f"{path} has {path.stat().st_size:,} bytes; a mapping has at most {LARGEST:,}")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not a text file; `nextgen import ... --propose` writes a mapping") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SourceError(f"{path} is not valid TOML: {error}; `nextgen import ... --propose` writes one") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; `--propose` writes a first mapping") from None
    return parse_mapping(content, str(path))


def parse_mapping(content: dict[str, Any], where: str) -> Mapping:
    """Hold a mapping's content to what a mapping can say.

    Raises:
        SourceError: naming the key and the fix.
    """
    known = {"name", "zone", "currency", "benchmark", *KINDS}
    _refuse_unknown(content, known, where)
    sections = tuple(_section(kind, content[kind], where) for kind in KINDS if kind in content)
    if not sections:
        raise SourceError(f"{where} maps nothing; add at least one of the sections {', '.join(KINDS)}")
    mapping = Mapping(
        name=_text(content, "name", where, "old"),
        zone=_text(content, "zone", where, "") if "zone" in content else None,
        currency=_text(content, "currency", where, "") if "currency" in content else None,
        benchmark=_text(content, "benchmark", where, "SPY"),
        sections=sections,
    )
    if not re.fullmatch(NAME, mapping.name):
        raise SourceError(f"{where}: name is {mapping.name!r}; use small letters, digits and hyphens, at most 23")
    if mapping.currency and not re.fullmatch("[A-Z]{3}", mapping.currency):
        raise SourceError(f"{where}: currency is {mapping.currency!r}; use an ISO 4217 code such as USD")
    if mapping.zone:
        _refuse_zone(mapping.zone, where)
    return mapping


def _section(kind: str, content: Any, where: str) -> MappingSection:
    where = f"{where}: [{kind}]"
    if not isinstance(content, dict):
        raise SourceError(f"{where} is not a section")
    of = KINDS[kind]
    _refuse_unknown(content, {*EVERY, *of.settings}, where)
    if kind == "prices" and content.get("adjusted") is not False:
        raise SourceError(
            f"{where} has to say `adjusted = false`: the lake keeps prices as traded, with splits and dividends apart; "
            "map the unadjusted columns, or leave the section out and load prices from another source"
        )
    named = {part: _texts(content, part, of, where) for part in ("columns", "formats", "constants")}
    section = MappingSection(
        kind=kind,
        table=_text(content, "table", where, kind),
        columns=named["columns"],
        formats=named["formats"],
        divide=_divisors(content, of, where),
        constants=named["constants"],
        **{name: _text(content, name, where, getattr(MappingSection, name)) for name in ("interval", "stamp", "value")},
    )
    _refuse_gaps(section, of, where)
    for name, form in section.formats.items():
        _refuse_format(name, form, of, where)
    return section


def _refuse_gaps(section: MappingSection, of: Kind, where: str) -> None:
    given = {*section.columns, *section.constants}
    if both := sorted(set(section.columns) & set(section.constants)):
        raise SourceError(f"{where} gives {both[0]!r} a column and a constant; keep one")
    if lacking := [name for name in of.needed if name not in given]:
        raise SourceError(f'{where} maps no {lacking[0]!r}; add `{lacking[0]} = "COLUMN"` under its columns')
    if of.one_of and not given & set(of.one_of):
        raise SourceError(f"{where} maps neither {' nor '.join(map(repr, of.one_of))}; one of them is needed")
    if not section.columns:
        raise SourceError(f"{where} maps no column; add at least one besides the constants")
    if section.interval not in ("1d", "1h", "5m", "1m") or section.stamp not in ("start", "end"):
        raise SourceError(f"{where}: interval is one of 1d, 1h, 5m and 1m, and stamp is start or end")
    if section.interval != "1d" and "ts" not in given:
        raise SourceError(f"{where}: bars of {section.interval} need a time; map `ts` instead of `session`")
    if section.value not in VALUES:
        raise SourceError(f"{where}: value is {section.value!r}; it is one of {', '.join(VALUES)}")
    if (section.value == "price") != ("reference" in given) and section.kind == "predictions":
        raise SourceError(f"{where}: a price as value, and only that, needs `reference`, the close it starts from")


def _divisors(content: dict[str, Any], of: Kind, where: str) -> dict[str, float]:
    given = content.get("divide", {})
    if not isinstance(given, dict):
        raise SourceError(f"{where}: divide must be a table of fields and numbers")
    _refuse_unknown(given, set(of.numbers), f"{where} divide")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-9 <= value <= 1e9:
            raise SourceError(f"{where}: {name} cannot be divided by {value!r}; give a number such as 100")
    return {name: float(value) for name, value in given.items()}


def _texts(content: dict[str, Any], part: str, of: Kind, where: str) -> dict[str, str]:
    given = content.get(part, {})
    if not isinstance(given, dict):
        raise SourceError(f"{where}: {part} must be a table of fields and texts")
    allowed = {*of.days, *of.instants} if part == "formats" else set(of.fields)
    _refuse_unknown(given, allowed, f"{where} {part}")
    for name, value in given.items():
        if not isinstance(value, str):
            raise SourceError(f'{where}: {part} gives {name!r} the value {value!r}; write it as a text, "{value}"')
    return dict(given)


def _refuse_unknown(given: dict[str, Any], known: set[str], where: str) -> None:
    for name in given:
        if name not in known:
            near = get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(sorted(known))}"
            raise SourceError(f"{where} has {name!r}, which means nothing here; {hint}")


def _refuse_format(name: str, form: str, of: Kind, where: str) -> None:
    if form in ("iso", *EPOCHS):
        return
    example = datetime(2024, 2, 29, 13, 5, 7, tzinfo=ZoneInfo("America/New_York"))
    try:
        again = datetime.strptime(example.strftime(form), form)  # noqa: DTZ007 - only asked whether it can be read
    except ValueError:
        again = None
    if "%" not in form or again is None or (again.month, again.day) != (2, 29):
        known = ", ".join(("iso", *EPOCHS))
        raise SourceError(f"{where}: the form {form!r} of {name!r} reads no day; use {known}, or such as %d/%m/%Y")
    if name in of.instants and not re.search(r"%[HIcXT]", form):
        raise SourceError(f"{where}: the form {form!r} of {name!r} has no time of day; add %H:%M")


def _refuse_zone(zone: str, where: str) -> None:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise SourceError(f"{where}: there is no time zone {zone!r}; use a name such as America/New_York") from None


def _text(content: dict[str, Any], name: str, where: str, default: str) -> str:
    value = content.get(name, default)
    if not isinstance(value, str) or not value:
        raise SourceError(f"{where}: {name} is {value!r}; write a text")
    return value
