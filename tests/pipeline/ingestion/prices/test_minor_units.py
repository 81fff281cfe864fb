import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.universe.instruments import instruments, validate_listings
from tests.frames import market

UNITS = {"units": "converted"}


def listed(currency: str, **request: str) -> pl.DataFrame:
    raw = market.landing(
        [{"ticker": "AAA", "name": "AAA plc", "currency": currency, "listed_on": "2019-01-02"}],
        kind="listings",
        request=request or UNITS,
    )
    rows = instruments(raw, INSTRUMENTS.empty(), market.moment(), IngestionParams())
    assert instruments(raw, rows, market.moment(), IngestionParams()).is_empty()
    return INSTRUMENTS.check(rows)


@pytest.mark.parametrize(
    ("unit", "currency"), [("GBX", "GBP"), ("GBp", "GBP"), ("ZAc", "ZAR"), ("ZAC", "ZAR"), ("ILA", "ILS")]
)
def test_a_unit_is_no_currency_its_prices_and_amounts_become_whole(unit: str, currency: str) -> None:
    listing = listed(unit)
    assert listing.select("currency", "unit").row(0) == (currency, unit)
    bars = read_bars(market.landing([market.bar(close="100.5")], request=UNITS), listing, market.CALENDAR)
    assert bars.select("currency", "open", "close", "volume", "rule").row(0) == (currency, 1.0, 1.005, 1000, None)
    paid = [{"ticker": "AAA", "ex_date": str(market.DAY), "kind": "dividend", "amount": "12.5"}]
    raw = market.landing(paid, kind="actions", request=UNITS)
    good = validate_actions(raw, listing, CORPORATE_ACTIONS.empty(), market.CALENDAR).good
    assert good["amount"].to_list() == [0.125]


def test_a_unit_of_the_files_as_a_whole_counts_where_no_listing_says_otherwise() -> None:
    raw = market.landing([market.bar()], request=UNITS | {"currency": "GBX"})
    for listing in (INSTRUMENTS.empty(), listed("GBP")):
        assert read_bars(raw, listing, market.CALENDAR).select("currency", "close").row(0) == ("GBP", 1.0)
    assert read_bars(raw, listed("USD"), market.CALENDAR).select("currency", "close").row(0) == ("USD", 100.0)


def test_landings_that_do_not_speak_of_units_are_read_as_before() -> None:
    old = {"currency": "GBX"}
    assert validate_listings(market.landing([{"ticker": "AAA"}], kind="listings", request=old)).good.select(
        "currency", "unit"
    ).row(0) == ("GBX", None)
    bars = read_bars(market.landing([market.bar()], request=old), listed("GBX"), market.CALENDAR)
    assert bars.select("currency", "close").row(0) == ("GBX", 100.0)
