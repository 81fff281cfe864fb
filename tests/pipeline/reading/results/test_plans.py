"""A refusal is described in the unit of its rule, whoever declared it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.tables.control import TRADE_DECISIONS, TRADING_SWITCHES
from lake.tables.trading import TRADE_PLANS
from pipeline.market.sessions import Sessions, exchange_sessions
from pipeline.reading.results.plans import describe_distance, explain_stopped, plan_rows, read_rules
from pipeline.trading.planning.rules import RULES
from tests.nextgen_tui.lakes import rows

PLUGIN = """
from pipeline.trading.planning.rule import allow, count_of, rule


@rule(count_of("full moon"))
def moonlight(candidate, state, params):
    "Buys wait for a full moon."
    return allow("no moon needed")


RULES = (moonlight,)
"""


def test_every_rule_says_how_far_off_a_trade_was_in_its_own_unit() -> None:
    expected = {
        ("cost_awareness", 0.0021, "edge"): "0.21 % of edge",
        ("patience", 3.0, "sold 2 sessions ago"): "3 sessions",
        ("diversification", 1.0, "20 names are held or ordered"): "1 name",
        ("diversification", 0.0125, "name at 6 %"): "1.25 % of NAV",
        ("liquidity", 1_200.0, "1 % of the volume"): "1,200 shares",
        ("liquidity", 1.0, "too few bars to know its usual volume"): "",
        ("humility", 0.012, "measured information coefficient -0.012 is not above 0"): "0.012 of skill",
        ("humility", 0.7, "confidence 0.10"): "70.00 % of its size",
    }
    assert {refused: describe_distance(*refused, RULES) for refused in expected} == expected
    assert describe_distance("cost_awareness", 0.0021, "edge", RULES, briefly=True) == "0.21 %"
    assert describe_distance(None, None, "", RULES) == ""


def refused_by(rule: str) -> pl.DataFrame:
    ruling = {"rule": rule, "verdict": "refuse", "scale": 0.0, "distance": 2.0, "reason": "too dark"}
    return rows(TRADE_PLANS, {"ticker": "ACME", "blocked_by": rule, "verdicts": [ruling], "steps": None})


def calendars(exchange: str) -> Sessions:
    return exchange_sessions(exchange)


def no_calendars() -> None:
    raise AssertionError("the built-in rules need no plugin, and plugins alone need a calendar")


def off(lake: Path, rule: str) -> str:
    plans = refused_by(rule)
    rules = read_rules(lake, plans, lambda: calendars)
    value = plan_rows(plans, rows(TRADE_DECISIONS).clear(), rules)["off"][0]
    assert isinstance(value, str)
    return value


def test_the_refusal_of_a_plugins_rule_is_described_in_its_unit(tmp_path: Path) -> None:
    (tmp_path / "moon.py").write_text(PLUGIN)
    (tmp_path / "nextgen.toml").write_text('[plugins]\nfiles = ["moon.py"]\n')
    assert off(tmp_path, "moonlight") == "2 full moons"


def test_an_order_is_stopped_by_a_kill_before_its_open_and_by_a_pause_only_if_it_was_not_published(
    tmp_path: Path,
) -> None:
    planned, opens = date(2022, 3, 1), date(2022, 3, 2)
    decided = calendars("XNYS").close_at(planned) + timedelta(hours=1)
    order = {"ticker": "ACME", "plan_id": "2022-03-01:ACME", "taken": True, "blocked_by": None, "verdicts": []}
    plans = rows(TRADE_PLANS, {**order, "session": planned, "for_session": opens, "decided_at": decided})

    def stopped(switch: str, at: datetime, unpublished: date) -> list[str | None]:
        said = {"switch_id": "s", "switch": switch, "session": unpublished, "decided_at": at, "reason": "fire"}
        switches = rows(TRADING_SWITCHES, {**said, "closes_positions": False, "lifts": [], "decided_by": "ann"})
        found = explain_stopped(tmp_path, plans, switches, lambda: calendars)
        verdicts = plan_rows(plans, rows(TRADE_DECISIONS).clear(), stopped=found)
        assert verdicts["verdict"].to_list() == (["stopped"] if found else ["order"])
        return verdicts["stopped"].to_list()

    evening, noon = decided + timedelta(hours=2), calendars("XNYS").open_at(opens) + timedelta(hours=2)
    assert "fire" in str(stopped("kill", evening, opens)[0])
    assert stopped("pause", evening, opens) == [None]
    assert "fire" in str(stopped("pause", evening, planned)[0])
    assert stopped("kill", noon, opens) == [None], "it was filled by then"


def test_without_a_stop_no_calendar_is_needed(tmp_path: Path) -> None:
    assert explain_stopped(tmp_path, refused_by("exposure"), rows(TRADING_SWITCHES).clear(), no_calendars) == {}


@pytest.mark.parametrize("plugin", [None, "raise RuntimeError('broken')", "import os; os._exit"])
def test_where_the_plugin_is_missing_or_broken_a_plain_number_stands(tmp_path: Path, plugin: str | None) -> None:
    if plugin is not None:
        (tmp_path / "moon.py").write_text(plugin)
    (tmp_path / "nextgen.toml").write_text('[plugins]\nfiles = ["moon.py"]\n')
    assert off(tmp_path, "moonlight") == "2.0000"


def test_where_the_configuration_cannot_be_read_a_plain_number_stands(tmp_path: Path) -> None:
    (tmp_path / "nextgen.toml").write_text("[plugins")
    assert off(tmp_path, "moonlight") == "2.0000"


def test_built_in_rules_load_no_plugin(tmp_path: Path) -> None:
    (tmp_path / "nextgen.toml").write_text('[plugins]\nfiles = ["moon.py"]\n')
    assert read_rules(tmp_path, refused_by("exposure"), no_calendars) is RULES


@pytest.mark.parametrize("rule", [one.name for one in RULES if one.unit is not None])
@pytest.mark.parametrize("distance", [1e-9, 1e-6, 4e-5, 0.2])
def test_what_was_refused_is_never_off_by_nothing(rule: str, distance: float) -> None:
    for briefly in (False, True):
        words = describe_distance(rule, distance, "", RULES, briefly=briefly)
        assert any(digit in words for digit in "123456789") or not words
    assert describe_distance("cost_awareness", 1e-6, "edge", RULES, briefly=True) == "less than 0.01 %"
