"""How closed trades came out: what the rules learn from them, kept session by session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pipeline.market.sessions import Sessions
from pipeline.trading.books.book import LedgerEvent
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.mandated_book import TradeOutcome
from pipeline.trading.planning.plan import TRUST_LOOKBACK
from pipeline.trading.review.closings import Closing, PositionWalk
from pipeline.trading.review.reflect import ENTRY, EXITS, LOOKBACK, measure_surprise

PLANNED = ("plan_id", "session", "for_session", "ticker", "intent", "expected_return", "low_80", "high_80")
"""What of an order's plan is looked back at."""


@dataclass
class TrackRecord:
    """Follows positions from the plan that opened them to the sale that ends them."""

    calendar: Sessions
    walk: PositionWalk
    plans: dict[str, Mapping[str, Any]]
    """Plan -> `PLANNED`, of those that became orders."""
    plan_of: dict[str, str]
    """Trade -> its plan."""
    closed: list[TradeOutcome]
    """The oldest first."""
    stopped: set[str] = field(default_factory=set)
    """Trades that a resting stop made."""

    def add_plans(self, plans: Iterable[Mapping[str, Any]]) -> None:
        """Remember what was expected of orders."""
        self.plans |= {plan["plan_id"]: plan for plan in plans}

    def take(self, events: Iterable[LedgerEvent], session: date, params: TradingParams) -> None:
        """Follow a session's events, and look back at what they close."""
        before = set(self.walk.closings)
        for event in events:
            legs = [
                {**leg._asdict(), "kind": event.kind, "reference": event.reference, "session": session}
                for leg in event.legs
                if not leg.is_empty
            ]
            if legs:
                self.walk.take(event.event_id, legs)
        closed = (one for name, one in self.walk.closings.items() if name not in before and one.shares)
        self.closed += [self._reflect(one, session, params) for one in sorted(closed, key=lambda one: one.trade_id)]

    def list_closed(self, session: date) -> list[TradeOutcome]:
        """The closed trades that a plan of a session sees."""
        since = self.calendar.offset(session, -TRUST_LOOKBACK)
        return [one for one in self.closed if one.session >= since]

    def _reflect(self, closing: Closing, session: date, params: TradingParams) -> TradeOutcome:
        entry, opened = closing.entry, closing.entry.opened or session
        bought = self._find(entry.trade_id, entry.bought_as or closing.ticker, opened, session, ENTRY)
        sold = self._find(closing.trade_id, closing.ticker, session, session, EXITS)
        held = self.calendar.distance(opened, session)
        surprise, _ = measure_surprise(closing.gross_return, bought, held, params.horizon)
        planned = "stop" if closing.trade_id in self.stopped else str(sold.get("intent", "unknown"))
        ended = next((kind for kind in ("delisting", "write_off") if f":{kind}:" in closing.trade_id), None)
        return TradeOutcome(closing.ticker, session, ended or planned, surprise)

    def _find(
        self, trade_id: str, ticker: str, filled: date, session: date, intents: tuple[str, ...]
    ) -> Mapping[str, Any]:
        """The plan that a trade was filled for, if it is not too long ago to be looked at."""
        name = self.plan_of.get(trade_id) or f"{self.calendar.previous(filled)}:{ticker}"
        plan = self.plans.get(name, {})
        recent = bool(plan) and plan["session"] >= self.calendar.offset(session, -LOOKBACK)
        return plan if recent and plan["intent"] in intents else {}
