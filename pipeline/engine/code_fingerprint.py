"""Which code and libraries a run was computed with, so that a later difference can be explained."""

from __future__ import annotations

import ast
import platform
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from pipeline.engine.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
OURS = ("lake", "pipeline")
LIBRARIES = ("polars", "numpy", "pyarrow", "deltalake", "torch", "safetensors", "exchange-calendars", "feedparser")
INSTRUCTION_SETS = ("AVX512_SKX", "AVX512F", "AVX2", "FMA3", "NEON", "ASIMD")


def code_fingerprint(stage: Stage) -> str:
    """Hash the stage's module and every module of ours that it imports, however late or indirectly."""
    modules = sorted(_reachable(stage.function.__module__))
    digest = sha256()
    for module in modules:
        digest.update(f"{module}:{_source_hash(module)}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def libraries() -> dict[str, str]:
    """Library -> version, with the Python version, the machine, and the instruction sets bits depend on."""
    from numpy._core._multiarray_umath import __cpu_features__ as has

    instruction_set = "+".join(name for name in INSTRUCTION_SETS if has.get(name)) or "baseline"
    return {
        **{name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()} {instruction_set}",
    }


@lru_cache(maxsize=256)
def _reachable(module: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(name))
    return frozenset(found)


@lru_cache(maxsize=512)
def _imports(module: str) -> frozenset[str]:
    """The modules of ours that a module's source names in its imports, at any depth."""
    named: set[str] = set()
    for node in _statements(ast.parse(_file(module).read_bytes()).body):
        if isinstance(node, ast.Import):
            named.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            named.add(node.module)
            named.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in named if name.split(".")[0] in OURS and _exists(name))


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements at any depth; looking through their expressions as well would take ten times as long."""
    for node in body:
        yield node
        for block in ("body", "handlers", "orelse", "finalbody", "cases"):
            yield from _statements(getattr(node, block, ()))


@lru_cache(maxsize=512)
def _source_hash(module: str) -> str:
    return sha256(_file(module).read_bytes()).hexdigest()


def _exists(module: str) -> bool:
    return _file(module).exists()


def _file(module: str) -> Path:
    base = ROOT.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
