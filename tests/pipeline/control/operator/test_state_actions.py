"""What the operator says of an action is dated by when it can count, in order, and beside whoever writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, RAW_PRICES
from pipeline.config.loading import load
from pipeline.control.operator.action_outlook import read_outlook
from pipeline.control.operator.decisions import DecisionError
from pipeline.control.operator.state_actions import state_action
from pipeline.control.operator.statements import StatedAction, Statement
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.reading.results.actions import list_actions
from tests.copies import copy_lake
from tests.frames.market import actions, instruments, rates
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import bars, publish, rows

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

SESSION, NEXT, THIRD = date(2022, 3, 1), date(2022, 3, 2), date(2022, 3, 3)
EVENING = datetime(2022, 3, 1, 23, tzinfo=UTC)
EX_DATE = date(2022, 2, 22)
DIVIDEND = Statement(
    verb="add", ticker="AAA", ex_date=EX_DATE, kind="dividend", terms={"amount": "0.5"}, reason="the annual report"
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of files whose last session is SESSION, with one known split."""
    lake = new_lake(tmp_path_factory.mktemp("stated") / "lake")
    (lake.path / "nextgen.toml").write_text('[source]\nname = "files"\n')
    publish(lake, MARKET_PRICES, rows(MARKET_PRICES, *bars("AAA", [100.0] * 30)), name="prices")
    publish(lake, CORPORATE_ACTIONS, actions({"ex_date": EX_DATE, "source": "files"}), name="actions")
    return lake.path


@pytest.fixture
def runner(template: Path, tmp_path: Path) -> Runner:
    lake = Lake.open(copy_lake(template, tmp_path / "lake"))
    return Runner(lake, load(lake.path, {}).settings)


def state(runner: Runner, now: datetime = EVENING, **changes: object) -> StatedAction:
    return state_action(runner, replace(DIVIDEND, **changes), "cli", now)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (EVENING, NEXT),
        (datetime(2022, 3, 2, 20, tzinfo=UTC), NEXT),
        (datetime(2022, 3, 2, 22, tzinfo=UTC), THIRD),  # the second's cycle may run late, but must not know it
        (datetime(2026, 1, 5, tzinfo=UTC), NEXT),  # the lake replays the past
    ],
)
def test_the_next_session_that_decides_after_it_learns_it(runner: Runner, now: datetime, session: date) -> None:
    stated = state(runner, now)
    assert (stated.session, stated.takes_effect) == (session, session)
    landed = runner.lake.read(RAW_PRICES)
    assert landed.select("session", "fetched_at").rows() == [(session, now)]
    run = runner.run_stage(find_stage("actions"), session)
    assert run.rows == 1, "its cycle takes it in"
    known = runner.lake.read(CORPORATE_ACTIONS, version=runner.lake.newest(CORPORATE_ACTIONS))
    added = known.filter(pl.col("source") == "operator").row(0, named=True)
    assert added["available_at"] <= runner.decision_time(session)


def test_a_session_may_be_named_and_has_to_be_one_that_is_still_to_come(runner: Runner) -> None:
    assert state(runner, session=THIRD).session == THIRD
    for session in (SESSION, date(2022, 3, 5)):
        with pytest.raises(DecisionError, match="cannot learn it"):
            state(runner, session=session, kind="special_dividend")


def test_words_keep_their_order_when_the_clock_goes_back(runner: Runner) -> None:
    state(runner)
    second = state(runner, EVENING - timedelta(hours=1), verb="correct", terms={"amount": "0.6"})
    assert second.stated_at > EVENING
    told = read_outlook(runner).filter(pl.col("kind") == "dividend")
    assert told["amount"].to_list() == [0.6]


def test_it_is_recorded_while_somebody_else_writes(runner: Runner) -> None:
    with Lake.open(runner.lake.path).lock("cycle"):
        assert state(runner).session == NEXT


def test_what_a_source_stated_is_corrected_and_withdrawn_and_the_rest_of_the_day_stays(runner: Runner) -> None:
    state(runner)
    state(runner, verb="correct", kind="split", terms={"numerator": "3"})
    assert read_outlook(runner).select("kind", "numerator", "denominator", "source").rows() == [
        ("dividend", None, None, "operator"),
        ("split", 3, 1, "operator"),
    ]
    state(runner, verb="withdraw", kind="split", terms={})
    assert read_outlook(runner)["kind"].to_list() == ["dividend"]
    gone = read_outlook(runner, withdrawn=True).filter(pl.col("kind") == "split")
    assert gone.select("source", "withdrawn").rows() == [("operator", True)]


def test_what_was_stated_is_given_back_while_somebody_else_writes_and_is_what_the_source_had_said(
    runner: Runner,
) -> None:
    state(runner, verb="correct", kind="split", terms={"numerator": "3"})
    runner.run_stage(find_stage("actions"), NEXT)
    with Lake.open(runner.lake.path).lock("cycle"):
        released = state(runner, EVENING + timedelta(days=1), verb="release", kind="split", terms={})
    assert (released.session, released.actions) == (THIRD, ())
    told = read_outlook(runner).filter(pl.col("kind") == "split")
    assert told.select("numerator", "source", "revision").rows() == [(2, "files", 2)]
    with pytest.raises(DecisionError, match="is the word of files"):
        state(runner, EVENING + timedelta(days=1), verb="release", kind="split", terms={})


@pytest.mark.parametrize(("said", "amount", "rate"), [({}, 0.5, None), ({"currency": "USD"}, 0.4, Decimal("0.8"))])
def test_an_amount_of_a_foreign_name_is_in_the_currency_of_its_listing_unless_it_says_another(
    runner: Runner, said: dict[str, str], amount: float, rate: Decimal | None
) -> None:
    publish(runner.lake, INSTRUMENTS, instruments("AAA", currency="EUR", unit="GBX"), name="instruments")
    publish(runner.lake, FX_RATES, rates({"session": date(2022, 2, 21), "rate": Decimal("1.25")}), name="rates")
    state(runner, terms={"amount": "0.5"} | said)
    runner.run_stage(find_stage("actions"), NEXT)
    fact = read_outlook(runner).filter(kind="dividend").row(0, named=True)
    assert (fact["amount"], fact["rate"]) == (amount, rate)


def test_a_lake_without_history_knows_no_session_that_could_learn_it(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    with pytest.raises(DecisionError, match="no history yet"):
        state(Runner(lake, load(lake.path, {}).settings))


def test_an_amount_in_another_currency_is_stated_corrected_and_shown_in_it(runner: Runner) -> None:
    euros = {"amount": "0.35", "currency": "EUR"}
    with pytest.raises(DecisionError, match="a rate of EUR in USD is known"):
        state(runner, terms=euros)
    known = rates({"session": date(2022, 2, 21), "rate": Decimal("1.1")})
    publish(runner.lake, FX_RATES, known.drop("run_id", strict=False), name="rates")
    state(runner, terms=euros)
    runner.run_stage(find_stage("actions"), NEXT)
    fact = read_outlook(runner).filter(kind="dividend").row(0, named=True)
    assert (fact["amount"], fact["stated_amount"], fact["rate"]) == (0.385, 0.35, Decimal("1.1"))
    corrected = state(runner, EVENING + timedelta(days=1), verb="correct", terms={"pay_date": "2022-03-10"})
    assert [line["amount"] for line in corrected.actions] == ["0.35"], "what was stated is stated again"
    shown = list_actions(runner, "AAA").filter(kind="dividend")
    assert shown.select("amount", "currency").rows() == [(0.35, "EUR")]
