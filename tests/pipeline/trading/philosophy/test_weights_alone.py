"""Weights found without the way there are those that the way leads to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.book_rule import RuleFacts
from pipeline.trading.philosophy.params import Philosophy
from pipeline.trading.philosophy.rules import BOOK_RULES
from pipeline.trading.philosophy.steps import build_book
from pipeline.trading.philosophy.weights_alone import find_weights
from pipeline.trading.planning.candidates import Candidate
from tests.pipeline.trading.construction.problems import draw_problem
from tests.pipeline.trading.philosophy.test_book_rules import FORECAST, HOLDING, A


def draw_facts(seed: int, names: int) -> RuleFacts:
    """A book of a million about which each rule has something to say of some names."""
    rng = np.random.default_rng(seed)
    return RuleFacts(
        candidates=[_draw_candidate(rng, at) for at in range(names)],
        left=rng.uniform(80, 120, names).tolist(),
        nav=1e6,
        drawdown=float(rng.uniform(0, 0.2)),
        risk_budget=float(rng.uniform(0.5, 1)),
        stopped="",
        mandate=Mandate(active_risk=float(rng.uniform(0.01, 0.1)), exclusions=("N3",) if seed % 3 == 0 else ()),
        trust={f"N{at}": (int(rng.integers(0, 5)), 5) for at in range(names) if rng.random() < 0.5},
        stops_by_sector={"S0": (4, 5), "S1": (0, 9)} if seed % 5 == 0 else {},
        events={"N1": (0, "split")},
        stopped_out={"N2": 1},
        session_share=5 / 252,
        params=TradingParams(philosophy=Philosophy(turnover=float(rng.uniform(0.02, 0.5)), min_order=2_000.0)),
    )


def _draw_candidate(rng: np.random.Generator, at: int) -> Candidate:
    forecast = replace(FORECAST, low=float(rng.uniform(-0.2, -0.02)), confidence=float(rng.uniform(0.1, 1)))
    return replace(
        A,
        ticker=f"N{at}",
        sector=f"S{at % 3}",
        median_volume=float(rng.uniform(1e3, 1e6)),
        unexplained="halved overnight" if rng.random() < 0.1 else "",
        member=bool(rng.random() < 0.9),
        forecast=forecast if rng.random() < 0.8 else None,
        holding=replace(HOLDING, cost=float(rng.uniform(70, 140))) if rng.random() < 0.5 else None,
    )


@pytest.mark.parametrize("seed", range(12))
def test_they_are_those_of_the_book_built_rule_by_rule_to_the_bit_in_whatever_order(seed: int) -> None:
    problem, facts = draw_problem(seed), draw_facts(seed, 12)
    order = list(BOOK_RULES)
    if seed % 2:
        np.random.default_rng(seed).shuffle(order)
    built, found = build_book(problem, facts, order), find_weights(problem, facts, order)
    assert found.solution.weights.tobytes() == built.weights.tobytes()
    assert found.given_up == built.given_up


@pytest.mark.slow
def test_they_are_in_three_hundred_books() -> None:
    for seed in range(12, 312):
        problem, facts = draw_problem(seed), draw_facts(seed, 12)
        order = list(BOOK_RULES)
        if seed % 2:
            np.random.default_rng(seed).shuffle(order)
        built, found = build_book(problem, facts, order), find_weights(problem, facts, order)
        assert found.solution.weights.tobytes() == built.weights.tobytes(), seed
