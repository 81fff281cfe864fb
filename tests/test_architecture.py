"""The shape of the house: imports flow one way, heavy libraries have one home, and nothing grows past reading."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("lake", "pipeline", "pipeline.control", "nextgen_tui")
"""From the bottom up: a module imports from its own layer and those before it."""
DOMAINS = ("ingestion", "features", "models", "prediction", "feedback", "trading", "health")
"""The pipeline's domains: none imports a later one; they meet in table contracts."""
ONLY_IN = {
    "deltalake": ("lake.storage.delta",),
    "torch": ("pipeline.models",),
    "yfinance": ("pipeline.ingestion.sources",),
    "openai": ("pipeline.ingestion.sources",),
    "apscheduler": ("pipeline.control",),
    "prometheus_client": ("pipeline.control.monitoring.prometheus",),
    "textual": ("nextgen_tui",),
    "exchange_calendars": ("pipeline.market.sessions",),
}
BANNED_NAMES = {"utils", "helpers", "manager", "common", "misc", "base"}
BANNED_CALLS = {"eval", "exec", "torch.load", "pickle.load", "pickle.loads", "yaml.load"}
LONGEST_MODULE, LONGEST_FUNCTION = 450, 60


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("lake", "pipeline", "nextgen_tui"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute, so that a reader sees where a name comes from"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def layer(module: str) -> int | None:
    fitting = [number for number, name in enumerate(LAYERS) if within(module, name)]
    return max(fitting, default=None)


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_against_the_arrow(module: str) -> None:
    own = layer(module)
    assert own is not None
    against = sorted(name for name in imported(MODULES[module]) if (layer(name) or 0) > own)
    assert not against, f"{module} is in {LAYERS[own]} and may not import {against}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[1:2] and name.split(".")[1] in DOMAINS])
def test_no_domain_imports_a_later_domain(module: str) -> None:
    own = DOMAINS.index(module.split(".")[1])
    later = [f"pipeline.{name}" for name in DOMAINS[own + 1 :]]
    against = sorted(name for name in imported(MODULES[module]) if any(within(name, one) for one in later))
    assert not against, f"{module} reaches forward to {against}; domains meet in tables"


@pytest.mark.parametrize(("library", "homes"), ONLY_IN.items())
def test_each_heavy_library_has_one_home(library: str, homes: tuple[str, ...]) -> None:
    strangers = [
        module
        for module, path in MODULES.items()
        if any(within(name, library) for name in imported(path)) and not any(within(module, home) for home in homes)
    ]
    assert not strangers, f"{library} belongs to {homes}, but is imported in {strangers}"


def test_no_imports_go_in_circles() -> None:
    graph = {m: {n for n in imported(p) if n in MODULES and n != m} for m, p in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"imports go in a circle: {' -> '.join([*trail, module])}"
        if module not in done:
            for name in sorted(graph[module]):
                # A package's __init__ is imported by its own modules' importers; only real back-edges count.
                if not within(module, name):
                    visit(name, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("module", MODULES)
def test_every_module_opens_with_the_sentence_a_newcomer_needs(module: str) -> None:
    docstring = ast.get_docstring(tree(MODULES[module]))
    assert docstring, f"{module} does not say what it is for"
    assert not set(module.split(".")) & BANNED_NAMES, f"{module} has a name that says nothing"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_grows_past_reading(module: str) -> None:
    source = MODULES[module].read_text(encoding="utf-8")
    assert source.count("\n") <= LONGEST_MODULE, f"{module} has {source.count(chr(10))} lines"
    for node in ast.walk(tree(MODULES[module])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{module}.{node.name} has {length} lines"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_from_outside_can_become_code(module: str) -> None:
    for node in ast.walk(tree(MODULES[module])):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in BANNED_CALLS, f"{module}:{node.lineno} calls {name}"


def test_the_list_of_stages_loads_without_the_heavy_libraries() -> None:
    program = (
        "import sys, pipeline.engine.stages\n"
        "heavy = {'torch', 'yfinance', 'openai', 'exchange_calendars', 'pandas', 'textual'} & set(sys.modules)\n"
        "sys.exit(f'loaded {sorted(heavy)}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", MODULES)
def test_percent_is_written_in_one_way(module: str) -> None:
    specs = [node.format_spec for node in ast.walk(tree(MODULES[module])) if isinstance(node, ast.FormattedValue)]
    ends = [spec.values[-1] for spec in specs if isinstance(spec, ast.JoinedStr) and spec.values]
    written = [end.value for end in ends if isinstance(end, ast.Constant) and str(end.value).endswith("%")]
    assert not written, f"{module} formats with {written}; `pipeline.text_format.percent` writes 1.2 %, with its space"


def test_files_are_replaced_in_one_place_only() -> None:
    offenders = [
        f"{module}:{node.lineno} calls {ast.unparse(node.func)}"
        for module, path in MODULES.items()
        if module != "lake.storage.atomic"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and replaces_a_file(node)
    ]
    assert not offenders, f"{offenders}: `lake.storage.atomic.write_atomic` replaces a file whole or not at all"


def replaces_a_file(call: ast.Call) -> bool:
    """`os.replace`, `os.rename`, `shutil.move`, or the one-argument `path.replace(target)` (text takes two)."""
    name = ast.unparse(call.func)
    by_path = name.endswith(".replace") and len(call.args) == 1 and not call.keywords
    return name in ("os.replace", "os.rename", "shutil.move") or (by_path and not isinstance(call.args[0], ast.Dict))


def test_child_processes_are_started_by_the_one_launcher() -> None:
    """`python -m` would import from the working directory; and a module named in a string is not checked by mypy."""
    launcher, offenders = "pipeline.engine.children", []
    for module, path in MODULES.items():
        for node in ast.walk(tree(path)):
            by_hand = isinstance(node, ast.Constant) and node.value in ("-m", "-P", "-I")
            by_hand = by_hand or (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable")
            if by_hand and module != launcher:
                offenders.append(f"{module}:{node.lineno} has {ast.unparse(node)}; {launcher} starts children")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "python_command":
                name = ast.literal_eval(node.args[0])
                if name not in MODULES:
                    offenders.append(f"{module}:{node.lineno} starts {name}, which is no module")
    assert not offenders, "\n".join(offenders)
