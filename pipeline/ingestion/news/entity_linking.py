"""Finds the companies that a text speaks of: symbols as they are written in news, and names of listed companies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

CASHTAG = re.compile(r"(?<![\w$])\$([A-Z]{1,5}(?:[.\-][A-Z])?)(?![\w.\-]*\w)")
QUOTED = re.compile(
    r"\(\s*(?:NYSE(?:\s?(?:American|Arca|MKT))?|NASDAQ(?:GS|GM|CM)?|Nasdaq|AMEX|OTC(?:QX|QB|MKTS)?|LSE|TSX)"
    r"\s*:\s*([A-Z]{1,5}(?:[.\-][A-Z])?)\s*\)"
)
WORD = re.compile(r"[^\W_]+(?:['’&.\-][^\W_]+)*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEGAL = _words(
    "inc incorporated corp corporation co company companies ltd limited llc lp plc ag sa se nv spa ab asa oyj "
    "holding holdings group the class common stock shares ordinary adr ads trust de cv a b c and"
)
"""Words that say what a company is by law, not which one it is."""
PLAIN_WORDS = _words(
    "ally ball best block booking capital carnival chase clear crown delta discover dollar dominion eagle edge energy "
    "equity essential everest extra first fortune fox gap general global globe garden genuine halo "
    "host international key live lucky match mid monster national news north omega open orange paramount "
    "partners peak pool post power prime principal progressive public range regions republic resources royal "
    "shell snap southern square state steel sun target team technologies toast trade travelers trip "
    "union united unity universal universe us ventures vertex visa vital waters wave west world zoom"
)
"""Names that are words of their own: in a title they mean themselves more often than the company."""
MAX_NAME = 5
"""Words of a name that are looked for."""
MIN_LETTERS = 4
"""Letters a name of one word has at least."""


@dataclass(frozen=True)
class Directory:
    """The listed companies by what they are called."""

    symbols: Collection[str]
    names: Mapping[tuple[str, ...], tuple[str, ...]]
    """Words of a name in small letters, without legal ones -> its tickers."""

    def find_tickers(self, text: str) -> list[str]:
        """The tickers that the text speaks of, sorted."""
        return sorted({*self._symbols(text), *self._names(text)})

    def _symbols(self, text: str) -> Iterator[str]:
        for pattern in (CASHTAG, QUOTED):
            for match in pattern.finditer(text):
                symbol = match.group(1).replace("-", ".")
                if symbol in self.symbols:
                    yield symbol

    def _names(self, text: str) -> Iterator[str]:
        """A name counts where each of its words begins with a capital; of two that begin at one word the longer."""
        words = [word.removesuffix("'s").removesuffix("’s") for word in WORD.findall(text)]
        lowered = [word.casefold() for word in words]
        place = 0
        while place < len(words):
            for length in range(min(MAX_NAME, len(words) - place), 0, -1):
                found = self.names.get(tuple(lowered[place : place + length]))
                if found and all(not word[0].islower() for word in words[place : place + length]):
                    yield from found
                    place += length - 1
                    break
            place += 1


def directory(instruments: pl.DataFrame) -> Directory:
    """The directory of listed instruments (ticker, name, role); a benchmark is found by its symbol alone."""
    names: dict[tuple[str, ...], list[str]] = {}
    for ticker, name, role in instruments.select("ticker", "name", "role").sort("ticker").iter_rows():
        words = distinctive(name) if role == "stock" and name != ticker else ()
        if words:
            names.setdefault(words, []).append(ticker)
    return Directory(frozenset(instruments["ticker"]), {words: tuple(found) for words, found in names.items()})


def distinctive(name: str) -> tuple[str, ...]:
    """The words of a company's name that tell it from others; none where they could be any words."""
    words = [word.casefold() for word in WORD.findall(name)]
    while words and words[-1] in LEGAL:
        words.pop()
    while len(words) > 1 and words[0] in ("the",):
        words.pop(0)
    if not words or len(words) > MAX_NAME:
        return ()
    alone = len(words) == 1
    return () if alone and (len(words[0]) < MIN_LETTERS or words[0] in PLAIN_WORDS) else tuple(words)
