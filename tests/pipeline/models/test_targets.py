"""Trainings for some names: they begin as the champion, find what is peculiar to these names, and else stay so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, SPECIALISTS, TARGETED_TRAININGS, TRIALS
from lake.tables.predictions import QUANTILES
from pipeline.market.securities.following import Securities
from pipeline.models.dataset import label_examples
from pipeline.models.members import MEMBERS
from pipeline.models.params import ModelParams
from pipeline.models.registry import load_members
from pipeline.models.serialization import decode
from pipeline.models.targets.judge_target import judge, targeted_trainings
from pipeline.models.targets.specialists import load_specialists, share_out
from pipeline.models.targets.target import Target, parse_target
from pipeline.models.targets.train_target import train_target
from pipeline.models.targets.tuning import assess_target, tune
from pipeline.models.trials.ledger import trials
from tests.frames.models import SMALL, Market, market, moment, promotions, trained

PARAMS = replace(SMALL, min_target_rows=60)
SIX = "group=T000,T001,T002,T003,T004,T005"


def peculiar(signal: float = 0.6, tickers: int = 12) -> Market:
    """A market whose first half of names goes against its `return_1`, and whose other half goes with it."""
    at = market(tickers=tickers, sessions=200, signal=signal)
    half = [f"T{number:03d}" for number in range(tickers // 2)]
    flipped = pl.when(pl.col("ticker").is_in(half)).then(-pl.col("return_1")).otherwise("return_1")
    universe = at.ticker_universe.with_columns(
        sector=pl.when(pl.col("ticker").is_in(half)).then(pl.lit("Against")).otherwise(pl.lit("With"))
    )
    return replace(at, feature_rows=at.feature_rows.with_columns(return_1=flipped), ticker_universe=universe)


class Trained:
    """A champion and what came of a training for a target."""

    def __init__(self, at: Market, target: str, params: ModelParams = PARAMS) -> None:
        self.at = at
        earlier = at.until(at.sessions[-2])
        self.registry = trained(earlier, params)
        self.champion = self.registry["model_id"][0]
        self.promotions = promotions(self.champion, earlier.sessions[-1])
        self.moment = replace(moment(at), target=target)
        self.frames = (at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe)
        rows = train_target(*self.frames, self.registry, self.promotions, self.moment, params)
        self.specialists = SPECIALISTS.check(rows)
        self.verdict = self.judged(TARGETED_TRAININGS.empty(), params)

    def judged(self, before: pl.DataFrame, params: ModelParams = PARAMS) -> pl.DataFrame:
        known = (self.registry, self.promotions, self.specialists, before)
        return TARGETED_TRAININGS.check(targeted_trainings(*self.frames, *known, self.moment, params))


@pytest.fixture(scope="module")
def against() -> Trained:
    return Trained(peculiar(), "sector=Against")


def test_a_target_is_read_or_refused_in_words() -> None:
    assert parse_target("sector=Health Care") == Target("sector", ("Health Care",))
    assert str(parse_target("group=B,A,B")) == "group=A,B"
    for text, words in (
        ("energy", "is no target"),
        ("name=A", "is no target"),
        ("sector=", "is no target"),
        ("ticker=A,B", "write group=A,B"),
        ("group=A,b c", "1 of 2 names"),
        ("group=" + ",".join(f"T{number}" for number in range(201)), "at most 200"),
    ):
        with pytest.raises(ValueError, match=words):
            parse_target(text)


def test_what_is_peculiar_to_a_sector_is_found_and_its_specialist_speaks(against: Trained) -> None:
    row = against.verdict.row(0, named=True)
    assert row["outcome"] == "registered" and row["speaks"], row["reason"]
    assert row["specialist_loss"] < row["general_loss"]
    assert row["gain"] > row["asked_z"] * row["gain_error"]
    assert row["names"] == 6 and row["champion"] == against.champion
    line = decode(*against.specialists.filter(member="ridge").select("weights", "weights_sha256").row(0), "test")
    general = decode(*against.registry.filter(member="ridge").select("weights", "weights_sha256").row(0), "test")
    at = against.specialists["features"][0].to_list().index("return_1")
    assert line["coefficients"][at, 0] < -0.2, "the sector goes against it"
    assert abs(general["coefficients"][at, 0]) < 0.1, "all names together show nothing"
    assert np.array_equal(line["z"], general["z"]), "how wide it is stays the champion's"


def test_where_nothing_is_peculiar_the_specialist_is_the_champion_nearly() -> None:
    plain = market(tickers=12, sessions=200, signal=0.4)
    sectors = plain.ticker_universe.with_columns(sector=pl.lit("All"))
    alike = Trained(replace(plain, ticker_universe=sectors), SIX)
    row = alike.verdict.row(0, named=True)
    assert row["outcome"] == "registered"
    assert abs(row["gain"]) < 0.05 * row["general_loss"]
    line = decode(*alike.specialists.filter(member="ridge").select("weights", "weights_sha256").row(0), "test")
    general = decode(*alike.registry.filter(member="ridge").select("weights", "weights_sha256").row(0), "test")
    assert np.abs(line["coefficients"] - general["coefficients"]).max() < 0.15


def test_the_general_model_of_a_fold_has_not_seen_its_block(against: Trained) -> None:
    """The champion has: judged against him, a specialist would be compared with what knows the answers."""
    at = against.at
    examples = label_examples(*against.frames, at.calendar, PARAMS)
    companies = Securities.trace(CORPORATE_ACTIONS.empty(), at.market_prices)
    rows = parse_target("sector=Against").find_rows(examples, at.ticker_universe, companies)
    champion = load_members(against.registry, against.champion)
    before = tune(examples, rows, champion, PARAMS, 7, MEMBERS)
    last = before.result.tested[-1]
    low, high = last.fold.test.first, last.fold.test.last
    block = (examples.session >= low) & (examples.session <= high)
    outcome, clipped, relative = (
        np.where(block[:, None], -5.0, values) for values in (examples.outcome, examples.clipped, examples.relative)
    )
    spoilt = replace(examples, outcome=outcome, clipped=clipped, relative=relative)
    after = tune(spoilt, rows, champion, PARAMS, 7, MEMBERS)
    for name, forecast in last.forecasts.items():
        assert np.array_equal(forecast, after.result.tested[-1].forecasts[name])


def test_the_same_training_gives_the_same_specialist(against: Trained) -> None:
    again = Trained(against.at, "sector=Against")
    assert again.specialists.equals(against.specialists)


def test_the_more_were_tried_the_more_is_asked() -> None:
    drawn = np.random.default_rng(3).normal(0.02, 0.1, size=60)
    general, specialist = np.full(60, 0.3), 0.3 - drawn
    alone = judge(specialist, general, 1, PARAMS)
    assert alone.asked_z == PARAMS.target_z
    many = judge(specialist, general, 50, PARAMS)
    assert many.asked_z == pytest.approx(2.25, abs=0.1)
    assert alone.gain == many.gain
    assert not judge(general, general, 1, PARAMS).speaks, "no gain is no reason to speak"
    few = judge(specialist[:5], general[:5], 1, PARAMS)
    assert not few.speaks and "5 test sessions" in few.reason


def test_others_that_were_tried_before_are_counted(against: Trained) -> None:
    first = against.verdict
    others = pl.concat([first.with_columns(target=pl.lit(f"ticker=T{number}")) for number in range(20)])
    assert against.judged(others)["asked_z"][0] > first["asked_z"][0]
    assert against.judged(first)["asked_z"][0] == first["asked_z"][0], "the same training is counted once"


@pytest.mark.parametrize(
    ("target", "outcome", "words"),
    [
        ("ticker=NOBODY", "few_windows", "0 labelled windows of these names"),
        ("ticker=T000", "few_windows", "min_target_rows"),
    ],
)
def test_too_few_windows_are_said(target: str, outcome: str, words: str) -> None:
    found = Trained(peculiar(), target, replace(PARAMS, min_target_rows=150))
    assert found.specialists.is_empty()
    row = found.verdict.row(0, named=True)
    assert (row["outcome"], row["speaks"]) == (outcome, False)
    assert words in row["reason"]


def test_without_a_champion_nothing_is_tuned(against: Trained) -> None:
    empty = MODEL_REGISTRY.empty(), MODEL_PROMOTIONS.empty()
    assert train_target(*against.frames, *empty, against.moment, PARAMS).is_empty()
    none = SPECIALISTS.empty(), TARGETED_TRAININGS.empty()
    row = targeted_trainings(*against.frames, *empty, *none, against.moment, PARAMS).row(0, named=True)
    assert row["outcome"] == "no_champion"
    assert "there is none" in row["reason"]


def test_each_name_is_spoken_for_by_the_narrowest(against: Trained) -> None:
    narrow = against.specialists.with_columns(specialist_id=pl.lit("s-1"), target=pl.lit("ticker=T001"))
    decided = pl.concat(
        [against.verdict, against.verdict.with_columns(specialist_id=pl.lit("s-1"), target=pl.lit("ticker=T001"))]
    )
    speaking = load_specialists(
        pl.concat([against.specialists, narrow]), decided, against.champion, MEMBERS, champion_set(against)
    )
    names = pl.DataFrame({"ticker": ["T000", "T001", "T009"], "sector": ["Against", "Against", "With"]})
    shared = [(one and str(one.target), part["ticker"].to_list()) for one, part in share_out(names, speaking)]
    assert shared == [("ticker=T001", ["T001"]), ("sector=Against", ["T000"]), (None, ["T009"])]
    assert all(one.ensemble.model_id == against.champion for one in speaking)


def test_a_specialist_lapses_with_its_champion_and_with_the_next_training(against: Trained) -> None:
    champion, known = against.champion, champion_set(against)
    assert load_specialists(against.specialists, against.verdict, champion, MEMBERS, known)
    for other in ("m-20150101-00000000", None):
        assert not load_specialists(against.specialists, against.verdict, other, MEMBERS, known)
    later = against.verdict.with_columns(session=pl.lit(date(2016, 1, 4)), speaks=pl.lit(False))
    both = pl.concat([against.verdict, later])
    assert not load_specialists(against.specialists, both, champion, MEMBERS, known)


def test_every_figure_it_is_judged_by_is_of_its_own_names(against: Trained) -> None:
    comparison = json.loads(against.specialists["metrics"][0])["comparison"]
    sessions = len(comparison["sessions"])
    assert {len(comparison[name]) for name in ("challenger", "naive", "general")} == {sessions}
    assert sessions == against.verdict["sessions"][0]
    figures = json.loads(against.specialists["metrics"][0])["ensemble"]["figures"]["1"]
    assert figures["rows"] <= 6 * sessions
    assert len(QUANTILES) == len(against.specialists["quantiles"][0])


def test_a_target_without_rows_is_no_fold(against: Trained) -> None:
    examples = label_examples(*against.frames, against.at.calendar, PARAMS)
    nobody = np.empty(0, dtype=np.int64)
    assert assess_target(examples, nobody, PARAMS).outcome == "few_windows"


def champion_set(against: Trained) -> str:
    name: str = against.registry["feature_set"][0]
    return name


def test_a_specialist_is_a_row_of_the_ledger_of_trials(against: Trained) -> None:
    rows = TRIALS.check(trials(MODEL_REGISTRY.empty(), against.specialists, against.moment, PARAMS))
    assert rows["candidate"].to_list() == ["specialist"]
    assert rows["model_id"].to_list() == against.specialists["specialist_id"].unique().to_list()
    assert rows["sessions"][0] == against.verdict["sessions"][0]
    assert rows["gain"][0] == pytest.approx(against.verdict["naive_loss"][0] - against.verdict["specialist_loss"][0])
