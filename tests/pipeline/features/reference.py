"""Every feature once more, slowly and plainly: one ticker and session at a time, over lists, adjusted going forward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from math import cos, exp, isnan, log, log1p, nan, pi, sin, sqrt
from statistics import fmean, pstdev, stdev

from pipeline.features.catalogue import BUILT_IN, NAMED_SETS
from tests.frames.features import Market

FEATURES = (*BUILT_IN, *NAMED_SETS["residual_moves"])
STALE = 5
PRIOR = 1.0


@dataclass
class Past:
    """One ticker's sessions up to and including t, oldest first, from its first bar; prices grow with total return."""

    close: list[float]
    open: list[float]
    high: list[float]
    low: list[float]
    volume: list[float]
    dollars: list[float]
    returns: list[float]
    signal: list[float]
    weight: list[float]
    articles: list[float]


def reference(market: Market, session: date) -> dict[str, dict[str, float]]:
    """Ticker -> feature -> value at the session, NaN where unknown."""
    seen = market.until(session)
    days = market.calendar.between(seen.sessions[0], session)
    listed = [row for row in seen.ticker_universe.iter_rows(named=True) if row["session"] == session]
    rows = {(row["ticker"], row["session"]): row for row in seen.market_prices.iter_rows(named=True)}
    pasts = {
        row["ticker"]: _past(seen, rows, row["ticker"], days)
        for row in listed
        if any((row["ticker"], day) in rows for day in days)
    }
    asked = [ticker for ticker in sorted(pasts) if (ticker, session) in rows]
    members = {row["ticker"] for row in listed if row["member"]} & set(asked)
    sector = {row["ticker"]: row["sector"] for row in listed}
    index = _index(seen, rows, days)
    values = {ticker: {**_own(pasts[ticker]), **_dated(market, session)} for ticker in asked}
    for ticker in asked:
        values[ticker].update(_market(values[ticker], pasts[ticker], index))
        values[ticker].update(_moves(values[ticker], pasts[ticker], index))
    for ticker in asked:
        values[ticker].update(_among(ticker, values, members, sector))
    if missing := [feature.name for feature in FEATURES if any(feature.name not in values[one] for one in asked)]:
        raise LookupError(
            f"{len(missing)} features have no plain definition in tests/pipeline/features/reference.py, "
            f"the first is {missing[0]!r}; add it to `_own`, `_market`, `_moves`, `_dated` or `_among`"
        )
    return {ticker: {feature.name: values[ticker][feature.name] for feature in FEATURES} for ticker in asked}


def _past(seen: Market, rows: dict, ticker: str, days: list[date]) -> Past:
    actions = [row for row in seen.corporate_actions.iter_rows(named=True) if row["ticker"] == ticker]
    news = [row for row in seen.news_sentiment.iter_rows(named=True) if row["ticker"] == ticker]
    past = Past([], [], [], [], [], [], [], [], [], [])
    last, level, waited, shares = None, 1.0, 0, 1.0
    before: date | None = None
    for day in days:
        bar = rows.get((ticker, day))
        if bar is None:
            waited += 1
            known = last is not None and waited <= STALE
            _append(past, level if known else nan, 0.0 if known else nan, bar, shares)
        else:
            ratio, cash = _effect(actions, before, day)
            growth = nan if last is None or waited > STALE else (bar["close"] + cash) * ratio / last
            if isnan(growth):
                for name in ("close", "open", "high", "low"):
                    setattr(past, name, [nan] * len(past.close))
            level, shares = level * (1.0 if isnan(growth) else growth), shares * ratio
            _append(past, level, log(growth) if not isnan(growth) else nan, bar, shares)
            last, waited, before = bar["close"], 0, day
        _append_news(past, [row for row in news if row["session"] == day])
    past.volume = [volume * shares for volume in past.volume]
    return past


def _append(past: Past, level: float, change: float, bar: dict | None, shares: float) -> None:
    past.close.append(level)
    past.returns.append(change)
    for name in ("open", "high", "low"):
        getattr(past, name).append(level if bar is None else level * bar[name] / bar["close"])
    past.volume.append(nan if bar is None else bar["volume"] / shares)
    past.dollars.append(nan if bar is None else bar["volume"] * bar["close"])


def _append_news(past: Past, news: list[dict]) -> None:
    past.articles.append(len({row["article_id"] for row in news}))
    signal = weight = 0.0
    for article in {row["article_id"] for row in news}:
        replies = [row for row in news if row["article_id"] == article and row["score"] is not None]
        for reply in replies:
            signal += reply["strength"] * reply["score"] / len(replies)
            weight += reply["strength"] / len(replies)
    past.signal.append(signal)
    past.weight.append(weight)


def _effect(actions: list[dict], before: date | None, day: date) -> tuple[float, float]:
    ratio, cash = 1.0, 0.0
    for action in actions:
        if (before is None or action["ex_date"] > before) and action["ex_date"] <= day:
            if action["kind"] == "split":
                ratio *= action["numerator"] / action["denominator"]
            if action["kind"] == "dividend":
                cash += action["amount"]
    return ratio, cash


def _index(seen: Market, rows: dict, days: list[date]) -> list[float]:
    """Log of the members' mean growth, session by session."""
    listed: dict[date, list[dict]] = {day: [] for day in days}
    for row in seen.ticker_universe.iter_rows(named=True):
        listed[row["session"]].append(row)
    everyone = {row["ticker"] for day in days for row in listed[day]}
    returns = {ticker: _past(seen, rows, ticker, days).returns for ticker in everyone}
    index = []
    for number, day in enumerate(days):
        growths = [
            exp(returns[row["ticker"]][number])
            for row in listed[day]
            if row["member"] and (row["ticker"], day) in rows and not isnan(returns[row["ticker"]][number])
        ]
        index.append(log(fmean(growths)) if growths else nan)
    return index


def _tail(values: list[float], n: int) -> list[float]:
    return [nan] * (n - len(values)) + values[-n:]


def _slope(values: list[float]) -> float:
    times = range(len(values))
    middle, average = fmean(times), fmean(values)
    return sum((t - middle) * (v - average) for t, v in zip(times, values, strict=True)) / sum(
        (t - middle) ** 2 for t in times
    )


def _correlation(one: list[float], two: list[float]) -> float:
    a, b = fmean(one), fmean(two)
    top = sum((x - a) * (y - b) for x, y in zip(one, two, strict=True))
    return top / sqrt(sum((x - a) ** 2 for x in one) * sum((y - b) ** 2 for y in two))


def _present_mean(values: list[float]) -> float:
    present = [value for value in values if not isnan(value)]
    return fmean(present) if len(present) >= 0.8 * len(values) else nan


def _place(past: Past, n: int) -> float:
    top, bottom = _highest(past.high, n), _lowest(past.low, n)
    return 2 * (past.close[-1] - bottom) / (top - bottom) - 1


def _highest(values: list[float], n: int) -> float:
    return nan if any(isnan(value) for value in _tail(values, n)) else max(_tail(values, n))


def _lowest(values: list[float], n: int) -> float:
    return nan if any(isnan(value) for value in _tail(values, n)) else min(_tail(values, n))


def _average(past: Past, span: int, back: int) -> float:
    """Exponential average over 78 sessions as of `back` sessions ago."""
    closes = _tail(past.close[: len(past.close) - back], 78)
    weights = [(1 - 2 / (span + 1)) ** k for k in range(77, -1, -1)]
    return sum(w * c for w, c in zip(weights, closes, strict=True)) / sum(weights)


def _directional(past: Past, back: int) -> float:
    high, low = _tail(past.high[: len(past.high) - back], 15), _tail(past.low[: len(past.low) - back], 15)
    plus = minus = 0.0
    for k in range(1, 15):
        up, down = high[k] - high[k - 1], low[k - 1] - low[k]
        plus += nan if isnan(up) else (up if up > max(down, 0) else 0.0)
        minus += nan if isnan(down) else (down if down > max(up, 0) else 0.0)
    return (plus - minus) / (plus + minus)


def _own(past: Past) -> dict[str, float]:
    c, r = past.close, past.returns
    values = {f"return_{n}": log(c[-1] / _tail(c, n + 1)[0]) for n in (1, 2, 3, 5, 10, 20, 60, 120)}
    values["momentum_120_20"] = log(_tail(c, 21)[0] / _tail(c, 121)[0])
    values |= {f"sma_ratio_{n}": log(c[-1] / fmean(_tail(c, n))) for n in (5, 20, 60)}
    values |= {f"slope_{n}": _slope([log(x) for x in _tail(c, n)]) for n in (20, 60)}
    values["trend_fit_60"] = _correlation(list(range(60)), [log(x) for x in _tail(c, 60)])
    values |= _oscillators(past)
    values |= {f"volatility_{n}": _stdev(_tail(r, n)) for n in (5, 20, 60)}
    values |= _volatility(past, values) | _volume(past) | _range(past) | _sentiment(past)
    trange = [
        max(h, before) - min(low, before)
        for h, low, before in zip(_tail(past.high, 14), _tail(past.low, 14), _tail(c, 15), strict=False)
    ]
    values["atr_14"] = fmean(trange) / c[-1]
    line = [_average(past, 12, back) - _average(past, 26, back) for back in range(27)]
    weights = [0.8**back for back in range(27)]
    signal = sum(w * x for w, x in zip(weights, line, strict=True)) / sum(weights)
    values["macd_12_26"] = line[0] / fmean(trange)
    values["macd_histogram_12_26_9"] = (line[0] - signal) / fmean(trange)
    values["directional_14"] = _directional(past, 0)
    values["adx_14"] = fmean(abs(_directional(past, back)) for back in range(14))
    return values


def _stdev(values: list[float]) -> float:
    return nan if any(isnan(value) for value in values) else stdev(values)


def _oscillators(past: Past) -> dict[str, float]:
    closes = _tail(past.close, 15)
    moves = [b - a for a, b in pairwise(closes)]
    typical = [sum(p) / 3 for p in zip(_tail(past.high, 20), _tail(past.low, 20), _tail(past.close, 20), strict=True)]
    average = fmean(typical)
    month = _tail(past.close, 20)
    band = nan if any(isnan(x) for x in month) else 2 * pstdev(month)
    return {
        "rsi_14": sum(moves) / sum(abs(move) for move in moves),
        "stochastic_14": _place(past, 14),
        "williams_28": _place(past, 28),
        "cci_20": (typical[-1] - average) / (1.5 * fmean(abs(x - average) for x in typical)),
        "bollinger_20": (month[-1] - fmean(month)) / band,
    }


def _volatility(past: Past, values: dict[str, float]) -> dict[str, float]:
    span = [log(h / low) for h, low in zip(_tail(past.high, 20), _tail(past.low, 20), strict=True)]
    body = [log(c / o) for c, o in zip(_tail(past.close, 20), _tail(past.open, 20), strict=True)]
    returns, quarter = _tail(past.returns, 20), _tail(past.returns, 60)
    middle = fmean(quarter)
    variance = fmean((x - middle) ** 2 for x in quarter)
    garman = fmean(0.5 * s**2 - (2 * log(2) - 1) * b**2 for s, b in zip(span, body, strict=True))
    return {
        "parkinson_20": sqrt(fmean(s**2 for s in span) / (4 * log(2))),
        "garman_klass_20": sqrt(garman),
        "downside_20": sqrt(fmean(nan if isnan(x) else min(x, 0.0) ** 2 for x in returns)),
        "volatility_ratio_5_20": values["volatility_5"] / values["volatility_20"] - 1,
        "skewness_60": fmean((x - middle) ** 3 for x in quarter) / variance**1.5,
    }


def _volume(past: Past) -> dict[str, float]:
    v = past.volume
    month, quarter = _tail(v, 20), [log1p(d) for d in _tail(past.dollars, 60)]
    average = _present_mean(quarter)
    balance, walk = 0.0, []
    for change, volume in zip(_tail(past.returns, 20), month, strict=True):
        moved = nan if isnan(change) else float((change > 0) - (change < 0))
        balance += moved * (0.0 if isnan(volume) else volume)
        walk.append(balance)
    typical = [sum(p) / 3 for p in zip(_tail(past.high, 15), _tail(past.low, 15), _tail(past.close, 15), strict=True)]
    flow = [
        ((b > a) - (b < a)) * b * (0.0 if isnan(volume) else volume)
        for a, b, volume in zip(typical, typical[1:], _tail(v, 14), strict=False)
    ]
    impact = [
        1e6 * abs(change) / dollars if dollars > 0 else nan
        for change, dollars in zip(_tail(past.returns, 20), _tail(past.dollars, 20), strict=True)
    ]
    total = sum(abs(x) for x in flow)
    return {
        "relative_volume_20": v[-1] / _present_mean(month) - 1,
        "relative_volume_5_60": _present_mean(_tail(v, 5)) / _present_mean(_tail(v, 60)) - 1,
        "dollar_volume_20": log1p(_present_mean(_tail(past.dollars, 20))),
        "dollar_volume_z_60": (quarter[-1] - average) / sqrt(_present_mean([(x - average) ** 2 for x in quarter])),
        "on_balance_slope_20": _slope(walk) / _present_mean(month),
        "amihud_20": log(1e-9 + _present_mean(impact)),
        "money_flow_14": nan if any(isnan(x) for x in typical) else (sum(flow) / total if total else 0.0),
    }


def _range(past: Past) -> dict[str, float]:
    o, h, low, c = past.open[-1], past.high[-1], past.low[-1], past.close[-1]
    span = [log(a / b) for a, b in zip(_tail(past.high, 20), _tail(past.low, 20), strict=True)]
    old = not isnan(_tail(past.close, 120)[0])
    year = [(a, b) for a, b in zip(_tail(past.high, 252), _tail(past.low, 252), strict=True) if not isnan(a)]
    return {
        "gap_1": log(o / _tail(past.close, 2)[0]),
        "intraday_1": log(c / o),
        "close_location_1": (2 * c - h - low) / (h - low) if h > low else 0.0,
        "range_ratio_1_20": span[-1] / fmean(span) - 1,
        "high_20": log(c / _highest(past.high, 20)),
        "low_20": log(c / _lowest(past.low, 20)),
        "high_252": log(c / max(a for a, _ in year)) if old else nan,
        "low_252": log(c / min(b for _, b in year)) if old else nan,
    }


def _sentiment(past: Past) -> dict[str, float]:
    def decayed(half_life: int, length: int, back: int = 0) -> float:
        top = bottom = 0.0
        for k in range(length):
            at = len(past.signal) - 1 - back - k
            if at >= 0:
                top += 0.5 ** (k / half_life) * past.signal[at]
                bottom += 0.5 ** (k / half_life) * past.weight[at]
        return top / (bottom + PRIOR)

    values = {f"sentiment_{n}": decayed(n, 3 * n) for n in (3, 5, 10)}
    values["sentiment_1"] = decayed(1, 1)
    values["news_count_1"] = log1p(past.articles[-1])
    values["news_count_10"] = log1p(sum(past.articles[-10:]))
    values["sentiment_surprise"] = values["sentiment_1"] - decayed(10, 30, 1) if past.weight[-1] > 0 else 0.0
    return values


def _market(values: dict[str, float], past: Past, index: list[float]) -> dict[str, float]:
    market, own = _tail(index, 60), _tail(past.returns, 60)
    middle, average = fmean(market), fmean(own)
    beta = sum((m - middle) * (x - average) for m, x in zip(market, own, strict=True)) / sum(
        (m - middle) ** 2 for m in market
    )
    correlation = _correlation(own, market)
    return {
        "market_return_20": sum(_tail(index, 20)),
        "market_volatility_20": _stdev(_tail(index, 20)),
        "beta_60": beta,
        "correlation_60": correlation,
        **{f"residual_return_{n}": values[f"return_{n}"] - beta * sum(_tail(index, n)) for n in (1, 5, 20, 60)},
        "residual_volatility_60": values["volatility_60"] * sqrt(max(1 - correlation**2, 0.0)),
    }


def _moves(values: dict[str, float], past: Past, index: list[float]) -> dict[str, float]:
    risk = values["residual_volatility_60"] or nan

    def faded(values: list[float], n: int) -> float:
        return sum((n - k) * value for k, value in enumerate(values[::-1][:n])) / (n * (n + 1) / 2)

    returns, market = _tail(past.returns, 20), _tail(index, 20)
    weight, signal = (([0.0] * 20 + values)[-20:] for values in (past.weight, past.signal))
    moves = [max(min((r - values["beta_60"] * m) / risk, 4), -4) for r, m in zip(returns, market, strict=True)]
    heard = [move if w > 0 else 0.0 for move, w in zip(moves, weight, strict=True)]
    tones = [s / (w + PRIOR) for s, w in zip(signal, weight, strict=True)]
    week, quarter = values["residual_return_5"], values["residual_return_60"]
    return {
        "residual_move_5": week / risk,
        "residual_move_60_5": (quarter - week) / risk,
        **{f"news_move_{n}": faded(heard, n) for n in (1, 5, 20)},
        **{f"news_tone_{n}": faded(tones, n) for n in (5, 20)},
    }


def _among(ticker: str, values: dict, members: set[str], sector: dict[str, str]) -> dict[str, float]:
    def known(name: str, of: Callable[[str], bool]) -> dict[str, float]:
        return {other: values[other][name] for other in sorted(members) if of(other) and not isnan(values[other][name])}

    def ranked(name: str) -> float:
        own, others = values[ticker][name], known(name, lambda other: other != ticker)
        if isnan(own) or not others:
            return nan
        return sum((other < own) - (other > own) for other in others.values()) / len(others)

    def sector_mean(name: str) -> float:
        peers = known(name, lambda other: sector[other] == sector[ticker])
        return fmean(peers.values()) if peers else nan

    names = ("return_5", "return_20", "return_60", "volatility_20", "dollar_volume_20", "relative_volume_20")
    return {
        **{f"rank_{name}": ranked(name) for name in names},
        **{f"sector_return_{n}": values[ticker][f"return_{n}"] - sector_mean(f"return_{n}") for n in (5, 20)},
        "sector_sentiment_5": sector_mean("sentiment_5"),
    }


def _dated(market: Market, session: date) -> dict[str, float]:
    calendar = market.calendar
    month = [day for day in calendar.days if (day.year, day.month) == (session.year, session.month)]
    since, till = month.index(session), len(month) - 1 - month.index(session)
    here = calendar.days.index(session)
    lengths = [calendar.closes[k] - calendar.opens[k] for k in range(max(here - 19, 0), here + 1)]
    return {
        "weekday_sin": sin(2 * pi * session.weekday() / 7),
        "weekday_cos": cos(2 * pi * session.weekday() / 7),
        "month_since": since,
        "month_till": till,
        "month_turn": float(since < 3 or till == 0),
        "half_day": float(lengths[-1] < 0.8 * max(lengths)),
    }
