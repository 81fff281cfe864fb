"""Reads the JSON of a chart answer into plain series, or names the rule that it breaks as a whole."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.market import currencies

Floats = NDArray[np.float64]
PRICES = ("open", "high", "low", "close")
MINOR_UNITS = currencies.MINOR_UNITS
SUBDIVIDED = frozenset({*MINOR_UNITS, *MINOR_UNITS.values()})
"""Currencies of the markets where a vendor mistakes the hundredth for the whole, and the other way round."""

FEW = 100
"""Bars of which the dates are worked out one by one."""

READABLE = "the answer is readable"
KNOWN = "the vendor knows the symbol"
ANSWERED = "the vendor answers without an error"
RIGHT_SYMBOL = "the answer is about the symbol asked for"
ZONED = "the answer states the exchange's time zone"
PRICED = "the answer states the currency"
QUOTED = "the answer holds quotes"
TIMED = "every quote has a time"
ORDERED = "the quotes are in order of time"


class UnreadableChartError(ValueError):
    """The answer as a whole is no chart; `rule` names what it breaks."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail


@dataclass(frozen=True)
class Split:
    """Of each `old` shares `new` ones were made."""

    stamp: int
    ratio: Fraction


@dataclass(frozen=True)
class Dividend:
    """Cash per share, in the unit the answer states it in."""

    stamp: int
    amount: float
    currency: str | None


@dataclass(frozen=True)
class Chart:
    """One answer; prices split-adjusted as of the download, in the vendor's unit, NaN where it has null."""

    symbol: str
    unit: str
    """The vendor's currency: GBp is pence."""
    zone: ZoneInfo
    name: str | None
    first_trade: date | None
    quoted_at: int | None
    """Epoch second of the live quote that the vendor may append as a last row."""
    stamps: tuple[int, ...]
    """Epoch seconds; a bar's start."""
    series: dict[str, Floats]
    """open, high, low, close, volume and, where the answer has it, adjclose."""
    splits: tuple[Split, ...]
    dividends: tuple[Dividend, ...]
    gains: tuple[Dividend, ...] = ()
    """Capital gains that a fund distributes beside its dividends."""
    closes_at: int | None = None
    """Epoch second at which the session in progress, or the last one, ends."""

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return MINOR_UNITS.get(self.unit, self.unit)

    @property
    def divisor(self) -> float:
        """What the vendor's prices are divided by to be in `currency`."""
        return 100.0 if self.unit in MINOR_UNITS else 1.0

    @cached_property
    def days(self) -> list[date]:
        """The date at the exchange of each bar."""
        if len(self.stamps) <= FEW:  # a day's fetch: not worth a frame
            return [self.day(stamp) for stamp in self.stamps]
        at = pl.from_epoch(pl.Series(self.stamps, dtype=pl.Int64)).dt.replace_time_zone("UTC")
        return at.dt.convert_time_zone(self.zone.key).dt.date().to_list()

    def day(self, stamp: int) -> date:
        """The date at the exchange."""
        return datetime.fromtimestamp(stamp, self.zone).date()

    def first_from(self, stamp: int) -> int:
        """The number of the first bar on the stamp's date or later; the count of bars if there is none."""
        return bisect_left(self.days, self.day(stamp))


def read_chart(payload: str, symbol: str) -> Chart:
    """Read an answer to a question about `symbol`.

    Raises:
        UnreadableChartError: naming the rule that the whole answer breaks.
    """
    result = _result(payload, symbol)
    meta = result.get("meta")
    if not isinstance(meta, dict):
        raise UnreadableChartError(READABLE, "it has no meta")
    said = meta.get("symbol")
    if not isinstance(said, str) or said.upper() != symbol.upper():
        raise UnreadableChartError(RIGHT_SYMBOL, f"asked for {symbol!r}, answered about {said!r}")
    unit = meta.get("currency")
    if not isinstance(unit, str) or not unit:
        raise UnreadableChartError(PRICED, f"currency is {unit!r}")
    stamps, series = _series(result)
    events = result.get("events") or {}
    return Chart(
        symbol=said,
        unit=unit,
        zone=_zone(meta),
        name=_text(meta.get("longName")) or _text(meta.get("shortName")),
        first_trade=_day(meta.get("firstTradeDate"), _zone(meta)),
        quoted_at=_whole(meta.get("regularMarketTime")),
        stamps=stamps,
        series=series,
        splits=tuple(_splits(events)),
        dividends=tuple(_dividends(events)),
        gains=tuple(_gains(events)),
        closes_at=_closes_at(meta),
    )


def _result(payload: str, symbol: str) -> dict[str, Any]:
    try:
        chart = json.loads(payload)["chart"]
        results, error = chart.get("result"), chart.get("error")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as problem:
        raise UnreadableChartError(READABLE, f"{type(problem).__name__}: {problem}") from None
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        told = error.get("description") if isinstance(error, dict) else error
        raise UnreadableChartError(KNOWN if code == "Not Found" else ANSWERED, f"{symbol}: {told}")
    if not isinstance(results, list) or not results or not isinstance(results[0], dict):
        raise UnreadableChartError(QUOTED, f"{symbol}: it has no result")
    first: dict[str, Any] = results[0]
    return first


def _series(result: dict[str, Any]) -> tuple[tuple[int, ...], dict[str, Floats]]:
    indicators = result.get("indicators") or {}
    quote = (indicators.get("quote") or [{}])[0] or {}
    missing = [name for name in (*PRICES, "volume") if not isinstance(quote.get(name), list)]
    if missing:
        raise UnreadableChartError(QUOTED, f"{len(missing)} series are missing, the first is {missing[0]!r}")
    stamps = result.get("timestamp")
    if not isinstance(stamps, list) or any(_whole(stamp) is None for stamp in stamps):
        raise UnreadableChartError(TIMED, f"{len(quote['close'])} closes and no list of times")
    if any(later < earlier for earlier, later in pairwise(stamps)):
        raise UnreadableChartError(ORDERED, f"{len(stamps)} times go back and forth")
    columns = {name: quote[name] for name in (*PRICES, "volume")}
    adjusted = (indicators.get("adjclose") or [{}])[0] or {}
    if isinstance(adjusted.get("adjclose"), list):
        columns["adjclose"] = adjusted["adjclose"]
    for name, values in columns.items():
        if len(values) != len(stamps):
            raise UnreadableChartError(TIMED, f"{len(values)} values of {name} and {len(stamps)} times")
    return tuple(stamps), {name: _floats(values) for name, values in columns.items()}


def _floats(values: list[Any]) -> Floats:
    if any(value is not None and (isinstance(value, bool) or not isinstance(value, int | float)) for value in values):
        raise UnreadableChartError(READABLE, "a value of a series is no number")
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def _splits(events: dict[str, Any]) -> list[Split]:
    splits = []
    for stamp, event in _events(events, "splits"):
        try:
            ratio = Fraction(str(event["numerator"])) / Fraction(str(event["denominator"]))
        except (KeyError, ValueError, ZeroDivisionError):
            raise UnreadableChartError(READABLE, f"the split {event!r} has no ratio") from None
        if ratio <= 0:
            raise UnreadableChartError(READABLE, f"the split {event!r} has no positive ratio")
        splits.append(Split(stamp, ratio))
    return splits


def _dividends(events: dict[str, Any]) -> list[Dividend]:
    dividends = []
    for stamp, event in _events(events, "dividends"):
        amount = event.get("amount")
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise UnreadableChartError(READABLE, f"the dividend {event!r} has no amount")
        dividends.append(Dividend(stamp, float(amount), _text(event.get("currency"))))
    return dividends


def _gains(events: dict[str, Any]) -> list[Dividend]:
    """The capital gains that can be read; they only explain, so one that cannot be read is passed over."""
    found = events.get("capitalGains") if isinstance(events, dict) else None
    gains = []
    for event in found.values() if isinstance(found, dict) else ():
        stamp, amount = (event.get("date"), event.get("amount")) if isinstance(event, dict) else (None, None)
        stamp = _whole(stamp)
        if stamp is not None and isinstance(amount, int | float) and not isinstance(amount, bool):
            gains.append(Dividend(stamp, float(amount), None))
    return sorted(gains, key=lambda gain: gain.stamp)


def _events(events: Any, kind: str) -> list[tuple[int, dict[str, Any]]]:
    """The events of a kind by time; those without a time of their own take the key they stand under."""
    found = events.get(kind) if isinstance(events, dict) else None
    if not found:
        return []
    if not isinstance(found, dict) or not all(isinstance(event, dict) for event in found.values()):
        raise UnreadableChartError(READABLE, f"the {kind} are no table of events")
    timed = []
    for key, event in found.items():
        stamp = _whole(event.get("date"))
        stamp = _whole(int(key)) if stamp is None and key.isdigit() else stamp
        if stamp is None:
            raise UnreadableChartError(TIMED, f"the event {event!r} has no time")
        timed.append((stamp, event))
    return sorted(timed, key=lambda one: one[0])


def _zone(meta: dict[str, Any]) -> ZoneInfo:
    name = meta.get("exchangeTimezoneName")
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnreadableChartError(ZONED, f"it says {name!r}") from None


def _closes_at(meta: dict[str, Any]) -> int | None:
    periods = meta.get("currentTradingPeriod")
    regular = periods.get("regular") if isinstance(periods, dict) else None
    return _whole(regular.get("end")) if isinstance(regular, dict) else None


def _whole(value: object) -> int | None:
    """An epoch second within the years 1900 to 2200; None for anything else."""
    fits = isinstance(value, int) and not isinstance(value, bool) and -2_208_988_800 <= value <= 7_258_118_400
    return value if fits and isinstance(value, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _day(value: object, zone: ZoneInfo) -> date | None:
    stamp = _whole(value)
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC).astimezone(zone).date()
