"""Screen A: what was tried, whether it helped, and how often anybody looked."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from lake.branches.branch import list_branches
from lake.contract import RUN_ID, Table
from lake.errors import LakeError
from lake.tables.market import MARKET_PRICES
from lake.tables.models import TRIALS
from lake.tables.research import (
    BRANCH_MERGES,
    EXPERIMENT_RESULTS,
    EXPERIMENTS,
    FACTOR_PROPOSALS,
    FACTOR_RESULTS,
    HOLDOUT_OPENINGS,
    NOTES,
    WHAT_IFS,
)
from nextgen_tui.console.charts.chart import Chart, Curve, Mark
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.operator.own_notes import STYLES as STATES
from nextgen_tui.console.operator.own_notes import read_notes
from nextgen_tui.console.page import Link, Page, Row, SheetSpec, row_link
from nextgen_tui.console.pages.tried_sheets import (
    TRIAL_COLS,
    WHAT_IF_COLS,
    describe_trial,
    describe_what_if,
    draw_trial,
)
from nextgen_tui.console.sheet.sheet import Cell, Col, Style
from nextgen_tui.text import formats
from pipeline.reading.notes.scored_notes import sum_up
from pipeline.reading.tried import read_trials
from pipeline.research.compare_runs import unit_of
from pipeline.research.experiments import count_ended

BRANCHES = pl.Schema(
    {"branch": pl.String(), "session": pl.Date(), "created_at": pl.Datetime("us", "UTC"), "reason": pl.String()}
)
VERDICTS: dict[str, Style] = {"helped": "good", "kept": "good", "hurt": "bad", "cannot be told": "warn"}


SMALLEST = 1e-15
"""Below this a probability is rounding alone."""


@dataclass(frozen=True)
class ResearchData:
    """What research left by a moment."""

    results: pl.DataFrame
    """A row per variant that ended, with its experiment's question; the last one first."""
    experiments: pl.DataFrame
    factors: pl.DataFrame
    branches: pl.DataFrame
    openings: pl.DataFrame
    notes: pl.DataFrame
    """The operator's own, with what came of what they foretold."""
    variants: int
    """How many were registered."""
    trials: pl.DataFrame
    """Every candidate of every training."""
    what_ifs: pl.DataFrame
    """What was asked about the book, the last one first."""


class ResearchPage(Page[ResearchData]):
    """Experiments, their variants, factors that were proposed, and branches."""

    number, name = "A", "Research"
    question = "What was tried, did it help, and how often did anybody look?"
    tables = (
        *(EXPERIMENTS, EXPERIMENT_RESULTS, FACTOR_PROPOSALS, FACTOR_RESULTS, HOLDOUT_OPENINGS, BRANCH_MERGES),
        *(NOTES, MARKET_PRICES, TRIALS, WHAT_IFS),
    )

    def load(self, view: LakeView) -> ResearchData:
        """What was recorded by the moment; branches are as they are now."""
        experiments = _known(view, EXPERIMENTS, "registered_at")
        asked = experiments.select("experiment_id", "question", "kill", "keep_above", "metric")
        results = _known(view, EXPERIMENT_RESULTS, "finished_at").join(asked, on="experiment_id", how="left")
        formulas = _known(view, FACTOR_PROPOSALS, "proposed_at").select(
            "search_id", "proposal", "formula", "horizon", "authored", "hypothesis"
        )
        factors = _known(view, FACTOR_RESULTS, "judged_at").join(formulas, on=["search_id", "proposal"], how="left")
        return ResearchData(
            results=results.sort("finished_at", descending=True),
            experiments=count_ended(experiments, results),
            factors=factors.sort("verdict", "t", descending=[False, True], nulls_last=True),
            branches=_read_branches(view),
            openings=_known(view, HOLDOUT_OPENINGS, "opened_at"),
            notes=read_notes(view),
            variants=int(experiments["variants"].sum()),
            trials=read_trials(view.read(TRIALS) if view.lake.has_table(TRIALS) else TRIALS.empty()),
            what_ifs=_known(view, WHAT_IFS, "asked_at").sort("asked_at", descending=True),
        )

    def sentence(self, data: ResearchData) -> str:
        """How much was tried, and what of it was kept."""
        held_out = data.trials.filter(pl.col("settings").is_null()).height
        trained = f"{formats.counted(held_out, 'candidate')} of trainings tried on held-out sessions"
        asked = f"{formats.counted(data.what_ifs.height, 'what-if')} asked"
        if data.experiments.is_empty() and data.factors.is_empty():
            return f"No experiment was registered and no factor proposed; {trained}; {asked}."
        kept = int(data.results["kept"].sum()) if data.results.height else 0
        found = data.factors.filter(pl.col("verdict") == "kept").height
        told = [
            f"{formats.counted(data.variants, 'variant')} registered, {kept} kept",
            f"{formats.counted(data.factors.height, 'factor')} proposed, {found} kept",
            f"{trained}; {asked}",
            f"the holdout was opened {formats.counted(data.openings.height, 'time')}",
        ]
        return "; ".join(told) + "."

    def specs(self, data: ResearchData) -> tuple[SheetSpec[ResearchData], ...]:
        """Variants, experiments, factors, trials, what-ifs, branches, notes; those that are empty come last."""
        return tuple(sorted(SHEETS, key=lambda spec: spec.frame(data).is_empty()))

    def summary(self, data: ResearchData) -> tuple[Line, ...]:
        """Each look at the holdout, and where to begin."""
        looks = [fact(formats.instant(at), why) for at, why in data.openings.select("opened_at", "reason").iter_rows()]
        return (
            heading("looks at the holdout"),
            *(looks or (note("none", "dim"),)),
            heading("try something"),
            note("nextgen what-if --set KEY=VALUE", "dim"),
            note("nextgen experiment run FILE", "dim"),
            note("nextgen propose --budget 200", "dim"),
        )


def _known(view: LakeView, table: Table, clock: str) -> pl.DataFrame:
    """Rows of a table by the standpoint; none where the lake does not have it yet."""
    if not view.lake.has_table(table):
        return table.empty()
    rows = view.read(table)
    rows = rows.drop(RUN_ID) if RUN_ID in rows.columns else rows
    return rows if view.at is None else rows.filter(pl.col(clock) <= view.at.moment)


def _read_branches(view: LakeView) -> pl.DataFrame:
    try:
        found = list_branches(view.path)
    except LakeError as error:  # one that is damaged must not hide the rest of the screen
        return pl.DataFrame([{"branch": "damaged", "reason": str(error)}], schema=BRANCHES)
    rows = [{"branch": b.name, "session": b.session, "created_at": b.created_at, "reason": b.reason} for b in found]
    return pl.DataFrame(rows, schema=BRANCHES)


def _verdict(value: object) -> Cell:
    return Cell(str(value), VERDICTS.get(str(value), "dim"))


def _figure(value: float | None) -> str:
    return formats.number(value, signed=True)


def _span(value: Row) -> str:
    """Both ends or neither: one alone would tell nothing, and mislead where there is no room for the other."""
    if value["low"] is None or value["high"] is None:
        return "too few sessions"
    return f"{_figure(value['low'])} to {_figure(value['high'])}"


def _yes(value: object) -> Cell:
    return Cell("yes", "good") if value else Cell("no", "dim")


def _describe_variant(row: Row) -> tuple[Line, ...]:
    settings = json.loads(row["settings"])
    return (
        heading(f"{row['experiment_id']}, {row['variant']}"),
        note(row["question"]),
        *(fact(key.rsplit(".", 1)[-1], value) for key, value in settings.items()),
        fact("metric", f"{row['metric']}, {unit_of(row['metric'])}"),
        fact("base", formats.number(row["base_value"])),
        fact("variant", formats.number(row["value"])),
        fact("difference", _figure(row["difference"])),
        fact("95 %", _span(row)),
        fact("deflated", f"{formats.number(row['deflated'], 2)} after {formats.counted(row['trials'], 'trial')}"),
        fact("given up if", row["kill"]),
        fact("computed", f"{formats.whole(row['computed'])} stages, {formats.whole(row['taken'])} taken over"),
    )


def compare_variants(data: ResearchData, row: Row) -> tuple[Chart, ...]:
    """The differences of an experiment's variants from the lowest to the highest, each with its interval."""
    mine = data.results.filter(pl.col("experiment_id") == row["experiment_id"]).sort("difference", "variant")
    known = mine.filter(pl.col("low").is_not_null())
    if known.is_empty():
        return ()
    lines = [Curve((-0.5, known.height - 0.5), (0.0, 0.0), "naive", dotted=True)]
    marks = []
    for at, (name, value, low, high) in enumerate(known.select("variant", "difference", "low", "high").iter_rows()):
        role = "hot" if name == row["variant"] else "own"
        lines.append(Curve((float(at),) * 2, (low, high), role))
        marks.append(Mark(float(at), value, "◆" if role == "hot" else "•", role))
    title = f"{row['metric']}, {unit_of(row['metric'])}: each variant less its base, with 95 %"
    ticks = tuple((float(at), name.partition("-")[0]) for at, name in enumerate(known["variant"]))
    legend = (("◆", "hot", row["variant"]),)
    return (Chart(title, tuple(lines), marks=tuple(marks), label=_figure, ticks=ticks, legend=legend),)


def _describe_experiment(row: Row) -> tuple[Line, ...]:
    return (
        heading(row["experiment_id"]),
        note(row["question"]),
        fact("given up if", row["kill"]),
        fact("kept above", formats.number(row["keep_above"])),
        fact("sessions", f"{row['first']} to {row['last']}"),
        fact("beside", row["base"]),
        fact("by", row["registered_by"]),
        note(f"nextgen experiment card {row['experiment_id']}", "dim"),
    )


def _probability(value: float | None) -> str:
    """A probability that may be very small: never told as none."""
    if value is None:
        return formats.MISSING
    return f"{value:.2g}" if value > SMALLEST else f"below {SMALLEST:.0e}"


def _describe_factor(row: Row) -> tuple[Line, ...]:
    return (
        heading(row["proposal"]),
        note(row["formula"]),
        fact("in sample", f"IC {_figure(row['ic_in_sample'])}, {formats.number(row['t_in_sample'], 1)} errors"),
        fact("unseen", f"IC {_figure(row['ic'])}, {formats.number(row['t'], 1)} errors"),
        fact("p", f"{_probability(row['p'])}, at most {row['max_p']:.2g}"),
        fact("horizon", formats.counted(row["horizon"], "session")),
        *([heading("a language model's words"), note(row["hypothesis"])] if row["authored"] is not None else []),
    )


def _describe_note(data: ResearchData, row: Row) -> tuple[Line, ...]:
    """The note in whole, and how well all that was foretold came true."""
    foretells = f"{row['direction']} within {row['horizon']} sessions" if row["direction"] else "nothing"
    return (
        heading(row["target"]),
        note(row["text"], max_length=4_000),
        fact("written", f"{formats.instant(row['decided_at'])} by {row['decided_by'] or 'nobody known'}"),
        fact("foretells", foretells),
        *([fact("came", formats.percent(row["realised"], 2, signed=True))] if row["realised"] is not None else []),
        *([fact("base rate", formats.percent(row["base"], 0))] if row["base"] is not None else []),
        heading("of all notes"),
        note(sum_up(data.notes).sentence),
    )


SHEETS: tuple[SheetSpec[ResearchData], ...] = (
    SheetSpec(
        "variants",
        lambda data: data.results.with_columns(span=pl.struct("low", "high")),
        (
            Col("experiment", "experiment_id"),
            Col("variant", "variant"),
            Col("verdict", "verdict", _verdict),
            Col("difference", "difference", _figure, right=True),
            Col("95 % interval", "span", _span, right=True, sort="low", rank=2),
            Col("kept", "kept", _yes),
            Col("deflated", "deflated", lambda value: formats.number(value, 2), right=True, rank=1),
            Col("metric", "metric", rank=3),
            Col("ended", "finished_at", formats.instant, rank=4),
        ),
        ("experiment_id", "variant"),
        "variant",
        "No variant has ended yet; nextgen experiment run FILE runs some.",
        notes=lambda _, row: _describe_variant(row),
        charts=compare_variants,
        origin=lambda row: Link(
            row["variant"],
            EXPERIMENT_RESULTS.name,
            {"experiment_id": row["experiment_id"], "variant": row["variant"]},
        ),
    ),
    SheetSpec(
        "experiments",
        lambda data: data.experiments,
        (
            Col("experiment", "experiment_id"),
            Col("variants", "variants", formats.whole, right=True),
            Col("ended", "ended", formats.whole, right=True),
            Col("kept", "kept", formats.whole, right=True),
            Col("metric", "metric", rank=1),
            Col("registered", "registered_at", formats.instant, rank=2),
            Col("question", "question", rank=3),
        ),
        ("experiment_id",),
        "experiment",
        "Nothing was registered yet.",
        notes=lambda _, row: _describe_experiment(row),
    ),
    SheetSpec(
        "factors",
        lambda data: data.factors,
        (
            Col("factor", "proposal"),
            Col("verdict", "verdict", _verdict),
            Col("IC", "ic", _figure, right=True),
            Col("errors", "t", lambda value: formats.number(value, 1), right=True),
            Col("IC in sample", "ic_in_sample", _figure, right=True, rank=1),
            Col("formula", "formula", rank=2),
        ),
        ("search_id", "proposal"),
        "factor",
        "No factor was proposed yet; nextgen propose searches for some.",
        notes=lambda _, row: _describe_factor(row),
    ),
    SheetSpec(
        "trials",
        lambda data: data.trials,
        TRIAL_COLS,
        ("model_id", "candidate"),
        "trial",
        "No training has tried anything on held-out sessions yet.",
        notes=lambda _, row: describe_trial(row),
        charts=lambda _, row: draw_trial(row),
        origin=lambda row: row_link(TRIALS, row),
    ),
    SheetSpec(
        "what-ifs",
        lambda data: data.what_ifs,
        WHAT_IF_COLS,
        ("what_if_id",),
        "question",
        "Nothing was asked of the book yet; nextgen what-if --set KEY=VALUE asks.",
        notes=lambda _, row: describe_what_if(row),
        origin=lambda row: row_link(WHAT_IFS, row),
    ),
    SheetSpec(
        "branches",
        lambda data: data.branches,
        (
            Col("branch", "branch"),
            Col("left after", "session", formats.day),
            Col("made", "created_at", formats.instant, rank=1),
            Col("why", "reason", rank=2),
        ),
        ("branch",),
        "branch",
        "This lake has no branches; nextgen branch create NAME makes one.",
    ),
    SheetSpec(
        "notes",
        lambda data: data.notes,
        (
            Col("session", "session", formats.day),
            Col("about", "target", max_width=30),
            Col("verdict", "state", lambda value: Cell(str(value), STATES.get(value, "dim"))),
            Col("note", "text", str, max_width=200, stretch=True),
            Col("foretells", "direction", rank=1),
            Col("over", "horizon", lambda value: formats.MISSING if value is None else f"{value} sessions", rank=1),
            Col("came", "realised", lambda value: formats.percent(value, 1, signed=True), right=True, rank=1),
            Col("base", "base", lambda value: formats.percent(value, 0), right=True, rank=2),
            Col("due", "due", formats.day, rank=3),
        ),
        ("note_id",),
        "note",
        "No note yet; n on a row that is about a ticker, a trade or a run writes one.",
        notes=lambda data, row: _describe_note(data, row),
        origin=lambda row: row_link(NOTES, row),
    ),
)
