"""Which exchanges there are, and in which currency each quotes its shares."""

from __future__ import annotations

_EXCHANGES = {
    "ARS": ("XBUE",),
    "AUD": ("XASX",),
    "BMD": ("XBDA",),
    "BRL": ("BVMF",),
    "CAD": ("XTSE", "XTSX"),
    "CHF": ("XSWX",),
    "CLP": ("XSGO",),
    "CNY": ("XSHG",),
    "COP": ("XBOG",),
    "CZK": ("XPRA",),
    "DKK": ("XCSE",),
    "EUR": (
        *(
            "ASEX",
            "XAMS",
            "XBRA",
            "XBRU",
            "XDUB",
            "XDUS",
            "XEEE",
            "XETR",
            "XEUR",
            "XFRA",
            "XHAM",
            "XHEL",
            "XLIS",
            "XLJU",
        ),
        *("XLUX", "XMAD", "XMIL", "XPAR", "XRIS", "XSTU", "XTAL", "XLIT", "XWBO", "XZAG", "XCYS"),
    ),
    "GBP": ("XLON",),
    "HKD": ("XHKG", "HKEX"),
    "HUF": ("XBUD",),
    "IDR": ("XIDX",),
    "ILS": ("XTAE", "TASE"),
    "INR": ("XBOM", "XNSE"),
    "ISK": ("XICE",),
    "JPY": ("XTKS",),
    "KRW": ("XKRX",),
    "KZT": ("AIXK",),
    "MXN": ("XMEX",),
    "MYR": ("XKLS",),
    "NOK": ("XOSL",),
    "NZD": ("XNZE",),
    "PEN": ("XLIM",),
    "PHP": ("XPHS",),
    "PKR": ("XKAR",),
    "PLN": ("XWAR",),
    "RON": ("XBSE",),
    "RSD": ("XBEL",),
    "RUB": ("XMOS",),
    "SAR": ("XSAU",),
    "SEK": ("XSTO",),
    "SGD": ("XSES",),
    "THB": ("XBKK",),
    "TRY": ("XIST",),
    "TWD": ("XTAI",),
    "USD": ("XNYS", "NYSE", "XNAS", "XASE", "ARCX", "BATS", "OOTC", "XCBF", "CMES", "CBOT", "IEPA", "NYFE"),
    "ZAR": ("XJSE",),
}
CURRENCIES = {exchange: currency for currency, exchanges in _EXCHANGES.items() for exchange in exchanges}
"""Code of an exchange -> ISO 4217 code of the currency its shares are quoted in."""
MINOR_UNITS = {
    "GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ZAX": "ZAR", "ILA": "ILS",
}  # fmt: skip
"""Units that are no currencies but hundredths of one: pence, cents of the rand, agorot."""
PER_CURRENCY = 100
"""How many of a minor unit make one of its currency."""
WITHOUT_PAUSE = ("24/5", "24/7")
"""Calendars of markets that belong to no exchange: of currencies, and of crypto."""
EXCHANGES = frozenset({*CURRENCIES, *WITHOUT_PAUSE})
"""The codes that have a calendar; said here as well, because the library of calendars takes a second to import."""


def main_currency(unit: str) -> str:
    """The currency that prices in the unit are in: GBP for GBX; a currency is its own."""
    return MINOR_UNITS.get(unit, unit)


def currency_of(exchange: str) -> str:
    """The currency an exchange quotes its shares in; where trade never pauses, the dollar.

    Raises:
        ValueError: if it is not known here, naming the setting that says it.
    """
    if exchange in WITHOUT_PAUSE:
        return "USD"
    if exchange not in CURRENCIES:
        raise ValueError(f"the currency of prices at {exchange} is not known; set source.files.currency")
    return CURRENCIES[exchange]
