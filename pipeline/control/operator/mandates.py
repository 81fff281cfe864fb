"""Sets the mandate: what the operator wants of the book, recorded in whole each time, with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lake.store import Lake
from lake.tables.market import MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.trading import MANDATES
from pipeline.config import ConfigError
from pipeline.config.check_values import from_text, nearest
from pipeline.config.fields import settings_of
from pipeline.control.operator.decisions import (
    DecisionError,
    Origin,
    find_row,
    insert_once,
    make_id,
    order_after,
    read_market_time,
)
from pipeline.control.operator.trading_switches import first_unpublished, who_decides
from pipeline.trading.mandates.mandate import CASH, EQUAL_WEIGHT, FIELDS, Mandate, Mandated, from_row, read_mandate

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner

MAX_REASON = 1_000
"""Characters that `mandates` takes."""


def standing_mandate(lake: Lake, default: Mandate) -> Mandated:
    """The mandate that counts now: the last one set, else the settings' one."""
    return read_mandate(lake.read(MANDATES), default)


def list_mandates(lake: Lake) -> list[dict[str, Any]]:
    """Every mandate that was set, the newest first, with what it changed of the one before."""
    rows = lake.read(MANDATES).sort("decided_at", "mandate_id").to_dicts()
    before: list[Mandate | None] = [None, *(from_row(row) for row in rows)]
    listed = [row | {"changed": _changes(old, from_row(row))} for old, row in zip(before, rows, strict=False)]
    return listed[::-1]


def set_mandate(
    runner: Runner,
    changes: Mapping[str, str],
    reason: str,
    origin: Origin,
    *,
    mandate_id: str = "",
    now: datetime | None = None,
) -> Mandated:
    """Record a mandate that counts from the next plan on: the standing one with some fields changed.

    Args:
        runner: of the lake; nothing is run.
        changes: field -> its new value as text; lists with commas.
        reason: why, for the record.
        origin: where it was said.
        mandate_id: made by the caller; a second call with the same id changes nothing.
        now: the wall clock; the computer's where None.

    Raises:
        DecisionError: if a field is unknown, a value is out of range, no reason is given, nothing would change, a
            ticker or sector is named that the lake has never heard of, nothing is left to hold, or the mandate would
            contradict itself.
        StorageError: if the lake cannot be written.
    """
    lake, default = runner.lake, runner.settings.trading.mandate
    if mandate_id and (known := find_row(lake, MANDATES, mandate_id)):
        return _recorded(known)
    before = standing_mandate(lake, default).mandate
    wanted = replace(before, **read_changes(changes))
    if not reason.strip() or len(reason) > MAX_REASON:
        raise DecisionError(f"say why in 1 to {MAX_REASON:,} characters; they are recorded with the mandate")
    if wanted == before:
        raise DecisionError("the mandate says so already; nothing was recorded")
    if wrong := [*wanted.contradictions(), *name_strangers(lake, wanted, before), *tell_emptiness(lake, wanted)]:
        raise DecisionError("; ".join(wrong))
    wall = now or datetime.now(UTC)
    row = asdict(wanted) | {
        "mandate_id": mandate_id or make_id(origin),
        "session": first_unpublished(runner),
        "exclusions": list(wanted.exclusions),
        "tilts": list(wanted.tilts),
        "reason": reason,
        "decided_at": order_after(lake, MANDATES, pl.lit(True), read_market_time(runner, wall)),
        "recorded_at": wall,
        "origin": origin,
        "decided_by": who_decides(),
    }
    return _recorded(insert_once(lake, MANDATES, row, str(row["mandate_id"])))


def name_strangers(lake: Lake, wanted: Mandate, before: Mandate | None = None) -> Iterator[str]:
    """Yield a sentence for each name that a mandate speaks of and the lake has never heard of.

    Args:
        lake: only read; one that has heard of nothing yet makes no name a stranger.
        wanted: the mandate.
        before: the one before it, whose names are let pass: what left the universe may go on being excluded.
    """
    kept = {*before.exclusions, before.benchmark} if before else set()
    universe = lake.read(TICKER_UNIVERSE, columns=("session", "ticker", "sector"))
    if universe.is_empty():
        return
    tickers, sectors = set(universe["ticker"]), set(universe["sector"].drop_nulls())
    for name in sorted({*wanted.exclusions, *dict(wanted.read_tilts())} - kept - tickers - sectors):
        yield f"no ticker or sector is called {name}{nearest(name, sorted(tickers | sectors))}"
    priced = {EQUAL_WEIGHT, CASH, *kept} | set(_traded(lake, universe["session"].max()))
    if wanted.benchmark not in priced:
        hint = nearest(wanted.benchmark, sorted(priced))
        yield f"the benchmark {wanted.benchmark} has no bar in the last session{hint}"


def tell_emptiness(lake: Lake, wanted: Mandate) -> Iterator[str]:
    """Yield a sentence if no member of the universe is left that a book which has to be invested could hold.

    Args:
        lake: only read.
        wanted: the mandate; a benchmark that is held itself can be held whatever is excluded.
    """
    if wanted.mode == "absolute" or wanted.benchmark != EQUAL_WEIGHT or not wanted.min_exposure:
        return
    universe = lake.read(TICKER_UNIVERSE, where=pl.col("member"), columns=("session", "ticker", "sector"))
    members = universe.filter(pl.col("session") == pl.col("session").max())
    excluded = pl.col("ticker").is_in(wanted.exclusions) | pl.col("sector").is_in(wanted.exclusions).fill_null(False)
    if members.height and members.filter(~excluded).is_empty():
        yield (
            f"the exclusions leave none of the {members.height:,} members of the universe, and min_exposure is"
            f" {wanted.min_exposure}; exclude less, or set min_exposure = 0"
        )


def _traded(lake: Lake, session: Any) -> list[str]:
    daily = pl.col("interval") == "1d"
    bars = lake.read(MARKET_PRICES, since=session, until=session, where=daily, columns=MARKET_PRICES.key)
    return bars["ticker"].to_list()


def read_changes(changes: Mapping[str, str]) -> dict[str, Any]:
    """Values of fields from text, held to their types and ranges.

    Raises:
        DecisionError: for every field that is unknown or out of range, all of them at once.
    """
    settings, values, wrong = settings_of(Mandate), {}, []
    for name, text in changes.items():
        if name not in settings:
            wrong.append(f"a mandate has no field {name}{nearest(name, FIELDS)}")
            continue
        try:
            values[name] = from_text(settings[name], text, "mandate")
        except ConfigError as error:
            wrong.append(str(error))
    if wrong:
        raise DecisionError("; ".join(wrong))
    return values


def parse_assignments(words: Sequence[str]) -> dict[str, str]:
    """Field -> value of words such as active_risk=0.04.

    Raises:
        DecisionError: naming the first that is none, or is of a field that was given before.
    """
    changes = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.strip():
            raise DecisionError(f"{word!r} is not written as FIELD=VALUE, such as active_risk=0.04")
        if name.strip() in changes:
            raise DecisionError(f"{name.strip()} is given twice; say it once (a list is written with commas)")
        changes[name.strip()] = value.strip()
    return changes


def _changes(before: Mandate | None, after: Mandate) -> dict[str, tuple[Any, Any]]:
    """Field -> its value before and after; everything that differs from the defaults for the first one."""
    old = before or Mandate()
    return {
        name: (getattr(old, name), getattr(after, name))
        for name in FIELDS
        if getattr(old, name) != getattr(after, name)
    }


def _recorded(row: Mapping[str, Any]) -> Mandated:
    return Mandated(
        mandate=from_row(row), mandate_id=row["mandate_id"], decided_at=row["decided_at"], reason=row["reason"]
    )
