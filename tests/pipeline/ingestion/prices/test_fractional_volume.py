"""What trades in fractions keeps them: four tenths are not nothing."""

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.prices.validate_bars import validate_bars
from tests.frames import market

UNITS = {"units": "converted"}


def bars(*volumes: str, known: pl.DataFrame | None = None, **request: str) -> pl.DataFrame:
    """The bars that come of one landing for each volume, each an hour after the one before, and are new."""
    found = MARKET_PRICES.empty() if known is None else known
    for volume in volumes:
        raw = market.landing([market.bar(volume=volume)], request=request or UNITS)
        tables = (QUARANTINED_ROWS.empty(), raw, found, INSTRUMENTS.empty(), CORPORATE_ACTIONS.empty())
        good = validate_bars(*tables, market.moment(), IngestionParams()).good
        found = pl.concat([found, MARKET_PRICES.check(good.filter("new").select(found.columns))])
    return found


@pytest.mark.parametrize(
    ("text", "volume", "rounding"),
    [
        ("0.4", 0, 0.4),
        ("0.6", 1, -0.4),
        ("12.5", 12, 0.5),
        ("1000", 1000, None),
        ("3.0", 3, None),
        ("7.0000000001", 7, None),
    ],
)
def test_a_volume_keeps_what_rounding_to_whole_shares_takes_from_it(
    text: str, volume: int, rounding: float | None
) -> None:
    row = bars(text).row(0, named=True)
    assert (row["volume"], row["volume_rounding"]) == (volume, rounding)
    assert row["volume"] + (row["volume_rounding"] or 0.0) == pytest.approx(float(text))


def test_another_fraction_is_another_bar_and_the_same_one_is_not() -> None:
    assert bars("0.4", "0.4", "0.3")["volume_rounding"].to_list() == [0.4, 0.3]


def test_landings_of_before_are_read_as_before() -> None:
    assert bars("0.4", interval="1d").select("volume", "volume_rounding").row(0) == (0, None)


def test_a_bar_with_a_fraction_of_a_share_was_traded() -> None:
    raw = market.landing([market.bar(volume="0.4")], request=UNITS)
    assert read_bars(raw, INSTRUMENTS.empty(), market.CALENDAR)["rule"].to_list() == [None]
