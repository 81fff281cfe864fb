"""What came out worse than thought is trusted less, half of its names are left alone, and the trial has an end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from lake.tables.attribution import ATTRIBUTIONS
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.trading import DECISION_SCORES, TRADE_REFLECTIONS, TRUST_LEVELS
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.params import Philosophy
from pipeline.trading.trust import trust_levels
from pipeline.trading.trust.evidence import weigh_rules, weigh_sectors, weigh_vetoes
from pipeline.trading.trust.lessons import TrustLesson, find_share, read_lessons
from pipeline.trading.trust.trust_levels import BEYOND, LOOKS, REST
from tests.frames.trading import DAYS, World, bar, members
from tests.pipeline.trading.philosophy.test_book_rules import check, facts
from tests.pipeline.trading.planning.test_book_plan import FUND, NAMES, RISING, planned, predict, verdict, world

LIMITS = Philosophy()
TICKERS = [f"N{number:02d}" for number in range(40)]


def closed(count: int, surprise: float, ticker: str = "N00") -> pl.DataFrame:
    """Closed trades that came out by so many deviations better than forecast."""
    rows = [
        {"trade_id": f"{surprise}:{n}", "session": DAYS[0], "ticker": ticker, "surprise": surprise}
        for n in range(count)
    ]
    return pl.DataFrame(rows, schema={one: TRADE_REFLECTIONS.schema[one] for one in rows[0]})


def lesson(**values: Any) -> TrustLesson:
    return TrustLesson(
        **(
            {
                "kind": "sector",
                "name": "tech",
                "begun": DAYS[0],
                "share": 0.5,
                "status": "on trial",
                "members": (),
                "arm": "ticker",
            }
            | values
        )
    )


@pytest.mark.parametrize(("good", "bad", "share"), [(0, 20, 0.5), (0, 10, 2 / 3), (15, 15, 1.0), (20, 0, 1.0)])
def test_a_sector_is_trusted_by_the_share_of_its_trades_that_came_out_shrunk_to_a_half(
    good: int, bad: int, share: float
) -> None:
    sectors = pl.DataFrame({"ticker": ["N00"], "sector": ["tech"]})
    (found,) = weigh_sectors(pl.concat([closed(good + 1, 1.0)[:good], closed(bad + 1, -1.0)[:bad]]), sectors, LIMITS)
    assert (found.kind, found.name, found.judged, found.good) == ("sector", "tech", good + bad, good)
    assert found.share == pytest.approx(share)


def moves(cents: list[int], rule: str = "humility") -> pl.DataFrame:
    rows = [
        {"session": DAYS[n], "view": "decision", "part": "rule", "item": rule, "amount": one}
        for n, one in enumerate(cents)
    ]
    return pl.DataFrame(rows, schema=ATTRIBUTIONS.schema)


def test_a_rule_whose_moves_keep_costing_says_less_and_one_that_earns_or_is_hardly_known_says_all() -> None:
    (costly,) = weigh_rules(moves([-100, -90, -110] * 40), LIMITS)
    assert (costly.name, costly.judged, costly.good, costly.share) == ("humility", 120, 0, LIMITS.min_trust)
    assert next(weigh_rules(moves([100, 90, -10] * 40), LIMITS)).share == 1.0
    assert 0.5 < next(weigh_rules(moves([-100, 95, -98, 97] * 10), LIMITS)).share < 1.0
    assert list(weigh_rules(moves([-100] * 19), LIMITS)) == []
    assert list(weigh_rules(moves([-100, -90] * 40, "turnover"), LIMITS)) == []  # a limit is no opinion on alpha


def test_vetoes_that_helped_are_believed_of_the_tickers_vetoed_lately() -> None:
    scored = (
        DECISION_SCORES.empty()
        .select("decision", "verdict")
        .vstack(pl.DataFrame({"decision": ["veto"] * 40, "verdict": ["helped"] * 35 + ["hurt"] * 5}))
    )
    given = World()
    decided = pl.DataFrame(
        [
            {"plan_id": f"{day}:{name}", "decision_id": f"{day}{name}", "decision": kind, "ticker": name,
             "for_session": day, "decided_at": given.moment(day).as_of}
            for day, name, kind in ((DAYS[3], "OLD", "veto"), (DAYS[8], "NEW", "veto"), (DAYS[8], "YES", "approve"))
        ]
    )  # fmt: skip
    (found,) = weigh_vetoes(scored, decided, DAYS[4], LIMITS)
    assert (found.judged, found.good, found.members) == (40, 35, ("NEW",))
    assert found.share == pytest.approx(2 - 2 * 45 / 60)
    hurtful = scored.with_columns(verdict=pl.lit("hurt"))
    assert next(weigh_vetoes(hurtful, decided, DAYS[4], LIMITS)).share == 1.0


def test_half_of_the_names_are_left_alone_until_the_trial_has_helped() -> None:
    treated = [one for one in TICKERS if lesson().applies(one, DAYS[5])]
    assert 10 <= len(treated) <= 30
    assert treated == [one for one in TICKERS if lesson().applies(one, DAYS[90])]  # the same ones for all of the trial
    assert treated != [one for one in TICKERS if lesson(begun=DAYS[1]).applies(one, DAYS[5])]
    assert all(lesson(status="helped").applies(one, DAYS[5]) for one in TICKERS)


def test_lessons_concern_their_slice_and_multiply() -> None:
    known = [
        lesson(status="helped"),
        lesson(kind="override", name="veto", share=0.8, status="helped", members=("N01",)),
    ]
    assert find_share(known, "sector", "N01", "tech", DAYS[5]) == (0.5, "tech")
    assert find_share(known, "sector", "N01", "energy", DAYS[5]) == (1.0, "")
    assert find_share(known, "override", "N01", "energy", DAYS[5]) == (0.8, "veto")
    assert find_share(known, "override", "N02", "energy", DAYS[5]) == (1.0, "")


def test_alpha_shrinks_by_the_sectors_trust_and_a_rule_that_costs_says_less() -> None:
    helped = (lesson(status="helped"),)
    effect = check("trust", replace(facts(), lessons=helped, session=DAYS[5]))
    assert effect.problem.alpha[0] == pytest.approx(0.005)
    assert "closed trades of tech" in effect.touched[0].reason


def trial(reached: int, gains: tuple[float, float]) -> World:
    """A sector on trial that has been compared so often, with these gains in turn, before the session looked at."""
    params = TradingParams(philosophy=Philosophy(trust_of=("ticker", "sector")))
    given = World(*[bar(one, day, 100.0 + n % 7) for n, one in enumerate(TICKERS) for day in DAYS[:2]], params=params)
    given.add(TICKER_UNIVERSE, members(DAYS[1], *TICKERS, sector="tech"))
    given.tables["trade_reflections"] = closed_rows(20)
    row = {
        "session": DAYS[0], "kind": "sector", "name": "tech", "begun": DAYS[0], "judged": 20, "good": 0, "share": 0.5,
        "status": "on trial", "members": [], "arm": "ticker", "compared": reached, "total": reached / 2 * sum(gains),
        "squares": reached / 2 * sum(one**2 for one in gains), "treated": 0.0, "control": 0.0, "treated_names": 20,
        "control_names": 20, "gain": None, "gain_error": None,
    }  # fmt: skip
    given.tables["trust_levels"] = pl.DataFrame([row], schema=TRUST_LEVELS.schema)
    for one in TICKERS:
        bet = {"alpha": 0.01, "target_weight": 0.03, "benchmark_weight": 0.02, "sector": "tech"}
        given.order(DAYS[0], one, "buy", 1, **bet)
    return given


def closed_rows(count: int, surprise: float = -1.0) -> pl.DataFrame:
    empty = dict.fromkeys(TRADE_REFLECTIONS.columns)
    rows = [
        empty | {"trade_id": f"{n}", "session": DAYS[0], "ticker": "N00", "surprise": surprise} for n in range(count)
    ]
    return pl.DataFrame(rows, schema=TRADE_REFLECTIONS.schema)


def stepped(given: World) -> dict[str, Any]:
    return given.compute(trust_levels.STAGE, DAYS[1]).row(0, named=True)


def test_arms_are_compared_by_what_their_bets_made_beyond_the_mean_name() -> None:
    given = trial(0, (0.0, 0.0))
    risen = [bar(one, DAYS[1], 110.0 if lesson().applies(one, DAYS[0]) else 100.0) for one in TICKERS]
    first = [bar(one, DAYS[0], 100.0) for one in TICKERS]
    given.tables["market_prices"] = World(*first, *risen).rows("market_prices")
    row = stepped(given)
    treated = sum(lesson().applies(one, DAYS[0]) for one in TICKERS)
    assert (row["treated_names"], row["control_names"], row["compared"]) == (treated, 40 - treated, 1)
    assert row["total"] == pytest.approx(0.01 * 0.1)  # a bet of 1 % of NAV on what rose by 10 % more
    assert row["status"] == "on trial"


@pytest.mark.parametrize(
    ("reached", "gains", "status"),
    [
        (LOOKS[0] - 2, (0.001, 0.0008), "on trial"),
        (LOOKS[0] - 1, (0.001, 0.0008), "helped"),
        (LOOKS[0] - 1, (-0.001, -0.0008), "hurt"),
        (LOOKS[0] - 1, (0.001, -0.001), "on trial"),
        (LOOKS[-1] - 1, (0.001, -0.001), "no effect"),
    ],
)
def test_a_trial_is_looked_at_when_a_look_is_due_and_ends_with_what_it_showed(
    reached: int, gains: tuple[float, float], status: str
) -> None:
    row = stepped(trial(reached, gains))
    assert row["compared"] == reached + 1
    assert row["status"] == status
    assert pytest.approx(2.289) == BEYOND


def test_a_trial_begins_with_even_halves() -> None:
    given = trial(0, (0.0, 0.0))
    given.tables["trust_levels"] = TRUST_LEVELS.empty()
    row = stepped(given)
    begun = TrustLesson(*(row[name] for name in TrustLesson._fields))
    assert (row["status"], row["begun"], row["compared"]) == ("on trial", DAYS[1], 0)
    assert sum(begun.applies(one, DAYS[1]) for one in TICKERS) == 20


def test_a_lesson_ends_once_nothing_speaks_for_it_and_what_hurt_rests() -> None:
    given = trial(5, (0.0, 0.0))
    given.tables["trade_reflections"] = closed_rows(20, 1.0)
    assert stepped(given)["status"] == "over"
    given = trial(5, (0.0, 0.0))
    given.tables["trust_levels"] = given.rows("trust_levels").with_columns(status=pl.lit("hurt"))
    assert given.compute(trust_levels.STAGE, DAYS[1]).is_empty()
    assert REST == 60


def test_nothing_but_tickers_is_on_trial_by_default() -> None:
    given = trial(5, (0.0, 0.0))
    given.params = TradingParams()
    assert given.compute(trust_levels.STAGE, DAYS[1]).is_empty()


def test_a_plan_believes_less_of_a_sector_on_trial_and_leaves_its_control_arm_alone() -> None:
    def halves(day: date) -> int:
        return sum(lesson(begun=day).applies(name, FUND) for name in NAMES[:3])

    tried = lesson(begun=next(day for day in DAYS if 0 < halves(day) < 3))

    def alphas(session: date) -> dict[str, dict[str, Any]]:
        given = world()
        predict(given, RISING)
        row = dict.fromkeys(TRUST_LEVELS.columns) | tried._asdict() | {"session": session}
        given.tables["trust_levels"] = pl.DataFrame([row], schema=TRUST_LEVELS.schema)
        return planned(given)

    rows = alphas(FUND)
    for name in NAMES:
        told = "closed trades of tech" in verdict(rows[name], "trust")["reason"]
        assert told == (rows[name]["sector"] == "tech" and tried.applies(name, FUND))
    earlier = alphas(DAYS[0])  # of another session: read, and not acted on
    assert not any("closed trades of tech" in verdict(one, "trust")["reason"] for one in earlier.values())
    assert read_lessons(TRUST_LEVELS.empty(), FUND) == ()
