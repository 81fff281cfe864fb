"""How good the forecasts were, what follows from that, and whether acting on it helped."""

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.predictions import PREDICTION_ID
from lake.tables.vocabulary import HORIZON, MODEL_ID, SESSION, TICKER, count, day, flag, number, text

SCOPE = Column(pl.String(), "name", "what the slice is cut by", pattern="all|sector|ticker|model|regime|trait|pair")
SLICE = text(
    "the slice: a sector, a ticker, a model, traits as forecasts name them, or 'all'", unit="name", max_length=80
)

PREDICTION_ACCURACY = Table(
    name="prediction_accuracy",
    domain="feedback",
    doc="A matured forecast with its outcome and the naive forecast's error; scored once.",
    key=("prediction_id",),
    mode="append",
    owner="validate",
    clock="session",
    columns={
        "prediction_id": PREDICTION_ID.refer_to("predictions.prediction_id"),
        "session": Column(pl.Date(), "exchange date", "the session at whose close it was scored"),
        "made_session": day("the session it was made at").refer_to("market_prices.session"),
        "target_session": day("the session it was for").refer_to("market_prices.session"),
        "ticker": TICKER.refer_to("market_prices.ticker"),
        "sector": text("sector as known when scored", unit="name", max_length=60),
        "horizon": HORIZON,
        "model_id": MODEL_ID,
        "role": text("champion, shadow or naive, as forecast", unit="name", max_length=20),
        "point": number("fraction", "the forecast"),
        "realised": number("fraction", "total return from the reference close to the target close"),
        "error": number("fraction", "realised less forecast"),
        "absolute_error": number("fraction", "size of the error"),
        "naive_absolute_error": number("fraction", "size of the error of the naive forecast"),
        "pinball": number("fraction", "mean pinball loss over the stated quantiles"),
        "naive_pinball": number("fraction", "the same for the naive member's quantiles"),
        "pinball_without": number(
            "fraction", "the same had no lesson on widths or members acted; null where none did", nullable=True
        ),
        "member_pinball": Column(
            pl.List(pl.Struct({"member": pl.String(), "pinball": pl.Float64()})),
            "fraction",
            "the same for each other member's quantiles; null in earlier programs' rows",
            nullable=True,
        ),
        "crps": number(
            "fraction",
            "continuous ranked probability score: twice the pinball loss, integrated over the stated quantiles; null in"
            " earlier programs' rows",
            nullable=True,
        ),
        "naive_crps": number("fraction", "the same for the naive member's quantiles", nullable=True),
        "winkler": number(
            "fraction", "Winkler's score of the 90 % interval: its width, and twenty times the miss", nullable=True
        ),
        "naive_winkler": number("fraction", "the same for the naive member's interval", nullable=True),
        "sigma": number("fraction", "the forecast's own standard deviation, for scaling"),
        "inside_50": flag("realised within the 50 % interval"),
        "inside_80": flag("realised within the 80 % interval"),
        "inside_90": flag("realised within the 90 % interval"),
        "direction_hit": flag("sign of forecast and outcome agree; null where either is 0", nullable=True),
        "interval_scale": number("factor", "the interval scale that was applied"),
        "needed_scale": number(
            "factor",
            "the interval scale that would just have put realised on the edge of the 90 % interval",
            nullable=True,
        ),
        "needed_without": number(
            "factor",
            "the same of the interval without lessons on widths or members; null where none acted",
            nullable=True,
        ),
        "bias_adjustment": number("fraction", "the bias adjustment that was applied, as subtracted"),
        "lessons": Column(pl.List(pl.String()), "ids", "the insights whose lessons it used", nullable=True),
        "traits": Column(
            pl.List(pl.String()), "kind:value", "what the forecast is like, as it says itself", nullable=True
        ),
    },
    rules={
        "scored when it has matured": Rule(pl.col("target_session") <= pl.col("session"), "wait for the target session")
    },
)

FEATURE_DRIFT = Table(
    name="feature_drift",
    domain="feedback",
    doc="How far each input of the champion lies, over the last month, from where it lay in the training rows.",
    key=("session", "model_id", "feature"),
    mode="append",
    owner="feature_drift",
    clock="session",
    columns={
        "session": SESSION.refer_to("feature_rows.session"),
        "model_id": MODEL_ID.refer_to("model_registry.model_id"),
        "feature": text("the input", unit="name", max_length=63),
        "n": count("rows", "values of members over the last 20 sessions"),
        "stability": number("nats", "population stability index over the tenths of the training rows", nullable=True),
        "gap": number("share", "largest difference of the two cumulative distributions", nullable=True),
        "usual_gap": number(
            "share", "the same of a usual month of the training rows and all others (geometric mean)", nullable=True
        ),
        "p": number("probability", "of a gap as large if this month were one like those of training", nullable=True),
        "false_discovery_rate": number(
            "share", "of drifts found at this p among all inputs (Benjamini and Yekutieli 2001)", nullable=True
        ),
        "verdict": Column(
            pl.String(),
            "name",
            "drifted: unlike the training rows and by much; moved: unlike, but little; too few: rows or months",
            pattern="drifted|moved|steady|too few",
        ),
    },
)

SCALE_EDGES = tuple(2.0 ** (step / 12) for step in range(-36, 37))
"""Edges of the histogram of needed scales: from 1/8 to 8 in twelfths of a doubling (6 % each)."""

VALIDATION_EVENTS = Table(
    name="validation_events",
    domain="feedback",
    doc="What became of each forecast that matured: scored, waiting for a bar, or void, and why.",
    key=("prediction_id", "event"),
    mode="append",
    owner="validation_events",
    clock="session",
    columns={
        "prediction_id": PREDICTION_ID.refer_to("predictions.prediction_id"),
        "session": SESSION,
        "ticker": TICKER,
        "horizon": HORIZON,
        "target_session": day("the session it was for"),
        "event": Column(pl.String(), "name", "what happened", pattern="scored|waiting|void"),
        "reason": text("the same as a sentence", max_length=300),
    },
)

SESSION_SCORES = Table(
    name="session_scores",
    domain="feedback",
    doc="A session's new scores as sums, from which trailing figures are computed; no forecast is read twice.",
    key=("session", "target_session", "scope", "slice", "horizon", "model_id"),
    mode="append",
    owner="session_scores",
    clock="session",
    columns={
        "session": Column(pl.Date(), "exchange date", "the session at whose close they were scored").refer_to(
            "prediction_accuracy.session"
        ),
        "target_session": day("the session they were for; earlier than `session` where a bar came late").refer_to(
            "prediction_accuracy.target_session"
        ),
        "scope": SCOPE,
        "slice": SLICE,
        "horizon": HORIZON.refer_to("prediction_accuracy.horizon"),
        "model_id": MODEL_ID.refer_to("prediction_accuracy.model_id"),
        "role": text("champion, shadow or naive, as forecast", unit="name", max_length=20),
        "n": count("forecasts", "forecasts scored"),
        "ic": number("correlation", "rank correlation of forecast and outcome", nullable=True),
        "error": number("fraction", "sum of realised less forecast"),
        "squared_error": number("fraction squared", "sum of its squares"),
        "absolute_error": number("fraction", "sum of the errors' sizes"),
        "naive_absolute_error": number("fraction", "the same for the naive forecast"),
        "pinball": number("fraction", "sum of the pinball losses"),
        "naive_pinball": number("fraction", "the same for the naive forecast"),
        "crps": number("fraction", "sum of the continuous ranked probability scores; 0 where not told", nullable=True),
        "naive_crps": number("fraction", "the same for the naive forecast", nullable=True),
        "winkler": number("fraction", "sum of Winkler's scores of the 90 % intervals; 0 where not told", nullable=True),
        "naive_winkler": number("fraction", "the same for the naive forecast", nullable=True),
        "realised": number("fraction", "sum of the outcomes"),
        "hits": count("forecasts", "forecasts with the outcome's sign"),
        "directions": count("forecasts", "forecasts whose sign can be judged"),
        "inside_50": count("forecasts", "outcomes within the 50 % interval"),
        "inside_80": count("forecasts", "outcomes within the 80 % interval"),
        "inside_90": count("forecasts", "outcomes within the 90 % interval"),
        "scale_histogram": Column(
            pl.List(pl.Int64()),
            "forecasts",
            "histogram of the interval scale needed: counts below, between and above the SCALE_EDGES",
        ),
    },
    rules={"something was scored": Rule(pl.col("n") > 0, "leave out what is empty")},
)

FEEDBACK_METRICS = Table(
    name="feedback_metrics",
    domain="feedback",
    doc="Measured quality over a trailing window, each figure with its interval, baseline and effective sample.",
    key=("session", "scope", "slice", "horizon", "metric"),
    mode="merge",
    owner="metrics",
    clock="session",
    columns={
        "session": SESSION.refer_to("session_scores.session"),
        "scope": SCOPE.refer_to("session_scores.scope"),
        "slice": SLICE.refer_to("session_scores.slice"),
        "horizon": HORIZON.refer_to("session_scores.horizon"),
        "metric": Column(
            pl.String(),
            "name",
            "which figure, as pipeline/feedback/metrics.py declares it",
            pattern=r"[a-z][a-z0-9_]*",
        ),
        "value": number("see metric", "the estimate"),
        "low": number("see metric", "lower end of its 95 % interval", nullable=True),
        "high": number("see metric", "upper end of its 95 % interval", nullable=True),
        "baseline": number("see metric", "what the naive forecast or the stated level gives"),
        "n": count("forecasts", "forecasts in the window"),
        "n_effective": number("forecasts", "the same, corrected for overlap and common moves"),
        "verdict": Column(
            pl.String(),
            "name",
            "what the interval supports",
            pattern="skill|no skill|worse|calibrated|too narrow|too wide|biased|unbiased|too few|learned",
        ),
    },
)

SHADOW_SCORES = Table(
    name="shadow_scores",
    domain="feedback",
    doc="What a challenger would have lost as champion, on live forecasts of the same tickers and sessions.",
    key=("session", "model_id", "horizon"),
    mode="merge",
    owner="shadow_scores",
    clock="session",
    columns={
        "session": SESSION.refer_to("session_scores.session"),
        "model_id": MODEL_ID.refer_to("model_registry.model_id", "session_scores.model_id"),
        "against": text("the model that decides, which it is compared with", unit="id", max_length=80).refer_to(
            "session_scores.model_id"
        ),
        "horizon": HORIZON.refer_to("session_scores.horizon"),
        "n": count("forecasts", "forecasts of each"),
        "sessions": count("sessions", "target sessions for which both forecast as many tickers"),
        "loss": number("fraction", "mean over sessions of its mean pinball loss"),
        "champion_loss": number("fraction", "the same of the model that decides"),
        "gain": number("share", "by how much of that loss its own lies below"),
        "gain_low": number("share", "lower end of the 95 % interval, by a block bootstrap", nullable=True),
        "gain_high": number("share", "upper end", nullable=True),
        "dm_statistic": number(
            "ratio", "Diebold and Mariano's, with the small-sample correction; above 0 it lost less", nullable=True
        ),
        "dm_p": number("probability", "two-sided, of so large a difference by chance", nullable=True),
        "ic": number("correlation", "mean rank correlation of its forecasts and outcomes", nullable=True),
        "champion_ic": number("correlation", "the same of the model that decides", nullable=True),
        "verdict": Column(
            pl.String(),
            "name",
            "better or worse: both the test and the interval exclude that they are alike",
            pattern="better|worse|no difference|too few",
        ),
    },
    rules={"something was scored": Rule(pl.col("sessions") > 0, "leave out what is empty")},
)

BIAS_FLAGS = Table(
    name="bias_flags",
    domain="feedback",
    doc="Where forecasts are biased more than chance allows, and by how much the next ones are adjusted.",
    key=("session", "scope", "slice", "horizon"),
    mode="merge",
    owner="bias",
    clock="session",
    columns={
        "session": SESSION.refer_to("prediction_accuracy.session"),
        "scope": SCOPE,
        "slice": SLICE,
        "horizon": HORIZON.refer_to("prediction_accuracy.horizon"),
        "mean_error": number(
            "fraction",
            "mean of realised less unadjusted forecast, drawn towards none by what is known beforehand "
            "(feedback.hypotheses.prior_sessions); a sector beyond all, a ticker beyond its sector",
        ),
        "standard_error": number("fraction", "its standard error, overlap and common moves allowed for"),
        "t": number("ratio", "mean error over standard error"),
        "p_value": number(
            "probability",
            "two-sided; where there is no level, adjusted for the number of slices tested",
        ),
        "level": number(
            "probability",
            "what each look at the hypothesis was granted when it was registered; null in earlier programs' rows",
            nullable=True,
        ),
        "n": count("forecasts", "forecasts tested"),
        "adjusted_n": count("forecasts", "scored forecasts that were made with this slice's adjustment"),
        "adjusted_error": number(
            "fraction",
            "mean of realised less forecast over those: what is left with the adjustment",
            nullable=True,
        ),
        "unadjusted_error": number(
            "fraction",
            "the same of the control arm, which was left alone; without one, the same had nothing been adjusted",
            nullable=True,
        ),
        "active": flag("significant: the next forecasts are adjusted"),
        "adjustment": number("fraction", "what the next forecasts add to their point; 0 unless active"),
        "hypothesis_id": text("the hypothesis that was registered", unit="id", nullable=True, max_length=160).refer_to(
            "hypotheses.hypothesis_id"
        ),
        "insight_id": text("the lesson that the adjustment is, while active", unit="id", nullable=True, max_length=160),
        "arm": Column(
            pl.String(),
            "name",
            "whom the lesson leaves alone, to be measured against: half of the tickers (and a part of their hash), half"
            " of the weeks, or nobody",
            nullable=True,
            pattern=r"ticker \d+|week|all",
        ),
        "control_n": count("forecasts", "scored forecasts of the control arm", nullable=True),
        "gain": number(
            "pinball loss / sigma", "by how much the adjusted arm's loss lies below the control arm's", nullable=True
        ),
        "gain_low": number("pinball loss / sigma", "lower end of its interval: 95 % over all looks", nullable=True),
        "gain_high": number("pinball loss / sigma", "upper end", nullable=True),
    },
)

RETRAIN_CANDIDATES = Table(
    name="retrain_candidates",
    domain="feedback",
    doc="Reasons to train again, each with its statistic and threshold.",
    key=("session", "model_id", "reason"),
    mode="merge",
    owner="retrain_candidates",
    clock="session",
    columns={
        "session": SESSION.refer_to("feedback_metrics.session"),
        "model_id": text("the champion in question, or 'none'", unit="id", max_length=80).refer_to(
            "model_registry.model_id"
        ),
        "reason": Column(
            pl.String(),
            "name",
            "what calls for training",
            pattern="no_model|age|skill_loss|coverage|bias|drift|excluded",
        ),
        "statistic": number("see reason", "what was measured"),
        "threshold": number("see reason", "the level it is compared with"),
        "due": flag("the statistic is beyond the threshold"),
        "evidence": text("the same as a sentence", max_length=500),
    },
)

LEARNING_INSIGHTS = Table(
    name="learning_insights",
    domain="feedback",
    doc="A hypothesis about the system's own errors and its life: opened on evidence, acted on, measured, retired.",
    key=("insight_id", "session"),
    mode="append",
    owner="insights",
    clock="session",
    columns={
        "insight_id": text(
            "what it is about: kind, scope, slice, horizon, and the session of its opening", unit="id", max_length=160
        ),
        "session": Column(pl.Date(), "exchange date", "the session of this step in its life").refer_to(
            "bias_flags.session", "feedback_metrics.session"
        ),
        "opened": day("when it was opened"),
        "kind": Column(
            pl.String(),
            "name",
            "what kind of error",
            pattern="bias|interval|skill|width|exclusion|weight [a-z][a-z0-9_]*",
        ),
        "scope": SCOPE.refer_to("bias_flags.scope", "feedback_metrics.scope"),
        "slice": SLICE.refer_to("bias_flags.slice", "feedback_metrics.slice"),
        "horizon": HORIZON.refer_to("bias_flags.horizon", "feedback_metrics.horizon"),
        "status": Column(pl.String(), "name", "its state after this step", pattern="open|acted|measured|retired"),
        "hypothesis": text("what is believed", max_length=500),
        "evidence": text("the figures behind it", max_length=1_000),
        "action": text("what was changed because of it", max_length=500),
        "before": number(
            "fraction",
            "the error before the action: mean error as a return, coverage of the 90 % interval less 0.9, pinball "
            "loss above the naive forecast's, or as slice_lessons has it, by kind",
        ),
        "after": number("fraction", "the same error since the action", nullable=True),
        "effect": Column(
            pl.String(),
            "name",
            "what the action did: on trial until it is known; expired where it ended before that. Pending stands in"
            " rows of earlier programs alone",
            pattern="pending|on trial|helped|no effect|hurt|expired",
        ),
        "n": count("forecasts", "forecasts measured since the action"),
        "hypothesis_id": text(
            "the registered hypothesis, of a bias", unit="id", nullable=True, max_length=160
        ).refer_to("hypotheses.hypothesis_id"),
        "control_n": count("forecasts", "forecasts of the control arm", nullable=True),
        "gain": number(
            "pinball loss / sigma",
            "by how much the loss of forecasts with it lies below the control arm's",
            nullable=True,
        ),
        "gain_low": number("pinball loss / sigma", "lower end of its interval: 95 % over all looks", nullable=True),
        "gain_high": number("pinball loss / sigma", "upper end", nullable=True),
        "readers": text("who has read it so far: which stage, how many forecasts", nullable=True, max_length=300),
    },
)
