"""The settings that a tree of parameter dataclasses declares: key, type with range, default, and its sentence."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter

from pipeline.config.setting_types import Earlier, Formerly
from pipeline.config.toml_document import toml_value
from pipeline.config.type_description import describe


@dataclass(frozen=True)
class Setting:
    """One key that can be set."""

    key: str
    """Section and field, joined by dots."""
    annotation: Any
    """The declared type with its bounds, choices and pattern."""
    default: Any
    """The value where nobody says otherwise; MISSING where there is none."""
    owner: type
    """The dataclass that has the field."""

    @property
    def type(self) -> Any:
        """The type without what is declared beside it."""
        return get_args(self.annotation)[0] if get_origin(self.annotation) is Annotated else self.annotation

    @property
    def former_keys(self) -> tuple[str, ...]:
        """The keys it used to have, which still work."""
        section = self.key.rpartition(".")[0]
        return tuple(f"{section}.{name}" for name in former_names(self.annotation))

    @property
    def doc(self) -> str:
        """The sentence under the field; looked for in its source, which takes too long to do for every key at once."""
        return field_docs(self.owner).get(self.key.rsplit(".", 1)[-1], "")

    @property
    def expects(self) -> str:
        """Type and range in words: 'a whole number from 1 to 256'."""
        return describe(self.annotation)

    @property
    def remedy(self) -> str:
        """What an operator can do about a bad value."""
        if self.default is MISSING:
            return "change it"
        default = "none" if self.default is None else toml_value(self.default)
        return f"change it, or remove it for the default, {default}"

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """Turns what a file or variable holds into the field's type, and refuses what is out of range."""
        return _adapter(self.owner, self.key.rsplit(".", 1)[-1])


def settings_of(cls: type, prefix: str = "") -> Mapping[str, Setting]:
    """Dotted key -> setting, for every leaf of a dataclass of dataclasses, in order of declaration."""
    return _settings_of(cls, prefix)


@cache
def _settings_of(cls: type, prefix: str) -> Mapping[str, Setting]:
    """Worked out once: every task of a schedule asks for all of them, and resolving the hints takes milliseconds."""
    return {setting.key: setting for setting in _walk(cls, prefix, MISSING)}


def _walk(cls: type, prefix: str, value: Any) -> Iterator[Setting]:
    hints = annotations_of(cls)
    for field in fields(cls):
        key = f"{prefix}{field.name}"
        default = _default(field) if value is MISSING else getattr(value, field.name)
        if is_section(hints[field.name]):
            yield from _walk(hints[field.name], f"{key}.", default)
        else:
            yield Setting(key, hints[field.name], default, cls)


def annotations_of(cls: type) -> Mapping[str, Any]:
    """Field name -> declared type, with what stands beside it."""
    return _annotations_of(cls)


@cache
def _annotations_of(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls, include_extras=True)


def former_names(annotation: Any) -> tuple[str, ...]:
    """The names a field used to have."""
    return tuple(one.name for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Formerly))


def earlier_value(annotation: Any) -> Earlier | None:
    """The value of runs that recorded none, where that is not the default."""
    return next((one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Earlier)), None)


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


@cache
def _adapter(owner: type, name: str) -> TypeAdapter[Any]:
    return TypeAdapter(annotations_of(owner)[name], config=ConfigDict(allow_inf_nan=False))
