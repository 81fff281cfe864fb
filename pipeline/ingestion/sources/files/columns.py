"""Which column of a file means what: the operator's mapping first, then the usual names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

from pipeline.ingestion.sources.errors import SourceError

NUMBERED = re.compile(r"^\s*\d+\. ")
Usual = Mapping[str, tuple[str, ...]]
"""Canonical field -> the names it usually has, the likeliest first."""
TICKER = ("ticker", "symbol", "act_symbol", "instrument", "security", "stock", "name")
DAY = (
    *("session", "date", "day", "trade_date", "trading_day", "datetime", "timestamp", "time", "ts"),
    *("dtyyyymmdd", "window_start", "open_time", "unix", "begins_at", "t"),
    *("datum", "fecha", "data"),
)

UNNAMED = frozenset({"", "index", "unnamed_0", "index_level_0", "row_names"})
"""What programs call the column of an index that has no name."""

DAILY_BARS: Usual = {
    "ticker": TICKER,
    "session": DAY,
    "open": (
        *("open", "open_price", "px_open", "o", "open_e4", "openprc"),
        *("eröffnung", "eröffn", "eroeffnung", "erster", "ouverture", "ouv", "apertura", "abertura"),
    ),
    "high": (
        *("high", "high_price", "px_high", "h", "high_e4", "askhi"),
        *("hoch", "haut", "plus_haut", "máximo", "máxima", "massimo", "máx", "max"),
    ),
    "low": (
        *("low", "low_price", "px_low", "l", "low_e4", "bidlo"),
        *("tief", "bas", "plus_bas", "mínimo", "mínima", "minimo", "mín", "min"),
    ),
    "close": (
        *("close", "close_price", "close_last", "px_last", "c", "price", "last", "close_e4", "prc"),
        *("schluss", "schlusskurs", "zuletzt", "clôture", "dernier", "cierre", "último", "chiusura", "ultimo"),
    ),
    "volume": (
        *("volume", "vol", "total_volume", "px_volume", "v", "tick_volume", "tickvol", "tottrdqty", "ttltradgvol"),
        *("stücke", "stuecke", "volumen"),
    ),
    "adj_close": ("adj_close", "adjclose", "adjusted_close", "close_adjusted"),
    "available_at": ("available_at",),
}
"""An adjusted close is never taken for the close: it only tells of actions. Headers in German, French, Spanish, Italian
and Portuguese come after the English ones; a German file with pieces beside a turnover has its volume in pieces."""
INTRADAY_BARS: Usual = {
    **{field: names for field, names in DAILY_BARS.items() if field != "session"},
    "ts": ("ts", "timestamp", "datetime", "time", "date", "window_start", "open_time", "unix", "begins_at", "t"),
}
TOLD_ACTIONS: Usual = {
    "split": ("splitfactor", "split_factor", "stock_splits", "split_coefficient", "split_ratio", "splits", "split"),
    "dividend": ("divcash", "div_cash", "dividends", "dividend_amount", "ex_dividend", "dividend", "cash_dividend"),
    "adjusted": (*DAILY_BARS["adj_close"], "closeadj", "adj_closing_price", "adjusted"),
    "unadjusted": ("closeunadj", "close_unadjusted", "unadjusted_close"),
}
"""Columns of a price file that tell of splits and dividends."""
ACTIONS: Usual = {
    "ticker": TICKER,
    "ex_date": ("ex_date", "exdate", "effective_date", "date"),
    "kind": ("kind", "type", "action", "action_type", "event"),
    "numerator": ("numerator", "new_shares", "ratio_to", "split_to"),
    "denominator": ("denominator", "old_shares", "ratio_from", "split_from"),
    "amount": ("amount", "dividend", "cash", "cash_amount", "value"),
    "pay_date": ("pay_date", "paydate", "payment_date", "payable_date"),
    "successor": ("successor", "new_ticker", "new_symbol"),
    "available_at": ("available_at", "announced_at", "announced", "declared_at"),
    "currency": ("currency",),
    "cash": ("cash_part", "cash_per_share", "cash"),
    "cost_share": ("cost_share", "cost_fraction"),
}
LISTINGS: Usual = {
    "ticker": ("ticker", "symbol", "act_symbol"),
    "name": ("name", "company", "company_name", "security", "security_name", "long_name"),
    "sector": ("sector", "gics_sector", "industry"),
    "role": ("role",),
    "exchange": ("exchange", "mic"),
    "currency": ("currency",),
    "listed_on": ("listed_on", "ipo_date", "start_date", "start", "first_date", "date_added"),
}
NEWS: Usual = {
    "id": ("id", "article_id", "guid", "row_id"),
    "published_at": (
        "published_at",
        "published",
        "published_original",
        "pub_date",
        "datetime",
        "timestamp",
        "date",
        "time",
    ),
    "title": ("title", "headline"),
    "body": ("body", "summary", "text", "content", "description"),
    "url": ("url", "link"),
    "tickers": ("tickers", "symbols", "ticker", "symbol", "stock", "stocks"),
}
ALSO = {"date": "session"}
"""What an operator may call a field as well."""
CANONICAL = frozenset(field for names in (DAILY_BARS, INTRADAY_BARS, ACTIONS, LISTINGS, NEWS) for field in names)


def parse_overrides(columns: Sequence[str]) -> dict[str, str]:
    """Return {canonical: column} from `canonical=column` texts.

    Raises:
        SourceError: for a text without `=`, a field that does not exist (naming the nearest), or one given twice.
    """
    overrides: dict[str, str] = {}
    for text in columns:
        field, sign, column = text.partition("=")
        field, column = field.strip(), column.strip()
        if not sign or not column:
            raise SourceError(f"the column mapping {text!r} is not of the form canonical=column, such as close=LAST")
        field = ALSO.get(field, field)
        if field not in CANONICAL:
            near = get_close_matches(field, sorted(CANONICAL), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(sorted(CANONICAL))}"
            raise SourceError(f"the column mapping {text!r} names the field {field!r}, which does not exist; {hint}")
        if field in overrides:
            raise SourceError(f"the field {field!r} is mapped twice, to {overrides[field]!r} and {column!r}; keep one")
        overrides[field] = column
    return overrides


def recognise(
    header: Sequence[str],
    usual: Usual,
    overrides: Mapping[str, str],
    *,
    required: Sequence[str],
    file: str,
    strict: bool,
) -> dict[str, str]:
    """Return {canonical field: column of the file} for all fields that are there.

    Args:
        strict: an override whose column the file lacks is an error; otherwise the usual names are tried.

    A column with the very name of a field stays that field's where the operator maps it to another one too: a file of
    closes alone can be read with open, high and low mapped to them.

    Raises:
        SourceError: naming the field that was looked for, what the file has, and how to say which it is.
    """
    by_plain_name: dict[str, str] = {}
    for column in header:
        by_plain_name.setdefault(plain(column), column)
    found: dict[str, str] = {}
    for field, names in usual.items():
        wanted = overrides.get(field)
        if wanted is not None and wanted in header:
            found[field] = wanted
        elif wanted is not None and strict:
            raise SourceError(f"{file} has no column {wanted!r}, given for {field!r}; it has {list_columns(header)}")
        else:
            hit = next((by_plain_name[name] for name in names if name in by_plain_name), None)
            if hit is not None and (hit not in overrides.values() or plain(hit) == field):
                found[field] = hit
    for field in required:
        if field not in found:
            looked = ", ".join(usual[field])
            named = ", or name the file after its ticker, as in AAPL.csv" if field == "ticker" else ""
            raise SourceError(
                f"{file} has no column for {field!r}: looked for {looked}; it has {list_columns(header)}; "
                f"say which it is with --column {field}=COLUMN{named}"
            )
    return found


@lru_cache(maxsize=10_000)
def plain(column: str) -> str:
    """Lower case, one underscore for every run of other signs: 'Close/Last' and 'close_last' are alike.

    A number before the name is left out: '4. close' is close.
    """
    words = "".join(sign if sign.isalnum() else " " for sign in NUMBERED.sub("", column.lower())).split()
    return "_".join(words)


def list_columns(header: Sequence[str]) -> str:
    """Name the columns of a file, the first twenty of them."""
    shown = ", ".join(repr(column) for column in header[:20])
    return shown if len(header) <= 20 else f"{shown} and {len(header) - 20} more"
