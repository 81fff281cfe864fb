"""Trained ensembles with all that is needed to use, evaluate and repeat them, and which is champion."""

import polars as pl

from lake.contract import Column, Table
from lake.tables.features import FEATURE_SET
from lake.tables.vocabulary import MODEL_ID, SESSION, count, day, flag, instant, number, text

MEMBER = Column(pl.String(), "name", "a member of the ensemble", pattern=r"[a-z][a-z0-9_]*", max_length=40)

TARGET = text("whom it is for: sector=NAME, ticker=ABC or group=ABC,DEF", unit="name", max_length=4_200)

MODEL_REGISTRY = Table(
    name="model_registry",
    domain="models",
    doc="One member of a trained ensemble: weights as bytes, what they were fitted on, and how they did out of sample.",
    key=("model_id", "member"),
    mode="append",
    owner="train",
    clock="session",
    diffuse=True,
    columns={
        "model_id": MODEL_ID,
        "member": MEMBER,
        "session": Column(pl.Date(), "exchange date", "the session at whose close it was trained"),
        "feature_set": FEATURE_SET,
        "features": Column(pl.List(pl.String()), "names", "input features in their order"),
        "window": count("sessions", "length of the input window"),
        "horizons": Column(pl.List(pl.Int32()), "sessions", "the horizons it forecasts, in their order"),
        "quantiles": Column(pl.List(pl.Float64()), "probability", "the quantiles it forecasts, in their order"),
        "ensemble_weights": Column(pl.List(pl.Float64()), "share", "the member's weight at each horizon"),
        "location_weights": Column(
            pl.List(pl.Float64()),
            "share",
            "the weight of the member's median at each horizon, which decides the ranking; `ensemble_weights` then"
            " decide the width around it alone; null where those count for both",
            nullable=True,
        ),
        "weights": Column(pl.Binary(), "safetensors", "fitted parameters and the scaler"),
        "weights_sha256": Column(pl.String(), "sha256", "hash of `weights`", pattern=r"[0-9a-f]{64}"),
        "config": text("hyper-parameters", unit="JSON", max_length=100_000),
        "metrics": text("out-of-sample figures per fold and horizon", unit="JSON", max_length=1_000_000),
        "train_first": day("first session of the training rows").refer_to("feature_rows.session", until="train_last"),
        "train_last": day("last session of the training rows; their labels end no later than `session`"),
        "rows_train": count("windows", "training examples"),
        "purge": count("sessions", "sessions dropped before each test block so that no label overlaps it"),
        "embargo": count("sessions", "further sessions dropped"),
        "seed": count("seed", "random seed of the fit"),
        "profile": Column(
            pl.List(
                pl.Struct(
                    {
                        "feature": pl.String(),
                        "quantiles": pl.List(pl.Float64()),
                        "below": pl.List(pl.Float64()),
                        "gap_mean": pl.Float64(),
                        "gap_deviation": pl.Float64(),
                        "stretches": pl.Float64(),
                    }
                )
            ),
            "see the feature",
            "how each input lay in the training rows: quantiles, the share of rows at or below each, and how far a"
            " month of them lay from the others (mean and deviation of ln gap, independent months); null where it was"
            " not kept",
            nullable=True,
        ),
        "distances": Column(
            pl.List(pl.Float64()),
            "deviations",
            "quantiles of the training rows' distance from their middle, by which new rows are called strange; null"
            " where they were not kept",
            nullable=True,
        ),
        "parent": text("the champion when it was trained", unit="model_id", nullable=True, max_length=80),
        "input_versions": Column(
            pl.String(),
            "JSON",
            "versions of the tables it was trained from; those of the branch where it was brought over from one",
            provenance=True,
        ),
        "merge_id": Column(
            pl.String(),
            "id",
            "the merge that brought it over from a branch; null where it was trained here",
            nullable=True,
            max_length=80,
            first_counts=True,
        ).refer_to("branch_merges.merge_id"),
    },
)

TRAINING_ATTEMPTS = Table(
    name="training_attempts",
    domain="models",
    doc="Each training that was begun and what came of it: the model, or what was lacking.",
    key=("session",),
    mode="append",
    owner="training_attempts",
    clock="session",
    columns={
        "session": SESSION.refer_to("feature_rows.session"),
        "outcome": Column(
            pl.String(),
            "name",
            "what came of it; enough is what nothing was registered for though nothing was lacking",
            pattern="registered|short_history|few_windows|still_prices|enough",
        ),
        "model_id": text("the model that it registered", unit="model_id", nullable=True, max_length=80).refer_to(
            "model_registry.model_id"
        ),
        "labelled_sessions": count("sessions", "sessions of history whose outcomes are known"),
        "windows": count("windows", "labelled examples in them"),
        "lacking_sessions": count("sessions", "further sessions of history after which it is worth trying again"),
        "reason": text("the outcome as a sentence", max_length=500),
    },
)

TRAINING_PROGRESS = Table(
    name="training_progress",
    domain="models",
    doc="The passes of trainings as they come, each with its losses: what a training that runs now has come to.",
    key=("job", "at"),
    mode="append",
    owner="kernel",
    clock="at",
    root="a sign of life",
    published_by_run=False,
    columns={
        "job": Column(pl.String(), "hash", "of all that decides the training's weights", pattern=r"[0-9a-f]{16}"),
        "at": instant("when the pass was done"),
        "cycle_id": text("the work that it is part of", unit="id", max_length=120),
        "session": Column(pl.Date(), "exchange date", "the session at whose close it trains"),
        "fit": text("which of its fits: one for each fold, then the final one", unit="name", max_length=60),
        "part": text("what is fitted: a member, or a network of one", unit="name", max_length=80),
        "pass": count("passes", "passes done, this one among them; 1 of what takes no passes"),
        "passes": count("passes", "passes at most"),
        "loss": number(
            "sigma", "mean loss on the rows it learned from, before each step; null if unmeasured", nullable=True
        ),
        "held_loss": number("sigma", "loss on held-back rows after it; null where none are held back", nullable=True),
        "best": flag("no earlier pass did better on held-back rows"),
    },
)

CERTIFICATES = Table(
    name="determinism_certificates",
    domain="models",
    doc="The same training done twice in fresh processes: whether its weights were equal to the bit, and on what.",
    key=("at", "member"),
    mode="append",
    owner="kernel",
    clock="at",
    root="a measurement",
    published_by_run=False,
    columns={
        "at": instant("when the second training was done"),
        "session": Column(pl.Date(), "exchange date", "the session at whose close was trained"),
        "member": MEMBER,
        "first_sha256": Column(pl.String(), "sha256", "of the weights in the first process", pattern=r"[0-9a-f]{64}"),
        "second_sha256": Column(pl.String(), "sha256", "of the weights in the second", pattern=r"[0-9a-f]{64}"),
        "equal": flag("both are the same"),
        "registered_sha256": Column(
            pl.String(),
            "sha256",
            "of the weights that are registered for that session and these settings; null where none are",
            nullable=True,
            pattern=r"[0-9a-f]{64}",
        ),
        "libraries": text("library -> version", unit="JSON", max_length=4_000),
        "cpu": text("the processor and its instruction sets", unit="name", max_length=1_000),
        "seconds": number("seconds", "both trainings took together"),
    },
)

SPECIALISTS = Table(
    name="specialists",
    domain="models",
    doc="One member of what the champion was tuned to for some names: a challenger for these alone.",
    key=("specialist_id", "member"),
    mode="append",
    owner="train_target",
    clock="session",
    diffuse=True,
    columns={
        "specialist_id": Column(pl.String(), "id", "what was tuned, a row for each member", max_length=80),
        "member": MEMBER,
        "session": Column(pl.Date(), "exchange date", "the session at whose close it was tuned"),
        "target": TARGET,
        "champion": MODEL_ID.refer_to("model_registry.model_id"),
        "feature_set": FEATURE_SET,
        "features": Column(pl.List(pl.String()), "names", "input features in their order, the champion's"),
        "window": count("sessions", "length of the input window"),
        "horizons": Column(pl.List(pl.Int32()), "sessions", "the horizons it forecasts, in their order"),
        "quantiles": Column(pl.List(pl.Float64()), "probability", "the quantiles it forecasts, in their order"),
        "ensemble_weights": Column(
            pl.List(pl.Float64()), "share", "the member's weight at each horizon, the champion's"
        ),
        "location_weights": Column(
            pl.List(pl.Float64()),
            "share",
            "the weight of the member's median at each horizon, by held-out rows of these names; null where medians are"
            " not weighed apart",
            nullable=True,
        ),
        "weights": Column(pl.Binary(), "safetensors", "fitted parameters and the scaler"),
        "weights_sha256": Column(pl.String(), "sha256", "hash of `weights`", pattern=r"[0-9a-f]{64}"),
        "config": text("hyper-parameters", unit="JSON", max_length=100_000),
        "metrics": text("out-of-sample figures of these names per fold and horizon", unit="JSON", max_length=1_000_000),
        "train_first": day("first session of its rows"),
        "train_last": day("last session of its rows; their labels end no later than `session`"),
        "rows_train": count("windows", "examples of these names"),
        "names": count("names", "companies among them"),
        "seed": count("seed", "random seed of the fit"),
        "input_versions": Column(pl.String(), "JSON", "versions of the tables it was trained from", provenance=True),
    },
)

TARGETED_TRAININGS = Table(
    name="targeted_trainings",
    domain="models",
    doc="Each training for some names and what came of it: whether a specialist speaks for them, or what was lacking.",
    key=("session", "target"),
    mode="append",
    owner="targeted_trainings",
    clock="session",
    columns={
        "session": SESSION,
        "target": TARGET,
        "outcome": Column(
            pl.String(),
            "name",
            "what came of it; enough is what nothing was registered for though nothing was lacking",
            pattern="registered|no_champion|short_history|few_windows|still_prices|enough",
        ),
        "specialist_id": text("what it registered", unit="id", nullable=True, max_length=80).refer_to(
            "specialists.specialist_id"
        ),
        "champion": text(
            "the champion it began as, with which it lapses", unit="model_id", nullable=True, max_length=80
        ),
        "windows": count("windows", "labelled examples of these names", nullable=True),
        "names": count("names", "companies among them", nullable=True),
        "speaks": flag("it forecasts these names in the champion's place"),
        "reason": text("the outcome as a sentence", max_length=500),
        "general_loss": number("pinball loss / sigma", "the general model's loss on the same rows", nullable=True),
        "specialist_loss": number("pinball loss / sigma", "its own, on test sessions of every fold", nullable=True),
        "naive_loss": number("pinball loss / sigma", "the naive forecast's", nullable=True),
        "gain": number("pinball loss / sigma", "the general model's loss less its own", nullable=True),
        "gain_error": number("pinball loss / sigma", "standard error of that over sessions", nullable=True),
        "asked_z": number("standard errors", "what it had to gain, after all that were tried", nullable=True),
        "sessions": count("sessions", "test sessions with its names", nullable=True),
    },
)

TRIALS = Table(
    name="trials",
    domain="models",
    doc="Everything that was tried on held-out sessions, what won and what did not: by it promotions are deflated.",
    key=("model_id", "candidate"),
    mode="append",
    owner="trials",
    clock="session",
    columns={
        "session": Column(pl.Date(), "exchange date", "the session at whose close it was tried"),
        "model_id": MODEL_ID.refer_to("model_registry.model_id", "specialists.specialist_id"),
        "candidate": text(
            "the ensemble, one of its members, a specialist, or a search point", unit="name", max_length=40
        ),
        "points": count("settings", "settings it chose among within its training spans, which saw no held-out session"),
        "first": day("first held-out session"),
        "last": day("last held-out session"),
        "sessions": count("sessions", "held-out sessions"),
        "gain": number("pinball loss / sigma", "mean loss of the naive forecast less the candidate's"),
        "sharpe": number("ratio", "that mean over its long-run standard deviation, per session"),
        "skewness": number("ratio", "of the sessions' differences"),
        "kurtosis": number("ratio", "of the sessions' differences; 3 for normal ones"),
        "settings": text(
            "of a search point: what it set, on which share of the windows it was tried last, its score; its sessions"
            " lie before every test block, so it does not deflate. Null for what was tried on held-out sessions",
            unit="JSON",
            nullable=True,
        ),
        "days": Column(pl.List(pl.Date()), "dates", "the held-out sessions"),
        "advantages": Column(
            pl.List(pl.Float64()), "pinball loss / sigma", "the naive forecast's loss less the candidate's on each"
        ),
    },
)

MODEL_PROMOTIONS = Table(
    name="model_promotions",
    domain="models",
    doc="Each decision on the champion, with the comparison that it is based on.",
    key=("session", "model_id"),
    mode="append",
    owner="promote",
    clock="session",
    columns={
        "session": SESSION.refer_to("model_choices.session"),
        "model_id": MODEL_ID.refer_to("model_registry.model_id"),
        "promoted": flag("the challenger became champion"),
        "champion": text(
            "the champion after this decision; null where no model has earned it",
            unit="model_id",
            nullable=True,
            max_length=80,
        ),
        "previous": text("the champion before", unit="model_id", nullable=True, max_length=80),
        "reason": text("the decision as a sentence", max_length=500),
        "challenger_loss": number("pinball loss / sigma", "challenger's loss on the common test sessions"),
        "champion_loss": number("pinball loss / sigma", "champion's loss on the same rows", nullable=True),
        "naive_loss": number("pinball loss / sigma", "the naive forecast's loss on the same rows"),
        "gain_over_naive": number("fraction", "1 - challenger loss / naive loss"),
        "gain_error": number("fraction", "standard error of that gain over sessions"),
        "sessions": count("sessions", "test sessions compared"),
        "trials": count("candidates", "candidates ever tried on held-out sessions, up to this decision", nullable=True),
        "deflated_sharpe": number(
            "probability",
            "that its advantage over the naive forecast is real, given that the best of so many was taken (Bailey and"
            " Lopez de Prado 2014)",
            nullable=True,
        ),
        "overfitting": number(
            "probability",
            "that the best candidate in one half of the test sessions is below the middle in the other (combinatorially"
            " symmetric cross-validation, Bailey et al. 2017)",
            nullable=True,
        ),
        "min_sessions": number(
            "sessions", "test sessions below which the best of so many without skill looks as good", nullable=True
        ),
        "dm_statistic": number(
            "ratio", "of Diebold and Mariano, champion's loss less challenger's on the same sessions", nullable=True
        ),
        "dm_p": number("probability", "of a statistic this far out if both were equally good", nullable=True),
        "champion_gain_low": number(
            "pinball loss / sigma", "champion's loss less challenger's: lower end, by a block bootstrap", nullable=True
        ),
        "champion_gain_high": number("pinball loss / sigma", "upper end of its 95 % interval", nullable=True),
    },
)
