"""What can be borrowed at a session, and why something cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from pipeline.trading.shorts.params import EVERY_OTHER, Locate, Shorts, read_locate


@dataclass(frozen=True)
class Lending:
    """The lenders' offers as the settings give them, as of a session."""

    shorts: Shorts
    session: date
    """At whose open a trade would be made."""

    @cached_property
    def offers(self) -> Mapping[str, Locate]:
        """Name -> offer."""
        return dict(map(read_locate, self.shorts.borrow))

    def find(self, ticker: str) -> Locate | None:
        """Return what is offered of a name; None where nothing is, or the lender wants it back by the session."""
        offer = self._offer(ticker)
        if not self.shorts.allowed or offer is None or (offer.recall is not None and offer.recall <= self.session):
            return None
        return offer

    def find_rate(self, ticker: str) -> float:
        """Return what borrowing a name costs, a fraction per year; where nobody offers it any more the dearest rate."""
        offer = self._offer(ticker)
        return offer.rate if offer else max((one.rate for one in self.offers.values()), default=0.0)

    def explain(self, ticker: str) -> str:
        """Return why a name cannot be borrowed, in words; empty if it can."""
        offer = self._offer(ticker)
        if not self.shorts.allowed:
            return "short sales are not allowed: trading.shorts.allowed is off"
        if offer is None:
            return f"nobody lends {ticker}: trading.shorts.borrow does not name it"
        if self.find(ticker) is None:
            return f"the lender of {ticker} wants it back by {offer.recall}"
        return ""

    def _offer(self, ticker: str) -> Locate | None:
        return self.offers.get(ticker) or self.offers.get(EVERY_OTHER)

    def count_free(self, ticker: str, short: int) -> int | None:
        """Return how many more shares of a name can be borrowed where some are short; None for any number."""
        offer = self.find(ticker)
        if offer is None:
            return 0
        return None if offer.shares is None else max(offer.shares - short, 0)
