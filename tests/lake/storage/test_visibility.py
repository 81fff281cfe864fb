"""Of what was stated several times the last statement is read, whatever lies around it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from polars.testing import assert_frame_equal

from lake.storage.visibility import select_last_revisions
from lake.tables.market import MARKET_PRICES
from tests.frames.bars import bar_rows
from tests.frames.published import FIRST


@pytest.mark.parametrize("seed", range(20))
def test_the_last_of_the_revisions_at_hand_is_read_of_each_bar(seed: int) -> None:
    chance = random.Random(seed)
    stated = [
        {"ticker": ticker, "session": FIRST + timedelta(days=day), "revision": revision, "close": chance.uniform(5, 50)}
        for ticker in "ABC"
        for day in range(4)
        for revision in sorted(chance.sample(range(5), chance.randint(0, 3)))
    ]
    bars = bar_rows(*stated).sort(MARKET_PRICES.key)
    last = bars.unique(list(MARKET_PRICES.entity), keep="last", maintain_order=True)
    assert_frame_equal(select_last_revisions(bars, MARKET_PRICES), last)
