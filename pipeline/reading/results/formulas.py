"""A feature's formula in lines that can be read: what its family has a name for is told once, by that name."""

from __future__ import annotations

from importlib import import_module

from pipeline.features.catalogue import NAMED_SETS
from pipeline.features.engine.expressions import Expression, walk
from pipeline.features.families import factors
from pipeline.features.feature import Feature

SHORT = 100
"""Characters of a formula that is read at a glance as it is."""


def tell_formula(feature: Feature, origin: str) -> list[str]:
    """The formula, and below it a line for each name in it: `BETA = beta(RETURN, MARKET, 60)`.

    Args:
        feature: any feature; a short formula, and that of a kernel, is told as it is.
        origin: the named set that declares it, or whatever else.
    """
    if not isinstance(feature.kernel, Expression) or len(feature.formula) <= SHORT:
        return [feature.formula]
    parts = {part.text for part in walk([feature.kernel]) if part.inputs}
    names = {text: name for text, name in _name_parts(origin).items() if text in parts and text != feature.kernel.text}
    lines, told = [_shorten(feature.kernel.text, names)], 0
    pending = list(names)[::-1]
    while told < len(lines):
        shown, told = lines[told], told + 1
        for text in [text for text in pending if _mentions(shown, names[text])]:
            pending.remove(text)
            lines.append(f"{names[text]} = {_shorten(text, names)}")
    return lines


def _name_parts(origin: str) -> dict[str, str]:
    """Formula -> the name that its family, or all of them, have for it; in the order of the declarations."""
    modules = [factors, *([import_module(f"pipeline.features.families.{origin}")] if origin in NAMED_SETS else [])]
    found: dict[str, str] = {}
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, Expression) and value.inputs:
                found.setdefault(value.text, name.lstrip("_"))
    return found


def _shorten(text: str, names: dict[str, str]) -> str:
    """The formula with the longest named parts by their names, itself left out."""
    whole = text
    for part in sorted(names, key=len, reverse=True):
        if part != whole:
            text = text.replace(part, names[part])
    return text


def _mentions(line: str, name: str) -> bool:
    """Whether a name stands in a line as a word; functions and facts are told in small letters."""
    _, _, formula = line.rpartition(" = ")
    return name in formula.replace("(", " ").replace(")", " ").replace(",", " ").split()
