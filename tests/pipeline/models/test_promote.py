"""Who becomes champion: the table of cases, and one row for each challenger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.control import MODEL_CHOICES
from lake.tables.models import MODEL_PROMOTIONS, TRIALS
from pipeline.models.promote import promote
from pipeline.models.registry import find_champion
from tests.frames.models import CALENDAR, SMALL, challenger, market, moment, promotions, trained

SESSION = date(2016, 1, 4)
OLD = "m-20150302-aaaaaaaa"
WAVE = 0.01 * np.sin(np.arange(40))


def comparison(
    loss: float, *, naive: float = 0.30, champion: float | None = None, fresh: int = 40, **facts: Any
) -> dict[str, Any]:
    """Losses of 40 sessions around these means; the champion's in the last `fresh` sessions alone."""
    theirs = [None] * 40 if champion is None else [None] * (40 - fresh) + [champion] * fresh
    return {
        "sessions": [day.isoformat() for day in CALENDAR.days[:40]],
        "challenger": (loss + WAVE).tolist(),
        "naive": [naive] * 40,
        "champion": theirs,
        "champion_id": None if champion is None else OLD,
        "champion_can_forecast": champion is not None,
        "champion_missing": "there is none" if champion is None else "",
        **facts,
    }


def decide(found: dict[str, Any], earlier: str | None = None) -> dict[str, Any]:
    at = replace(moment(market(tickers=1, sessions=9)), session=SESSION, since=SESSION)
    history = promotions(earlier) if earlier else MODEL_PROMOTIONS.empty()
    rows = MODEL_PROMOTIONS.check(promote(challenger(found), history, MODEL_CHOICES.empty(), TRIALS.empty(), at, SMALL))
    assert rows.height == 1
    return rows.row(0, named=True)


TABLE = {
    "beats naive, no champion": (comparison(0.28), None, True),
    "as good as naive": (comparison(0.30), None, False),
    "worse than naive": (comparison(0.32), None, False),
    "better than naive by luck": (comparison(0.2999), None, False),
    "beats both": (comparison(0.27, champion=0.28), OLD, True),
    "beats naive, not the champion": (comparison(0.29, champion=0.28), OLD, False),
    "beats the champion, not naive": (comparison(0.31, champion=0.35), OLD, False),
    "champion asked in too few sessions": (comparison(0.27, champion=0.28, fresh=9), OLD, False),
    "champion too new to be asked": (
        comparison(0.27, champion_id=OLD, champion_can_forecast=True, champion_missing="trained after"),
        OLD,
        False,
    ),
    "champion can't forecast any more": (
        comparison(0.27, champion_id=OLD, champion_missing="weights hash to x"),
        OLD,
        True,
    ),
    "compared with somebody else": (comparison(0.27), OLD, False),
}


@pytest.mark.parametrize(("found", "earlier", "promoted"), TABLE.values(), ids=TABLE.keys())
def test_a_challenger_has_to_beat_the_naive_forecast_and_the_champion(
    found: dict[str, Any], earlier: str | None, promoted: bool
) -> None:
    row = decide(found, earlier)
    assert row["promoted"] is promoted
    assert row["champion"] == (row["model_id"] if promoted else earlier)
    assert row["previous"] == earlier
    assert row["reason"].startswith("promoted: " if promoted else "kept: ")


def test_the_row_holds_the_losses_of_the_sessions_that_counted() -> None:
    row = decide(comparison(0.27, champion=0.28, fresh=15), OLD)
    assert row["sessions"] == 15
    assert row["champion_loss"] == pytest.approx(0.28) and row["naive_loss"] == pytest.approx(0.30)
    assert row["challenger_loss"] == pytest.approx(0.27 + WAVE[25:].mean())
    assert row["gain_over_naive"] == pytest.approx(1 - row["challenger_loss"] / 0.30)
    assert 0 < row["gain_error"] < 0.05


def test_the_reason_gives_the_figures() -> None:
    reason = decide(comparison(0.27, champion=0.28), OLD)["reason"]
    assert "loss 9.90 % below the naive forecast's over 40 sessions" in reason
    assert "below the champion's" in reason and "standard errors" in reason


def test_each_challenger_of_the_session_gets_one_row_and_others_none() -> None:
    two = pl.concat(
        [
            challenger(comparison(0.27), model_id="m-20160104-00000001"),
            challenger(comparison(0.26), model_id="m-20160104-00000002"),
            challenger(comparison(0.20), model_id="m-20151201-00000003", session=date(2015, 12, 1)),
        ]
    )
    at = replace(moment(market(tickers=1, sessions=9)), session=SESSION, since=SESSION)
    rows = promote(two, MODEL_PROMOTIONS.empty(), MODEL_CHOICES.empty(), TRIALS.empty(), at, SMALL)
    assert rows["model_id"].to_list() == ["m-20160104-00000001", "m-20160104-00000002"]
    assert rows["promoted"].to_list() == [True, False]
    assert rows["champion"].unique().to_list() == ["m-20160104-00000001"]


def test_without_a_challenger_nothing_is_decided() -> None:
    nothing = challenger(comparison(0.2)).clear(), promotions(OLD), MODEL_CHOICES.empty(), TRIALS.empty()
    assert promote(*nothing, moment(market(sessions=9)), SMALL).is_empty()


def test_what_training_registers_is_what_promotion_judges() -> None:
    world = market(tickers=30, sessions=180, signal=0.4)
    rows = MODEL_PROMOTIONS.check(
        promote(trained(world), MODEL_PROMOTIONS.empty(), MODEL_CHOICES.empty(), TRIALS.empty(), moment(world), SMALL)
    )
    assert rows["promoted"].to_list() == [True] and rows["sessions"].to_list() == [30]
    assert rows["champion"][0] == rows["model_id"][0]


# ---- the operator's word


def choices(*given: dict[str, Any]) -> pl.DataFrame:
    """Rows of model_choices for the session, said in the order given."""
    rows = [
        {
            "choice_id": f"choice {number}",
            "session": SESSION,
            "choice": "promote",
            "model_id": OLDER,
            "champion": OLDER,
            "reason": "it is calmer",
            "decided_at": datetime(2016, 1, 3, 12, number, tzinfo=UTC),
            "origin": "cli",
            **one,
        }
        for number, one in enumerate(given)
    ]
    return MODEL_CHOICES.check(pl.DataFrame(rows, schema=MODEL_CHOICES.schema))


OLDER = "m-20150101-bbbbbbbb"
BACK = {"choice": "rollback", "model_id": OLD, "champion": OLDER}
REGISTRY = pl.concat(
    [
        challenger(comparison(0.28), model_id=OLD, session=date(2015, 3, 2)),
        challenger(comparison(0.29), model_id=OLDER, session=date(2015, 1, 1)),
    ]
)


def chosen(*given: dict[str, Any], registry: pl.DataFrame = REGISTRY, champion: str | None = OLD) -> pl.DataFrame:
    """The decisions of the session, OLD being champion."""
    at = replace(moment(market(tickers=1, sessions=9)), session=SESSION, since=SESSION)
    return MODEL_PROMOTIONS.check(promote(registry, promotions(champion), choices(*given), TRIALS.empty(), at, SMALL))


def test_what_the_operator_chose_is_champion_with_the_reason_and_the_models_own_figures() -> None:
    row = chosen({}).row(0, named=True)
    assert (row["model_id"], row["champion"], row["previous"], row["promoted"]) == (OLDER, OLDER, OLD, True)
    assert row["reason"] == "promoted by the operator: it is calmer"
    assert row["challenger_loss"] == pytest.approx(0.29, abs=0.01)


def test_a_champion_taken_back_gives_way_to_the_one_before_or_to_nobody() -> None:
    row = chosen(BACK).row(0, named=True)
    assert (row["model_id"], row["champion"], row["promoted"]) == (OLD, OLDER, False)
    assert row["reason"] == "taken back by the operator: it is calmer"
    assert chosen({**BACK, "champion": None})["champion"].to_list() == [None]


def test_a_model_that_is_champion_no_more_is_not_taken_back() -> None:
    row = chosen(BACK, champion=OLDER).row(0, named=True)
    assert row["champion"] == OLDER
    assert row["reason"].startswith(f"not taken back: champion is {OLDER} by now")


def test_of_several_choices_for_a_session_the_last_counts() -> None:
    rows = chosen(BACK, {"model_id": OLD, "champion": OLD})
    assert rows.height == 1
    assert rows["champion"].to_list() == [OLD]


def test_a_challenger_of_the_same_session_does_not_overrule_the_operator() -> None:
    better = challenger(comparison(0.20, champion=0.28), model_id="m-20160104-00000001")
    rows = chosen({}, registry=pl.concat([REGISTRY, better])).sort("session", "model_id")
    assert rows["champion"].to_list() == [OLDER, OLDER]
    assert find_champion(pl.concat([promotions(OLD), rows])) == OLDER


def test_a_choice_of_another_session_changes_nothing() -> None:
    assert chosen({"session": date(2016, 1, 5)}).is_empty()
