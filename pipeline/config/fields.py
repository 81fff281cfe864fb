"""The keys a tree of parameter dataclasses has, with type, default and the sentence under each field."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Setting:
    """One key that can be set."""

    key: str
    """Section and field, joined by dots."""
    type: Any
    default: Any
    """The value where nobody says otherwise; MISSING where there is none."""
    owner: type
    """The dataclass that has the field."""

    @property
    def doc(self) -> str:
        """The sentence under the field; looked for in its source, which takes too long to do for every key at once."""
        return field_docs(self.owner).get(self.key.rsplit(".", 1)[-1], "")

    @property
    def expects(self) -> str:
        """The type in words for an error message."""
        return in_words(self.type)

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """Turns what a file or variable holds into the field's type."""
        return _adapter(self.type)


def settings_of(cls: type, prefix: str = "") -> dict[str, Setting]:
    """Dotted key -> setting, for every leaf of a dataclass of dataclasses, in order of declaration."""
    return dict(_settings_of(cls, prefix))


@cache
def _settings_of(cls: type, prefix: str) -> dict[str, Setting]:
    """Worked out once: every task of a schedule asks for all of them, and resolving the hints takes milliseconds."""
    return {setting.key: setting for setting in _walk(cls, prefix, MISSING)}


def _walk(cls: type, prefix: str, value: Any) -> Iterator[Setting]:
    hints = get_type_hints(cls)
    for field in fields(cls):
        key = f"{prefix}{field.name}"
        default = _default(field) if value is MISSING else getattr(value, field.name)
        if is_section(hints[field.name]):
            yield from _walk(hints[field.name], f"{key}.", default)
        else:
            yield Setting(key, hints[field.name], default, cls)


def is_section(hint: Any) -> bool:
    """Whether a field of that type is a table of further keys."""
    return isinstance(hint, type) and is_dataclass(hint)


def rows_of(hint: Any) -> type | None:
    """The dataclass whose rows a field lists, for a type like tuple[Row, ...]; None for any other type."""
    arguments = get_args(hint)
    if get_origin(hint) is tuple and len(arguments) == 2 and arguments[1] is ... and is_section(arguments[0]):
        return arguments[0]  # type: ignore[no-any-return]
    return None


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


@cache
def field_docs(cls: type) -> dict[str, str]:
    """Field name -> the string literal under it, on one line."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if is_dataclass(base):
            docs |= _docs_in(base)
    return docs


def _docs_in(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):  # no source at hand, e.g. a class made in an interpreter
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        above.target.id: " ".join(below.value.value.split())
        for above, below in pairwise(body)
        if isinstance(above, ast.AnnAssign)
        and isinstance(above.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    type(None): "nothing",
}


def in_words(hint: Any) -> str:
    """A type as the operator would say it: 'a whole number', 'a list of text', "'a' or 'b'"."""
    arguments = get_args(hint)
    if hint in _WORDS:
        return _WORDS[hint]
    if get_origin(hint) is tuple and arguments[1:] == (...,):
        return f"a list, each {in_words(arguments[0])}"
    if get_origin(hint) is tuple:
        return f"a list of {len(arguments)}: {', '.join(in_words(one) for one in arguments)}"
    if arguments:
        return " or ".join(in_words(one) if isinstance(one, type) else repr(one) for one in arguments)
    return f"a {getattr(hint, '__name__', hint)}"


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)
