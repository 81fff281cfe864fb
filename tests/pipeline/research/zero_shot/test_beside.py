"""The lake's forecasts beside a pretrained model's: the same pairs for all, nothing of what is put aside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.predictions import PREDICTIONS, QUANTILE_COLUMNS
from pipeline.config.settings import ResearchParams, Settings
from pipeline.research import ResearchError
from pipeline.research.holdout import open_holdout
from pipeline.research.zero_shot.beside import ForecasterStanding, HorizonBeside, compare_with_zero_shot
from tests.frames import market
from tests.frames.market import CALENDAR, DAY
from tests.frames.predictions import member, predictions
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import publish

NAMES = tuple("ABCDE")
HISTORY = 70
FORECASTS = 5
"""Sessions of forecasts, from DAY on."""
AFTER = 6
"""Sessions with prices after the last of them."""
OFF = 0.01
"""How far below what came each quantile of the champion lies."""

Closes = Mapping[str, list[float]]


def closes() -> dict[str, list[float]]:
    moves = np.random.default_rng(5).normal(0.0, 0.02, (len(NAMES), HISTORY + FORECASTS + AFTER))
    return dict(zip(NAMES, (100 * np.exp(moves.cumsum(axis=1))).tolist(), strict=True))


def session(number: int) -> date:
    """The day of a close, of which number `HISTORY` is DAY."""
    return CALENDAR.offset(DAY, number - HISTORY)


def bars(path: Closes) -> list[dict[str, Any]]:
    return [
        {"ticker": name, "session": session(number), "close": close}
        for name, levels in path.items()
        for number, close in enumerate(levels)
        if np.isfinite(close)
    ]


def made(path: Closes, horizon: int) -> list[dict[str, Any]]:
    """Forecasts whose every quantile is what came less `OFF`; the naive member says that nothing moves."""
    return [
        _forecast(name, levels, at, horizon)
        for name, levels in path.items()
        for at in range(HISTORY, HISTORY + FORECASTS)
    ]


def _forecast(name: str, levels: list[float], at: int, horizon: int) -> dict[str, Any]:
    told = levels[at + horizon] / levels[at] - 1 - OFF
    return {
        "ticker": name,
        "session": session(at),
        "horizon": horizon,
        "point": told,
        **dict.fromkeys(QUANTILE_COLUMNS, told),
        "members": [member("naive", 0.0, 0.0, 0.02), member("ridge", 1.0, 0.0, 0.02)],
    }


def write(folder: Path, path: Closes, forecasts: list[dict[str, Any]], *splits: Mapping[str, Any]) -> Lake:
    lake = new_lake(folder / "lake")
    publish(lake, MARKET_PRICES, market.prices(*bars(path)), name="prices")
    if splits:
        publish(lake, CORPORATE_ACTIONS, market.actions(*splits), name="actions")
    if forecasts:
        publish(lake, PREDICTIONS, predictions(*forecasts), name="predict")
    return lake


def near_and_far(path: Closes) -> list[dict[str, Any]]:
    return made(path, 1) + made(path, 5)


def compare(lake: Lake, holdout: str = "", **given: Any) -> list[HorizonBeside]:
    return compare_with_zero_shot(lake, Settings(research=ResearchParams(holdout=holdout)), CALENDAR, **given)


def standing(found: HorizonBeside, name: str) -> ForecasterStanding:
    return next(one for one in found.standings if one.forecaster == name)


def test_all_are_judged_on_the_same_pairs_by_the_same_measures(tmp_path: Path) -> None:
    path = closes()
    found = compare(write(tmp_path, path, near_and_far(path)))
    assert [(one.horizon, one.sessions, one.forecasts) for one in found] == [(1, 5, 25), (5, 5, 25)]
    for one in found:
        champion = standing(one, "champion")
        # Quantiles at 10, 50 and 90 % that all lie so far below lose their level times it.
        assert champion.pinball == pytest.approx(OFF * (0.1 + 0.5 + 0.9) / 3)
        assert (champion.rank_correlation, champion.held) == (pytest.approx(1.0), 0.0)
        assert standing(one, "naive").rank_correlation is None, "it says the same of every name"
        theirs = standing(one, "zero-shot")
        assert theirs.pinball > 0 and theirs.rank_correlation is not None and 0 <= theirs.held <= 1
        assert one.pinball.one == pytest.approx(theirs.pinball)
        assert one.pinball.other == pytest.approx(champion.pinball)
        assert one.pinball.verdict == "cannot be told", "of five sessions no interval is stated"


def test_a_split_moves_no_forecast(tmp_path: Path) -> None:
    path, day = closes(), HISTORY - 3
    halved = path | {"A": [close / 2 if number >= day else close for number, close in enumerate(path["A"])]}
    plain = compare(write(tmp_path / "plain", path, made(path, 1)[::5]))
    split = {"ticker": "A", "ex_date": session(day)}
    traded = compare(write(tmp_path / "split", halved, made(halved, 1)[::5], split))
    for one, other in zip(plain, traded, strict=True):
        assert standing(one, "zero-shot").pinball == pytest.approx(standing(other, "zero-shot").pinball, rel=1e-5)


def test_a_name_is_left_out_for_all_until_it_has_history_enough(tmp_path: Path) -> None:
    path = closes()
    path["E"] = [np.nan if number < HISTORY - 62 else close for number, close in enumerate(path["E"])]
    (found,) = compare(write(tmp_path, path, made(path, 1)))
    # Its first bar is 62 sessions before DAY: 62 moves at DAY, and the 64th two sessions later.
    assert (found.sessions, found.forecasts) == (5, 25 - 2)


def test_only_the_sessions_asked_for_are_compared(tmp_path: Path) -> None:
    path = closes()
    lake = write(tmp_path, path, made(path, 1))
    (found,) = compare(lake, first=session(HISTORY + 1), last=session(HISTORY + 2))
    assert (found.sessions, found.forecasts) == (2, 10)


def test_neither_sessions_put_aside_nor_outcomes_within_them_are_used(tmp_path: Path) -> None:
    path = closes()
    lake, first = write(tmp_path, path, near_and_far(path)), session(HISTORY + 6)
    near, far = compare(lake, f"{first}")
    assert (near.sessions, far.sessions) == (5, 1), "one forecast of five sessions ahead came out before it"
    with pytest.raises(ResearchError, match="put aside"):
        compare(lake, f"{first}", last=first)
    open_holdout(lake, Settings(research=ResearchParams(holdout=f"{first}")), "the year is over")
    assert [one.sessions for one in compare(lake, f"{first}")] == [5, 5]


def test_a_lake_without_outcomes_says_so(tmp_path: Path) -> None:
    path = {name: levels + [levels[-1]] * 60 for name, levels in closes().items()}
    for number, forecasts in enumerate(([], made(path, 60))):
        with pytest.raises(ResearchError, match="no forecast of these sessions has come out yet"):
            compare(write(tmp_path / f"{number}", path, forecasts))
