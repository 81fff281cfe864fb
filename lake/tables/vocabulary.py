"""The columns that mean the same thing in every table."""

import polars as pl

from lake.contract import CENTS, PRICE, RATE, UTC, Column

SYMBOL = r"[A-Z0-9^][A-Z0-9.\-=^]{0,19}"
"""A ticker as it is stored: no slash, space or quote, so that it is safe in a path, a predicate and on screen."""

TICKER = Column(pl.String(), "symbol", "the security's standard ticker", pattern=SYMBOL, max_length=20)
SESSION = Column(pl.Date(), "exchange date", "the trading session the row belongs to")
AVAILABLE_AT = Column(UTC, "UTC instant", "first moment at which the fact could have been known")
HORIZON = Column(pl.Int32(), "sessions", "how far ahead the forecast looks")
PAYLOAD_ID = Column(pl.String(), "sha256", "the raw payload that this row was read from", pattern=r"[0-9a-f]{64}")
SOURCE = Column(pl.String(), "name", "the source that delivered it", pattern=r"[a-z][a-z0-9_\-]{0,30}")
MODEL_ID = Column(pl.String(), "id", "the trained ensemble, a row set of model_registry", max_length=80)


def number(unit: str, doc: str, *, nullable: bool = False) -> Column:
    """A double-precision number."""
    return Column(pl.Float64(), unit, doc, nullable=nullable)


def count(unit: str, doc: str, *, nullable: bool = False) -> Column:
    """A whole number."""
    return Column(pl.Int64(), unit, doc, nullable=nullable)


def text(doc: str, *, unit: str = "text", nullable: bool = False, max_length: int = 4_000) -> Column:
    """A text of bounded length."""
    return Column(pl.String(), unit, doc, nullable=nullable, max_length=max_length)


def flag(doc: str, *, nullable: bool = False) -> Column:
    """A yes or no."""
    return Column(pl.Boolean(), "yes/no", doc, nullable=nullable)


def instant(doc: str, *, nullable: bool = False) -> Column:
    """A zone-aware moment."""
    return Column(UTC, "UTC instant", doc, nullable=nullable)


def day(doc: str, *, nullable: bool = False) -> Column:
    """A calendar date."""
    return Column(pl.Date(), "date", doc, nullable=nullable)


def money(doc: str, *, nullable: bool = False) -> Column:
    """An amount in the portfolio's currency, exact to the cent."""
    return Column(CENTS, "currency", doc, nullable=nullable)


def price(doc: str, *, nullable: bool = False) -> Column:
    """An exact price per share."""
    return Column(PRICE, "currency per share", doc, nullable=nullable)


def local_money(doc: str) -> Column:
    """An amount in the currency that a foreign name is quoted in, exact to its hundredth; null for the book's own."""
    return Column(CENTS, "quoted currency", doc, nullable=True)


def currency(doc: str) -> Column:
    """The currency that a foreign name is quoted in."""
    return Column(pl.String(), "ISO 4217", f"{doc}; null for the book's own", nullable=True, pattern="[A-Z]{3}")


def rate(doc: str) -> Column:
    """What one unit of that currency was worth in the book's."""
    return Column(RATE, "book's currency per quoted one", f"{doc}; null for the book's own", nullable=True)
