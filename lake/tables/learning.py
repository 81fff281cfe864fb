"""What is believed of the forecasts' errors, tested, and acted on beside a control arm."""

import polars as pl

from lake.contract import Column, Table
from lake.tables.feedback import SCOPE, SLICE
from lake.tables.vocabulary import HORIZON, SESSION, count, day, flag, number, text

KIND = Column(
    pl.String(),
    "name",
    "what is asked of the slice: bias, whether it errs to one side; width, whether intervals are too narrow or wide;"
    " exclusion, whether it is worse than the naive forecast; weight and a member, whether that one is better alone",
    pattern="bias|width|exclusion|weight [a-z][a-z0-9_]*",
)

HYPOTHESES = Table(
    name="hypotheses",
    domain="feedback",
    doc="Every hypothesis on forecasts' errors: registered before it is tested, looked at as planned, kept or dropped.",
    key=("hypothesis_id", "session"),
    mode="append",
    owner="hypotheses",
    clock="session",
    columns={
        "hypothesis_id": text(
            "kind (but for a bias), scope, slice, horizon, and the session it was registered at",
            unit="id",
            max_length=160,
        ),
        "session": Column(pl.Date(), "exchange date", "the session of this step").refer_to(
            "prediction_accuracy.session"
        ),
        "kind": KIND,
        "registered": day("when it was registered: scores from this session on test it, earlier ones never"),
        "scope": SCOPE,
        "slice": SLICE,
        "horizon": HORIZON,
        "status": Column(
            pl.String(),
            "name",
            "registered; looked at and still open; confirmed: acted on; dropped at its last look; ended: a confirmed"
            " one that no longer holds",
            pattern="registered|looked|confirmed|dropped|ended",
        ),
        "statement": text("what is believed", max_length=300),
        "reason": text("why it was proposed", max_length=300),
        "criterion": text("when it is confirmed and when it is dropped, as written down beforehand", max_length=300),
        "family": text("the hypotheses that share a false discovery rate", unit="name", max_length=20),
        "number": count("place", "1 for the family's first hypothesis ever"),
        "level": number("probability", "of calling it true by chance, granted when it was registered"),
        "looks": Column(pl.List(pl.Int64()), "sessions", "after how many scored sessions it is looked at"),
        "scored": count("sessions", "scored sessions since it was registered"),
        "mean_error": number(
            "fraction",
            "mean of realised less unadjusted forecast over these; by kind, see slice_lessons",
            nullable=True,
        ),
        "standard_error": number("fraction", "its standard error", nullable=True),
        "p_value": number(
            "probability", "of a mean this far out by chance; each look has a third of the level", nullable=True
        ),
    },
)

SLICE_LESSONS = Table(
    name="slice_lessons",
    domain="feedback",
    doc="Which forecasts get other intervals, another member's say, or the naive forecast, and what that gains.",
    key=("session", "kind", "scope", "slice", "horizon"),
    mode="merge",
    owner="slice_lessons",
    clock="session",
    columns={
        "session": SESSION.refer_to("prediction_accuracy.session"),
        "kind": KIND,
        "scope": SCOPE,
        "slice": SLICE,
        "horizon": HORIZON.refer_to("prediction_accuracy.horizon"),
        "mean_error": number(
            "see kind",
            "width: by how much the mean outcome, in half-widths of the 90 % interval, lies beyond that of what the"
            " slice is part of; exclusion and weight: mean loss beyond the naive forecast's or the member's, in sigma",
        ),
        "standard_error": number("see kind", "its standard error, overlap allowed for"),
        "t": number("ratio", "mean over standard error"),
        "p_value": number("probability", "of a mean this far out by chance; one-sided but for widths"),
        "level": number("probability", "what each look at the hypothesis was granted when it was registered"),
        "n": count("forecasts", "forecasts tested"),
        "active": flag("it is acted on: the next forecasts of the slice are other ones, the control arm's apart"),
        "size": number(
            "factor or share",
            "width: the factor on intervals; exclusion: 1; weight: what of the forecast becomes the member's. 1 or 0,"
            " which change nothing, unless active",
        ),
        "hypothesis_id": text("the hypothesis that was registered", unit="id", max_length=160).refer_to(
            "hypotheses.hypothesis_id"
        ),
        "insight_id": text("the lesson, while active", unit="id", nullable=True, max_length=160),
        "arm": Column(
            pl.String(),
            "name",
            "whom the lesson leaves alone, to be measured against: half of the tickers (and a part of their hash), half"
            " of the weeks, or nobody",
            nullable=True,
            pattern=r"ticker \d+|week|all",
        ),
        "adjusted_n": count("forecasts", "scored forecasts that were made with the lesson"),
        "adjusted_error": number("see kind", "mean over those, with the lesson", nullable=True),
        "unadjusted_error": number("see kind", "the same of the control arm", nullable=True),
        "control_n": count("forecasts", "scored forecasts of the control arm", nullable=True),
        "gain": number(
            "pinball loss / sigma", "by how much the adjusted arm's loss lies below the control arm's", nullable=True
        ),
        "gain_low": number("pinball loss / sigma", "lower end of its interval: 95 % over all looks", nullable=True),
        "gain_high": number("pinball loss / sigma", "upper end", nullable=True),
    },
)
