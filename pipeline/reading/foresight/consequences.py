"""What will be true after something is asked for: who is champion, which orders remain, how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import polars as pl

from lake.contract import RUN_ID
from lake.store import Lake
from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import TRADE_DECISIONS, TRADING_SWITCHES
from lake.tables.models import MODEL_REGISTRY
from lake.tables.trading import TRADE_PLANS
from pipeline.control.operator.decisions import find_next_champion, find_previous_champion
from pipeline.control.operator.requests import Request
from pipeline.engine.work import cycle, training
from pipeline.reading.foresight.refusals import foresee_refusal
from pipeline.reading.foresight.rehearsal import rehearse
from pipeline.reading.results.plans import last_decisions
from pipeline.text_format import counted, duration, percent
from pipeline.trading.planning.trading_stops import read_stops, standing

NOBODY = "nobody: the naive forecast decides"


def find_consequences(lake: Lake, action: str, target: str) -> tuple[str, ...]:
    """Return what will be true once it was done, in sentences; nothing where only the daemon can tell.

    Args:
        lake: only read.
        action: what is asked for, as requests name it: promote, veto, kill, cycle and so on.
        target: the model, plan or task it is about, or several plans apart by spaces; empty where it is about none.

    Raises:
        LakeError: if the lake cannot be read.
    """
    tell = TELL.get(action if action != "retry" else target.partition("/")[0])
    return tell(lake, target) if tell else ()


def rehearse_requests(lake: Lake, requests: Sequence[Request]) -> tuple[str, ...]:
    """Return what will be true once requests of one kind were carried out, and of which of them nothing will come.

    Raises:
        LakeError: if the lake cannot be read.
    """
    refusals = {one.request_id: foresee_refusal(lake, one) for one in requests}
    refused = tuple(f"nothing will be done: {why}" for why in refusals.values() if why)
    left = [one for one in requests if not refusals[one.request_id]]
    told = find_consequences(lake, left[0].action, " ".join(one.target for one in left)) if left else ()
    return (*refused, *told)


def _rollback(lake: Lake, target: str) -> tuple[str, ...]:
    current = find_next_champion(lake, date.max)
    if current is None:
        return ("nobody is champion, so nothing is taken back",)
    if target and target != current:
        return (f"it is refused: champion by then is {current}, not {target}",)
    before = find_previous_champion(lake, current)
    return (f"champion now: {current}", f"champion after it: {_describe(lake, before)}")


def _promote(lake: Lake, target: str) -> tuple[str, ...]:
    current = find_next_champion(lake, date.max)
    if current == target:
        return (f"it is refused: {target} is champion already",)
    if lake.read(MODEL_REGISTRY, columns=("model_id",), where=pl.col("model_id") == target).is_empty():
        return (f"it is refused: there is no model {target}",)
    return (f"champion now: {current or NOBODY}", f"champion after it: {_describe(lake, target)}")


def _describe(lake: Lake, model: str | None) -> str:
    if not model:
        return NOBODY
    trained = lake.read(MODEL_REGISTRY, columns=("model_id", "session"), where=pl.col("model_id") == model)
    return f"{model}, trained on {trained['session'][0]}" if trained.height else f"{model}, which is not registered"


def _orders(lake: Lake) -> pl.DataFrame:
    """The orders of the last plan that stand: plan_id, side, ticker, shares, and `amount` in the book's currency."""
    last = lake.last_clock(TRADE_PLANS, until=date.max)
    if last is None:
        return TRADE_PLANS.empty().with_columns(amount=pl.lit(0.0))
    plans = lake.read(TRADE_PLANS, since=last, where=pl.col("taken"))
    decided = last_decisions(lake.read(TRADE_DECISIONS, since=last).drop(RUN_ID))
    vetoed = decided.filter(pl.col("decision") == "veto")["plan_id"]
    rate = pl.col("rate").cast(pl.Float64).fill_null(1.0)
    standing = plans.filter(~pl.col("plan_id").is_in(vetoed.to_list()))
    return standing.with_columns(amount=pl.col("shares") * pl.col("close") * rate).sort("ticker")


def _veto(lake: Lake, target: str) -> tuple[str, ...]:
    orders = _orders(lake)
    these = pl.col("plan_id").is_in(target.split())
    mine, rest = orders.filter(these), orders.filter(~these)
    if mine.is_empty():
        return ("no such order stands in the last plan",)
    return (
        *(f"not placed: {_order(one)}" for one in mine.iter_slices(1)),
        f"{rest.height} of {counted(orders.height, 'order')} remain for the open of {mine['for_session'][0]}",
        f"exposure after the open: about {_exposure(lake, rest)} instead of {_exposure(lake, orders)}",
    )


def _approve(lake: Lake, target: str) -> tuple[str, ...]:
    mine = _orders(lake).filter(pl.col("plan_id").is_in(target.split()))
    told = tuple(f"placed: {_order(one)}" for one in mine.iter_slices(1))
    return told or ("no such order stands in the last plan",)


def _order(order: pl.DataFrame) -> str:
    side, shares, ticker, amount = order.select("side", "shares", "ticker", "amount").row(0)
    return f"{side} {shares:,} {ticker}, about {amount:,.2f} at the last close"


def _exposure(lake: Lake, orders: pl.DataFrame) -> str:
    """What is held and ordered, of the book's value at the last close."""
    value = lake.read(PORTFOLIO_VALUE, columns=("session", "nav", "exposure")).sort("session").tail(1)
    if value.is_empty() or not value["nav"][0]:
        return "unknown"
    bought = orders.select(pl.when(pl.col("side") == "buy").then("amount").otherwise(-pl.col("amount")).sum()).item()
    return percent(value["exposure"][0] + bought / float(value["nav"][0]), 1)


def _pause(lake: Lake, target: str) -> tuple[str, ...]:
    del target
    return (f"{_standing(_orders(lake))} still goes to its open; the next plan orders nothing",)


def _kill(lake: Lake, target: str) -> tuple[str, ...]:
    told = [f"{_standing(_orders(lake))} is cancelled"]
    if target == "close":
        last = lake.last_clock(PORTFOLIO_HOLDINGS, until=date.max)
        held = lake.read(PORTFOLIO_HOLDINGS, since=last) if last else PORTFOLIO_HOLDINGS.empty()
        worth = held["market_value"].sum()
        told.append(f"sold at the next open: {counted(held.height, 'position')} worth {worth:,.2f}")
    return tuple(told)


def _resume(lake: Lake, target: str) -> tuple[str, ...]:
    del target
    held = standing(read_stops(lake.read(TRADING_SWITCHES)))
    if not held:
        return ("nothing holds, so nothing is lifted",)
    return (*(f"lifted: {one.describe()}" for one in held), "the next plan may order again; what was stopped stays so")


def _standing(orders: pl.DataFrame) -> str:
    return f"the plan of {counted(orders.height, 'order')} worth {orders['amount'].sum():,.2f}"


def _work(lake: Lake, kind: str) -> tuple[str, ...]:
    last = lake.last_clock(TRADE_PLANS, until=date.max) or date(2000, 1, 1)
    found = rehearse(lake, cycle(last) if kind == "cycle" else training(last))
    if found.seconds is None:
        return ("nothing of the kind was ever done here, so nobody knows how long it takes",)
    paid = f", {found.dollars:,.2f} dollars" if found.dollars else ""
    rows = f"{found.rows:,.0f} new rows" if found.rows is not None else "no rows"
    return (f"expected: {rows} in {duration(found.seconds)}{paid}, by the mean of the last {found.based_on}",)


TELL: dict[str, Callable[[Lake, str], tuple[str, ...]]] = {
    "rollback": _rollback,
    "promote": _promote,
    "veto": _veto,
    "approve": _approve,
    "pause": _pause,
    "kill": _kill,
    "resume": _resume,
    "cycle": lambda lake, _: _work(lake, "cycle"),
    "train": lambda lake, _: _work(lake, "train"),
}
"""What is asked for, or the task that is retried -> who tells what comes of it."""
