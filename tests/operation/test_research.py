"""What research finds on a real operation: nothing where nothing is changed, and what was changed where it was."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.branches.branch import create_branch, list_branches
from lake.fingerprint import fingerprint
from lake.migrations.run import migrate
from lake.runs import cycle_sessions
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.models import MODEL_REGISTRY
from lake.tables.research import BRANCH_MERGES, EXPERIMENTS, FACTOR_PROPOSALS, FACTOR_RESULTS, WHAT_IFS
from lake.tables.trading import MANDATES
from lake.upkeep.compaction import compact_tables
from lake.upkeep.vacuum import vacuum
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.operator import what_if
from pipeline.config.check_values import Given
from pipeline.config.loading import choice, load
from pipeline.config.resolving import values_of
from pipeline.config.settings import ResearchParams, Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.operator.mandates import set_mandate
from pipeline.control.operator.trading_switches import switch_trading
from pipeline.engine.runner import Runner
from pipeline.ingestion.universe.params import UniverseParams
from pipeline.plugins.plugins import Plugins
from pipeline.reading.report.full_report import build_report
from pipeline.reading.report.performance_figures import SharpeEvidence
from pipeline.reading.tried import count_openings
from pipeline.research import ResearchError
from pipeline.research.card import write_card
from pipeline.research.compare_runs import Side, compare_runs
from pipeline.research.desk import NotOnDeskError
from pipeline.research.desk.desk import Desk
from pipeline.research.desk.rules_apart import ORDER, RuleApart, RuleUntold
from pipeline.research.experiments import (
    find_experiment,
    list_experiments,
    list_results,
    plan_experiment,
    promote_variant,
    register,
    run_experiment,
)
from pipeline.research.holdout import last_for_search, last_to_compare, open_holdout
from pipeline.research.merging import merge_branch as merging
from pipeline.research.merging.merge_branch import merge_branch
from pipeline.research.merging.plan_merge import plan_merge
from pipeline.research.proposing.factor_history import read_history
from pipeline.research.proposing.propose import name_feature, propose, write_plugin
from pipeline.research.sides import open_side
from pipeline.research.spec import read_spec
from pipeline.research.variants.variant_branch import make_variant
from pipeline.research.variants.variant_replay import VariantReplay
from pipeline.research.what_if import ask_each_rule, ask_what_if
from pipeline.trading.params import Costs
from tests.copies import copy_lake
from tests.frames.golden import FIFTH, SECOND, unpack
from tests.operation.conftest import Operation

COSTS = {"trading.costs.half_spread": choice("trading.costs.half_spread", "0.002")}


@pytest.fixture
def lake(operation: Operation, tmp_path: Path) -> Iterator[Lake]:
    """A copy of the operation, its settings in its own file."""
    copy_lake(operation.lake.path, tmp_path / "lake")
    written = [(key, value) for key, value in values_of(operation.settings) if value is not None]
    write_document(tmp_path / "lake", toml_document(written))
    return Lake.open(tmp_path / "lake")


def settings_of(lake: Lake) -> Settings:
    return load(lake.path, {}).settings


def everything(lake: Lake) -> dict[str, str]:
    """A hash of the content of each table that runs publish, whichever of them wrote it at which versions."""
    published = (one for name, one in TABLES.items() if one.published_by_run and name != RUNS.name)
    return {one.name: fingerprint(lake.read(one), one.key, lake.contract(one).content_columns) for one in published}


def test_without_a_change_nothing_is_computed_and_not_one_row_differs(lake: Lake, operation: Operation) -> None:
    first, last = operation.sessions[1], operation.sessions[-1]
    branch = make_variant(lake, "same", first, last, {}, "")
    done = list(VariantReplay(Lake.open(branch.path), lake, settings_of(lake)).run(last))
    assert [one.computed for one in done] == [0] * len(done)
    there = Lake.open(branch.path)
    assert everything(there) == everything(lake)
    found = compare_runs(
        Side("main", lake, settings_of(lake)), Side("same", there, settings_of(lake)), operation.runner.calendar
    )
    assert (found.verdict, found.difference, found.settings) == ("equal", None, [])


def test_a_planted_change_is_found_at_its_session_stage_and_row(lake: Lake, operation: Operation) -> None:
    before = everything(lake)
    found = ask_what_if(lake, settings_of(lake), operation.runner.calendar, COSTS, operation.sessions[2])
    assert found.settings == [("trading.costs.half_spread", 0.0003, 0.002)]
    fills = lake.read(TABLES["executed_trades"]).filter(
        pl.col("session") >= operation.sessions[2], pl.col("shares") > 0
    )
    assert found.difference is not None
    assert (found.difference.session, found.difference.stage) == (fills["session"].min(), "execute")
    assert found.difference.key == {"trade_id": fills.sort("session", "trade_id")["trade_id"][0]}
    assert found.figure("costs").other > found.figure("costs").one
    assert everything(lake) == before
    assert list_branches(lake.path) == []


LIMITS = {"trading.philosophy.turnover": 0.05, "trading.mandate.risk_aversion": 3.0}
FALLS = {"trading.philosophy.drawdown_soft": 0.0, "trading.philosophy.drawdown_hard": 0.002}
ORDERS = {"trading.orders.buys": "limit", "trading.orders.stops": "resting", "trading.orders.settlement_sessions": 1}


@pytest.mark.parametrize(
    "values",
    [{}, *(pytest.param(one, marks=pytest.mark.slow) for one in (COSTS, LIMITS, FALLS, ORDERS))],
    ids=["nothing", "costs", "limits", "falls", "orders"],
)
def test_the_desk_says_to_the_cent_what_running_the_stages_says(
    lake: Lake, operation: Operation, values: dict[str, Any]
) -> None:
    chosen = {key: choice(key, str(value)) if isinstance(value, int | float | str) else value
              for key, value in values.items()}  # fmt: skip
    asked = (lake, settings_of(lake), operation.runner.calendar, chosen)
    told, ran = ask_what_if(*asked), ask_what_if(*asked, runs_stages=True)
    assert (told.unit, told.computed) == ("fill or value", "")
    assert told.equity.equals(ran.equity)
    assert [vars(one) for one in told.figures] == [vars(one) for one in ran.figures[: len(told.figures)]]
    assert (told.difference is None) == (ran.difference is None) == (not values)
    if told.difference is not None and ran.difference is not None:
        assert (told.difference.session, told.difference.stage) == (ran.difference.session, ran.difference.stage)


def test_a_setting_that_is_named_counts_although_it_is_what_counts_today(lake: Lake, operation: Operation) -> None:
    """Runs of an earlier program, or under an earlier nextgen.toml, were made under another one."""
    key = "trading.costs.half_spread"
    ran = Runner(
        lake, replace(settings_of(lake), trading=replace(settings_of(lake).trading, costs=Costs(half_spread=0.002)))
    )
    last = operation.runner.calendar.next(operation.sessions[-1])
    ran.cycle(last)
    today = choice(key, str(Costs().half_spread))
    asked = (lake, settings_of(lake), operation.runner.calendar, {key: today}, operation.sessions[-1])
    for found in (ask_what_if(*asked), ask_what_if(*asked, runs_stages=True)):
        assert found.figure("costs").other < found.figure("costs").one
        assert found.difference is not None
        assert (found.difference.session, found.difference.stage) == (last, "execute")
    assert lake.read(WHAT_IFS)["settings"].to_list() == ['{"trading.costs.half_spread": 0.0003}']


def test_what_the_desk_cannot_tell_is_run_and_said_why(lake: Lake, operation: Operation) -> None:
    settings, calendar = settings_of(lake), operation.runner.calendar
    chosen = {"trading.mandate.horizon": choice("trading.mandate.horizon", "10")}
    found = ask_what_if(lake, settings, calendar, chosen, operation.sessions[-1])
    assert (
        found.computed
        == "The stages ran again, since trading.mandate.horizon changes more than orders and what they bring."
    )
    eve, last = operation.sessions[0], operation.sessions[-1]
    with pytest.raises(NotOnDeskError, match=r"trading\.philosophy\.trust_of changes more"):
        Desk(lake, calendar, eve, last).ask({"trading.philosophy.trust_of": ("sector",)})
    with pytest.raises(NotOnDeskError, match="no plans were made from 1999-01-04"):
        Desk(lake, calendar, date(1999, 1, 4), date(1999, 1, 5))
    switch_trading(Runner(lake, settings), "pause", "a storm", "cli")
    with pytest.raises(NotOnDeskError, match="the operator stopped trading at some time"):
        Desk(lake, calendar, eve, last)


def test_limits_in_sessions_whose_bars_tell_when_they_were_filled_are_run(lake: Lake, operation: Operation) -> None:
    simulated = replace(operation.settings.source.simulated, intervals=("1d", "1h"))
    source = replace(operation.settings.source, simulated=simulated)
    runner, calendar = Runner(lake, replace(operation.settings, source=source)), operation.runner.calendar
    session = calendar.next(operation.sessions[-1])
    runner.snapshot(calendar.close_at(session))
    runner.cycle(session)
    assert session in set(lake.read(INTRADAY_PRICES)["session"])
    desk = Desk(lake, calendar, operation.sessions[0], session)
    assert desk.ask({"trading.costs.half_spread": 0.002})
    with pytest.raises(NotOnDeskError, match=r"bars within [-0-9]+ tell when its stops and limits were filled"):
        desk.ask({"trading.orders.buys": "limit"})


@pytest.mark.slow
def test_what_a_rule_brought_is_the_book_less_the_one_without_it(lake: Lake, operation: Operation) -> None:
    settings, calendar = settings_of(lake), operation.runner.calendar
    rules = {one.rule: one for one in ask_each_rule(lake, settings, calendar) if isinstance(one, RuleApart)}
    order = settings.trading.philosophy.order
    assert tuple(rules) == order
    acting = max(order, key=lambda name: abs(rules[name].profit))
    rest = ",".join(name for name in order if name != acting)
    ask_what_if(lake, settings, calendar, {ORDER: choice(ORDER, rest)}, keep="without")
    with_it, without = (
        one.read(PORTFOLIO_VALUE).sort("session")["nav"][-1] for one in (lake, open_side(lake, "without").lake)
    )
    assert 100 * (with_it - without) == rules[acting].profit
    assert rules[acting].profit != 0
    assert rules["operator_stop"].profit == 0, "nobody stopped trading"


@pytest.mark.slow
def test_rules_are_told_although_the_book_without_one_of_them_needs_other_forecasts(
    lake: Lake, operation: Operation
) -> None:
    """Without a rule other names are held, and what leaves the universe is forecast only while it is held."""
    settings, calendar = settings_of(lake), operation.runner.calendar
    few = replace(settings, ingestion=replace(settings.ingestion, universe=UniverseParams(max_members=2)))
    runner, session = Runner(lake, few), operation.sessions[-1]
    for _ in range(4):
        session = calendar.next(session)
        runner.cycle(session)
    rules = ask_each_rule(lake, settings, calendar)
    untold = [one for one in rules if isinstance(one, RuleUntold)]
    assert tuple(one.rule for one in rules) == settings.trading.philosophy.order
    assert 0 < len(untold) < len(rules)
    assert "other names would have been forecast" in untold[0].reason
    assert lake.read(WHAT_IFS).height == len(rules) - len(untold), "a question without an answer was no look"


def test_a_metric_that_judges_nothing_is_refused_before_anything_is_registered(
    lake: Lake, operation: Operation
) -> None:
    spec = read_spec(spec_text(operation).replace('metric = "costs"', 'metric = "turnover"'))
    with pytest.raises(ResearchError, match="neither more nor less is better, so that no variant could ever be kept"):
        register(lake, spec)
    assert lake.read(EXPERIMENTS).is_empty()


def test_each_question_about_the_past_counts_as_a_trial_once_and_reports_say_so(
    lake: Lake, operation: Operation
) -> None:
    asked = (lake, settings_of(lake), operation.runner.calendar)

    def evidence() -> SharpeEvidence:
        return build_report(lake, load(lake.path, {}), operation.runner.calendar).figures.evidence

    before = evidence()
    for chosen in ({}, COSTS, COSTS):
        ask_what_if(*asked, chosen)
    (row,) = lake.read(WHAT_IFS).to_dicts()
    assert row["settings"] == '{"trading.costs.half_spread": 0.002}'
    assert row["return"] != row["book_return"]
    aside = replace(asked[1], research=ResearchParams(holdout="2099-01-04"))
    open_holdout(lake, aside, "the year is over")
    assert (evidence().trials, evidence().looks) == (before.trials + 1, 1)


def test_the_console_asks_and_shows_both_books_and_says_what_cannot_be_asked(lake: Lake) -> None:
    detail = what_if.ask(lake.path, "trading.costs.half_spread=0.002")
    said = [plain_text(section.lines) for section in detail.sections]
    assert "They first differ at" in said[0]
    assert "trading.costs.half_spread: 0.0003 -> 0.002" in said[0]
    for figure in ("return", "costs", "turnover", "deepest fall"):
        assert figure in said[1]
    book, other = detail.charts[0].lines
    values = lake.read(PORTFOLIO_VALUE).sort("session")["session_return"].to_list()[1:]
    assert book.ys == pytest.approx(list(accumulate((1 + one for one in values), mul)))
    assert other.ys != book.ys
    assert detail.copies == "nextgen what-if --set trading.costs.half_spread=0.002"
    for words, told in (
        ("", "needs a setting"),
        ("trading.costs.half_spred=1", "did you mean trading.costs.half_spread"),
    ):
        with pytest.raises(what_if.WhatIfError, match=told):
            what_if.ask(lake.path, words)


@pytest.mark.slow
def test_a_variant_that_was_cut_off_goes_on_to_the_same_result(lake: Lake, operation: Operation) -> None:
    first, last = operation.sessions[1], operation.sessions[-1]
    whole, cut = (make_variant(lake, name, first, last, COSTS, "") for name in ("whole", "cut"))
    settings = load(whole.path, {}).settings
    list(VariantReplay(Lake.open(whole.path), lake, settings).run(last))
    for reached in operation.sessions[1:4]:  # each time another process goes on
        running = VariantReplay(Lake.open(cut.path), lake, settings).run(last)
        assert next(one.session for one in running if one.session == reached) == reached
        running.close()
    list(VariantReplay(Lake.open(cut.path), lake, settings).run(last))
    results = [everything(Lake.open(one.path)) for one in (whole, cut)]
    assert results[0] == results[1]
    values = Lake.open(whole.path).read(PORTFOLIO_VALUE)
    assert values["nav"].to_list() != lake.read(PORTFOLIO_VALUE)["nav"].to_list()


RETRAINED = {
    key: choice(key, text) for key, text in (("feedback.retrain.age", "1"), ("feedback.retrain.cool_down", "0"))
}


@pytest.mark.parametrize("chosen", [COSTS, pytest.param(RETRAINED, marks=pytest.mark.slow)], ids=["costs", "training"])
def test_a_variant_is_what_the_sessions_give_where_they_are_really_run(
    lake: Lake, operation: Operation, chosen: dict[str, Given]
) -> None:
    first, last = operation.sessions[1], operation.sessions[2]
    quick, real = (make_variant(lake, name, first, last, chosen, "") for name in ("quick", "real"))
    settings = load(real.path, {}).settings
    list(Runner(Lake.open(real.path), settings).replay(first, last))
    done = list(VariantReplay(Lake.open(quick.path), lake, settings).run(last))
    assert all(one.taken > one.computed > 0 for one in done)
    run, told = (everything(Lake.open(one.path)) for one in (real, quick))
    assert told == run
    trained = Lake.open(quick.path).read(MODEL_REGISTRY)["session"].n_unique()
    assert (trained > 1) == (chosen is RETRAINED), "only one of them has reason to train"


def test_what_lands_is_no_question_of_a_what_if(lake: Lake, operation: Operation) -> None:
    chosen = {"source.simulated.seed": choice("source.simulated.seed", "3")}
    for runs_stages in (False, True):
        with pytest.raises(ResearchError, match=r"source\.simulated\.seed cannot be varied"):
            ask_what_if(
                lake,
                settings_of(lake),
                operation.runner.calendar,
                chosen,
                operation.sessions[2],
                runs_stages=runs_stages,
            )
    assert lake.read(WHAT_IFS).is_empty()
    assert list_branches(lake.path) == []


def test_a_variant_needs_a_session_to_leave_after_and_one_to_go_to(lake: Lake, operation: Operation) -> None:
    for first, last in ((operation.sessions[0], operation.sessions[2]), (operation.sessions[1], date(2099, 1, 5))):
        with pytest.raises(ResearchError, match="needs the cycle of a session before it"):
            make_variant(lake, "early", first, last, COSTS, "")
    with pytest.raises(ResearchError, match="a span ends after it begins"):
        make_variant(lake, "reversed", operation.sessions[-1], operation.sessions[-2], COSTS, "")
    quiet = next(day for day in _days(operation.sessions[1], operation.sessions[-1]) if day not in operation.sessions)
    with pytest.raises(ResearchError, match=f"no cycle from {quiet} to {quiet}, so that nothing would run"):
        make_variant(lake, "quiet", quiet, quiet, COSTS, "")
    assert list_branches(lake.path) == []


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=one) for one in range((last - first).days)]


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ("min_exposure = [0.9]\nmax_exposure = [0.5]\n", r"variant 001-\S* cannot run: .*no book meets both"),
        ('exclusions = [["Nowhere"]]\n', "cannot run: .*no ticker or sector is called Nowhere"),
        ("risk_aversion = [10, 10.0]\n", "have the same settings, and each would count"),
    ],
)
def test_a_variant_that_cannot_run_or_is_doubled_is_refused_before_it_counts(
    lake: Lake, operation: Operation, vary: str, words: str
) -> None:
    spec = read_spec(spec_text(operation).partition("[vary]")[0] + "[vary.trading.mandate]\n" + vary)
    for asked in register, partial(plan_experiment, calendar=operation.runner.calendar):
        with pytest.raises(ResearchError, match=words):
            asked(lake, spec)
    assert lake.read(EXPERIMENTS).is_empty()
    assert list_branches(lake.path) == []


SPEC = """
name = "costs"
question = "Does a wider spread cost more?"
kill = "it does not"
keep_above = -1000.0
from = {first}
to = {last}
metric = "costs"
[vary]
"trading.costs.half_spread" = [0.001, 0.002]
"""


def spec_text(operation: Operation) -> str:
    return SPEC.format(first=operation.sessions[-3], last=operation.sessions[-1])


@pytest.mark.slow
def test_an_experiment_is_registered_first_run_once_and_its_variants_are_judged(
    lake: Lake, operation: Operation
) -> None:
    spec, calendar = read_spec(spec_text(operation)), operation.runner.calendar
    run = run_experiment(lake, spec, calendar, workers=1)
    first = next(run)
    run.close()  # cut off after the first of the two
    assert lake.read(EXPERIMENTS)["variants"].to_list() == [2]
    rest = list(run_experiment(lake, spec, calendar, workers=1))
    assert {first["variant"], rest[0]["variant"]} == {"001-half-spread-0.001", "002-half-spread-0.002"}
    assert list(run_experiment(lake, spec, calendar)) == []
    results = list_results(lake, "costs")
    assert results["trials"].to_list() == [2, 2]
    assert (results["difference"] > 0).all()
    assert results["verdict"].to_list() == ["cannot be told"] * 2, "three sessions give no interval"
    assert not results["kept"].any()
    assert results["taken"].sum() > results["computed"].sum(), "most of a variant is the base's"
    assert list_branches(lake.path) == [], "what is not kept leaves its figures alone"
    assert find_experiment(lake, "costs") == spec
    assert list_experiments(lake).select("experiment_id", "ended", "kept").rows() == [("costs", 2, 0)]


def test_a_plan_of_an_experiment_tells_what_would_run_and_registers_nothing(lake: Lake, operation: Operation) -> None:
    spec = read_spec(spec_text(operation))
    plan = plan_experiment(lake, spec, operation.runner.calendar, workers=2)
    assert plan.variants == spec.variants and (plan.sessions, plan.at_once, plan.registered) == (3, 2, False)
    assert plan.seconds is not None and plan.seconds > 0
    assert lake.read(EXPERIMENTS).is_empty()
    register(lake, spec)
    assert plan_experiment(lake, spec, operation.runner.calendar).registered


def test_a_metric_of_a_horizon_that_is_not_forecast_is_refused_before_anything_runs(
    lake: Lake, operation: Operation
) -> None:
    text = spec_text(operation).replace('metric = "costs"', 'metric = "ic_7"')
    with pytest.raises(ResearchError, match="ic_7, and forecasts are made at horizons"):
        register(lake, read_spec(text))
    assert list_experiments(lake).is_empty()


def test_what_is_registered_does_not_change(lake: Lake, operation: Operation) -> None:
    register(lake, read_spec(spec_text(operation)))
    other = spec_text(operation).replace("0.002", "0.003")
    with pytest.raises(ResearchError, match="with another file"):
        register(lake, read_spec(other))
    assert lake.read(EXPERIMENTS)["spec"].to_list() == [spec_text(operation)]


def test_a_variant_that_was_kept_can_become_what_the_lake_works_with(lake: Lake, operation: Operation) -> None:
    only = SPEC.format(first=operation.sessions[-2], last=operation.sessions[-1]).replace("[0.001, 0.002]", "[0.002]")
    spec = read_spec(only)
    list(run_experiment(lake, spec, operation.runner.calendar, keeps_all=True))
    runner = Runner(lake, settings_of(lake))
    with pytest.raises(ResearchError, match="say why"):
        promote_variant(runner, "costs", "001-half-spread-0.002", " ")
    promote_variant(runner, "costs", "001-half-spread-0.002", "it is dearer than we thought")
    assert settings_of(lake).trading.costs.half_spread == 0.002
    assert plan_merge(lake, "costs.001-half-spread-0.002").is_empty


def test_a_branch_whose_lake_was_configured_otherwise_since_is_not_merged(lake: Lake, operation: Operation) -> None:
    make_variant(lake, "late", operation.sessions[1], operation.sessions[-1], COSTS, "")
    values = [(key, 0.5 if key == "trading.costs.impact" else value) for key, value in values_of(settings_of(lake))]
    write_document(lake.path, toml_document((key, value) for key, value in values if value is not None))
    with pytest.raises(ResearchError, match="have changed since late left it"):
        merge_branch(Runner(lake, settings_of(lake)), "late", "it was better")
    assert settings_of(lake).trading.costs.half_spread == 0.0003


def test_nothing_is_tried_on_what_was_put_aside(lake: Lake, operation: Operation) -> None:
    aside = operation.sessions[-2]
    settings = replace(settings_of(lake), research=ResearchParams(holdout=aside.isoformat()))
    values = [(key, value) for key, value in values_of(settings) if value is not None]
    write_document(lake.path, toml_document(values))
    calendar = operation.runner.calendar
    ways = [
        lambda: register(lake, read_spec(spec_text(operation))),
        lambda: list(run_experiment(lake, read_spec(spec_text(operation)), calendar)),
        lambda: ask_what_if(lake, settings, calendar, {}),
        lambda: ask_what_if(lake, settings, calendar, COSTS, operation.sessions[1], aside),
        lambda: ask_what_if(lake, settings, calendar, COSTS, keep="kept"),
        lambda: open_holdout(lake, settings, "  "),
        lambda: read_spec(spec_text(operation).replace("0.002]", '0.002]\n"research.holdout" = ["2099-01-01"]')),
        lambda: read_spec(spec_text(operation).replace("0.002]", '0.002]\n"market.exchange" = ["XETR"]')),
    ]
    for number, way in enumerate(ways):
        with pytest.raises(ResearchError):
            way()  # type: ignore[no-untyped-call]
        assert lake.rows(EXPERIMENTS) == 0, f"way {number}"
    assert list_branches(lake.path) == []
    assert settings.section("models").test_from == aside.isoformat()
    assert last_to_compare(lake, settings, None) == date.fromordinal(aside.toordinal() - 1)


def test_each_look_at_what_was_put_aside_is_counted(lake: Lake, operation: Operation) -> None:
    aside = operation.sessions[-2]
    settings = replace(settings_of(lake), research=ResearchParams(holdout=aside.isoformat()))
    assert open_holdout(lake, settings, "the year is over") == 1
    assert open_holdout(lake, settings, "once more") == count_openings(lake) == 2
    assert last_to_compare(lake, settings, None) is None
    branch = create_branch(lake, "one")
    sides = Side("main", lake, settings), Side("one", Lake.open(branch.path), settings)
    assert compare_runs(*sides, operation.runner.calendar).looks == 2


def test_each_proposed_factor_is_on_record_once_and_what_is_kept_is_a_plugin(
    lake: Lake, operation: Operation, tmp_path: Path
) -> None:
    settings, calendar = settings_of(lake), operation.runner.calendar
    judged = list(propose(lake, settings, 30, 5))
    assert list(map(repr, propose(lake, settings, 30, 5))) == list(map(repr, judged))
    proposed, results = lake.read(FACTOR_PROPOSALS), lake.read(FACTOR_RESULTS)
    assert proposed["proposal"].sort().to_list() == sorted(one.proposal.text for one in judged)
    assert dict(results.select("proposal", "verdict").iter_rows()) == {one.proposal.text: one.verdict for one in judged}
    assert results["max_p"].unique().to_list() == [0.05 / 30]
    list(propose(lake, settings, 10, 5, seed=1))
    assert lake.read(FACTOR_RESULTS)["max_p"].min() == 0.05 / 40, "those of the first search count"
    plugin = tmp_path / "kept.py"
    plugin.write_text(write_plugin(judged[:3], 5), encoding="utf-8")
    loaded = Plugins.load([plugin], calendar)
    assert [one.name for one in loaded.extend(("features",)).features][-3:] == [
        name_feature(one.proposal) for one in judged[:3]
    ]


def test_no_factor_is_tried_on_what_was_put_aside_or_on_next_to_nothing(lake: Lake, operation: Operation) -> None:
    aside = replace(settings_of(lake), research=ResearchParams(holdout=operation.sessions[0].isoformat()))
    history = read_history(lake, aside, 5, last_for_search(aside))
    assert history.sessions[-1] < operation.sessions[0]
    early = operation.runner.calendar.offset(operation.sessions[0], -300)
    none = replace(aside, research=ResearchParams(holdout=early.isoformat()))
    with pytest.raises(ResearchError, match="load more history"):
        list(propose(lake, none, 10, 5))
    for budget, horizon in ((0, 5), (10, 0), (10, 61), (10**6, 5)):
        with pytest.raises(ResearchError, match="out of range"):
            list(propose(lake, aside, budget, horizon))
    assert lake.rows(FACTOR_PROPOSALS) == 0


def test_outcomes_are_what_the_bars_after_a_session_say(lake: Lake, operation: Operation) -> None:
    history = read_history(lake, settings_of(lake), 2)
    at, name = 300, history.names[3]
    bars = lake.read(TABLES["market_prices"]).filter(pl.col("ticker") == name, pl.col("interval") == "1d")
    actions = lake.read(TABLES["corporate_actions"]).filter(pl.col("ticker") == name)
    around = (history.sessions[at], history.sessions[at + 2])
    assert actions.filter(pl.col("ex_date").is_between(*around)).is_empty(), "choose a name without an action there"
    closes = dict(bars.sort("revision").select("session", "close").iter_rows())
    own = math.log(closes[around[1]] / closes[around[0]])
    raw = history.outcomes.returns[at] - history.outcomes.returns[at, 3] + own
    level = float(np.nanmean(np.where(history.outcomes.member[at], raw, np.nan)))
    assert history.outcomes.returns[at, 3] == pytest.approx(own - level)


def test_a_card_tells_what_the_data_is_and_what_is_missing(lake: Lake, operation: Operation) -> None:
    spec = read_spec(spec_text(operation))
    register(lake, spec)
    card = write_card(lake, settings_of(lake), spec)
    universe = lake.read(TABLES["ticker_universe"]).filter(
        pl.col("session") == operation.sessions[-1], pl.col("member")
    )
    assert (card.sessions, card.names, card.source, card.trials) == (3, universe.height, "simulated", 2)
    assert card.caps[0].startswith("no session was put aside")
    assert {"the market is simulated", "3 sessions are few", "2 variants have no result"} <= set(card.caps)
    assert {one.name for one in card.references} >= {"book", "equal weight", "cash"}
    value = lake.read(PORTFOLIO_VALUE).sort("session")["nav"].cast(float)
    assert card.references[0].total_return == pytest.approx(value[-1] / value[-4] - 1)
    assert card.conclusion == "Nothing may be concluded: no variant has a result yet."


@pytest.mark.parametrize("at", [pytest.param("settings", marks=pytest.mark.slow), "mandate"])
def test_a_merge_that_was_cut_off_is_told_and_ended_by_the_same_call(
    lake: Lake, operation: Operation, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    branch = make_variant(lake, "both", operation.sessions[1], operation.sessions[-1], COSTS, "")
    there = Runner(Lake.open(branch.path), load(branch.path, {}).settings)
    set_mandate(there, {"active_risk": "0.03"}, "less risk", "cli")
    before, runner = everything(lake), Runner(lake, settings_of(lake))
    with monkeypatch.context() as patch:
        patch.setattr(merging, "write_document" if at == "settings" else "set_mandate", crash)
        with pytest.raises(KeyboardInterrupt):
            merge_branch(runner, "both", "it was better")
    assert lake.read(BRANCH_MERGES).height == 1
    merge_branch(Runner(lake, settings_of(lake)), "both", "it was better")
    assert settings_of(lake).trading.costs.half_spread == 0.002
    assert lake.read(MANDATES)["active_risk"].to_list() == [0.03]
    assert plan_merge(lake, "both").is_empty
    assert everything(lake) == before, "what was done does not change"


def crash(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_two_mandates_since_the_fork_do_not_both_stand(lake: Lake, operation: Operation) -> None:
    branch = make_variant(lake, "both", operation.sessions[1], operation.sessions[-1], {}, "")
    there = Runner(Lake.open(branch.path), load(branch.path, {}).settings)
    set_mandate(there, {"active_risk": "0.03"}, "less risk", "cli")
    set_mandate(Runner(lake, settings_of(lake)), {"active_risk": "0.05"}, "some risk", "cli")
    with pytest.raises(ResearchError, match="cannot both stand"):
        plan_merge(lake, "both")


@pytest.mark.slow
def test_code_alone_is_tried_where_it_is_asked_for(lake: Lake, operation: Operation) -> None:
    """Runs of another version of the program: their stages are computed only where code is what is tried."""
    first, last = operation.sessions[1], operation.sessions[2]
    changed = lake.read(RUNS).with_columns(code=pl.lit("0" * 64))
    with lake.lock("another version"):
        lake.rewrite(RUNS, changed, date.min, "rewritten", {})
    computed = {}
    for tries_code in (False, True):
        branch = make_variant(lake, f"code-{tries_code}".lower(), first, last, {}, "")
        replay = VariantReplay(Lake.open(branch.path), lake, settings_of(lake), tries_code=tries_code)
        computed[tries_code] = sum(one.computed for one in replay.run(last))
    assert computed[False] == 0
    assert computed[True] > 50
    assert everything(Lake.open(branch.path)) == everything(Lake.open(branch.path.with_name("code-false")))


@pytest.mark.slow
def test_a_variant_of_a_lake_that_was_compacted_meanwhile_is_the_same(lake: Lake, operation: Operation) -> None:
    first, last = operation.sessions[2], operation.sessions[4]
    plain = make_variant(lake, "plain", first, last, COSTS, "")
    list(VariantReplay(Lake.open(plain.path), lake, load(plain.path, {}).settings).run(last))
    cut = create_branch(lake, "cut", session=operation.sessions[3])
    tidied = Lake.open(cut.path)
    assert sum(run.written for run in compact_tables(tidied, min_files=2)) > 0
    list(Runner(tidied, settings_of(lake)).replay(last, last))
    compact_tables(tidied, min_files=2)
    vacuum(tidied)
    branch = make_variant(tidied, "after", first, last, COSTS, "")
    list(VariantReplay(Lake.open(branch.path), tidied, load(branch.path, {}).settings).run(last))
    assert everything(Lake.open(branch.path)) == everything(Lake.open(plain.path))
    sides = Side("main", tidied, settings_of(lake)), Side("after", Lake.open(branch.path), settings_of(lake))
    assert compare_runs(*sides, operation.runner.calendar).sessions == 5


OLD = pytest.mark.parametrize(
    "made_by", [SECOND, pytest.param(FIFTH, marks=pytest.mark.slow)], ids=["format 2", "format 5"]
)


def migrated(made_by: Path, folder: Path) -> Lake:
    old = Lake.open(unpack(made_by, folder), older=True)
    migrate(old)
    return Lake.open(old.path)


@OLD
def test_a_lake_of_an_earlier_program_is_compared_with_itself(made_by: Path, tmp_path: Path) -> None:
    """Its runs keep their settings, its file stays."""
    old = migrated(made_by, tmp_path)
    sessions = cycle_sessions(old.read(RUNS))
    runner, before = Runner(old, settings_of(old)), everything(old)
    same = {"trading.costs.half_spread": choice("trading.costs.half_spread", "0.0003")}
    found = ask_what_if(old, runner.settings, runner.calendar, same, sessions[1], sessions[2])
    assert (found.verdict, found.sessions) == ("equal", 2)
    assert everything(old) == before


@pytest.mark.slow
@OLD
def test_a_change_to_a_lake_of_an_earlier_program_is_found_and_its_past_goes_on(made_by: Path, tmp_path: Path) -> None:
    """Its tables get today's columns where a variant writes them."""
    old = migrated(made_by, tmp_path)
    sessions = cycle_sessions(old.read(RUNS))
    runner, before = Runner(old, settings_of(old)), everything(old)
    dearer = ask_what_if(old, runner.settings, runner.calendar, COSTS, sessions[1], sessions[2])
    assert dearer.difference is not None
    assert dearer.difference.stage in ("plan", "execute"), "costs are planned with, and paid"
    assert everything(old) == before
    branch = create_branch(old, "past", session=sessions[1])
    there = Runner(Lake.open(branch.path), runner.settings)
    assert [one.session for one in there.replay(sessions[2], sessions[2])] == [sessions[2]]
