"""Put sectors, rules and vetoes that are trusted less on trial: half of the names are left alone, and compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Any, NamedTuple

import polars as pl

from lake.tables.attribution import ATTRIBUTIONS
from lake.tables.control import TRADE_DECISIONS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.trading import DECISION_SCORES, TRADE_PLANS, TRADE_REFLECTIONS, TRUST_LEVELS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.market.returns import daily_total_returns
from pipeline.prediction.lessons import halve_tickers
from pipeline.trading.params import TradingParams
from pipeline.trading.trust.evidence import TrustEvidence, weigh_rules, weigh_sectors, weigh_vetoes
from pipeline.trading.trust.lessons import ACTIVE, TrustLesson, name_trial

LOOKBACK = 250
"""Sessions of closed trades, moves of rules and decisions that count."""
LOOKS = (40, 80, 160)
"""Sessions of a trial after which its arms are compared."""
BEYOND = 2.289
"""Standard errors that three looks ask for together at 5 % (Pocock 1977)."""
REST = 60
"""Sessions for which what hurt, or did nothing, is left alone."""
BAR_SESSIONS = 10
Row = dict[str, Any]


class Arms(NamedTuple):
    """What bets of a lesson's names made in a session, fractions of NAV beyond the mean name."""

    treated: float
    control: float
    treated_names: int
    control_names: int

    @property
    def gain(self) -> float | None:
        """What a name made more where the lesson was acted on; None where an arm is empty."""
        if not self.treated_names or not self.control_names:
            return None
        return self.treated / self.treated_names - self.control / self.control_names


def trust_levels(
    trust_levels: pl.DataFrame,
    trade_reflections: pl.DataFrame,
    decision_scores: pl.DataFrame,
    trade_decisions: pl.DataFrame,
    attributions: pl.DataFrame,
    trade_plans: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return a row for each lesson that is on trial, or ends, at `moment.session` (that session alone)."""
    asked = {one for one in params.philosophy.trust_of if one != "ticker"}
    if not asked or params.planning != 2:
        return TRUST_LEVELS.empty()
    session, limits = moment.session, params.philosophy
    sectors = ticker_universe.sort("session").unique("ticker", keep="last").select("ticker", "sector")
    since = moment.calendar.offset(session, -params.horizon)
    found: list[TrustEvidence] = [
        *(weigh_sectors(trade_reflections, sectors, limits) if "sector" in asked else ()),
        *(weigh_rules(attributions, limits) if "rule" in asked else ()),
        *(weigh_vetoes(decision_scores, trade_decisions, since, limits) if "override" in asked else ()),
    ]
    last = trust_levels.sort("session").unique(["kind", "name"], keep="last")
    before = {(row["kind"], row["name"]): row for row in last.iter_rows(named=True)}
    bets = _measure_bets(trade_plans, market_prices, corporate_actions, moment)
    sector_of = dict(sectors.iter_rows())
    rows = [row for one in found for row in _step(one, before.get((one.kind, one.name)), bets, sector_of, moment)]
    return pl.DataFrame(rows, schema=TRUST_LEVELS.schema).sort(TRUST_LEVELS.key)


def _step(
    one: TrustEvidence,
    before: Row | None,
    bets: Mapping[str, tuple[str, float]],
    sector_of: Mapping[str, str],
    moment: Moment,
) -> Iterator[Row]:
    """What becomes of a lesson in the session: begun, compared once more, or over; nothing where it rests."""
    told = one._asdict() | {"session": moment.session, "members": list(one.members)}
    if before is None or before["status"] not in ACTIVE:
        rests = before is not None and before["status"] in ("hurt", "no effect")
        if one.share < 1 and not (rests and before and _is_resting(before, moment)):
            arm = _halve(one, sector_of, moment)
            yield told | _nothing() | {"begun": moment.session, "status": "on trial", "arm": arm}
        return
    arms = _compare(before, bets, moment)
    summed = {name: before[name] for name in ("compared", "total", "squares")}
    if arms.gain is not None:
        summed = {
            "compared": before["compared"] + 1,
            "total": before["total"] + arms.gain,
            "squares": before["squares"] + arms.gain**2,
        }
    status = "over" if one.share >= 1 else _judge(before["status"], summed)
    kept = {"begun": before["begun"], "arm": before["arm"]}
    yield told | summed | kept | {"status": status, **_tell(arms, summed)}


def _halve(one: TrustEvidence, sector_of: Mapping[str, str], moment: Moment) -> str:
    """How the names of a slice are halved most evenly; vetoes concern other ones each day."""
    if one.kind == "override":
        return "ticker"
    names = sorted(name for name, sector in sector_of.items() if one.kind == "rule" or sector == one.name)
    return halve_tickers(name_trial(one.kind, one.name, moment.session), names, moment.session)


def _is_resting(before: Row, moment: Moment) -> bool:
    return moment.calendar.distance(before["session"], moment.session) < REST


def _nothing() -> Row:
    empty = {"compared": 0, "total": 0.0, "squares": 0.0, "treated": 0.0, "control": 0.0}
    return empty | {"treated_names": 0, "control_names": 0, "gain": None, "gain_error": None}


def _tell(arms: Arms, summed: Row) -> Row:
    mean, error = _estimate(summed)
    return {**arms._asdict(), "gain": mean, "gain_error": error}


def _estimate(summed: Row) -> tuple[float | None, float | None]:
    """The mean gain of a name and session, and its standard error."""
    count = summed["compared"]
    if count < 2:
        return None, None
    mean = summed["total"] / count
    variance = max(summed["squares"] / count - mean**2, 0.0) * count / (count - 1)
    return mean, sqrt(variance / count)


def _judge(status: str, summed: Row) -> str:
    """Look at a trial when a look is due: it helped, hurt, or did nothing by the last look."""
    mean, error = _estimate(summed)
    if status != "on trial" or summed["compared"] not in LOOKS or mean is None or not error:
        return status
    if abs(mean) > BEYOND * error:
        return "helped" if mean > 0 else "hurt"
    return "no effect" if summed["compared"] == LOOKS[-1] else status


def _compare(before: Row, bets: Mapping[str, tuple[str, float]], moment: Moment) -> Arms:
    """What either arm of a lesson made, by the plan of the session before."""
    if before["session"] != moment.calendar.previous(moment.session):
        return Arms(0.0, 0.0, 0, 0)
    lesson = TrustLesson(*(before[name] for name in TrustLesson._fields))
    made: dict[bool, list[float]] = {True: [], False: []}
    for ticker, (sector, profit) in sorted(bets.items()):
        if lesson.concerns(ticker, sector):
            made[lesson.applies(ticker, before["session"])].append(profit)
    return Arms(sum(made[True]), sum(made[False]), len(made[True]), len(made[False]))


def _measure_bets(
    trade_plans: pl.DataFrame, market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, moment: Moment
) -> dict[str, tuple[str, float]]:
    """Ticker -> sector, and what its weight beyond the benchmark made of its return beyond the mean name's."""
    planned = trade_plans.filter(pl.col("for_session") == moment.session, pl.col("alpha").fill_null(0) != 0)
    returns = daily_total_returns(market_prices, corporate_actions).filter(
        pl.col("session") == moment.session, pl.col("total_return").is_not_null()
    )
    both = planned.join(returns.select("ticker", "total_return"), on="ticker").sort("ticker")
    if both.is_empty():
        return {}
    usual = sum(both["total_return"].to_list()) / both.height
    rows = both.select("ticker", "sector", "target_weight", "benchmark_weight", "total_return").iter_rows()
    return {
        ticker: (sector, (weight - (usually or 0.0)) * (earned - usual))
        for ticker, sector, weight, usually, earned in rows
    }


STAGE = Stage(
    name="trust_levels",
    function=trust_levels,
    reads=(
        Read(TRUST_LEVELS, lookback=LOOKBACK, upto="previous"),
        Read(
            TRADE_REFLECTIONS,
            lookback=LOOKBACK,
            columns=(*TRADE_REFLECTIONS.key, "session", "ticker", "surprise"),
        ),
        Read(DECISION_SCORES, lookback=LOOKBACK),
        Read(TRADE_DECISIONS, lookback=21),
        Read(ATTRIBUTIONS, lookback=LOOKBACK, where=pl.col("part") == "rule"),
        Read(
            TRADE_PLANS,
            lookback=1,
            upto="previous",
            columns=(*TRADE_PLANS.key, "for_session", "sector", "alpha", "target_weight", "benchmark_weight"),
        ),
        Read(
            MARKET_PRICES,
            lookback=BAR_SESSIONS,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "close"),
        ),
        Read(CORPORATE_ACTIONS, lookback=BAR_SESSIONS),
        Read(TICKER_UNIVERSE, lookback=1, columns=(*TICKER_UNIVERSE.key, "sector")),
    ),
    writes=TRUST_LEVELS,
    params=TradingParams(),
    section="trading",
)
