"""Types, ranges and values in the words of an error message: 'a whole number from 1 to 256'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    type(None): "nothing",
}


def bounds_of(annotation: Any) -> dict[str, Any]:
    """What `Field` declares beside a type: any of ge, gt, le, lt, min_length, max_length and pattern."""
    found: dict[str, Any] = {}
    for info in _field_infos(annotation):
        for constraint in info.metadata:
            names = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")
            found |= {name: value for name in names if (value := getattr(constraint, name, None)) is not None}
    return found


def describe(annotation: Any) -> str:
    """A type with its range as an operator would say it."""
    if said := next((info.description for info in _field_infos(annotation) if info.description), None):
        return said
    hint, bounds = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation, bounds_of(annotation)
    if hint is str and "max_length" in bounds:
        return f"text of at most {bounds['max_length']:,} characters"
    if hint in _WORDS:
        return f"{_WORDS[hint]}{_describe_range(bounds)}"
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return _join([repr(one) for one in arguments])
    if get_origin(hint) is tuple and arguments[1:] == (...,):
        least = f" of at least {bounds['min_length']}" if bounds.get("min_length") else ""
        return f"a list{least}, each {describe(arguments[0])}"
    if get_origin(hint) is tuple:
        return f"a list of {len(arguments)}: {', '.join(map(describe, arguments))}"
    if arguments:
        return _join([describe(one) for one in arguments])
    return f"a {getattr(hint, '__name__', hint)}"


def describe_value(value: Any) -> str:
    """A value with its kind, cut where it is long: 'the whole number 0'."""
    text = str(value) if isinstance(value, date | time) else repr(value)
    kind = {str: "text", bool: "true/false", int: "whole number", float: "number", list: "list", tuple: "list"}.get(
        type(value), type(value).__name__
    )
    return f"the {kind} {text if len(text) <= 60 else text[:57] + '...'}"


def _field_infos(annotation: Any) -> Iterator[FieldInfo]:
    yield from (one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, FieldInfo))


def _describe_range(bounds: dict[str, Any]) -> str:
    if "ge" in bounds and "le" in bounds:
        return f" from {_number(bounds['ge'])} to {_number(bounds['le'])}"
    words = {"ge": "of at least", "gt": "above", "le": "at most", "lt": "below"}
    said = [f" {word} {_number(bounds[name])}" for name, word in words.items() if name in bounds]
    return " and".join(said)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.15g}"


def _join(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
