"""Texts that a headline, a ticker or an error message may hold to break a terminal."""

from __future__ import annotations

from random import Random

HOSTILE: tuple[str, ...] = (
    "plain",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07after",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31mC1",
    "nul\x00byte",
    "bell\x07",
    "back\x08space\x7f",
    "two\nlines\r\nand\ttabs",
    "line\u2028separator\u2029paragraph",
    "right\u202eto\u202dleft",
    "isolate\u2066x\u2069",
    "marks\u200e\u200f\u061c",
    "zero\u200bwidth\u200djoiner\ufeff",
    "tag\U000e0041\U000e007f",
    "lone\ud800surrogate",
    "[bold red]markup[/] [link=https://evil.example]x[/link]",
    "[@click=app.quit]quit[/]",
    "[/]",
    "[[[",
    "$bold {braces} %s %(x)s",
    "e" + "\u0301" * 500,
    "漢字 with wide 🙂 signs",
    "x" * 1_000_000,
    "\n" * 20_000,
    "\x1b" * 5_000,
    "",
)


def fuzzed(count: int, seed: int = 0) -> list[str]:
    """So many hostile texts of all kinds at once, always the same for a seed; most are short, some are very long."""
    dice = Random(seed)
    return ["".join(_piece(dice) for _ in range(dice.choice((1, 1, 2, 3, 5, 9)))) for _ in range(count)]


PIECES: tuple[str, ...] = (
    "\x1b[{n}m{w}\x1b[0m",
    "\x1b[{n};{n}H",
    "\x1b[?{n}h",
    "\x1b]0;{w}\x07",
    "\x1b]8;;https://{w}.example\x1b\\{w}\x1b]8;;\x1b\\",
    "\x1b]52;c;{w}\x07",
    "\x1bP{w}\x1b\\",
    "\x1b_{w}",
    "\x1b]8;;{w}",
    "\x9b{n}m{w}",
    "\x9d0;{w}\x9c",
    "[@click=app.quit]{w}[/]",
    "[@click=app.bell()]{w}",
    "[link=https://{w}.example]{w}[/link]",
    "[link='https://{w}.example']",
    "[bold red on blue]{w}[/]",
    "[/]",
    "[/{w}]",
    "[{w}",
    "\\[{w}]",
    "[$warning]{w}",
    "{{{w}}} %s %({w})s ${w}",
    "=cmd|'{w}'!A0",
    "../../{w}",
    "{w}\r\n{w}\n{w}",
    "{w}\t{w}\x0b{w}\x0c",
    "\ufeff{w}\u200b\u200d{w}\u00ad",
    "\u202e{w}\u202c\u2066{w}\u2069",
    "👨\u200d👩\u200d👧\ufe0f {w} 🏳\ufe0f\u200d🌈 👍🏽",
    "漢字{w}かな ｗｉｄｅ",
    "\U000e0001{w}\U000e007f\U0010ffff\ue000",
    "\ud800{w}\udfff",
    "\u0e33{w}\u0e33 \u1100\u1161 \u0915\u094d",
)
"""Shapes of trouble: `{w}` becomes a word, `{n}` a number."""


def _piece(dice: Random) -> str:
    kind = dice.random()
    if kind < 0.55:
        return dice.choice(PIECES).replace("{w}", _word(dice)).replace("{n}", str(dice.randrange(999)))
    if kind < 0.75:
        return "".join(chr(_sign(dice)) for _ in range(dice.randrange(1, 40)))
    if kind < 0.85:
        return "".join(chr(dice.choice((dice.randrange(0x20), 0x7F, 0x80 + dice.randrange(0x20)))) for _ in range(9))
    if kind < 0.92:
        return _word(dice) + dice.choice("\u0301\u0489\u20dd\u0e31") * dice.randrange(1, 300)
    return dice.choice(("x", "\n", "\x1b", " ", "漢", "[", "\u202e", "\x1b[0m", "a\u0301")) * dice.randrange(1, 30_000)


def _word(dice: Random) -> str:
    return dice.choice(("ACME", "evil", "", "void", "a b", "Zürich", "0", "é", "-1.5 %", "🙂", "[x]", "\x1b", "\x07"))


def _sign(dice: Random) -> int:
    """A code point: of the first few hundred, of the whole basic plane with its surrogates, or of any other."""
    return dice.randrange(dice.choice((0x250, 0x3000, 0x10000, 0x110000)))
