"""The types that settings share, and what can stand beside one, such as the value of earlier runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from lake.tables.vocabulary import SYMBOL
from pipeline.market.calendar_changes import parse_change
from pipeline.market.currencies import EXCHANGES
from pipeline.network.addresses import is_web_address


@dataclass(frozen=True)
class Formerly:
    """The name a setting used to have. Files, environment variables and recorded runs that use it still count."""

    name: str


@dataclass(frozen=True)
class Earlier:
    """The value that runs had which recorded none: what a new setting changes stays as it was for them."""

    value: Any


@dataclass(frozen=True)
class AnyText:
    """Beside a text without a choice or a pattern: why every text is allowed."""

    why: str


T = TypeVar("T")


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(values)) < len(values):
        raise ValueError("a value is in the list twice")
    return values


def _rising(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("the values are not in rising order")
    return values


def _date(text: str) -> str:
    date.fromisoformat(text)
    return text


def _or_empty(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda text: check(text) if text else text)


def _web_address(text: str) -> str:
    if not is_web_address(text):
        raise ValueError("it is not a plain http or https address")
    return text


def _calendar_change(text: str) -> str:
    parse_change(text)
    return text


def _exchange(code: str) -> str:
    if code not in EXCHANGES:
        near = get_close_matches(code, sorted(EXCHANGES), n=1)
        raise ValueError("there is no calendar for it" + (f"; did you mean {near[0]}?" if near else ""))
    return code


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error
    return name


DISTINCT = AfterValidator(_distinct)
"""For a list: no value stands in it twice."""
RISING = AfterValidator(_rising)
"""For a list: every value is larger than the one before it."""

Share = Annotated[float, Field(ge=0, le=1)]
Horizon = Annotated[int, Field(ge=1, le=20)]
"""Sessions ahead. What learns from a forecast reads 45 sessions back: 20, the grace, and some without a run."""
Horizons = Annotated[
    tuple[Horizon, ...],
    Field(min_length=1, max_length=10, description="1 to 10 numbers of sessions, each from 1 to 20, in rising order"),
    RISING,
]
Day = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\d$", description="a date, written like 2018-01-02"), AfterValidator(_date)
]
DayOrNone = Annotated[
    str, Field(max_length=10, description="a date, written like 2018-01-02, or empty for none"), _or_empty(_date)
]
WebAddress = Annotated[
    str,
    Field(max_length=2000, description="an http or https address without user name or password"),
    AfterValidator(_web_address),
]
WebAddressOrNone = Annotated[
    str,
    Field(max_length=2000, description="an http or https address without user name or password, or empty for none"),
    _or_empty(_web_address),
]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Exchange = Annotated[
    str,
    Field(pattern=r"^([A-Z]{4}|24/[57])$", description="the ISO 10383 code of an exchange, such as XNYS"),
    AfterValidator(_exchange),
]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="an ISO 4217 currency code, such as USD")]
CurrencyPair = Annotated[
    str, Field(pattern=r"^[A-Z]{6}$", description="two ISO 4217 currency codes in one, such as EURUSD")
]
CurrencyOrNone = Annotated[
    str, Field(pattern=r"^([A-Z]{3})?$", description="an ISO 4217 currency code, such as USD, or empty for none")
]
CurrencyOrUnit = Annotated[
    str, Field(pattern=r"^([A-Z]{3}|GBp|ZAc)$", description="an ISO 4217 currency code, such as USD, or GBX for pence")
]
CalendarChange = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\d( known \d{4}-\d\d-\d\d)?$",
        description="a date, or a date and since when it is known, written like 2012-10-29 known 2012-10-28",
    ),
    AfterValidator(_calendar_change),
]
CalendarChangeList = Annotated[tuple[CalendarChange, ...], Field(max_length=1000), DISTINCT]
Zone = Annotated[
    str, Field(max_length=64, description="the name of a time zone, such as America/New_York"), AfterValidator(_zone)
]
Ticker = Annotated[str, Field(pattern=f"^(?:{SYMBOL})$", description="a ticker, such as BRK.B")]
TickerOrNone = Annotated[
    str, Field(pattern=f"^(?:{SYMBOL})?$", description="a ticker, such as BRK.B, or empty for none")
]
FilePath = Annotated[str, Field(max_length=4096), AnyText("the path is checked where the file is opened, in words")]
