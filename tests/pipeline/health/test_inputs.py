"""Health tells of forecasts that rest on strange inputs, and of inputs that drifted away from training."""

from __future__ import annotations

import polars as pl

from lake.tables.feedback import FEATURE_DRIFT
from pipeline.health.inputs import check_drift, check_strangeness
from pipeline.health.params import HealthParams
from tests.frames.market import DAY, moment

PARAMS = HealthParams()


def forecasts(*strangeness: float | None) -> pl.DataFrame:
    rows = [
        {"session": DAY, "ticker": f"T{number}", "horizon": horizon, "role": "champion", "strangeness": value}
        for number, value in enumerate(strangeness)
        for horizon in (1, 5)
    ]
    return pl.DataFrame(rows, schema_overrides={"strangeness": pl.Float64})


def drift(**verdicts: str) -> pl.DataFrame:
    rows = [{"feature": name, "verdict": verdict, "stability": 0.3} for name, verdict in verdicts.items()]
    return pl.DataFrame(rows, schema={name: FEATURE_DRIFT.schema[name] for name in ("feature", "verdict", "stability")})


def test_many_strange_forecasts_are_told_with_the_strangest() -> None:
    (fine,) = check_strangeness(forecasts(0.2, 0.98, *[0.5] * 8, 0.99), moment(), PARAMS)
    assert (fine.status, fine.value) == ("ok", 1 / 11)
    (bad,) = check_strangeness(forecasts(0.2, 0.99, 1.0, 0.5), moment(), PARAMS)
    assert (bad.status, bad.value, bad.limit) == ("warn", 0.5, 0.10)
    assert bad.message.startswith("2 of 4 forecasts rest on inputs unlike the training rows, the first is T2; the")


def test_of_a_model_that_kept_no_profile_it_is_told_that_nobody_knows_and_of_naive_forecasts_nothing() -> None:
    (unknown,) = check_strangeness(forecasts(None, None), moment(), PARAMS)
    assert (unknown.status, unknown.value) == ("ok", None)
    assert unknown.message.startswith("not known: the model was trained before")
    naive = forecasts(None, None).with_columns(role=pl.lit("naive"))
    assert check_strangeness(naive, moment(), PARAMS) == []
    assert check_strangeness(forecasts(1.0), moment(), HealthParams(max_strange=1.0)) == []
    assert check_drift(drift(), PARAMS) == []
    assert check_drift(drift(beta_60="too few"), PARAMS) == []


def test_inputs_that_drifted_are_told_by_name() -> None:
    (fine,) = check_drift(drift(a="steady", b="moved", c="too few"), PARAMS)
    assert (fine.status, fine.value) == ("ok", 0.0)
    (bad,) = check_drift(drift(a="steady", b="drifted", c="steady"), PARAMS)
    assert bad.status == "warn"
    assert bad.message == "1 of 3 inputs drifted from training (33 %): b 0.30; `nextgen train` learns from newer rows"
