"""Feeds as nobody would write them, each made of a number: broken, huge, nested, encoded, and pointing elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from random import Random

from tests.loopback.rss import feed, item

LENGTH = 190_000
"""Characters of what is repeated: what takes the square of that takes seconds."""
OPEN = ("<!--", "<a x=1 ", "<a x='", "</", "<?", "<!", "<![CDATA[", "<b", "&", "&#", "&lt;", "<", "]]>", "<style>")
REPEATED = (
    *("<title>a</title>", "<link>http://a.example/</link>", "<category>b</category>", "<enclosure url='b'/>", "<x/>"),
    *("<pubDate>Wed, 04 Mar 2020 12:00:00 GMT</pubDate>", "<guid>7</guid>", "<![CDATA[a]]>", "<!-- a -->", "<?a b?>"),
    *(
        "<item>",
        "<item/>",
        "</item>",
        "&amp;",
        "&amp;amp;",
        "&lt;p&gt;a&lt;/p&gt;",
        "a",
        " ",
        "\n",
        "a@a.",
        "url(",
        'encoding="',
        "\u00e4",
        "\U0001f600",
        "\0",
    ),
    *("<item><title>a</title></item>", "<entry><title>a</title></entry>", "<a:b xmlns:a='c'/>", "<author>a</author>"),
)
ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-32", "utf-7", "latin-1", "cp037", "cp1252", "shift_jis", "gb18030"),
    *("iso2022_jp", "big5", "koi8-r", "unicode_escape", "punycode", "idna", "rot13", "hex", "klingon", "utf-8-sig"),
)


def write_document(chance: Random, elsewhere: str) -> bytes:
    """A feed, or what was one.

    Args:
        chance: decides all.
        elsewhere: an address that nobody may follow.
    """
    text = chance.choice(DOCUMENTS)(chance, elsewhere)
    data = _encode(chance, text) if chance.random() < 0.3 else text.encode("utf-8", "replace")
    return _damage(chance, data) if chance.random() < 0.3 else data


def _items(chance: Random, _elsewhere: str) -> str:
    return feed(*[item(f"Alpha {n}", guid=str(n)) for n in range(chance.choice((0, 1, 3, 400)))])


def _repeated(chance: Random, _elsewhere: str) -> str:
    """One thing over and over: in an article, beside them, before them, or alone."""
    piece = chance.choice((*REPEATED, *OPEN))
    text = piece * (int(LENGTH * chance.choice((0.01, 0.5, 1.0))) // len(piece))
    places = (
        lambda: feed(item(description=text), item(guid="2")),
        lambda: feed(item(description=escape(text)), item(guid="2")),
        lambda: feed(item(title=escape(escape(text)), guid="2"), item()),
        lambda: feed(item(author=text), item(guid="2")),
        lambda: feed(item(description=escape(f'<p style="{text}">')), item(guid="2")),
        lambda: f'<?xml version="1.0" {text}' + feed(item(), head=""),
        lambda: feed(item(), head='<?xml version="1.0"?>' + text),
        lambda: feed(item(), text),
        lambda: feed(text, item()),
        lambda: text,
    )
    return chance.choice(places)()


def _nested(chance: Random, _elsewhere: str) -> str:
    tag = chance.choice(("x", "div", "item", "title", "description", "content", "a:b xmlns:a='c'"))
    depth = LENGTH // (2 * len(tag) + 5)
    text = f"<{tag}>" * depth + f"</{tag.split()[0]}>" * (depth if chance.random() < 0.5 else 0)
    kind = chance.choice(("html", "xhtml", "application/xml"))
    content = f'<content type="{kind}">{text if kind != "html" else escape(text)}</content>'
    return chance.choice((feed(item(description=text)), feed(item(), text), _atom(content), text))


def _attributes(chance: Random, _elsewhere: str) -> str:
    form = chance.choice(('a{}="x"', "a{}='&gt;'", "a{}=x", 'xmlns:a{}="x{}"', 'a="x"', 'a{}=">"', "a{}"))
    many = " ".join(form.format(number, number) for number in range(LENGTH // (len(form) + 4)))
    return chance.choice((feed(f"<item {many}><title>a</title></item>"), feed(item(), head=f"<?xml {many}?>"),
                          feed(f"<item><x {many}/></item>"), f"<rss {many}>{feed()}</rss>"))  # fmt: skip


def _entities(chance: Random, elsewhere: str) -> str:
    kinds = (
        "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(9)),
        f'<!ENTITY e8 SYSTEM "{elsewhere}">',
        f'<!ENTITY % e8 SYSTEM "{elsewhere}"> %e8;',
        '<!ENTITY e8 SYSTEM "file:///etc/hostname">',
        "",
    )
    declared = chance.choice((f"<!DOCTYPE rss [{chance.choice(kinds)}]>", f'<!DOCTYPE rss SYSTEM "{elsewhere}">'))
    return feed(f"<item><title>&e8;</title></item>{item()}", head=f'<?xml version="1.0"?>{declared}')


def _pointing(chance: Random, elsewhere: str) -> str:
    """What a program that is too helpful would fetch."""
    texts = (
        f'<?xml-stylesheet href="{elsewhere}"?>' + feed(item(), head=""),
        feed(item(description=escape(f'<img src="{elsewhere}"><iframe src="{elsewhere}"></iframe>'))),
        feed(f'<item xml:base="{elsewhere}"><link>x</link><source url="{elsewhere}"/></item>'),
        feed(f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{elsewhere}"/>', item()),
        feed(f'<cloud domain="{elsewhere}" port="80"/><newLocation>{elsewhere}</newLocation>', item()),
        f'<html><head><meta http-equiv="refresh" content="0;url={elsewhere}">'
        f'<link rel="alternate" type="application/rss+xml" href="{elsewhere}"></head></html>',
        f'<redirect><newLocation>{elsewhere}</newLocation></redirect>',
        elsewhere,
        "/etc/hostname",
    )  # fmt: skip
    return chance.choice(texts)


def _atom(content: str = "<title>a</title>") -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><entry>{content}</entry></feed>'


def _other(chance: Random, _elsewhere: str) -> str:
    rdf = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><item><title>a</title></item></rdf:RDF>'
    return chance.choice((_atom(), rdf, "", "{}", "[" * LENGTH, "<html><body>Sign in</body></html>", "\ufeff" + feed()))


DOCUMENTS: tuple[Callable[[Random, str], str], ...] = (
    *(_items, _repeated, _repeated, _repeated, _nested, _attributes, _entities, _pointing, _other),
)


def _encode(chance: Random, text: str) -> bytes:
    """The text in an encoding that it names, names wrongly, or does not name."""
    encoding, stated = chance.choice(ENCODINGS), chance.choice(ENCODINGS)
    stated = encoding if chance.random() < 0.7 else stated
    text = text.replace('<?xml version="1.0"', f'<?xml version="1.0" encoding="{stated}"', 1)
    try:
        return text.encode(encoding) if encoding not in ("punycode", "idna") else text.encode()
    except (LookupError, UnicodeError):
        return text.encode("utf-8", "replace")


def _damage(chance: Random, data: bytes) -> bytes:
    """Cut off, turned over, or with bytes that do not belong there."""
    changed = bytearray(data)
    for _ in range(chance.choice((0, 1, 20))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed[: chance.randrange(len(changed) + 1)] if chance.random() < 0.5 else changed)
