"""The bar at the top gives what fits: the least important piece becomes shorter first."""

from __future__ import annotations

import pytest

from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.screen_frame import BarPiece, fit_pieces

PIECES = (
    BarPiece(("session 2022-03-01", "2022-03-01"), order=2),
    BarPiece(("▸ cycle: train", "▸ cycle", ""), order=1),
    BarPiece(("! warn: prices",), "warn"),
    BarPiece(("/data/lakes/mine", "mine"), order=0),
)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, "session 2022-03-01  ▸ cycle: train  ! warn: prices  /data/lakes/mine"),
        (60, "session 2022-03-01  ▸ cycle: train  ! warn: prices  mine"),
        (50, "session 2022-03-01  ▸ cycle  ! warn: prices  mine"),
        (40, "session 2022-03-01  ! warn: prices  mine"),
        (32, "2022-03-01  ! warn: prices  mine"),
        (1, "2022-03-01  ! warn: prices  mine"),
    ],
)
def test_the_bar_is_shortened_until_it_fits(width: int, expected: str) -> None:
    assert plain_text([fit_pieces(PIECES, width)]) == expected
