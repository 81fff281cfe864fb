"""Text out of HTML, in a time that grows with its length alone, and what is too broken to be read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import islice

WHOLE = "the article's markup is whole"
SHORT = "the article is not too long"
FEW = "the article's tags have few attributes"
ENDED = "the article's words are not too long"
MAX_UNFINISHED = 50
"""Tags and comments that begin and do not end before the next one begins: a parser looks for the end of each."""
MAX_CHARACTERS = 200_000
"""Of an article, markup included."""
MAX_ATTRIBUTES = 200
"""Of a tag; an XML parser looks through all of them for each one."""
MAX_WORD = 200
"""Characters of a word of a name or a style, or of a gap: where none ends, a parser looks for its end from each."""
MAX_IMAGES = 20
"""Of a style: a parser looks for the end of each."""
TAG = re.compile(r"<[a-zA-Z/!?]")
UNFINISHED = re.compile(r"<[a-zA-Z/!?][^<>]*+(?!>)")
COMPLETE = re.compile(r"<[^<>]*+>")
ENDLESS = re.compile(rf"[\w.+-]{{{MAX_WORD + 1}}}|\s{{{MAX_WORD + 1}}}")
STYLE = re.compile(r"""(?<![?&])(?<!amp;)style\s*+=\s*+(?:"[^"]*+|'[^']*+|[^\s>]*+)""", re.IGNORECASE)
IMAGE, WHOLE_IMAGE = re.compile(r"url\s*+\(", re.IGNORECASE), re.compile(r"url\s*+\([^)]*+\)", re.IGNORECASE)
NAME = re.compile(
    r"<(?:[\w.-]++:)?(author|creator|publisher|managingeditor|webmaster|owner|name|email|contributor)\b[^>]*+>"
    r"(?:(?!</(?:[\w.-]++:)?\1).)*+",
    re.IGNORECASE | re.DOTALL,
)
"""Where a parser looks for colons and for addresses of e-mail."""
WITHIN = re.compile(r"<!\[CDATA\[|\]\]>|<[^<>]*+>")
ATTRIBUTE = r"""\s++[^\s=<>"'/]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+')"""
CROWDED = re.compile(rf"<[^\s<>/]++(?:{ATTRIBUTE}){{{MAX_ATTRIBUTES + 1}}}")


class _Text(HTMLParser):
    """Collects the text of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        if tag in ("br", "p", "div", "li", "tr"):
            self.parts.append(" ")


def plain(text: object) -> str | None:
    """A text without HTML tags; null for none. Other signs stay: they are escaped where they are shown.

    Of a text that breaks a bound only what is a tag by its very writing is taken out.
    """
    if not isinstance(text, str):
        return None
    if broken_bound(text):
        text = COMPLETE.sub("", text)
    elif TAG.search(text):
        reader = _Text()
        reader.feed(text)
        reader.close()
        text = "".join(reader.parts)
    return storable(text)


def storable(text: object) -> str | None:
    """Text that can be stored: half a surrogate pair is written out."""
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else None


def broken_bound(text: str) -> str:
    """The rule that a text of an article breaks, whose reading might take for ever; empty if it breaks none."""
    if len(text) > MAX_CHARACTERS:
        return SHORT
    if CROWDED.search(text):
        return FEW
    if next(islice(UNFINISHED.finditer(text), MAX_UNFINISHED, None), None) is not None:
        return WHOLE
    return ENDED if _has_endless_word(text) else ""


def _has_endless_word(text: str) -> bool:
    """Whether a style or a name has a word or a gap beyond the bound."""
    styles = [found.group() for found in STYLE.finditer(text)]
    if any(len(IMAGE.findall(style)) > MAX_IMAGES for style in styles):
        return True
    names = (WITHIN.sub("", found.group()) for found in NAME.finditer(text))
    return any(ENDLESS.search(part) for part in (*(WHOLE_IMAGE.sub("", style) for style in styles), *names))
