"""Mandates: what contradicts itself is refused in words, and the last one set counts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.trading import MANDATES
from pipeline.config import ConfigError
from pipeline.config.loading import choice, load
from pipeline.control.operator.decisions import DecisionError
from pipeline.control.operator.mandates import parse_assignments, read_changes
from pipeline.trading.mandates.mandate import Mandate, read_mandate

MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def rows(*mandates: Mandate) -> pl.DataFrame:
    values = [
        asdict(one)
        | {
            "mandate_id": f"m{at}",
            "session": MOMENT.date(),
            "exclusions": list(one.exclusions),
            "tilts": list(one.tilts),
            "reason": "why not",
            "decided_at": MOMENT + timedelta(hours=at),
            "recorded_at": MOMENT,
            "origin": "cli",
            "decided_by": "me",
        }
        for at, one in enumerate(mandates)
    ]
    return MANDATES.check(pl.DataFrame(values, schema=MANDATES.schema))


def test_the_last_mandate_set_counts_and_the_settings_until_then() -> None:
    usual = Mandate(active_risk=0.01)
    assert read_mandate(MANDATES.empty(), usual).mandate is usual
    told = read_mandate(rows(Mandate(), Mandate(exclusions=("MO",), tilts=("tech=0.1",))), usual)
    assert (told.mandate_id, told.mandate.exclusions, told.mandate.tilts) == ("m1", ("MO",), ("tech=0.1",))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"min_exposure": 0.9, "max_exposure": 0.5}, "no book meets both"),
        ({"benchmark": "cash"}, "set mode = absolute"),
        ({"cash_target": 0.5}, "more than the whole book"),
        ({"exclusions": ("tech",), "tilts": ("tech=0.1",)}, "among exclusions and among tilts"),
        ({"tilts": ("tech=0.6", "energy=0.6")}, "more than max_exposure"),
        ({"tilts": ("tech=0.02", "tech =0.03")}, "tech is tilted 2 times"),
    ],
)
def test_a_mandate_that_contradicts_itself_is_refused_in_words(
    values: dict[str, Any], words: str, tmp_path: Path
) -> None:
    assert any(words in one for one in Mandate(**values).contradictions())
    chosen = {
        f"trading.mandate.{name}": choice(f"trading.mandate.{name}", _text(value)) for name, value in values.items()
    }
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, {}, chosen)


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def test_changes_are_held_to_their_types_and_all_that_is_wrong_is_said_at_once() -> None:
    assert read_changes(parse_assignments(["active_risk=0.04", "exclusions=MO,PM"])) == {
        "active_risk": 0.04,
        "exclusions": ("MO", "PM"),
    }
    with pytest.raises(DecisionError, match=r"no field actve_risk; did you mean active_risk\?.*horizon"):
        read_changes({"actve_risk": "0.04", "horizon": "0"})
    with pytest.raises(DecisionError, match="NAME=WEIGHT"):
        read_changes({"tilts": "tech"})
    with pytest.raises(DecisionError, match="'active_risk' is not written as FIELD=VALUE"):
        parse_assignments(["active_risk"])
    with pytest.raises(DecisionError, match="horizon is given twice"):
        parse_assignments(["horizon=5", "horizon=20"])


def test_an_unknown_rule_in_the_order_is_refused_with_the_nearest(tmp_path: Path) -> None:
    key = "trading.philosophy.order"
    with pytest.raises(ConfigError, match=r"no rule 'turnovr'; did you mean turnover\?"):
        load(tmp_path, {}, {key: choice(key, "turnovr,solvency")})
