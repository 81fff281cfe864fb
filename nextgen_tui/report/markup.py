"""Markup in which whatever is not markup already is escaped, so that no text from outside can become a tag."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from nextgen_tui.text.safe_text import safe_text

MAX_TEXT = 600
"""Characters of one text: a lesson or a message fits, a headline of megabytes does not."""
VOID = ("br", "meta", "line", "rect", "circle", "path", "polyline", "polygon")
"""Elements without content: nothing is put into them here, and in a page of HTML they are not closed twice."""


class Html(str):
    """A piece of markup; every other text is escaped where it goes in."""

    __slots__ = ()


Piece: TypeAlias = "str | Html | Iterable[str | Html]"


def tag(name: str, /, *content: Piece, **attributes: str | float | None) -> Html:
    """An element; names of attributes take - for _, and one that is None is left out."""
    given = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Html(f"<{name}{given}/>")
    return Html(f"<{name}{given}>{join(*content)}</{name}>")


def join(*content: Piece) -> Html:
    """Pieces one after the other, each text among them escaped."""
    return Html("".join(_piece(one) for one in content))


def _piece(one: Piece) -> str:
    if isinstance(one, Html):
        return one
    if isinstance(one, str):
        return escape(safe_text(one, MAX_TEXT), quote=True)
    return "".join(_piece(part) for part in one)


def words(heading: str) -> Html:
    """The heading of a column of words, which begin at the left."""
    return tag("th", heading, scope="col", class_="words")


def table(headings: Iterable[str | Html], rows: Iterable[Iterable[Piece]], kind: str = "") -> Html:
    """A table whose first column names its rows; `kind` is its class, and cells that hold a cell keep their own."""
    head = tag("tr", [_heading(one) for one in headings])
    body = [tag("tr", [_cell(number, one) for number, one in enumerate(row)]) for row in rows]
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), class_=kind or None), class_="wide")


def _heading(content: str | Html) -> Html:
    return content if isinstance(content, Html) else tag("th", content, scope="col")


def _cell(number: int, content: Piece) -> Html:
    if isinstance(content, Html) and content.startswith("<td"):
        return content
    return tag("td", content) if number else tag("th", content, scope="row")
