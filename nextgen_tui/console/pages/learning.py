"""Screen 7: what has it learned, did the last fix help, and who is champion?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lake.contract import Table
from lake.tables.feedback import BIAS_FLAGS, FEEDBACK_METRICS, LEARNING_INSIGHTS, RETRAIN_CANDIDATES, SHADOW_SCORES
from lake.tables.learning import HYPOTHESES
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.lineage.lineage_view import follow
from nextgen_tui.console.notes import Line, describe_slice, fact, note
from nextgen_tui.console.page import Action, Detail, Page, Row, Section, SheetSpec, row_link
from nextgen_tui.console.pages.learning_charts import bias_chart, insight_chart, life_strip, loss_chart
from nextgen_tui.console.pages.lesson_notes import bias_notes, hypotheses_sheet, trial_notes
from nextgen_tui.console.pages.shadow_sheet import shadow_sheet
from nextgen_tui.console.sheet.sheet import Cell, Col, dim, signed
from nextgen_tui.text import formats
from pipeline.feedback.calibration.learned_scales import SCALE
from pipeline.reading.cockpit.strips import add_life
from pipeline.reading.results.insights import INSIGHT_STATES, ever_measured, hypothesis_rows, insight_rows

LIFE_SESSIONS = 80
"""Sessions over which the lives of insights are drawn."""
PERCENT = signed(lambda value: formats.percent(value, 3, signed=True))
ERRORS = {
    "bias": ("mean of outcome less forecast", 3),
    "interval": ("coverage of the 90 % intervals less 90 %", 1),
    "skill": ("pinball loss above the naive forecast's", 2),
    "width": ("how much further out outcomes lie than usual, of half the 90 % interval", 1),
    "exclusion": ("pinball loss above the naive forecast's, of sigma", 2),
    "weight": ("pinball loss above that of a member alone, of sigma", 2),
}
"""Kind of insight -> the error it is about, and the digits that tell two of them apart."""


@dataclass(frozen=True)
class LearningData:
    """Insights as they stand now and all their steps; bias, decisions on models, reasons to train."""

    insights: pl.DataFrame
    steps: pl.DataFrame
    bias: pl.DataFrame
    promotions: pl.DataFrame
    members: pl.DataFrame
    retrain: pl.DataFrame
    hypotheses: pl.DataFrame
    shadows: pl.DataFrame
    metrics: pl.DataFrame
    """The measures over all forecasts, every session."""


class LearningPage(Page[LearningData]):
    """Each insight with what was changed because of it and whether that helped."""

    number, name = "7", "Learning"
    question = "What has it learned, did the last fix help?"
    tables = (
        LEARNING_INSIGHTS,
        BIAS_FLAGS,
        FEEDBACK_METRICS,
        MODEL_PROMOTIONS,
        MODEL_REGISTRY,
        RETRAIN_CANDIDATES,
        HYPOTHESES,
        SHADOW_SCORES,
    )

    def load(self, view: LakeView) -> LearningData:
        """All insights, the last bias test, every decision on models; never the weights."""
        steps = view.read(LEARNING_INSIGHTS).sort("insight_id", "session")
        columns = tuple(name for name in MODEL_REGISTRY.columns if name != "weights")
        metrics = view.read(FEEDBACK_METRICS, where=pl.col("scope") == "all")
        sessions = metrics["session"].unique().sort().to_list()[-LIFE_SESSIONS:]
        return LearningData(
            insights=add_life(insight_rows(steps), steps, sessions).with_columns(
                told=pl.struct("status", "effect", "measured")
            ),
            steps=steps,
            bias=view.last_rows(BIAS_FLAGS).sort("active", "p_value", "slice", descending=[True, False, False]),
            promotions=view.read(MODEL_PROMOTIONS).sort("session", descending=True),
            members=view.read(MODEL_REGISTRY, columns=columns).sort("session", "model_id", "member", descending=True),
            metrics=metrics,
            hypotheses=hypothesis_rows(view.read(HYPOTHESES)),
            shadows=view.last_rows(SHADOW_SCORES),
            retrain=view.last_rows(RETRAIN_CANDIDATES).sort("due", "reason", descending=[True, False]),
        )

    def sentence(self, data: LearningData) -> str:
        """Open and measured insights, active adjustments, who decides, and whether training is due."""
        counts = dict(data.insights.group_by("status").len().iter_rows()) if data.insights.height else {}
        states = ", ".join(f"{counts[status]} {status}" for status in INSIGHT_STATES if counts.get(status))
        helped, hurt = (ever_measured(data.steps, effect) for effect in ("helped", "hurt"))
        text = f"{formats.counted(data.insights.height, 'insight')}"
        text += f" ({states}); {helped} helped, {hurt} hurt" if states else ""
        active = data.bias.filter(pl.col("active")).height if data.bias.height else 0
        due = data.retrain.filter(pl.col("due"))["reason"].to_list() if data.retrain.height else []
        training = f"training is due: {', '.join(due)}" if due else "no training due"
        return (
            f"{text}; {formats.counted(active, 'slice')} adjusted for bias; {_champion(data.promotions)}; {training}."
        )

    def specs(self, data: LearningData) -> tuple[SheetSpec[LearningData], ...]:
        """Insights, hypotheses, bias, champions, shadows, members, reasons to train."""
        del data
        return SHEETS


def insight_detail(data: LearningData, row: Row) -> Detail:
    """An insight's life step by step."""
    steps = data.steps.filter(pl.col("insight_id") == row["insight_id"])
    believed = Section("The hypothesis", (note(row["hypothesis"]),))
    life = (Section(f"{one['session']}: {one['status']}", insight_notes(one)) for one in steps.iter_rows(named=True))
    link = row_link(LEARNING_INSIGHTS, row)
    return Detail(row["insight_id"], (believed, *life), links=(link,), copies=row["insight_id"])


def model_actions(data: LearningData, row: Row) -> tuple[Action, ...]:
    """A registered model can be made champion, and the champion taken back."""
    champion = data.promotions["champion"][0] if data.promotions.height else None
    now = f"champion now: {champion or 'none, the naive forecast decides'}"
    actions = [] if row["model_id"] == champion else [Action("promote", f"promote {row['model_id']}", now)]
    return (*actions, *([Action("rollback", f"rollback {champion}", now)] if champion else []))


def insight_notes(row: Row) -> tuple[Line, ...]:
    """Whether it helped, by which figures; then what was done, and why."""
    effect = _effect(row["effect"])
    over = f" over {formats.counted(row['n'], 'forecast')}" if row["n"] else ""
    about = describe_slice(row["scope"], row["slice"])
    return (
        (
            _insight_status(row["status"]),
            Cell(f"  {row['kind']}, {formats.counted(row['horizon'], 'session')}, {about}", "dim"),
        ),
        fact("effect", f"{effect.text}{over}", effect.style),
        *trial_notes(row),
        fact("before", format_error(row["kind"], row["before"])),
        fact("after", format_error(row["kind"], row["after"])),
        fact("error", ERRORS[row["kind"].split()[0]][0]),
        fact("action", row["action"] or "–"),
        fact("evidence", row["evidence"]),
    )


def format_error(kind: str, value: float | None) -> str:
    """An insight's error in its unit: each kind measures a share, of a price, of outcomes or of a loss."""
    return formats.percent(value, ERRORS[kind.split()[0]][1], signed=True)


def promotion_notes(row: Row) -> tuple[Line, ...]:
    """A decision in words."""
    return (
        (
            Cell("✓ promoted", "good") if row["promoted"] else Cell("· not promoted", "dim"),
            Cell(f"  {row['model_id']}"),
        ),
        note(row["reason"]),
        fact(
            "gain",
            f"{formats.percent(row['gain_over_naive'], 2, signed=True)} over naive, "
            f"± {formats.percent(row['gain_error'], 2)}",
        ),
        fact("champion", row["champion"] or "none has earned it"),
        fact("before", row["previous"] or "–"),
    )


def member_notes(row: Row) -> tuple[Line, ...]:
    """What a member was fitted on."""
    return (
        (Cell(f"{row['member']} of {row['model_id']}", "accent"),),
        fact(
            "trained on", f"{row['train_first']} to {row['train_last']}, {formats.counted(row['rows_train'], 'window')}"
        ),
        *_share_notes(row),
        fact("purge", f"{row['purge']} sessions, embargo {row['embargo']}"),
        fact("config", _compact(row["config"])),
        fact("hash", row["weights_sha256"]),
    )


def _share_notes(row: Row) -> tuple[Line, ...]:
    """What the member counts at each horizon: for the ranking and for the width, where they are weighed apart."""

    def told(shares: Sequence[float]) -> str:
        return ", ".join(f"{formats.percent(w, 0)} at {h}" for h, w in zip(row["horizons"], shares, strict=False))

    if row.get("location_weights") is None:
        return (fact("weights", told(row["ensemble_weights"])),)
    return (fact("ranking", told(row["location_weights"])), fact("width", told(row["ensemble_weights"])))


def reason_notes(row: Row) -> tuple[Line, ...]:
    """A reason to train, with its figure beside the limit."""
    return (
        note(row["evidence"]),
        fact("measured", formats.number(row["statistic"])),
        fact("limit", formats.number(row["threshold"])),
    )


def _champion(promotions: pl.DataFrame) -> str:
    if promotions.is_empty():
        return "no model was trained yet"
    champion = promotions["champion"][0]
    return f"champion {champion}" if champion else "the naive forecast decides: no model has beaten it"


def _compact(text: str) -> str:
    try:
        content: Any = json.loads(text)
    except ValueError:
        return text
    return ", ".join(f"{name} {value}" for name, value in content.items()) if isinstance(content, dict) else text


def _insight_status(value: str) -> Cell:
    signs = {"open": Cell("? open", "warn"), "acted": Cell("▸ acted", "accent"), "measured": Cell("✓ measured", "good")}
    return signs.get(value, Cell(f"· {value}", "dim"))


def _effect(value: str) -> Cell:
    signs = {
        "helped": Cell("✓ helped", "good"),
        "hurt": Cell("✗ hurt", "bad"),
        "no effect": Cell("= no effect", "warn"),
        "on trial": Cell("… on trial", "accent"),
        "pending": Cell("· not measured", "dim"),
    }
    return signs.get(value, Cell(f"· {value}", "dim"))


def _told(row: Row) -> Cell:
    """What an insight did, also where it was retired since: '✓ helped, then no effect', 'never measured'."""
    if not row["measured"]:
        return Cell("· never measured", "dim") if row["status"] == "retired" else _effect(row["effect"])
    cell = _effect(row["measured"][-1])
    sign = cell.text.split(" ")[0]
    return Cell(f"{sign} {', then '.join(row['measured'])}", cell.style)


def _scale_now(data: LearningData, row: Row) -> tuple[Line, ...]:
    """How wide intervals are made now, where an insight tells how wide they were made when it acted."""
    at = (pl.col("metric") == SCALE) & (pl.col("horizon") == row["horizon"])
    now = data.metrics.filter(at).sort("session").tail(1)
    if not row["kind"].startswith(("interval", "width")) or now.is_empty():
        return ()
    session, value = now.select("session", "value").row(0)
    return (fact("now", f"intervals are made {formats.number(value, 2)} times as wide, by {session}"),)


def _error(name: str) -> Any:
    return lambda value: format_error(value["kind"], value[name])


def _yes(words: str) -> Any:
    return lambda value: Cell(f"✓ {words}", "good") if value else Cell("–", "dim")


INSIGHT_COLS = (
    Col("status", "status", _insight_status, sort="rank"),
    Col("effect", "told", _told, sort="effect"),
    Col("hypothesis", "hypothesis", max_width=40),
    Col(
        "life",
        "life",
        life_strip,
        sort="opened",
        stretch=True,
        drawn=True,
        legend="? believed ▶ acted ✓ measured ■ retired",
    ),
    Col("opened", "opened", rank=2),
    Col("before", "before_error", _error("before"), right=True, sort="before", rank=1),
    Col("after", "after_error", _error("after"), right=True, sort="after", rank=1),
    Col("n", "n", formats.whole, right=True, rank=3),
    Col("action", "action", max_width=50, rank=4),
)
BIAS_COLS = (
    Col("adjusted", "active", _yes("yes")),
    Col("by", "scope"),
    Col("slice", "slice", max_width=26),
    Col("horizon", "horizon", right=True),
    Col("level", "mean_error", PERCENT, right=True),
    Col("t", "t", lambda value: formats.number(value, 1, signed=True), right=True),
    Col("p", "p_value", lambda value: formats.number(value, 4), right=True, rank=1),
    Col("n", "n", formats.whole, right=True, rank=2),
    Col("with adjustment", "adjusted_error", PERCENT, right=True, rank=3),
    Col("without", "unadjusted_error", PERCENT, right=True, rank=3),
)
MODEL_COLS = (
    Col("session", "session"),
    Col("challenger", "model_id", max_width=30),
    Col("promoted", "promoted", _yes("yes")),
    Col("gain over naive", "gain_over_naive", signed(lambda value: formats.percent(value, 2, signed=True)), right=True),
    Col("±", "gain_error", lambda value: formats.percent(value, 2), right=True),
    Col("sessions", "sessions", formats.whole, right=True, rank=1),
    Col("champion now", "champion", lambda value: value or "none", rank=2, max_width=30),
    Col("why", "reason", max_width=70, rank=3),
)
MEMBER_COLS = (
    Col("trained", "session"),
    Col("member", "member"),
    Col("model", "model_id", dim, max_width=30),
    Col("windows", "rows_train", formats.whole, right=True),
    Col("from", "train_first", rank=1),
    Col("to", "train_last", rank=1),
    Col("window", "window", formats.whole, right=True, rank=2),
)
RETRAIN_COLS = (
    Col("due", "due", _yes("due")),
    Col("reason", "reason"),
    Col("measured", "statistic", lambda value: formats.number(value, 3), right=True),
    Col("limit", "threshold", lambda value: formats.number(value, 3), right=True),
    Col("evidence", "evidence", max_width=80, rank=1),
)


def _table_sheet(
    name: str,
    frame: Callable[[LearningData], pl.DataFrame],
    cols: tuple[Col, ...],
    key: tuple[str, ...],
    noun: str,
    empty: str,
    table: Table,
    **more: Any,
) -> SheetSpec[LearningData]:
    """A sheet whose rows are rows of a table: opened with all their values."""
    return SheetSpec(
        name,
        frame,
        cols,
        key,
        noun,
        empty,
        detail=lambda view, _, row: follow(view, row_link(table, row)),
        origin=lambda row: row_link(table, row),
        **more,
    )


SHEETS: tuple[SheetSpec[LearningData], ...] = (
    SheetSpec(
        "insights",
        lambda data: data.insights,
        INSIGHT_COLS,
        ("insight_id",),
        "insight",
        lambda data: (
            "No insight yet: no forecast was measured."
            if data.metrics.is_empty()
            else "No insight yet: no forecast error is larger than chance explains."
        ),
        notes=lambda data, row: (*insight_notes(row), *_scale_now(data, row)),
        charts=lambda data, row: (insight_chart(data.metrics, data.steps, row),),
        detail=lambda _, data, row: insight_detail(data, row),
        origin=lambda row: row_link(LEARNING_INSIGHTS, row),
    ),
    hypotheses_sheet(),
    _table_sheet(
        "bias",
        lambda data: data.bias,
        BIAS_COLS,
        ("scope", "slice", "horizon"),
        "slice",
        "Bias has not been tested yet.",
        BIAS_FLAGS,
        notes=lambda _, row: bias_notes(row),
        charts=lambda data, row: (bias_chart(data.bias, row),),
    ),
    _table_sheet(
        "champion",
        lambda data: data.promotions,
        MODEL_COLS,
        ("session", "model_id"),
        "decision",
        "No model has been trained yet.",
        MODEL_PROMOTIONS,
        notes=lambda _, row: promotion_notes(row),
        charts=lambda data, _: (loss_chart(data.promotions),),
        actions=model_actions,
    ),
    shadow_sheet(),
    _table_sheet(
        "members",
        lambda data: data.members,
        MEMBER_COLS,
        ("model_id", "member"),
        "member",
        "No model has been trained yet.",
        MODEL_REGISTRY,
        notes=lambda _, row: member_notes(row),
        actions=model_actions,
    ),
    _table_sheet(
        "retrain",
        lambda data: data.retrain,
        RETRAIN_COLS,
        ("model_id", "reason"),
        "reason",
        "There is no reason to train.",
        RETRAIN_CANDIDATES,
        notes=lambda _, row: reason_notes(row),
    ),
)
