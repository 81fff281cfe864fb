"""In which currency an exchange quotes its shares."""

from __future__ import annotations

_EXCHANGES = {
    "AED": ("XDFM", "XADS"),
    "ARS": ("XBUE",),
    "AUD": ("XASX",),
    "BMD": ("XBDA",),
    "BRL": ("BVMF",),
    "CAD": ("XTSE",),
    "CHF": ("XSWX",),
    "CLP": ("XSGO",),
    "CNY": ("XSHG", "XSHE"),
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
        *("XLUX", "XMAD", "XMIL", "XPAR", "XRIS", "XSTU", "XTAL", "XLIT", "XWBO", "XZAG"),
    ),
    "GBP": ("XLON",),
    "HKD": ("XHKG",),
    "HUF": ("XBUD",),
    "IDR": ("XIDX",),
    "ILS": ("XTAE",),
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
    "RUB": ("XMOS",),
    "SAR": ("XSAU",),
    "SEK": ("XSTO",),
    "SGD": ("XSES",),
    "THB": ("XBKK",),
    "TRY": ("XIST",),
    "TWD": ("XTAI",),
    "USD": ("XNYS", "XNAS", "XASE", "ARCX", "BATS", "XCBF", "CMES", "IEPA"),
    "ZAR": ("XJSE",),
}
CURRENCIES = {exchange: currency for currency, exchanges in _EXCHANGES.items() for exchange in exchanges}
"""ISO 10383 code of an exchange -> ISO 4217 code of the currency its shares are quoted in."""


def currency_of(exchange: str) -> str:
    """The currency an exchange quotes its shares in.

    Raises:
        ValueError: if it is not known here, naming the setting that says it.
    """
    if exchange not in CURRENCIES:
        raise ValueError(f"the currency of prices at {exchange} is not known; set source.files.currency")
    return CURRENCIES[exchange]
