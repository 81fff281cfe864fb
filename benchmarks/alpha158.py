"""Alpha158 by our block engine, KunQuant, qlib and polars on one core: `python -m benchmarks.alpha158 [--linear]`.

Peers are installed into a throw-away environment. Read the ratios: processor seconds of a machine differ by the hour.
With --linear: 14 factors by us and by qlib, and by us over ten times the rows, each block written and dropped.
It runs on Linux.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.peers.agreement import Agreement, compare, compute_exactly
from benchmarks.peers.environment import Outcome, Peers, list_versions, make_environment, run
from benchmarks.peers.histories import write_few, write_gaps, write_history
from pipeline.features.families.alpha158 import ALPHA158, WINDOWS

FOURTEEN = (
    "KMID2", "ROC60", "MA10", "STD20", "BETA30", "RSV20", "QTLU60", "RANK20", "IMAX30", "CORR20", "CNTP20", "SUMP10",
    "VMA60", "WVMA20",
)  # fmt: skip
"""One of each kind."""
PARTS = 10
"""Histories that --linear computes one after the other."""


class Contender(NamedTuple):
    """An engine as it takes part."""

    name: str
    module: str
    holds: str
    """Of what precision the values are that it holds at the end."""
    options: tuple[str, ...] = ()


CONTENDERS = (
    Contender("ours", "ours", "single"),
    Contender("ours double", "ours", "double", ("--exactly",)),
    Contender("kunquant", "kunquant", "double"),
    Contender("kunquant steady", "kunquant_steady", "double"),
    Contender("qlib", "qlib", "single"),
    Contender("polars", "polars", "single"),
)

COLUMNS = {
    "cpu s": "cpu", "x ours": "times", "of it in kernel": "kernel", "compile s": "compile", "load s": "load",
    "import s": "import", "peak GB": "peak",
}  # fmt: skip
"""Column of the table -> what is shown there. The part of the kernel is what fresh memory costs on that machine."""


def main() -> None:
    """Write the histories, run each engine on them, and print figures and agreement; the last line is for machines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=800)
    parser.add_argument("--sessions", type=int, default=3_400)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--peers", type=Path, help="an environment that has the peers, to be used instead of a new one")
    parser.add_argument(
        "--touched",
        type=float,
        default=6.0,
        help="GB that are touched before each engine computes; 0 for memory as it is",
    )
    parser.add_argument("--linear", action="store_true", help="14 factors, and ten times the rows, instead of all 158")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alpha158-") as place:
        folder = Path(place)
        peers = Peers(asked.peers / "bin" / "python", {}) if asked.peers else make_environment(folder / "environment")
        write(f"{asked.tickers} tickers x {asked.sessions} sessions; {list_versions(peers)}")
        last = (show_linear if asked.linear else show_all)(folder, peers, asked)
    write(last)


def show_all(folder: Path, peers: Peers, asked: argparse.Namespace) -> str:
    """All 158 factors by every engine."""
    whole = write_history(folder / "whole", asked.sessions, asked.tickers, asked.seed)
    compared = {
        "complete": write_few(folder / "complete", whole),
        "gaps": write_gaps(folder / "gaps", asked.sessions, asked.seed + 1),
    }
    timed = ["--timed", whole, "--touched", str(asked.touched)]
    outcomes = {
        one.name: run_contender(one, peers, folder, [*timed, "--compared", *compared.values()]) for one in CONTENDERS
    }
    show_figures(outcomes)
    for name, history in compared.items():
        exact = compute_exactly(ALPHA158, history)
        found = {
            one: compare(np.load(folder / one / f"{name}.npy"), exact, ALPHA158)
            for one, outcome in outcomes.items()
            if outcome.figures
        }
        show_agreement(name, found)
        show_kinds(found)
    return f"alpha158 cpu: {tell_seconds(outcomes)}"


def run_contender(one: Contender, peers: Peers, folder: Path, arguments: Sequence[str | Path]) -> Outcome:
    """The outcome of an engine in a process of its own."""
    if (peer := one.name.split()[0]) in peers.refused:
        return Outcome({}, peers.refused[peer])
    out = folder / one.name
    out.mkdir(exist_ok=True)
    python = Path(sys.executable) if one.module == "ours" else peers.python
    outcome = run(python, one.module, [*arguments, "--out", out, *one.options], folder / "compiled")
    seconds = f"{outcome.figures['cpu']:.2f} s" if outcome.figures else outcome.error
    write(f"  {one.name} done: {seconds}")
    return outcome


def show_figures(outcomes: Mapping[str, Outcome]) -> None:
    """What each took; an engine that did not run stands there with the reason."""
    write(f"\n{'engine':16}" + "".join(f"{title:>{len(title) + 3}}" for title in COLUMNS) + "  precision")
    ours = outcomes["ours"].figures.get("cpu", np.nan)
    for one in CONTENDERS:
        if one.name not in outcomes:
            continue
        figures, error = outcomes[one.name]
        if not figures:
            write(f"{one.name:16}    none: {error}")
            continue
        cells = {**figures, "times": figures["cpu"] / ours}
        told = "".join(f"{cells[name]:{len(title) + 3}.2f}" for title, name in COLUMNS.items())
        write(f"{one.name:16}{told}  {one.holds}")


def show_agreement(history: str, found: Mapping[str, Mapping[str, Agreement]]) -> None:
    """Each engine's values beside exact ones, all factors together."""
    write(
        f"\nthe history '{history}': factors of {len(ALPHA158)} with every value within 1e-9 and within 1e-6 of exact"
    )
    write("(of the value or the factor's median size, the greater); mean share of values; unknown where exact ones are")
    write(
        f"{'engine':16}{'all 1e-9':>9}{'mean':>9}{'all 1e-6':>9}{'mean':>9}{'same unknown':>14}{'strayed':>9}"
        f"{'partial windows':>17}"
    )
    for name, by_factor in found.items():
        rows = list(by_factor.values())
        exact, near = ([one[place] for one in rows] for place in (0, 1))
        write(
            f"{name:12}{sum(share == 1 for share in exact):9}{np.mean(exact):9.4f}"
            f"{sum(share == 1 for share in near):9}{np.mean(near):9.4f}"
            f"{sum(one.strayed == 0 for one in rows):14}{sum(one.strayed for one in rows):9}"
            f"{sum(one.partial > 0 for one in rows):9} factors"
        )


def show_kinds(found: Mapping[str, Mapping[str, Agreement]]) -> None:
    """For each kind of factor the lowest share within 1e-9 over its windows, and the values that strayed."""
    write(f"{'lowest 1e-9':16}" + "".join(f"{name:>18}" for name in found))
    for kind in dict.fromkeys(map(get_kind, ALPHA158)):
        members = [name for name in ALPHA158 if get_kind(name) == kind]
        cells = []
        for by_factor in found.values():
            strayed = sum(by_factor[name].strayed for name in members)
            share = min(by_factor[name].close_by for name in members)
            cells.append(f"{share:9.4f}" + (f" ({strayed})".rjust(9) if strayed else " " * 9))
        write(f"{kind:16}" + "".join(cells))


def get_kind(factor: str) -> str:
    """The name without its window; what has none stands for itself."""
    name = factor.rstrip("0123456789")
    return name if factor[len(name) :] in map(str, WINDOWS) else factor


def show_linear(folder: Path, peers: Peers, asked: argparse.Namespace) -> str:
    """14 factors by us and by qlib, and by us over ten histories, written block by block."""
    parts = [
        write_history(folder / f"part-{number}", asked.sessions, asked.tickers, asked.seed + number)
        for number in range(PARTS)
    ]
    arguments = ["--timed", parts[0], "--touched", str(asked.touched), "--factors", *FOURTEEN]
    outcomes = {
        one.name: run_contender(one, peers, folder, arguments) for one in CONTENDERS if one.name in ("ours", "qlib")
    }
    show_figures(outcomes)
    written = [write_parts(parts[:count], folder, asked) for count in (1, PARTS)]
    return f"alpha158 fourteen cpu: {tell_seconds(outcomes)} written: {' '.join(written)}"


def write_parts(parts: Sequence[Path], folder: Path, asked: argparse.Namespace) -> str:
    """Processor seconds and peak of computing histories one after the other and writing each block."""
    arguments = [*parts, "--factors", *FOURTEEN, "--out", folder / "written.parquet"]
    found, error = run(Path(sys.executable), "written", arguments, folder / "compiled")
    rows = asked.tickers * asked.sessions * len(parts)
    if not found:
        return f"{rows}=none ({error})"
    seconds = found["load"] + found["cpu"] + found["write"]
    write(
        f"{rows:,} rows of 14 factors, written: {seconds:.2f} s (loading {found['load']:.2f}, computing "
        f"{found['cpu']:.2f}, writing {found['write']:.2f}), peak {found['peak']:.2f} GB, file {found['size']:.2f} GB"
    )
    return f"{rows}={seconds:.2f}s/{found['peak']:.2f}GB"


def tell_seconds(outcomes: Mapping[str, Outcome]) -> str:
    """Processor seconds of each engine, or that it has none."""
    return " ".join(
        f"{name}={outcome.figures['cpu']:.2f}" if outcome.figures else f"{name}=none"
        for name, outcome in outcomes.items()
        if " " not in name
    )


def write(line: str) -> None:
    """Print at once: the whole takes minutes."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
