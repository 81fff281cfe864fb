"""What is imported is declared, what is declared is imported, and the lock pins all of it."""

import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.engine.code_fingerprint import named_imports

ROOT = Path(__file__).parent.parent
OURS = ("lake", "pipeline", "nextgen_tui")
OPTIONAL = {
    "aiohttp": "web",
    "dask": "dask",
    "distributed": "dask",
    "duckdb": "files",
    "fastexcel": "files",
    "fracast": "zero-shot",
    "obstore": "s3",
    "prometheus-client": "metrics",
    "textual-serve": "web",
}
"""Distribution -> the extra that brings it."""
ALIASES = {"xdist": "pytest-xdist", "_pytest": "pytest"}
"""What is imported under another name than its distribution has."""
TOOLS = {
    "mypy",
    "ruff",
    "pre-commit",
    "pytest-asyncio",
    "pytest-xdist",
    "hatchling",
    "editables",
    "flask",
    "flask-cors",
    "textual-serve",
}
"""What the developer's extra brings to be run or plugged in, not imported."""
PEERS = {"cvxpy", "kunquant", "qlib", "vectorbt"}
"""What a benchmark installs into an environment of its own, where its scripts import it."""


@cache
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


def declared(requirements: Iterable[str]) -> dict[str, Requirement]:
    return {canonicalize_name(one.name): one for one in map(Requirement, requirements)}


def imported_distributions(folders: Iterable[str]) -> dict[str, Path]:
    """Distribution -> a file that imports it; our own packages and the standard library apart."""
    names: dict[str, Path] = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        names |= dict.fromkeys((name.split(".")[0] for name in named_imports(path.read_bytes())), path)
    foreign = {*names} - {*sys.stdlib_module_names} - {*OURS, "tests", "benchmarks", "docs"}
    # Looking the names up in what is installed would read the list of every file of every library.
    return {canonicalize_name(ALIASES.get(name, name)): names[name] for name in foreign}


def test_what_the_packages_import_is_what_is_declared() -> None:
    required = set(declared(project()["dependencies"]))  # type: ignore[arg-type]
    used = imported_distributions(OURS)
    undeclared = {
        name: str(path.relative_to(ROOT)) for name, path in used.items() if name not in required | {*OPTIONAL}
    }
    assert not undeclared, "imported and not declared in pyproject.toml"
    assert not required - set(used), "declared in pyproject.toml and never imported"


def test_each_optional_library_is_brought_by_its_extra() -> None:
    extras: dict[str, list[str]] = project()["optional-dependencies"]  # type: ignore[assignment]
    assert {name for name, extra in OPTIONAL.items() if name not in declared(extras[extra])} == set()


def test_what_tests_and_benchmarks_import_is_brought_by_the_developers_extra() -> None:
    required = declared(project()["dependencies"])  # type: ignore[arg-type]
    dev = declared(project()["optional-dependencies"]["dev"])  # type: ignore[index]
    used = set(imported_distributions(("tests", "benchmarks", "docs"))) - PEERS
    assert used - set(required) - set(dev) == set(), "imported by tests, benchmarks or docs and not declared"
    assert set(dev) - used - TOOLS - {*OPTIONAL} == set(), "declared for developers and never imported"


def test_the_lock_pins_every_dependency_within_its_range() -> None:
    """`make lock` renews it."""
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and line[0].isalnum()]
    pinned: dict[str, list[Requirement]] = {}
    for one in map(Requirement, lines):
        pinned.setdefault(canonicalize_name(one.name), []).append(one)
    extras: dict[str, list[str]] = project()["optional-dependencies"]  # type: ignore[assignment]
    wrong = []
    for text in (*project()["dependencies"], *(one for group in extras.values() for one in group)):  # type: ignore[misc]
        wanted = Requirement(text)
        versions = [next(iter(one.specifier)).version for one in pinned.get(canonicalize_name(wanted.name), [])]
        if not versions or not all(wanted.specifier.contains(version, prereleases=True) for version in versions):
            wrong.append((text, versions))
    assert not wrong, "not pinned, or pinned outside the range of pyproject.toml"
    unpinned = [line for line in lines if "==" not in line]
    assert not unpinned
