"""Screen 3: what does the system expect, for whom, and how sure is it?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.feedback import FEEDBACK_METRICS, PREDICTION_ACCURACY
from lake.tables.market import MARKET_PRICES
from lake.tables.models import MODEL_REGISTRY
from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT
from lake.tables.predictions import INFERENCE_LOG, PREDICTIONS
from nextgen_tui.console.charts.fan_chart import fan
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import LABEL, Line, fact, note
from nextgen_tui.console.page import Detail, Link, Page, Row, Section, SheetSpec
from nextgen_tui.console.pages.forecast_cells import interval_bar, skill_badge, skill_sentence
from nextgen_tui.console.sheet.sheet import Cell, Col, dim, signed
from nextgen_tui.text import formats
from pipeline.health.inputs import STRANGE
from pipeline.reading.results.arrivals import add_scores
from pipeline.reading.results.forecasts import add_member_columns, feature_shifts, training_session
from pipeline.reading.results.summary import SkillFacts, skill_facts
from pipeline.reading.results.ticker_paths import SPARK, empty_paths, read_paths, recent_closes

LATELY = 45
"""Calendar days over which matured forecasts are listed."""
MATURED_COLUMNS = (
    "prediction_id",
    "session",
    "made_session",
    "ticker",
    "horizon",
    "model_id",
    "role",
    "point",
    "realised",
    "error",
    "absolute_error",
    "naive_absolute_error",
    "inside_50",
    "inside_80",
    "inside_90",
)
NO_MATURED = pl.DataFrame(schema={name: PREDICTION_ACCURACY.stored_schema[name] for name in MATURED_COLUMNS})
LARGE_FORECAST = 20_000
"""Forecasts of a session above which the nearest horizon is shown first."""
DECIDING = pl.col("role") != "shadow"
"""A shadow model's forecasts are only scored: they decide nothing."""
PERCENT = signed(lambda value: formats.percent(value, signed=True))


@dataclass(frozen=True)
class PredictionsData:
    """The forecasts of the last session that has some, and what belongs to them."""

    session: date | None
    predictions: pl.DataFrame
    paths: pl.DataFrame
    """ticker, session, close, total_return: before the forecasts, and after them where that is known by now."""
    silent: pl.DataFrame
    matured: pl.DataFrame
    trained: date | None
    """When the model was trained that made them."""
    skill: tuple[SkillFacts, ...] = ()
    """What was measured of forecasts lately, by horizon."""
    stale: int = 0
    """Sessions run since then without a bar to forecast from."""

    @cached_property
    def horizons(self) -> tuple[int, ...]:
        """Sessions ahead, rising."""
        return tuple(self.predictions["horizon"].unique().sort().to_list())


class PredictionsPage(Page[PredictionsData]):
    """One sheet per horizon; the chosen ticker's fan beside it."""

    number, name = "3", "Predictions"
    question = "What does the system expect of each ticker, how surely?"
    tables = (PREDICTIONS, MARKET_PRICES, INFERENCE_LOG, PREDICTION_ACCURACY, MODEL_REGISTRY, FEEDBACK_METRICS)

    def quick_load(self, view: LakeView) -> PredictionsData | None:
        """Of very many forecasts the nearest horizon in figures; members, pictures and all else follow."""
        session = view.last(PREDICTIONS)
        if session is None or view.last_count(PREDICTIONS) <= LARGE_FORECAST:
            return None
        horizons = view.read(PREDICTIONS, since=session, until=session, columns=("horizon",))["horizon"]
        figures = tuple(name for name in PREDICTIONS.stored_schema if name != "members")
        nearest = DECIDING & (pl.col("horizon") == horizons.min())
        rows = view.read(PREDICTIONS, since=session, until=session, where=nearest, columns=figures)
        nobody = pl.lit([], dtype=PREDICTIONS.stored_schema["members"]).alias("members")
        return predictions_data(view, session, rows.with_columns(nobody), empty_paths(), NO_MATURED)

    def load(self, view: LakeView) -> PredictionsData:
        """One session's forecasts with their tickers' closes; seen from the past, the outcomes known since as well."""
        session = view.last(PREDICTIONS)
        if session is None:
            empty = pl.DataFrame(schema=PREDICTIONS.stored_schema)
            return PredictionsData(None, empty, empty_paths(), pl.DataFrame(), NO_MATURED, None)
        lately = view.read(PREDICTION_ACCURACY, since=session - timedelta(days=LATELY), columns=MATURED_COLUMNS)
        matured = lately.sort("session", "ticker", "horizon", descending=[True, False, False])
        rows = view.read(PREDICTIONS, since=session, until=session, where=DECIDING)
        paths = read_paths(view.lake, rows["ticker"].unique().sort().to_list(), session)
        return predictions_data(view, session, rows, paths, matured)

    def sentence(self, data: PredictionsData) -> str:
        """For how many tickers, by whom, and what stands out."""
        if data.session is None:
            return "There is no forecast yet; `nextgen cycle` or `nextgen replay` makes some."
        tickers = formats.counted(data.predictions["ticker"].n_unique(), "ticker")
        first = data.predictions.filter(pl.col("horizon") == data.horizons[0])
        best = first.filter(pl.col("point") == pl.col("point").max()).sort("ticker").row(0, named=True)
        by = data.predictions["role"][0]
        trained = f", trained {data.trained}" if data.trained else ""
        silent = f"; {data.silent.height} could not be forecast" if data.silent.height else ""
        stale = f"STALE, no newer bar for {formats.counted(data.stale, 'session')}: " if data.stale else ""
        return (
            f"{stale}{skill_sentence(data.skill)}{tickers} at the close of {data.session} by the {by}{trained}; "
            f"highest {best['ticker']} "
            f"{formats.percent(best['point'], signed=True)} over {formats.counted(best['horizon'], 'session')}{silent}."
        )

    def specs(self, data: PredictionsData) -> tuple[SheetSpec[PredictionsData], ...]:
        """One per horizon, then what could not be forecast and what has matured."""
        return (*(horizon_sheet(horizon) for horizon in data.horizons), SILENT, MATURED)


def horizon_sheet(horizon: int) -> SheetSpec[PredictionsData]:
    """The forecasts over one horizon, the highest expectation first."""
    return SheetSpec(
        formats.counted(horizon, "session"),
        lambda data: horizon_rows(data, horizon),
        COLS,
        ("ticker",),
        "ticker",
        "There is no forecast yet.",
        notes=lambda data, row: (*skill_badge(data.skill, row["horizon"]), *member_lines(row)),
        charts=lambda data, row: (fan(data.predictions, data.paths, row["ticker"], data.session),),
        detail=forecast_detail,
        origin=lambda row: prediction_link(row, row["session"]),
    )


def horizon_rows(data: PredictionsData, horizon: int) -> pl.DataFrame:
    """The forecasts over a horizon, each with its ticker's last closes."""
    rows = data.predictions.filter(pl.col("horizon") == horizon).sort("point", "ticker", descending=[True, False])
    rows = rows.with_columns(pl.col("role") + (", stale" if data.stale else ""))
    return rows.join(recent_closes(data.paths, data.session), on="ticker", how="left", maintain_order="left")


def prediction_link(row: Row, session: date) -> Link:
    """The forecast that a row is, or is about, made at a session."""
    key = {"prediction_id": row["prediction_id"], "session": session}
    return Link(f"{row['ticker']} of {session}", PREDICTIONS.name, key)


def predictions_data(
    view: LakeView, session: date, predictions: pl.DataFrame, paths: pl.DataFrame, matured: pl.DataFrame
) -> PredictionsData:
    """Forecasts of a session with what else belongs to it.

    Raises:
        LakeError: if the lake cannot be read.
    """
    since = view.read(INFERENCE_LOG, since=session)
    now = max([session, *since["session"]])
    of_all = (pl.col("scope") == "all") & (pl.col("metric") == "pinball_skill")
    measured = view.last_rows(FEEDBACK_METRICS, where=of_all)
    return PredictionsData(
        session=session,
        predictions=add_member_columns(predictions),
        paths=paths,
        silent=since.filter((pl.col("session") == now) & (pl.col("status") != "predicted")),
        matured=matured,
        trained=training_session(view.lake, predictions),
        skill=skill_facts(measured, ("pinball_skill",)) if measured.height else (),
        stale=since.filter(pl.col("session") > session)["session"].n_unique(),
    )


def member_lines(row: Row) -> tuple[Line, ...]:
    """Each member's expectation, what it counts for the point and for the width, then what was done to their mean."""
    lines: list[Line] = [
        (
            Cell(f"{row['ticker']}", "accent"),
            Cell(f"  over {formats.counted(row['horizon'], 'session')}, due {row['target_session']}", "dim"),
        ),
    ]
    lines.extend(_shares(row))
    lines.append(fact("combined", formats.percent(row["point"], signed=True)))
    lines.append(
        fact("80 %", f"{formats.percent(row['q10'], 1, signed=True)} to {formats.percent(row['q90'], 1, signed=True)}")
    )
    lines.append(fact("bias", f"{formats.percent(row['bias_adjustment'], signed=True)} removed"))
    if row.get("lessons"):
        lines.append(fact("lessons", ", ".join(row["lessons"])))
    lines.append(fact("interval", f"scaled by {formats.number(row['interval_scale'], 2)}"))
    lines.extend(strangeness_lines(row))
    if row["bounds"]:
        lines.append(fact("bounded by", ", ".join(row["bounds"]), "warn"))
    return tuple(lines)


def _shares(row: Row) -> list[Line]:
    """A line for each member, the one that counts most for the point first."""
    apart = row.get("location_weights")
    shares = apart or [member["weight"] for member in row["members"]]
    ordered = sorted(zip(shares, row["members"], strict=True), key=lambda one: (-one[0], one[1]["member"]))
    return [
        (
            Cell(f"{member['member'][:LABEL]:<{LABEL}} ", "dim"),
            Cell(f"{formats.percent(member['point'], signed=True):<9} "),
            Cell(formats.bar(share, 6), "accent"),
            Cell(f" {formats.percent(share, 0):>5}"),
            Cell(f"  width {formats.percent(member['weight'], 0)}" if apart else "", "dim"),
        )
        for share, member in ordered
    ]


def strangeness_lines(row: Row) -> tuple[Line, ...]:
    """How strange the inputs are to the model, and which make it so."""
    if row["role"].startswith("naive"):  # it takes no inputs
        return ()
    if row["strangeness"] is None:
        return (fact("strange", "not known: the model kept no profile of its training rows"),)
    told = f"further out than {formats.percent(row['strangeness'], 1)} of training"
    lines = [fact("strange", told, "warn" if row["strangeness"] >= STRANGE else "")]
    for one in row["strange_features"]:
        lines.append(
            fact("", f"{one['feature']} {formats.number(one['value'], 3)}, {one['deviation']:+.1f} deviations")
        )
    return tuple(lines)


def matured_notes(row: Row) -> tuple[Line, ...]:
    """A forecast beside what happened."""
    inside = row["inside_80"]
    return (
        (
            Cell(row["ticker"], "accent"),
            Cell(f"  {formats.counted(row['horizon'], 'session')} from {row['made_session']}", "dim"),
        ),
        fact("forecast", formats.percent(row["point"], signed=True)),
        fact("realised", formats.percent(row["realised"], signed=True)),
        fact("error", formats.percent(row["error"], signed=True)),
        fact("naive error", formats.percent(row["naive_absolute_error"])),
        fact("inside 80 %", "✓ yes" if inside else "✗ no", "good" if inside else "warn"),
    )


def matured_detail(view: LakeView, row: Row) -> Detail:
    """A matured forecast with its fan and the outcome.

    Raises:
        LakeError: if the lake cannot be read.
    """
    made = row["made_session"]
    wanted = (pl.col("ticker") == row["ticker"]) & (pl.col("model_id") == row["model_id"])
    predictions = view.read(PREDICTIONS, since=made, until=made, where=wanted)
    paths = read_paths(view.lake, [row["ticker"]], made)
    link = Link("the forecast", PREDICTIONS.name, {"prediction_id": row["prediction_id"], "session": made})
    return Detail(
        f"{row['ticker']}: forecast of {made} and outcome",
        (Section("Forecast and outcome", matured_notes(row)),),
        (fan(predictions, paths, row["ticker"], made),),
        (link,),
        row["prediction_id"],
    )


def forecast_detail(view: LakeView, data: PredictionsData, row: Row) -> Detail:
    """Why this forecast: members, the features that moved most in a week, the news, how the last ones did.

    Raises:
        LakeError: if the lake cannot be read.
    """
    session, ticker = row["session"], row["ticker"]
    mine = pl.col("ticker") == ticker
    features = view.read(FEATURE_ROWS, since=session - timedelta(days=120), until=session, where=mine)
    week = {"since": session - timedelta(days=7), "until": session}
    articles = view.read(NEWS_ARTICLES, where=pl.col("tickers").list.contains(ticker), **week)
    news = add_scores(articles, view.read(NEWS_SENTIMENT, where=mine, **week))
    sections = (
        Section("Who forecasts what", member_lines(row)),
        Section("Features that moved most in a week, in standard deviations of 60 sessions", feature_lines(features)),
        Section("News of the week", tuple(headline(one) for one in news.head(10).iter_rows(named=True)) or NO_NEWS),
        Section("How its last forecasts turned out", track_record(data.matured, ticker)),
    )
    return Detail(
        f"{ticker}: why {formats.percent(row['point'], signed=True)} over {formats.counted(row['horizon'], 'session')}",
        sections,
        (fan(data.predictions, data.paths, ticker, data.session),),
        (prediction_link(row, session),),
        row["prediction_id"],
    )


def feature_lines(features: pl.DataFrame) -> tuple[Line, ...]:
    """The features that moved most in five sessions, in standard deviations of their last 60."""
    shifts = feature_shifts(features)
    if shifts is None:
        return (note("too little history", "dim"),)
    return tuple(
        (
            Cell(f"{name:<26}"),
            Cell(f"{before:>10.4f} → {now:>9.4f}   ", "dim"),
            Cell(f"{moved:+.1f} sd", "good" if moved > 0 else "bad"),
        )
        for moved, name, before, now in shifts
    )


NO_NEWS: tuple[Line, ...] = (note("none: the forecast rests on prices alone", "dim"),)


def headline(row: Row) -> Line:
    """An article in a line: when, how it was read, what it says."""
    score = row["score"]
    style: Any = "dim" if score is None else "good" if score > 0 else "bad" if score < 0 else ""
    text = "  ?  " if score is None else f"{score:+.2f}"
    return Cell(f"{row['published_at']:%b %d %H:%M}  ", "dim"), Cell(f"{text:>6}  ", style), note(row["title"])[0]


def track_record(matured: pl.DataFrame, ticker: str, max_rows: int = 8) -> tuple[Line, ...]:
    """The ticker's last matured forecasts beside what happened."""
    if matured.is_empty():
        return (note("none has matured yet", "dim"),)
    mine = matured.filter(pl.col("ticker") == ticker).head(max_rows)
    return tuple(
        (
            Cell(f"{row['made_session']}  {formats.counted(row['horizon'], 'session'):<12}", "dim"),
            Cell(f"forecast {formats.percent(row['point'], signed=True):>9}  realised "),
            Cell(f"{formats.percent(row['realised'], signed=True):>9}  "),
            Cell("✓ inside 80 %", "good") if row["inside_80"] else Cell("✗ outside 80 %", "warn"),
        )
        for row in mine.iter_rows(named=True)
    ) or (note("none has matured lately", "dim"),)


def _band(value: Any) -> str:
    if value is None:
        return formats.MISSING
    low, high = value["q10"], value["q90"]
    return f"{formats.percent(low, 1, signed=True)} to {formats.percent(high, 1, signed=True)}"


def _spark(values: Any) -> Cell:
    return Cell(formats.sparkline(list(values), SPARK) if values is not None else "", "dim")


def _strange(value: float | None) -> Cell:
    return Cell("–", "dim") if value is None else Cell(formats.percent(value, 0), "warn" if value >= STRANGE else "")


def _inside(value: bool | None) -> Cell:
    return Cell("–", "dim") if value is None else Cell("✓", "good") if value else Cell("✗", "warn")


COLS = (
    Col("ticker", "ticker"),
    Col("close", "reference_close", formats.money, right=True, rank=2),
    Col("expected", "point", PERCENT, right=True),
    Col("range", "interval", interval_bar, sort="width", drawn=True, legend="─ 80 % ━ 50 % ● expected"),
    Col("80 % interval", "band", _band, right=True, sort="width", rank=2),
    Col("up", "probability_up", lambda value: formats.percent(value, 0), right=True, rank=1),
    Col("agree", "confidence", lambda value: formats.percent(value, 0), right=True, rank=7),
    Col("strange", "strangeness", _strange, right=True, rank=1),
    Col("spread", "spread", lambda value: formats.percent(value), right=True, rank=4),
    Col("naive", "naive", lambda value: formats.percent(value, signed=True), right=True, rank=5),
    Col("16 sessions", "closes", _spark, rank=3, sort="point"),
    Col("by", "role", dim, rank=6),
)
SILENT_COLS = (Col("ticker", "ticker"), Col("status", "status"), Col("why", "reason", max_width=100))
MATURED_COLS = (
    Col("scored", "session"),
    Col("made", "made_session", rank=2),
    Col("ticker", "ticker"),
    Col("horizon", "horizon", right=True),
    Col("forecast", "point", PERCENT, right=True),
    Col("realised", "realised", PERCENT, right=True),
    Col("error", "absolute_error", formats.percent, right=True, rank=1),
    Col("naive error", "naive_absolute_error", formats.percent, right=True, rank=3),
    Col("50 %", "inside_50", _inside, rank=4),
    Col("80 %", "inside_80", _inside),
    Col("90 %", "inside_90", _inside, rank=4),
    Col("by", "role", dim, rank=5),
)

SILENT: SheetSpec[PredictionsData] = SheetSpec(
    "not forecast",
    lambda data: data.silent,
    SILENT_COLS,
    ("ticker",),
    "ticker",
    lambda data: (
        "Every ticker that was due was forecast." if data.predictions.height else "Nothing was due to be forecast yet."
    ),
    notes=lambda _, row: (fact("ticker", row["ticker"]), fact("status", row["status"], "warn"), note(row["reason"])),
)
MATURED: SheetSpec[PredictionsData] = SheetSpec(
    "matured",
    lambda data: data.matured,
    MATURED_COLS,
    ("prediction_id",),
    "forecast",
    "No forecast has matured lately.",
    notes=lambda _, row: matured_notes(row),
    detail=lambda view, _, row: matured_detail(view, row),
    origin=lambda row: prediction_link(row, row["made_session"]),
)
