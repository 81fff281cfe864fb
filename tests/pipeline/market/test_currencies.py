"""Every exchange that has a calendar is known, with its currency."""

from __future__ import annotations

import re

import pytest

from pipeline.market.currencies import CURRENCIES, EXCHANGES, currency_of
from pipeline.market.sessions import KEPT_BY_ANOTHER


def test_every_calendar_of_the_library_may_be_configured_and_what_goes_by_one_of_them() -> None:
    import exchange_calendars

    names = exchange_calendars.get_calendar_names(include_aliases=True)
    own = {name for name in names if re.fullmatch(r"[A-Z]{4}|24/[57]", name)}
    assert own | {*KEPT_BY_ANOTHER} == EXCHANGES
    assert own.isdisjoint(KEPT_BY_ANOTHER) and own.issuperset(KEPT_BY_ANOTHER.values())


def test_an_exchange_says_its_currency_and_another_what_to_set() -> None:
    assert [currency_of(code) for code in ("XNYS", "XLON", "XETR", "XTKS")] == ["USD", "GBP", "EUR", "JPY"]
    assert all(re.fullmatch("[A-Z]{3}", currency) for currency in CURRENCIES.values())
    with pytest.raises(ValueError, match=r"prices at XXXX is not known; set source\.files\.currency"):
        currency_of("XXXX")
