"""Which code and libraries a run was computed with, so that a later difference can be explained."""

from __future__ import annotations

import platform
import re
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from pipeline.engine.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
OURS = ("lake", "pipeline")
LIBRARIES = (
    "polars",
    "numpy",
    "scipy",
    "clarabel",
    "numba",
    "llvmlite",
    "pyarrow",
    "deltalake",
    "torch",
    "safetensors",
    "exchange-calendars",
    "feedparser",
)
IMPORTS = re.compile(
    rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+)?import[ \t]+(\([^)]*\)|[\w., \t]+)[ \t]*$", flags=re.MULTILINE
)
"""An import statement: the module after `from`, if there is one, and the names."""
COMMENT = re.compile(rb"#[^\n]*")
MACHINE = "machine"
"""Among the libraries: the system, and the instruction sets that the last bits of a training depend on."""
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
        MACHINE: f"{platform.system()} {platform.machine()} {instruction_set}",
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


@lru_cache(maxsize=1024)
def _imports(module: str) -> frozenset[str]:
    """The modules of ours that a module's source names in its imports, at any depth."""
    return frozenset(name for name in named_imports(_source(module)) if name.split(".")[0] in OURS and _exists(name))


def named_imports(source: bytes) -> set[str]:
    """Every module that the import statements of a source may mean, at any depth: `from a import b` is `a` or `a.b`.

    The statements are looked for in the text, for to parse hundreds of modules takes every program half a second.
    """
    named: set[str] = set()
    for origin, names in IMPORTS.findall(COMMENT.sub(b"", source)):
        listed = [name.split()[0] for name in names.strip(b"()").decode().split(",") if name.strip()]
        named.update([origin.decode(), *(f"{origin.decode()}.{name}" for name in listed)] if origin else listed)
    return named


@lru_cache(maxsize=1024)
def _source_hash(module: str) -> str:
    return sha256(_source(module)).hexdigest()


def _source(module: str) -> bytes:
    return _file(module).read_bytes()


@lru_cache(maxsize=8192)
def _exists(module: str) -> bool:
    return _file(module).exists()


def _file(module: str) -> Path:
    base = ROOT.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
