"""The operator's word is put on record once, refused with a reason where it cannot count, and look-ahead safe."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.control import MODEL_CHOICES, RUNS, TRADE_DECISIONS
from lake.tables.market import MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from lake.tables.trading import MANDATES, TRADE_PLANS
from pipeline.config.loading import load
from pipeline.control.operator.decisions import DecisionError, decide, find_next_champion, promote, rollback
from pipeline.control.operator.mandates import list_mandates, set_mandate, standing_mandate
from pipeline.engine.runner import Runner
from pipeline.trading.mandates.mandate import Mandate, Mandated
from tests.frames.market import prices
from tests.frames.models import SMALL, market, trained
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import publish, rows

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

SESSION, NEXT = date(2022, 3, 1), date(2022, 3, 2)
CLOSE = datetime(2022, 3, 1, 21, tzinfo=UTC)
OPEN = datetime(2022, 3, 2, 14, 30, tzinfo=UTC)
EVENING = CLOSE + timedelta(hours=2)
PLAN = f"{SESSION}:AAA"


def plan(ticker: str, **given: Any) -> dict[str, Any]:
    """A plan that goes to the next open."""
    order = {"plan_id": f"{SESSION}:{ticker}", "ticker": ticker, "session": SESSION, "for_session": NEXT}
    return {**order, "side": "buy", "intent": "enter", "taken": True, "shares": 10, "blocked_by": None, **given}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A lake whose last cycle planned two trades, of which one was refused; its prices come from files."""
    lake = new_lake(tmp_path / "lake")
    (lake.path / "nextgen.toml").write_text('[source]\nname = "files"\n')
    plans = rows(TRADE_PLANS, plan("AAA"), plan("BBB", taken=False, shares=0, blocked_by="patience"))
    publish(lake, TRADE_PLANS, plans, name="plan")
    return Runner(lake, load(lake.path, {}).settings)


def said(runner: Runner, decision: str = "veto", **given: Any) -> Any:
    asked = {"plan_id": PLAN, "decision": decision, "reason": "no", "origin": "cli", "now": EVENING} | given
    return decide(runner, **asked)


def test_a_word_is_on_record_at_once_and_once_however_often_it_is_sent(runner: Runner) -> None:
    first = said(runner, decision_id="one")
    assert said(runner, decision_id="one", now=EVENING + timedelta(hours=1)) == first
    stored = runner.lake.read(TRADE_DECISIONS)
    assert stored.height == 1
    assert stored.row(0, named=True) | {"run_id": "one"} == {**vars(first), "run_id": "one"}
    with pytest.raises(DecisionError, match="another decision is recorded"):
        said(runner, "approve", decision_id="one")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"plan_id": "2022-03-01:ZZZ"}, "there is no plan"),
        ({"plan_id": f"{SESSION}:BBB"}, "refused by the rule patience"),
        ({"now": OPEN}, "too late"),
        ({"now": OPEN + timedelta(days=3)}, "too late"),
    ],
)
def test_a_word_that_cannot_count_is_refused_with_the_reason_and_not_recorded(
    runner: Runner, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DecisionError, match=reason):
        said(runner, **given)
    assert runner.lake.read(TRADE_DECISIONS).is_empty()


def test_words_on_one_plan_follow_each_other_though_the_clock_goes_back(runner: Runner) -> None:
    first = said(runner)
    second = said(runner, "approve", now=EVENING - timedelta(hours=1))
    assert second.decided_at > first.decided_at


def test_no_writer_lock_is_needed_so_that_a_running_cycle_holds_nobody_up(runner: Runner) -> None:
    with Lake.open(runner.lake.path).lock("a cycle"):
        said(runner)
    assert runner.lake.read(TRADE_DECISIONS).height == 1


def test_in_a_simulated_market_a_word_is_said_when_the_last_cycle_decided(runner: Runner) -> None:
    (runner.lake.path / "nextgen.toml").write_text('[source]\nname = "simulated"\n')
    simulated = Runner(runner.lake, load(runner.lake.path, {}).settings)
    as_of = runner.lake.read(RUNS)["as_of"].max()
    first = said(simulated, now=datetime(2026, 1, 1, tzinfo=UTC))
    second = said(simulated, "approve", now=datetime(2026, 1, 1, tzinfo=UTC))
    assert (first.decided_at, second.decided_at) == (as_of, as_of + timedelta(microseconds=1))  # type: ignore[operator]


# ---- models


@pytest.fixture(scope="module")
def registered() -> pl.DataFrame:
    """Two models as training leaves them."""
    world = market(tickers=12, sessions=160, signal=0.4)
    first = trained(world, SMALL)
    return pl.concat([first, first.with_columns(model_id=pl.lit("m-20200101-00000000"))])


@pytest.fixture
def models(runner: Runner, registered: pl.DataFrame) -> tuple[Runner, str, str]:
    """A lake with two models, and their names: the champion's and the other's."""
    champion, other = registered["model_id"].unique().sort(descending=True)
    publish(runner.lake, MODEL_REGISTRY, registered, name="train")
    decided = rows(MODEL_PROMOTIONS, {"model_id": champion, "promoted": True, "champion": champion, "previous": other})
    publish(runner.lake, MODEL_PROMOTIONS, decided, name="promote")
    return runner, champion, other


def test_a_promotion_counts_from_the_first_cycle_that_can_know_of_it(models: tuple[Runner, str, str]) -> None:
    runner, champion, other = models
    assert find_next_champion(runner.lake, NEXT) == champion
    choice = promote(runner, other, "calmer", "cli", now=EVENING)
    assert (choice.session, choice.champion) == (NEXT, other)
    assert find_next_champion(runner.lake, NEXT) == other
    late = promote(runner, champion, "no, the other", "cli", now=datetime(2022, 3, 4, 22, tzinfo=UTC))
    assert late.session == date(2022, 3, 7), "after the last close of a week comes the next week"


def test_the_champion_is_taken_back_for_the_one_before(models: tuple[Runner, str, str]) -> None:
    runner, champion, other = models
    choice = rollback(runner, champion, "drift", "console", "mine", now=EVENING)
    assert (choice.choice, choice.model_id, choice.champion) == ("rollback", champion, other)
    assert rollback(runner, champion, "drift", "console", "mine", now=EVENING) == choice
    assert runner.lake.read(MODEL_CHOICES).height == 1


def test_a_promotion_not_yet_in_effect_can_be_taken_back(models: tuple[Runner, str, str]) -> None:
    runner, champion, other = models
    promote(runner, other, "", "cli", now=EVENING)
    assert rollback(runner, "", "a slip", "cli", now=EVENING).champion == champion
    assert find_next_champion(runner.lake, NEXT) == champion


def test_choices_that_cannot_be_are_refused_with_the_reason(models: tuple[Runner, str, str]) -> None:
    runner, champion, other = models
    with pytest.raises(DecisionError, match="is already champion"):
        promote(runner, champion, "", "cli", now=EVENING)
    with pytest.raises(DecisionError, match="not registered"):
        promote(runner, "m-1", "", "cli", now=EVENING)
    with pytest.raises(DecisionError, match=f"champion is {champion}, not {other}"):
        rollback(runner, other, "", "cli", now=EVENING)
    assert runner.lake.read(MODEL_CHOICES).is_empty()


def test_a_model_whose_weights_were_altered_is_not_promoted(runner: Runner, registered: pl.DataFrame) -> None:
    publish(runner.lake, MODEL_REGISTRY, registered.with_columns(weights=pl.lit(b"x")), name="train")
    with pytest.raises(DecisionError, match="weights"):
        promote(runner, registered["model_id"][0], "", "cli", now=EVENING)


def test_without_a_champion_there_is_nothing_to_take_back(runner: Runner) -> None:
    with pytest.raises(DecisionError, match="no champion"):
        rollback(runner, "", "", "cli", now=EVENING)


def test_a_mandate_is_on_record_once_in_whole_and_its_history_says_what_changed(runner: Runner) -> None:
    def mandate(**given: Any) -> Mandated:
        return set_mandate(runner, **({"reason": "policy", "origin": "cli", "now": EVENING} | given))

    first = mandate(changes={"active_risk": "0.04"}, mandate_id="one")
    assert mandate(changes={"active_risk": "0.02"}, mandate_id="one") == first
    second = mandate(changes={"exclusions": "MO,Energy"}, now=EVENING + timedelta(hours=1))
    assert (second.mandate.active_risk, second.mandate.exclusions) == (0.04, ("MO", "Energy"))
    for changes, words in ({"active_risk": "0.04"}, "says so already"), ({"max_exposure": "0.2"}, "no book meets both"):
        with pytest.raises(DecisionError, match=words):
            mandate(changes=changes)
    for reason in "", " ", "x" * 1_001:
        with pytest.raises(DecisionError, match="say why in 1 to 1,000 characters"):
            mandate(changes={"active_risk": "0.03"}, reason=reason)
    assert standing_mandate(runner.lake, Mandate()).mandate == second.mandate
    assert [one["changed"] for one in list_mandates(runner.lake)] == [
        {"exclusions": ((), ("MO", "Energy"))},
        {"active_risk": (0.06, 0.04)},
    ]
    assert runner.lake.read(MANDATES)["session"].to_list() == [NEXT, NEXT]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exclusions": "Enrgy"}, "no ticker or sector is called Enrgy; did you mean Energy"),
        ({"tilts": "ZZZ=0.02"}, "no ticker or sector is called ZZZ"),
        ({"benchmark": "AAB"}, "AAB has no bar in the last session; did you mean AAA"),
    ],
)
def test_a_mandate_that_speaks_of_names_nobody_knows_is_refused(
    runner: Runner, changes: dict[str, str], words: str
) -> None:
    listed = {"session": SESSION, "ticker": "AAA", "member": True, "sector": "Energy"}
    publish(runner.lake, TICKER_UNIVERSE, rows(TICKER_UNIVERSE, listed), name="ticker_universe")
    publish(runner.lake, MARKET_PRICES, prices({"ticker": "AAA", "session": SESSION}), name="market_prices")
    said = {"reason": "policy", "origin": "cli", "now": EVENING}
    with pytest.raises(DecisionError, match=words):
        set_mandate(runner, changes=changes, **said)
    assert runner.lake.read(MANDATES).is_empty()
    with pytest.raises(DecisionError, match=r"leave none of the 1 members of the universe, and min_exposure is 0\.9"):
        set_mandate(runner, changes={"exclusions": "Energy"}, **said)
    known = set_mandate(runner, changes={"exclusions": "Energy", "benchmark": "AAA"}, **said).mandate
    assert (known.exclusions, known.benchmark) == (("Energy",), "AAA")
