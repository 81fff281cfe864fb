"""The shape of the house: imports flow one way, heavy libraries have one home, and nothing grows past reading."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from pipeline.engine.code_fingerprint import named_imports

ROOT = Path(__file__).parent.parent
LAYERS = (
    ("lake",),
    ("pipeline",),
    ("pipeline.control",),
    ("pipeline.reading", "pipeline.control.daemon.main"),
    ("pipeline.research",),
    ("nextgen_tui",),
)
"""From the bottom up: a module imports from its own layer and those before it. The daemon's program, which nothing
imports, stands where `reading` does: it serves the verdict to Prometheus."""
DOMAINS = ("ingestion", "features", "models", "prediction", "feedback", "trading", "health")
"""The pipeline's domains: none imports a later one; they meet in table contracts."""
ONLY_IN = {
    "deltalake": ("lake.storage.delta",),
    "torch": ("pipeline.models",),
    "fracast": ("pipeline.models.pretrained",),
    "yfinance": ("pipeline.ingestion.sources",),
    "openai": ("pipeline.ingestion.sources",),
    "apscheduler": ("pipeline.control",),
    "httpx2": ("pipeline.network",),
    "httpcore2": ("pipeline.network",),
    "dask": ("pipeline.execution",),
    "distributed": ("pipeline.execution",),
    "prometheus_client": ("pipeline.reading.prometheus",),
    "textual": ("nextgen_tui",),
    "exchange_calendars": ("pipeline.market.sessions", "pipeline.market.session_days"),
}
BANNED_NAMES = {"utils", "helpers", "manager", "common", "misc", "base"}
BANNED_CALLS = {"eval", "exec", "torch.load", "pickle.load", "pickle.loads", "yaml.load"}
MAX_MODULE, MAX_FUNCTION = 450, 60
MIN_MODULE, MAX_ROOM = 15, 14
"""Lines of the shortest module, and modules that stand side by side."""
LISTS = ("tables", "families", "members", "commands", "pages", "migrations")
"""Rooms that are lists by nature."""
A_THOUGHT = 20
"""Lines of nine functions out of ten, docstring included."""


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
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


@cache
def imported(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute, so that a reader sees where a name comes from"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def test_the_imports_that_a_fingerprint_of_code_follows_are_those_of_the_parser() -> None:
    offenders = [module for module, path in MODULES.items() if named_imports(path.read_bytes()) != imported(path)]
    assert not offenders, f"write each import as a statement on lines of its own: {listed(offenders)}"


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def listed(offenders: Iterable[str]) -> str:
    return "\n".join(["", *sorted(set(offenders))])


def layer(module: str) -> int | None:
    fitting = [number for number, names in enumerate(LAYERS) if any(within(module, name) for name in names)]
    return max(fitting, default=None)


def test_no_module_imports_against_the_arrow() -> None:
    offenders = []
    for module, path in MODULES.items():
        own = layer(module)
        assert own is not None, f"{module} belongs to no layer"
        offenders += [f"{module} imports {name}" for name in imported(path) if (layer(name) or 0) > own]
    assert not offenders, listed(offenders)


def test_no_domain_imports_a_later_domain() -> None:
    offenders = []
    for module, path in MODULES.items():
        domain = next((name for name in DOMAINS if within(module, f"pipeline.{name}")), None)
        if domain is not None:
            later = [f"pipeline.{name}" for name in DOMAINS[DOMAINS.index(domain) + 1 :]]
            offenders += [
                f"{module} imports {name}" for name in imported(path) if any(within(name, one) for one in later)
            ]
    assert not offenders, f"domains meet in tables: {listed(offenders)}"


def test_each_heavy_library_has_one_home() -> None:
    offenders = [
        f"{module} imports {library}, which belongs to {homes}"
        for library, homes in ONLY_IN.items()
        for module, path in MODULES.items()
        if any(within(name, library) for name in imported(path)) and not any(within(module, home) for home in homes)
    ]
    assert not offenders, listed(offenders)


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


def test_every_module_opens_with_the_sentence_a_newcomer_needs() -> None:
    silent = [module for module, path in MODULES.items() if not ast.get_docstring(tree(path))]
    assert not silent, f"these do not say what they are for: {listed(silent)}"
    vague = [module for module in MODULES if set(module.split(".")) & BANNED_NAMES]
    assert not vague, f"these have a name that says nothing: {listed(vague)}"


def test_nothing_grows_past_reading() -> None:
    lines = {module: path.read_text(encoding="utf-8").count("\n") for module, path in MODULES.items()}
    long_modules = [f"{module} has {count} lines" for module, count in lines.items() if count > MAX_MODULE]
    assert not long_modules, f"at most {MAX_MODULE}; move a part to a module of its own: {listed(long_modules)}"
    lengths = {
        f"{module}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module, path in MODULES.items()
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    long_functions = [f"{name} has {length} lines" for name, length in lengths.items() if length > MAX_FUNCTION]
    assert not long_functions, listed(long_functions)
    within_a_thought = sum(length <= A_THOUGHT for length in lengths.values())
    assert within_a_thought >= 0.9 * len(lengths), f"only {within_a_thought} of {len(lengths)} functions are that short"


def test_no_room_is_a_long_flat_list_and_no_module_is_a_scrap() -> None:
    modules = {module: path for module, path in MODULES.items() if path.name != "__init__.py"}
    rooms = Counter(path.parent for path in modules.values() if path.parent.name not in LISTS)
    crowded = [f"{room.relative_to(ROOT)} holds {count} modules" for room, count in rooms.items() if count > MAX_ROOM]
    assert not crowded, listed(crowded)
    lines = {module: path.read_text(encoding="utf-8").count("\n") for module, path in modules.items()}
    scraps = [f"{module} has {count} lines" for module, count in lines.items() if count < MIN_MODULE]
    assert not scraps, listed(scraps)


def test_a_class_name_means_one_thing_in_a_package() -> None:
    homes: dict[tuple[str, str], list[str]] = {}
    for module, path in MODULES.items():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault((module.split(".")[0], node.name), []).append(module)
    twice = [f"{name} is in {' and '.join(found)}" for (_, name), found in homes.items() if len(found) > 1]
    assert not twice, listed(twice)


def test_every_broad_except_says_why() -> None:
    offenders = [
        f"{module}:{node.lineno}"
        for module, path in MODULES.items()
        for source in [path.read_text(encoding="utf-8").splitlines()]
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & set(ast.unparse(node.type).strip("()").split(", ")))
        and "#" not in source[node.lineno - 1]
    ]
    assert not offenders, f"a broad except without its reason beside it: {listed(offenders)}"


def test_nothing_from_outside_can_become_code() -> None:
    offenders = [
        f"{module}:{node.lineno} calls {name}"
        for module, path in MODULES.items()
        for node in nodes(path)
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in BANNED_CALLS
    ]
    assert not offenders, listed(offenders)


@pytest.mark.cold
def test_the_list_of_stages_loads_without_the_heavy_libraries() -> None:
    program = (
        "import sys, pipeline.engine.stages\n"
        "heavy = {'torch', 'yfinance', 'openai', 'exchange_calendars', 'pandas', 'textual'} & set(sys.modules)\n"
        "sys.exit(f'loaded {sorted(heavy)}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.cold
def test_who_only_reads_loads_no_stage_and_no_library_of_the_network() -> None:
    """Stages are half of the program: the first screen and the verdict know them by their names.

    But for one: what a metric means is declared beside the stage that computes it.
    """
    program = (
        "import sys, nextgen_tui.console.app, nextgen_tui.console.pages.health, pipeline.reading.health_verdict\n"
        "from pipeline.engine.session_order import ORDER\n"
        "spared = {*ORDER.values(), 'pipeline.engine.runner', 'httpx2', 'exchange_calendars', 'pandas', 'torch'}\n"
        "spared -= {'pipeline.feedback.metrics'}\n"
        "sys.exit(f'loaded {sorted(loaded)}' if (loaded := spared & set(sys.modules)) else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr


def test_percent_is_written_in_one_way() -> None:
    offenders = []
    for module, path in MODULES.items():
        specs = [node.format_spec for node in nodes(path) if isinstance(node, ast.FormattedValue)]
        ends = [spec.values[-1] for spec in specs if isinstance(spec, ast.JoinedStr) and spec.values]
        offenders += [module for end in ends if isinstance(end, ast.Constant) and str(end.value).endswith("%")]
    assert not offenders, f"`pipeline.text_format.percent` writes 1.2 %, with its space: {listed(offenders)}"


def test_files_are_replaced_in_one_place_only() -> None:
    offenders = [
        f"{module}:{node.lineno} calls {ast.unparse(node.func)}"
        for module, path in MODULES.items()
        if module != "lake.storage.atomic"
        for node in nodes(path)
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
    launcher, offenders = "pipeline.engine.child_command", []
    for module, path in MODULES.items():
        for node in nodes(path):
            by_hand = isinstance(node, ast.Constant) and node.value in ("-m", "-P", "-I")
            by_hand = by_hand or (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable")
            if by_hand and module != launcher:
                offenders.append(f"{module}:{node.lineno} has {ast.unparse(node)}; {launcher} starts children")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "python_command":
                name = ast.literal_eval(node.args[0])
                if name not in MODULES:
                    offenders.append(f"{module}:{node.lineno} starts {name}, which is no module")
    assert not offenders, "\n".join(offenders)


WORK_NAMES = ("cycle-", "history-", "training-", "single-")
"""How ids of work begin: made in `pipeline.engine.work`, read only by the migration of older lakes."""
TEXT_TESTS = {
    "starts_with",
    "startswith",
    "contains",
    "extract",
    "split",
    "partition",
    "removeprefix",
    "match",
    "slice",
}


def names_work(node: ast.AST) -> bool:
    text = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value
    return bool(text) and text.startswith(WORK_NAMES) and text != "single-stage"  # the kind itself


def parses_work(node: ast.AST) -> bool:
    test = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TEXT_TESTS
    return test and "cycle_id" in ast.unparse(node)


def test_what_kind_of_work_a_run_is_stands_in_its_column_and_is_read_out_of_no_name() -> None:
    offenders = [
        f"{module}:{node.lineno} {'makes' if names_work(node) else 'reads'} {ast.unparse(node)}; the kind of work is "
        "the column `work`, and pipeline.engine.work makes the ids"
        for module, path in MODULES.items()
        if module not in ("pipeline.engine.work", "lake.migrations.format_3")
        for node in nodes(path)
        if names_work(node) or parses_work(node)
    ]
    assert not offenders, listed(offenders)


WITNESSES = (
    "pipeline.control.daemon.daemon_lock",
    "pipeline.control.daemon.heartbeat",
    "pipeline.control.schedule.active_schedule",
    "pipeline.control.schedule.backlog",
    "pipeline.market.returns",
)
"""What a verdict or a figure is computed from: `pipeline.reading` asks them, so that all who tell it say the same."""
STATISTICS = ("numpy", "scipy", "statistics", "shutil.disk_usage")
COMPUTATIONS = {"agg", "cum_sum", "median", "over", "quantile", "replace_strict", "rolling_mean", "std", "var"}
"""Methods of frames by which figures come about: above `pipeline.reading` rows are chosen, sorted and written."""
DECLARATIONS = ("pipeline.feedback.metrics", "pipeline.trading.planning.rules.unit_of")
"""What a figure means is declared here: `pipeline.reading.results` asks it, so that a metric or rule is one place."""
VERDICTS = {"ok", "warn", "fail"}


def literals(node: ast.AST) -> set[object]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}


def test_health_is_judged_in_one_place_and_the_console_only_renders() -> None:
    """`pipeline.reading` computes what people are told; above it nothing asks the witnesses or has own verdicts."""
    found = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        if within(module, "nextgen_tui")
        for name in sorted(imported(path))
        if any(within(name, one) for one in (*WITNESSES, *STATISTICS, *DECLARATIONS))
    ]
    found += [
        f"{module}:{node.lineno} computes by {node.func.attr}; `pipeline.reading` does"
        for module, path in MODULES.items()
        if within(module, "nextgen_tui")
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COMPUTATIONS
    ]
    found += [
        f"{module}:{node.lineno} holds {node.value}, a quantile of the normal distribution"
        for module, path in MODULES.items()
        if within(module, "nextgen_tui")
        for node in nodes(path)
        if isinstance(node, ast.Constant) and node.value in (1.64, 1.645, 1.96, 2.58)
    ]
    own = [
        f"{module} declares verdicts; `pipeline.health.checks` does"
        for module, path in MODULES.items()
        if module != "pipeline.health.checks"
        for node in nodes(path)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal" and literals(node) == VERDICTS
    ]
    assert not found + own, "\n".join(found + own)


def test_only_the_entry_point_stands_beside_the_rooms_of_the_console() -> None:
    beside = {path.name for path in (ROOT / "nextgen_tui").glob("*.py")}
    assert beside == {"__init__.py"}
