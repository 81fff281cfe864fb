"""Each rule by itself: what it lets pass, scales or refuses, and how far off in which unit a refusal was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pipeline.trading.params import Rules, TradingParams
from pipeline.trading.planning import plan
from pipeline.trading.planning.candidates import Candidate, Forecast, Holding, PortfolioState
from pipeline.trading.planning.rule import Check, Rule, RuleVerdict, Ruling, allow, refuse, rule, share_of
from pipeline.trading.planning.rules import RULES, list_rules, unit_of

FORECAST = Forecast(
    prediction_id="p",
    model_id="m",
    role="champion",
    age=0,
    point=0.03,
    low=-0.05,
    low_80=-0.02,
    high_80=0.08,
    confidence=1.0,
)
HOLDING = Holding(shares=100, cost=100.0, weight=0.01, opened=date(2021, 4, 12), held_sessions=5, stop=90.0)
BUY = Candidate(
    ticker="AAA", sector="tech", side="buy", intent="enter", shares=100, close=100.0, stale=0, member=True,
    exclusion="member", volatility=0.02, median_volume=1e6, cost=0.002, forecast=FORECAST,
    holding=None, since_sale=None,
)  # fmt: skip
SALE = replace(BUY, side="sell", intent="expire", holding=HOLDING)


@rule(share_of("the training rows"))
def familiar_inputs(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """What an operator might declare: nothing is bought on inputs that the model hardly knows."""
    strangeness = candidate.forecast.strangeness if candidate.forecast else None
    if candidate.side != "buy" or strangeness is None or strangeness < 0.995:
        return allow("the inputs are familiar, or nobody knows")
    return refuse(strangeness - 0.995, f"inputs stranger than {strangeness:.1%} of the training rows")


@pytest.mark.parametrize(("strangeness", "verdict"), [(None, "allow"), (0.99, "allow"), (0.999, "refuse")])
def test_a_rule_may_read_how_strange_a_forecasts_inputs_are(strangeness: float | None, verdict: str) -> None:
    candidate = replace(BUY, forecast=replace(FORECAST, strangeness=strangeness))
    assert familiar_inputs.judge(candidate, portfolio(), TradingParams()).verdict == verdict


def portfolio(**values: Any) -> PortfolioState:
    legal: dict[str, Any] = {
        "nav": 1e6, "cash": 1e6, "invested": 0.0, "drawdown": 0.0, "risk_budget": 1.0, "target_exposure": 0.95,
        "max_positions": 40, "horizon": 5, "skill": 0.05, "skill_low": 0.02,
    }  # fmt: skip
    return PortfolioState(**(legal | values))


def says(rule: str, candidate: Candidate, state: PortfolioState | None = None, **rules: Any) -> RuleVerdict:
    declared = next(one for one in RULES if one.name == rule)
    return declared.judge(candidate, state or portfolio(), TradingParams(rules=Rules(**rules)))


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_every_rule_lets_an_ordinary_buy_and_a_sale_pass(rule: str) -> None:
    for candidate in (BUY, replace(SALE, close=95.0)):
        one = says(rule, candidate)
        assert (one.rule, one.verdict, one.scale, one.distance) == (rule, "allow", 1.0, 0.0)
        assert one.reason


@pytest.mark.parametrize(
    ("rule", "candidate", "state", "word"),
    [
        ("eligibility", replace(BUY, member=False, exclusion="too small"), {}, "too small"),
        ("staleness", replace(BUY, stale=3), {}, "3 sessions"),
        ("staleness", replace(BUY, forecast=None), {}, "no forecast"),
        ("staleness", replace(BUY, forecast=replace(FORECAST, age=2)), {}, "2 sessions"),
        ("humility", replace(BUY, forecast=replace(FORECAST, role="naive")), {}, "naive"),
        ("humility", BUY, {"skill": -0.01}, "-0.010"),
        ("cost_awareness", replace(BUY, cost=0.02), {}, "2.00 %"),
        ("patience", replace(BUY, since_sale=1), {}, "cool-down"),
        ("patience", replace(SALE, intent="exit", holding=replace(HOLDING, held_sessions=1)), {}, "held 1"),
        ("cutting_losses", replace(BUY, intent="add", holding=HOLDING, close=95.0), {}, "losers"),
        ("letting_winners_run", replace(SALE, close=110.0), {}, "let it run"),
        ("drawdown_stop", BUY, {"drawdown": 0.16}, "16.0 %"),
        ("capital_preservation", BUY, {"by_name": {"AAA": 2e5}}, "0.50 %"),
        ("diversification", BUY, {"names": {f"T{n}" for n in range(40)}}, "40 names"),
        ("diversification", BUY, {"by_sector": {"tech": 3e5}}, "sector tech"),
        ("exposure", BUY, {"invested": 9.6e5}, "95.0 %"),
        ("liquidity", replace(BUY, median_volume=None), {}, "too few"),
        ("turnover", BUY, {"traded": 2e5}, "20 %"),
        ("solvency", BUY, {"cash": 5e3}, "reserve"),
        ("solvency", BUY, {"nav": 0.0}, "no capital"),
        ("significance", replace(BUY, shares=1), {}, "500"),
    ],
)
def test_a_rule_refuses_with_a_reason_and_a_distance(
    rule: str, candidate: Candidate, state: dict[str, Any], word: str
) -> None:
    one = says(rule, candidate, portfolio(**state))
    assert (one.verdict, one.scale) == ("refuse", 0.0)
    assert one.distance > 0
    assert word in one.reason


@pytest.mark.parametrize(
    ("rule", "candidate", "state", "scale"),
    [
        ("humility", replace(BUY, forecast=replace(FORECAST, confidence=0.25)), {}, 0.5),
        ("drawdown_stop", BUY, {"drawdown": 0.115}, 0.5),
        ("capital_preservation", replace(BUY, shares=2000), {}, 0.5),  # 20 % x 5 % = 1 % of NAV at risk
        ("diversification", replace(BUY, shares=1200), {}, 0.5),
        ("exposure", replace(BUY, shares=1000), {"invested": 9e5}, 0.5),
        ("liquidity", replace(BUY, median_volume=2000.0), {}, 0.5),
        ("turnover", replace(BUY, shares=1000), {"traded": 1.5e5}, 0.5),
        ("solvency", replace(BUY, shares=1000), {"cash": 6.005e4}, 0.5),
    ],
)
def test_a_rule_scales_a_trade_to_what_there_is_room_for(
    rule: str, candidate: Candidate, state: dict[str, Any], scale: float
) -> None:
    one = says(rule, candidate, portfolio(**state))
    assert one.verdict == "scale"
    assert one.scale == pytest.approx(scale)


def test_a_rule_that_leaves_too_little_is_named_as_what_blocked() -> None:
    _, shares, blocked = plan.judge(BUY, portfolio(invested=949_900.0), TradingParams())
    assert (shares, blocked) == (0, "exposure")


def test_a_wide_interval_shrinks_a_buy() -> None:
    wide = replace(BUY, forecast=replace(FORECAST, low_80=-0.30, high_80=0.36))
    one = says("humility", wide)
    assert one.verdict == "scale"
    assert 0 < one.scale < 0.5


def test_a_stop_is_exempt_from_turnover_and_patience() -> None:
    stop = replace(SALE, intent="stop", close=80.0, holding=replace(HOLDING, held_sessions=0))
    verdicts, shares, blocked = plan.judge(stop, portfolio(traded=1e6), TradingParams())
    assert (shares, blocked) == (100, None)
    assert {one.verdict for one in verdicts} == {"allow"}


@pytest.mark.parametrize(
    ("candidate", "state", "told"),
    [
        (replace(BUY, member=False), {}, None),
        (replace(BUY, stale=3), {}, "3 sessions"),
        (replace(BUY, forecast=None), {}, None),
        (replace(BUY, forecast=replace(FORECAST, role="naive")), {}, None),
        (BUY, {"skill": -0.012}, "0.012 of skill"),
        (replace(BUY, cost=0.0161), {}, "0.22 % of edge"),
        (replace(BUY, since_sale=2), {}, "3 sessions"),
        (replace(BUY, intent="add", holding=HOLDING, close=95.0), {}, "5.00 % of loss"),
        (replace(SALE, close=102.0), {}, "2.00 % of profit"),
        (BUY, {"drawdown": 0.16}, "1.00 % of drawdown"),
        (BUY, {"names": {f"T{n}" for n in range(40)}}, "1 name"),
        (BUY, {"by_sector": {"tech": 3e5}}, "1.00 % of NAV"),
        (replace(BUY, median_volume=None), {}, None),
        (replace(BUY, median_volume=10.0), {}, "100 shares"),
        (BUY, {"nav": 0.0}, None),
        (replace(BUY, shares=1), {}, "400.00 of value"),
    ],
)
def test_a_refusal_is_measured_in_the_rules_own_unit_or_not_at_all(
    candidate: Candidate, state: dict[str, Any], told: str | None
) -> None:
    verdicts, _, blocked_by = plan.judge(candidate, portfolio(**state), TradingParams())
    refusal = next(one for one in verdicts if one.rule == blocked_by)
    unit = unit_of(refusal.rule, refusal.reason, RULES)
    assert (unit.describe(refusal.distance) if unit else None) == told


def test_a_rule_is_one_declaration_and_its_name_is_the_functions() -> None:
    @rule(None)
    def no_tech(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Any:
        """Technology is left to others."""
        return refuse(1.0, "it is technology") if candidate.sector == "tech" else allow("it is not")

    verdicts, shares, blocked_by = plan.judge(BUY, portfolio(), TradingParams(), (*RULES, no_tech))
    assert (verdicts[-1].rule, shares, blocked_by) == ("no_tech", 0, "no_tech")
    assert no_tech.doc == "Technology is left to others."
    assert unit_of("no_tech", "it is technology", (*RULES, no_tech)) is None


def test_the_distance_of_a_rule_that_is_gone_is_still_told_as_a_number() -> None:
    unit = unit_of("of_a_plugin", "too far", RULES)
    assert unit is not None
    assert unit.describe(0.25) == "0.2500"


@pytest.mark.parametrize("name", ["", "No_Tech", "9lives", "a" * 61, "drop table"])
def test_a_name_that_could_not_be_stored_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="small letters, digits and underscores"):
        Rule(name, None, lambda *_: allow("fine"))


@pytest.mark.parametrize("ruling", [("alow", 1.0, 0.0), ("scale", 1.5, 0.0), ("refuse", 0.0, float("nan"))])
def test_an_answer_that_is_none_is_refused_naming_the_rule_and_the_ticker(ruling: tuple[str, float, float]) -> None:
    broken = Rule("broken", None, lambda *_: Ruling(*ruling, "because"))
    with pytest.raises(ValueError, match=r"the rule broken says .* to AAA .* answer with `allow`"):
        broken.judge(BUY, portfolio(), TradingParams())


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (lambda *_: True, r"the rule broken answers True to AAA; answer with `allow`"),
        (lambda *_: None, r"the rule broken answers None to AAA"),
        (lambda *_: {}["sector"], r"the rule broken fails on AAA: KeyError: 'sector'"),
    ],
)
def test_a_rule_that_fails_or_answers_with_something_else_is_named_with_the_ticker(check: Check, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Rule("broken", None, check).judge(BUY, portfolio(), TradingParams())


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rules are named 'exposure'; rename all but one"):
        list_rules([Rule("exposure", None, lambda *_: allow("fine"))])
