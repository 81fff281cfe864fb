"""Whom a training is for: a sector, a ticker, or a group of tickers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lake.tables.vocabulary import SYMBOL
from pipeline.market.securities.following import Securities

if TYPE_CHECKING:  # a request names its target, and needs no features for that
    from pipeline.models.dataset import Examples, Index

KINDS = ("sector", "ticker", "group")
"""From the most to the least names, but for groups; the narrowest specialist speaks for a name."""
NARROW = ("ticker", "group", "sector")
MAX_GROUP = 200


@dataclass(frozen=True)
class Target:
    """The names that a training is for."""

    kind: str
    names: tuple[str, ...]
    """The sector, the ticker, or the tickers of the group in their order."""

    def __str__(self) -> str:
        return f"{self.kind}={','.join(self.names)}"

    def members(self) -> pl.Expr:
        """Which rows of a frame with `ticker` and `sector` it is for."""
        return pl.col("sector" if self.kind == "sector" else "ticker").is_in(list(self.names))

    def find_rows(self, examples: Examples, universe: pl.DataFrame, companies: Securities) -> Index:
        """The positions of its examples.

        A sector is its members of each session, so that one that left still teaches of the time before. A ticker is the
        company that has it at last, under any ticker it had.

        Args:
            examples: of all names.
            universe: rows of ticker_universe: ticker, session, sector, member.
            companies: who had which ticker, when.
        """
        import numpy as np  # here: a request names its target, and needs no numbers for that

        mine = universe.filter(pl.col("member") & self.members()).select("ticker", "session", own="ticker")
        mine = companies.name_companies(mine, "session")
        on = ["ticker", "session"]
        if self.kind != "sector":  # of two companies that had a ticker, the one that has it now
            mine, on = mine.sort("session").unique("own", keep="last"), ["ticker"]
        days = pl.Series("session", [examples.calendar.days[at] for at in examples.session.tolist()], dtype=pl.Date)
        keys = pl.DataFrame({"ticker": examples.ticker, "session": days}).with_row_index("at")
        return keys.join(mine, on=on, how="semi", maintain_order="left")["at"].to_numpy().astype(np.int64)


def parse_target(text: str) -> Target:
    """Read `sector=Energy`, `ticker=ABC` or `group=ABC,DEF`.

    Raises:
        ValueError: if it is none of these, saying what is wrong with it.
    """
    kind, equals, rest = text.partition("=")
    if kind not in KINDS or not equals or not rest.strip():
        raise ValueError(f"{text!r} is no target; write sector=NAME, ticker=ABC or group=ABC,DEF")
    if kind == "sector":
        return Target(kind, (rest.strip(),))
    names = tuple(dict.fromkeys(one.strip() for one in rest.split(",")))
    if wrong := [one for one in names if not re.fullmatch(SYMBOL, one)]:
        raise ValueError(f"{len(wrong)} of {len(names)} names in {text!r} are no tickers, the first is {wrong[0]!r}")
    if kind == "ticker" and len(names) > 1:
        raise ValueError(f"{text!r} names {len(names)} tickers; write group={','.join(names)}")
    if len(names) > MAX_GROUP:
        raise ValueError(f"{text[:40]!r}... names {len(names)} tickers; a group has at most {MAX_GROUP}")
    return Target(kind, tuple(sorted(names)) if kind == "group" else names)
