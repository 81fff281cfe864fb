"""The XML declaration of a feed on a line of its own: the parser's pattern for it takes the square of its line."""

from __future__ import annotations

import codecs
import re

MAX_DECLARATION = 500
"""Characters; the longest in use has about a hundred."""
MAX_PROLOG = 10_000
"""Characters before the first element; the parser looks for entities from the beginning of each line of them."""
MARKS = (
    (codecs.BOM_UTF32_BE, "utf-32-be", True),
    (codecs.BOM_UTF32_LE, "utf-32-le", True),
    (codecs.BOM_UTF16_BE, "utf-16-be", True),
    (codecs.BOM_UTF16_LE, "utf-16-le", True),
    (codecs.BOM_UTF8, "utf-8", True),
    (b"\x4c\x6f\xa7\x94", "cp037", False),
    (b"\x00\x3c\x00\x3f", "utf-16-be", False),
    (b"\x3c\x00\x3f\x00", "utf-16-le", False),
    (b"\x00\x00\x00\x3c", "utf-32-be", False),
    (b"\x3c\x00\x00\x00", "utf-32-le", False),
)
"""How a document may begin, its encoding, and whether that is a mark apart: XML 1.0, appendix F."""
ELEMENT = re.compile(r"<\w", re.ASCII)


class DeclarationError(ValueError):
    """A document begins in a way that no feed does."""


def end_first_line(data: bytes) -> bytes:
    """The document with a line's end behind its declaration, and otherwise as it is.

    Raises:
        DeclarationError: if what begins as a declaration does not end, or no element follows for long.
    """
    mark, encoding, apart = next((one for one in MARKS if data.startswith(one[0])), (b"", "latin-1", True))
    begin = len(mark) if apart else 0
    try:
        text = data[begin:].decode(encoding)
    except UnicodeDecodeError:
        return data  # then the parser looks for no declaration
    first = ELEMENT.search(text)
    if first is not None and first.start() > MAX_PROLOG:
        raise DeclarationError(f"its first element comes after {first.start()} characters")
    if not text.startswith("<?"):
        return data
    end = text.find("?>", 0, MAX_DECLARATION) + 2
    if end < 2:
        raise DeclarationError(f"its declaration does not end within {MAX_DECLARATION} characters")
    return data[:begin] + (text[:end] + "\n" + text[end:]).encode(encoding)
