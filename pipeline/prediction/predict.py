"""Forecast total returns: the champion's ensemble, corrected by what feedback has taught, within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from itertools import chain

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.tables.features import FEATURE_ROWS, FEATURE_WINDOWS
from lake.tables.feedback import BIAS_FLAGS, FEEDBACK_METRICS
from lake.tables.learning import SLICE_LESSONS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, SPECIALISTS, TARGETED_TRAININGS
from lake.tables.predictions import PREDICTIONS, QUANTILE_COLUMNS, QUANTILES, TICKER_PRIORITIES
from lake.tables.trading import STRATEGIC_PRIORITIES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import F1, contains
from pipeline.features.params import MAX_WINDOW
from pipeline.features.tensors import window_tensor
from pipeline.market.securities.following import Securities
from pipeline.market.securities.lessons import follow_slices
from pipeline.market.sessions import Sessions
from pipeline.models import scaling
from pipeline.models.inference import daily_sigma, forecast_members
from pipeline.models.members import MEMBERS, list_members, naive
from pipeline.models.members.member import Member
from pipeline.models.profile.registry_columns import find_profile
from pipeline.models.registry import Ensemble, find_champion, find_naive_shape, load_members
from pipeline.models.targets.specialists import Specialist, load_specialists, share_out
from pipeline.prediction.corrections import Circumstances, CorrectedForecast, RawForecast, correct
from pipeline.prediction.forecast_limits import MEDIAN, name_bounds
from pipeline.prediction.params import PredictionParams
from pipeline.prediction.quantiles import probability_up
from pipeline.prediction.shadows import SHADOW, load_shadows
from pipeline.prediction.strangeness import COLUMNS, add_strangeness

Floats = NDArray[np.float64]
NEWS = "news_count_1"
"""The feature that counts a ticker's articles of the session."""


def predict(
    feature_windows: pl.DataFrame,
    feature_rows: pl.DataFrame,
    ticker_priorities: pl.DataFrame,
    market_prices: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    bias_flags: pl.DataFrame,
    slice_lessons: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    strategic_priorities: pl.DataFrame,
    specialists: pl.DataFrame,
    targeted_trainings: pl.DataFrame,
    moment: Moment,
    params: PredictionParams,
) -> pl.DataFrame:
    """Forecast every selected ticker that has a usable window and a bar at the session; no other gets a row.

    Challengers forecast beside the champion, corrected as he is: what they would say in his place. Where he was tuned
    for a ticker, those weights speak for it. Without a champion for the current feature set the naive forecast is
    stated as what it is. For `moment.session` only (ignores `since`).
    """
    selected = ticker_priorities.filter((pl.col("session") == moment.session) & pl.col("selected"))
    windows = feature_windows.filter(pl.col("session") == moment.session)
    windows = windows.join(selected, on="ticker", how="semi", maintain_order="left")
    if windows.is_empty():
        return PREDICTIONS.empty()
    kinds = list_members(moment.extensions.members)
    forecast = partial(
        predict_batch,
        windows["features_id"][-1],
        feature_windows=windows,
        feature_rows=feature_rows,
        market_prices=market_prices,
        ticker_universe=ticker_universe,
        corporate_actions=corporate_actions,
        model_registry=model_registry,
        model_promotions=model_promotions,
        bias_flags=bias_flags,
        slice_lessons=slice_lessons,
        feedback_metrics=feedback_metrics,
        strategic_priorities=strategic_priorities,
        made_at=moment.as_of,
        calendar=moment.calendar,
        params=params,
        members=kinds,
    )
    shadows = load_shadows(windows["feature_set"][0], model_registry, model_promotions, kinds, params.shadows)
    champion = forecast(specialists=specialists, targeted_trainings=targeted_trainings)
    return pl.concat([champion, *(forecast(shadow=one) for one in shadows)])


def predict_batch(
    features_id: str,
    *,
    feature_windows: pl.DataFrame,
    feature_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    bias_flags: pl.DataFrame,
    slice_lessons: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    strategic_priorities: pl.DataFrame,
    made_at: datetime,
    calendar: Sessions,
    params: PredictionParams,
    members: Sequence[Member] = MEMBERS,
    shadow: Ensemble | None = None,
    specialists: pl.DataFrame | None = None,
    targeted_trainings: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Forecast a whole batch of windows: the core of the stage, and all there is to `nextgen predict-batch`.

    Args:
        features_id: the batch; its windows' session is the session forecast from.
        feature_windows, feature_rows: windows, of that batch and maybe others, and the rows that cover them.
        market_prices, ticker_universe: of the session; a ticker without a bar is left out.
        corporate_actions: since the windows' first session; they say whose rows are whose.
        model_registry, model_promotions: all models, and all decisions on the champion, up to the session.
        bias_flags, slice_lessons, feedback_metrics, strategic_priorities: of recent sessions; the latest speak.
        made_at, calendar: the moment of decision, and the exchange's sessions.
        params, members: bounds, and the kinds of members there are, those of plugins included.
        shadow: speaks in the champion's place, and is only scored.
        specialists, targeted_trainings: what champions were tuned to for some names, and the verdicts; none by default.

    Returns:
        Rows of predictions, one per usable window with a bar and horizon, by ticker and horizon.

    Raises:
        ValueError: if no window belongs to the batch. RegistryError: if the champion cannot be used.
    """
    batch = _select_batch(feature_windows, features_id)
    session: date = batch["session"][0]
    speaking: list[Specialist] = []
    if specialists is not None and targeted_trainings is not None:
        decides = find_champion(model_promotions), members, batch["feature_set"][0]
        speaking = load_specialists(specialists, targeted_trainings, *decides)
    if params.securities == 2:
        flags = bias_flags, slice_lessons
        feature_rows, (bias_flags, slice_lessons) = _follow(feature_rows, flags, corporate_actions, session)
    tickers = _select_forecastable(batch, market_prices, ticker_universe, session)
    ensemble = shadow or _load_champion(tickers, model_registry, model_promotions, members)
    learned = bias_flags, slice_lessons, feedback_metrics, strategic_priorities
    role = SHADOW if shadow else "champion"
    given = ensemble, role, feature_rows, model_registry, learned, calendar, params
    made = [_forecast_part(one, part, *given) for one, part in share_out(tickers, speaking)]
    stated = pl.concat(made).with_columns(session=session, made_at=made_at, features_id=pl.lit(features_id))
    return stated.select(*PREDICTIONS.columns).cast(PREDICTIONS.schema).sort("ticker", "horizon")


def _forecast_part(
    specialist: Specialist | None,
    tickers: pl.DataFrame,
    ensemble: Ensemble | None,
    role: str,
    feature_rows: pl.DataFrame,
    model_registry: pl.DataFrame,
    learned: Sequence[pl.DataFrame],
    calendar: Sessions,
    params: PredictionParams,
) -> pl.DataFrame:
    """The forecasts of tickers that one model speaks for: a specialist, else the champion, else the naive one."""
    speaker = ensemble if specialist is None else specialist.ensemble
    if (tickers := _with_values(tickers, feature_rows, speaker)).is_empty():
        return PREDICTIONS.empty()
    bias_flags, slice_lessons, feedback_metrics, strategic_priorities = learned
    raw = _raw_forecast(tickers, feature_rows, model_registry, speaker, params, role)
    told = add_strangeness(tickers, feature_rows, find_profile(model_registry, raw.model_id))
    circumstances = _circumstances(tickers, feature_rows, strategic_priorities)
    final = correct(raw, told, circumstances, bias_flags, slice_lessons, feedback_metrics, params)
    session: date = tickers["session"][0]
    made = _rows(told, raw, final, calendar).with_columns(
        prediction_id=_ids(session, tickers["ticker"].to_list(), raw),
        specialist=pl.lit(specialist.specialist_id if specialist is not None else None, dtype=pl.String),
        **{name: pl.lit(None, dtype=PREDICTIONS.schema[name]) for name in ("session", "made_at", "features_id")},
    )
    return made.select(*PREDICTIONS.columns)


def _select_batch(feature_windows: pl.DataFrame, features_id: str) -> pl.DataFrame:
    batch = feature_windows.filter(pl.col("features_id") == features_id)
    if batch.is_empty():
        raise ValueError(
            f"there are no windows of batch {features_id!r}; `nextgen show feature_windows` lists those there are"
        )
    return batch


def _follow(
    feature_rows: pl.DataFrame, flags: Sequence[pl.DataFrame], corporate_actions: pl.DataFrame, session: date
) -> tuple[pl.DataFrame, Iterator[pl.DataFrame]]:
    """Rows, and flags of single tickers, under the name that their company has now."""
    companies = Securities.trace(corporate_actions, feature_rows)
    named = (follow_slices(one, companies, session) for one in flags)
    return companies.follow_to(feature_rows, "session", session), named


def _rows(tickers: pl.DataFrame, raw: RawForecast, final: CorrectedForecast, calendar: Sessions) -> pl.DataFrame:
    """One row per ticker and horizon, in that order."""
    count, session = len(tickers), tickers["session"][0]
    targets = {horizon: calendar.offset(session, horizon) for horizon in raw.horizons}
    flat = final.quantiles.reshape(count * len(raw.horizons), len(QUANTILES))
    return (
        tickers.select("ticker", *COLUMNS, reference_close="close")
        .with_columns(horizon=pl.lit(list(raw.horizons), dtype=pl.List(pl.Int32)))
        .explode("horizon")
        .with_columns(
            *(pl.Series(name, flat[:, number]) for number, name in enumerate(QUANTILE_COLUMNS)),
            _members(raw),
            _location_weights(raw, count),
            point=pl.Series(flat[:, MEDIAN]),
            probability_up=pl.Series(probability_up(flat)),
            confidence=pl.Series(final.confidence.ravel()),
            sigma=pl.Series(final.sigma.ravel()),
            # Stored as what was subtracted: a positive bias means forecasts were too high.
            bias_adjustment=pl.Series(0.0 - final.lessons.added.ravel()),
            lessons=_list_texts(chain.from_iterable(final.lessons.used)),
            traits=_list_texts(chain.from_iterable(final.traits)),
            interval_scale=pl.Series(final.scales.ravel()),
            without_lessons=_without_lessons(final),
            bounds=_list_texts(name_bounds(final.acted.reshape(len(flat), -1))),
            model_id=pl.lit(raw.model_id),
            role=pl.lit(raw.role),
            target_session=pl.col("horizon").replace_strict(targets, return_dtype=pl.Date),
        )
    )


def _without_lessons(final: CorrectedForecast) -> pl.Series:
    """For each forecast its quantiles without lessons on widths and members; null where none acted."""
    told = pl.Series(final.without_lessons.reshape(-1, len(QUANTILES))).arr.to_list()
    touched = pl.Series(final.touched.ravel())
    return pl.select(pl.when(touched).then(told)).to_series()


def _list_texts(texts: Iterable[Sequence[str]]) -> pl.Series:
    """Lists of texts as a column: most rows have the same few, which are made once each."""
    places: dict[tuple[str, ...], int] = {}
    at = [places.setdefault(tuple(one), len(places)) for one in texts]
    return pl.Series([list(one) for one in places], dtype=pl.List(pl.String)).gather(at)


def _circumstances(
    windows: pl.DataFrame, feature_rows: pl.DataFrame, strategic_priorities: pl.DataFrame
) -> Circumstances:
    """The regime told last, and how much each ticker is in the news today."""
    told = strategic_priorities.sort("session")["regime"]
    news = window_tensor(feature_rows, windows, [NEWS])[:, -1, 0].astype(np.float64)
    return Circumstances(told[-1] if len(told) else None, news)


def _select_forecastable(
    batch: pl.DataFrame, market_prices: pl.DataFrame, ticker_universe: pl.DataFrame, session: date
) -> pl.DataFrame:
    """The batch's usable windows with the session's close and the ticker's sector, by ticker."""
    closes = market_prices.filter((pl.col("session") == session) & (pl.col("interval") == "1d"))
    sectors = ticker_universe.filter(pl.col("session") == session).select("ticker", "sector")
    return (
        batch.filter(pl.col("usable"))
        .join(closes.select("ticker", "close"), on="ticker", how="inner")
        .join(sectors, on="ticker", how="left")
        .with_columns(pl.col("sector").fill_null("unknown"))
        .sort("ticker")
    )


def _load_champion(
    windows: pl.DataFrame, model_registry: pl.DataFrame, model_promotions: pl.DataFrame, kinds: Sequence[Member]
) -> Ensemble | None:
    """The champion; None where there is none that knows the windows' feature set, or no window to ask it about."""
    if windows.is_empty():
        return None
    feature_set, model_id = windows["feature_set"][0], find_champion(model_promotions)
    mine = model_registry.filter(pl.col("model_id") == (model_id or ""))
    other_features = not mine.is_empty() and not contains(feature_set, mine["feature_set"][0])
    if model_id is None or other_features:
        return None
    ensemble = load_members(mine, model_id, members=kinds, feature_set=feature_set)
    if ensemble.quantiles != QUANTILES:
        raise ValueError(f"champion {model_id} forecasts quantiles {ensemble.quantiles}, not {QUANTILES}; train again")
    return ensemble


def _with_values(windows: pl.DataFrame, feature_rows: pl.DataFrame, ensemble: Ensemble | None) -> pl.DataFrame:
    """The windows that have every value the model uses: features beyond the base set may lack some."""
    further = [name for name in ensemble.features if name not in F1] if ensemble is not None else []
    if not further:
        return windows
    known = ~np.isnan(window_tensor(feature_rows, windows, further)).any(axis=(1, 2))
    return windows.filter(pl.Series(known))


def _raw_forecast(
    windows: pl.DataFrame,
    feature_rows: pl.DataFrame,
    model_registry: pl.DataFrame,
    ensemble: Ensemble | None,
    params: PredictionParams,
    role: str,
) -> RawForecast:
    """The champion's members, or the naive one alone where there is no champion."""
    if ensemble is None:
        return _naive_forecast(windows, feature_rows, model_registry, params)
    tensor = window_tensor(feature_rows, windows, ensemble.features)
    sigma = daily_sigma(ensemble, tensor)
    members, weights = forecast_members(ensemble, tensor, sigma), dict(ensemble.weights)
    locations = None if ensemble.locations is None else dict(ensemble.locations)
    if "naive" not in members:
        shape = find_naive_shape(model_registry, ensemble.horizons, QUANTILES)
        members["naive"] = naive.forecast(shape, sigma, ensemble.horizons)
        for shares in (weights, locations or {}):
            shares["naive"] = np.zeros(len(ensemble.horizons))
    return RawForecast(ensemble.model_id, role, ensemble.horizons, sigma, members, weights, locations)


def _naive_forecast(
    windows: pl.DataFrame, feature_rows: pl.DataFrame, model_registry: pl.DataFrame, params: PredictionParams
) -> RawForecast:
    last = window_tensor(feature_rows, windows, scaling.VOLATILITIES)[:, -1]
    sigma = scaling.daily_sigma(last, scaling.VOLATILITIES)
    shape = find_naive_shape(model_registry, params.horizons, QUANTILES)
    quantiles = naive.forecast(shape, sigma, params.horizons)
    weights = {"naive": np.ones(len(params.horizons))}
    return RawForecast("naive", "naive", params.horizons, sigma, {"naive": quantiles}, weights)


def _members(raw: RawForecast) -> pl.Series:
    """For each forecast the list of members with weight, point and quantiles, by name."""
    ordered = sorted(raw.members)
    stacked = np.stack([raw.members[name] for name in ordered], axis=2)
    count, horizons, members, _ = stacked.shape
    weights = np.column_stack([raw.weights[name] for name in ordered])
    flat = stacked.reshape(-1, len(QUANTILES))
    fields = pl.DataFrame(
        {
            "member": pl.Series(ordered * (count * horizons), dtype=pl.String),
            "weight": np.tile(weights.ravel(), count),
            "point": flat[:, MEDIAN],
            **{name: flat[:, number] for number, name in enumerate(QUANTILE_COLUMNS)},
        }
    )
    return fields.to_struct("members").reshape((count * horizons, members)).arr.to_list()


def _location_weights(raw: RawForecast, count: int) -> pl.Series:
    """For each forecast what each member's point counts, in the order of `members`; null where not weighed apart."""
    kind = pl.List(pl.Float64())
    if raw.locations is None:
        return pl.Series("location_weights", [None] * (count * len(raw.horizons)), dtype=kind)
    ordered = np.column_stack([raw.locations[name] for name in sorted(raw.members)])
    return pl.Series("location_weights", np.tile(ordered, (count, 1))).arr.to_list()


def _ids(session: date, tickers: list[str], raw: RawForecast) -> pl.Series:
    keys = (f"{session}|{ticker}|{horizon}|{raw.model_id}" for ticker in tickers for horizon in raw.horizons)
    return pl.Series([sha256(key.encode()).hexdigest()[:16] for key in keys], dtype=pl.String)


STAGE = Stage(
    name="predict",
    function=predict,
    reads=(
        Read(FEATURE_WINDOWS),
        Read(FEATURE_ROWS, lookback=MAX_WINDOW - 1),
        Read(TICKER_PRIORITIES),
        Read(
            MARKET_PRICES,
            where=pl.col("interval") == "1d",
            columns=("ticker", "interval", "ts", "revision", "session", "close"),
        ),
        Read(TICKER_UNIVERSE, columns=("session", "ticker", "sector")),
        Read(CORPORATE_ACTIONS, lookback=MAX_WINDOW),
        Read(MODEL_REGISTRY, lookback=None),
        Read(MODEL_PROMOTIONS, lookback=None),
        Read(BIAS_FLAGS, lookback=5, upto="previous"),
        Read(SLICE_LESSONS, lookback=5, upto="previous"),
        Read(
            FEEDBACK_METRICS,
            lookback=5,
            upto="previous",
            where=pl.col("scope").is_in(["all", "regime"]) & pl.col("metric").is_in(["interval_scale", "ic"]),
        ),
        Read(STRATEGIC_PRIORITIES, lookback=5, upto="previous"),
        Read(SPECIALISTS, lookback=None, upto="previous"),
        Read(TARGETED_TRAININGS, lookback=None, upto="previous"),
    ),
    writes=PREDICTIONS,
    params=PredictionParams(),
    section="prediction",
    uses=("features", "members"),
)
