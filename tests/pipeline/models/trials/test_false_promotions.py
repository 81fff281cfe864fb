"""Where there is nothing to find, few models become champion."""

from __future__ import annotations

import pytest

from benchmarks.false_promotions import Hearing, describe, hear_history
from tests.frames.models import SMALL


def test_models_of_noise_are_seldom_promoted() -> None:
    heard = [hear_history(180, 12, SMALL, seed) for seed in range(3)]
    assert sum(one.promoted for one in heard) <= 1
    assert all(one.reason.startswith("promoted" if one.promoted else "kept") for one in heard)


def test_the_last_line_tells_each_share_with_its_interval() -> None:
    heard = [Hearing(True, 0.02, "promoted"), Hearing(True, 0.0, "promoted"), *[Hearing(False, 0.05, "kept")] * 8]
    told = describe(heard)
    assert told.startswith("promoted=0.20(0.06-0.51) promoted_with_location=0.10(0.02-0.40) with_location=0.90(")
    assert told.endswith("allowed=0.16 histories=10")


def test_a_history_that_is_too_short_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="100 sessions of 12 names are too few to train"):
        hear_history(100, 12, SMALL, 0)
