"""How a ticker is spelt: ours has a point before the class of a US share, Yahoo's a dash."""

from __future__ import annotations

import re

US_EXCHANGES = frozenset({"XNYS", "XNAS", "XASE", "ARCX", "BATS"})
OUR_CLASS, VENDOR_CLASS = re.compile(r"[A-Z]{1,5}\.[A-Z]"), re.compile(r"[A-Z]{1,5}-[A-Z]")


def vendor_symbol(ticker: str, exchange: str) -> str:
    """Yahoo's spelling of our ticker: BRK.B is BRK-B on a US exchange; elsewhere a point precedes the exchange."""
    us_class = exchange in US_EXCHANGES and OUR_CLASS.fullmatch(ticker)
    return ticker.replace(".", "-") if us_class else ticker


def our_ticker(symbol: str, exchange: str) -> str:
    """Our spelling of Yahoo's symbol."""
    us_class = exchange in US_EXCHANGES and VENDOR_CLASS.fullmatch(symbol)
    return symbol.replace("-", ".") if us_class else symbol
