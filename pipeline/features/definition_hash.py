"""A hash of what a function computes: its own code and all code of ours it reaches, without comments and wording."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache, partial
from hashlib import sha256
from importlib.abc import InspectLoader
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

OURS = "pipeline"
"""The package whose code counts; tables have contracts of their own, and libraries are recorded by their versions."""
IGNORED = frozenset({"annotation", "returns", "type_comment", "type_params", "ctx", "kind"})
"""Parts of the syntax that change nothing that is computed."""
Key = tuple[str, str]
"""Module and name of something defined at its top level."""


class Code:
    """The definitions that some functions reach, as texts that depend on neither wording, layout nor Python version."""

    def __init__(self) -> None:
        self.definitions: dict[Key, str] = {}
        """Where something is defined -> its canonical text."""

    def add(self, value: Any) -> str:
        """Take in a function, or a value that a function keeps, with all it reaches; return how it is called.

        Raises:
            TypeError: for a value that has no lasting text.
        """
        if isinstance(value, partial):
            return f"partial({self.add(value.func)},{self.add(value.args)},{self.add(value.keywords)})"
        if isinstance(value, np.ndarray):
            return f"array({value.dtype},{value.shape},{sha256(value.tobytes()).hexdigest()})"
        if isinstance(value, list | tuple):
            return f"[{','.join(self.add(one) for one in value)}]"
        if isinstance(value, dict):
            return f"{{{','.join(f'{name!r}:{self.add(one)}' for name, one in sorted(value.items()))}}}"
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return repr(value)
        if isinstance(value, np.number):
            return repr(value.item())
        if isinstance(value, FunctionType):
            return self._function(value)
        raise TypeError(
            f"a kernel keeps {type(value).__name__} {value!r}, whose content has no hash; make it inside it"
        )

    def add_named(self, module: str, name: str) -> None:
        """Take in what a module of ours defines under a name, and all that reaches."""
        self._visit(module, _parse(_source_of(module)), name)

    def _function(self, function: FunctionType) -> str:
        module, name = function.__module__, function.__qualname__.split(".")[0]
        parsed = _parse(_own_source(function))
        if name == "<lambda>":
            name = f"lambda {function.__code__.co_firstlineno}"
            for node in parsed.lambdas(function.__code__.co_firstlineno):
                self._take(module, parsed, name, node)
        else:
            self._visit(module, parsed, name)
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        kept = self.add([*cells, function.__defaults__, function.__kwdefaults__])
        return f"{module}.{function.__qualname__ if name == function.__qualname__.split('.')[0] else ''}{kept}"

    def _visit(self, module: str, parsed: _Parsed, name: str) -> None:
        if (module, name) not in self.definitions and (node := parsed.definitions.get(name)) is not None:
            self._take(module, parsed, name, node)

    def _take(self, module: str, parsed: _Parsed, name: str, node: ast.AST) -> None:
        key = (module, name)
        text, names = parsed.tell(node)
        self.definitions[key] = self.definitions.get(key, "") + text
        for used, attribute in names:
            if used in parsed.definitions:
                self._visit(module, parsed, used)
            elif used in parsed.imports:
                source, imported = parsed.imports[used]
                for place, wanted in ((source, imported), (f"{source}.{imported}", attribute)):
                    if wanted and place.split(".")[0] == OURS and _exists(place):
                        self._visit(place, _parse(_source_of(place)), wanted)


def digest(texts: Collection[str]) -> str:
    """One hash for texts in their order."""
    return sha256("\n".join(texts).encode()).hexdigest()


def digest_code(definitions: Mapping[Key, str], but: Collection[Key] = ()) -> str:
    """One hash for definitions, whatever their order, without those of some places."""
    chosen = sorted((key, text) for key, text in definitions.items() if key not in but)
    return digest([f"{module}.{name} {text}" for (module, name), text in chosen])


class _Parsed:
    """A module's source: what it defines at its top level, and what it imports."""

    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        self._told: dict[ast.AST, tuple[str, tuple[tuple[str, str], ...]]] = {}
        self.definitions: dict[str, ast.AST] = {}
        self.imports: dict[str, Key] = {}
        for node in self._tree.body:
            for name in _defined(node):
                self.definitions[name] = node
            if isinstance(node, ast.ImportFrom) and node.module:
                self.imports.update({alias.asname or alias.name: (node.module, alias.name) for alias in node.names})

    def tell(self, node: ast.AST) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The text of one of its pieces of code, and the names that it uses: hundreds of functions reach the same."""
        if node not in self._told:
            self._told[node] = _text(node), tuple(dict.fromkeys(_names(node)))
        return self._told[node]

    def lambdas(self, line: int) -> Iterator[ast.AST]:
        """The lambdas that begin on a line."""
        return (node for node in ast.walk(self._tree) if isinstance(node, ast.Lambda) and node.lineno == line)


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _names(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names a piece of code uses, each with the attribute asked of it (empty where none is)."""
    for child in _children(node):
        if isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name):
            yield child.value.id, child.attr
        elif isinstance(child, ast.Name):
            yield child.id, ""
        yield from _names(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for _, value in _fields(node):
        yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST))


def _fields(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """What of a piece of syntax counts; empty parts are left out, because later Pythons have more of them."""
    for name, value in ast.iter_fields(node):
        if name not in IGNORED and value is not None and value != []:
            yield name, _without_docstring(value) if name == "body" and isinstance(value, list) else value


def _without_docstring(body: list[ast.AST]) -> list[ast.AST]:
    words = [n for n in body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant) and n.value.value != ...]
    return [node for node in body if node not in words]


def _text(value: Any) -> str:
    if isinstance(value, ast.AST):
        return f"{type(value).__name__}({','.join(f'{name}={_text(part)}' for name, part in _fields(value))})"
    if isinstance(value, list):
        return f"[{','.join(_text(one) for one in value)}]"
    return repr(value)


@lru_cache(maxsize=256)
def _parse(source: str) -> _Parsed:
    return _Parsed(source)


def _own_source(function: Callable[..., Any]) -> str:
    """The source of the module that a function was made in, as it was loaded."""
    loader = function.__globals__["__spec__"].loader
    if isinstance(loader, InspectLoader):
        return str(loader.get_source(function.__module__))
    return Path(function.__globals__["__file__"]).read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def _source_of(module: str) -> str:
    spec = find_spec(module)
    return str(spec.loader.get_source(module)) if spec is not None and spec.loader is not None else ""  # type: ignore[attr-defined]


@lru_cache(maxsize=256)
def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # it is a name inside a module
        return False
