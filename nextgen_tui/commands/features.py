"""`nextgen features`: what the features are, and what one of them was worth."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli.arguments import INSTANT
from nextgen_tui.cli.completion import complete_feature, complete_ticker
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    import polars as pl

    from pipeline.reading.results.features import DeclaredFeature

HEIGHT = 16


@click.command("features", cls=ReadingCommand)
@click.argument("feature", required=False, shell_complete=complete_feature)
@click.option("--ticker", shell_complete=complete_ticker, help="Draw what the feature was for this ticker.")
@click.option("--as-of", type=INSTANT, help="Show what was public then: a date, or a time with its zone.")
@pass_invocation
def command(invocation: Invocation, feature: str | None, ticker: str | None, as_of: datetime | None) -> None:
    """List the features, or explain one.

    With a name: its formula, unit, how far it looks back, the hash of its code, and how its values lie at the last
    session; with a ticker as well, its history as a chart. Example: nextgen features momentum_120_20 --ticker AAPL
    """
    from lake.queries import refuse_ahead
    from pipeline.market.sessions import exchange_sessions
    from pipeline.plugins.plugins import Plugins
    from pipeline.reading.results.features import find_feature, list_features

    if ticker and not feature:
        raise click.UsageError("--ticker needs a feature: nextgen features NAME --ticker TICKER")
    if as_of is not None:
        refuse_ahead(invocation.lake, as_of)
    settings = invocation.settings
    added = settings.plugins
    calendar = exchange_sessions(settings.market.exchange)
    declared = list_features(Plugins.load(added.paths(invocation.lake_path), calendar, added.feature_sets))
    if feature is None:
        _list(invocation, declared)
        return
    found = find_feature(feature, declared)
    if ticker:
        _draw(invocation, found, ticker.upper(), as_of)
    else:
        _explain(invocation, found, as_of)


def _list(invocation: Invocation, declared: list[DeclaredFeature]) -> None:
    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.table_view import grid

    view = grid()
    for heading in ("feature", "family", "unit", "looks back", "from", "computed"):
        view.add_column(heading, justify="right" if heading == "looks back" else "left")
    for one in declared:
        feature = one.feature
        row = (feature.name, feature.family, feature.unit, str(feature.warm_up), one.origin)
        view.add_row(*row, "yes" if one.computed else "no")
    invocation.output.show(view)
    invocation.output.record([_record(one) for one in declared])
    computed = sum(one.computed for one in declared)
    invocation.output.say(
        f"{counted(len(declared), 'feature')}, {computed} of them computed; `nextgen features NAME` explains one"
    )


def _record(one: DeclaredFeature) -> dict[str, Any]:
    feature = one.feature
    told = {name: getattr(feature, name) for name in ("name", "family", "unit", "formula", "warm_up", "source")}
    return told | {"origin": one.origin, "computed": one.computed, "code_hash": one.code_hash}


def _explain(invocation: Invocation, one: DeclaredFeature, as_of: datetime | None) -> None:
    from lake.errors import NotALakeError
    from nextgen_tui.text.formats import counted, number
    from pipeline.reading.results.features import SHARES, describe_values, read_drift
    from pipeline.reading.results.formulas import tell_formula

    output, feature = invocation.output, one.feature
    try:
        values = describe_values(invocation.lake, feature.name, as_of)
        drift = read_drift(invocation.lake, feature.name, as_of)
    except NotALakeError:
        values = drift = None
    formula, *names = tell_formula(feature, one.origin)
    output.show(f"{feature.name}: {formula}")
    for name in names:
        output.show(f"            {name}")
    output.show(f"unit        {feature.unit}")
    output.show(f"family      {feature.family}")
    output.show(f"from        {one.origin}")
    if feature.source:
        output.show(f"source      {feature.source}")
    output.show(f"looks back  {counted(feature.warm_up, 'session')} before its own")
    output.show(f"code        {one.code_hash}")
    if values:
        told = ", ".join(f"{label} {number(values[label])}" for label in SHARES)  # type: ignore[arg-type]
        output.show(f"values      {values['session']}: {told}; {values['unknown']} of {values['tickers']} unknown")
    elif one.computed:
        output.show("values      none in this lake yet")
    else:
        output.show(f'values      not computed; switch it on with [plugins] feature_sets = ["{one.origin}"]')
    if drift:
        output.show(f"drift       {_tell_drift(drift)}")
    output.record(_record(one) | {"values": values, "drift": drift})


def _tell_drift(drift: dict[str, Any]) -> str:
    """Whether it lies where it lay in training, and by how much not."""
    from nextgen_tui.text.formats import number

    if drift["p"] is None:
        return f"{drift['session']}: too few rows or months of training to tell"
    gap = f"gap {number(drift['gap'], 3)}, in training usually {number(drift['usual_gap'], 3)}"
    return (
        f"{drift['session']}: {drift['verdict']}; {gap} (p {number(drift['p'], 3)}); stability {drift['stability']:.2f}"
    )


def _draw(invocation: Invocation, one: DeclaredFeature, ticker: str, as_of: datetime | None) -> None:
    from nextgen_tui.cli.output import to_records
    from pipeline.reading.results.features import read_values

    output = invocation.output
    values = read_values(invocation.lake, one.feature.name, ticker, as_of)
    output.record(to_records(values))
    if values["value"].drop_nulls().is_empty():
        output.show(f"No value of {one.feature.name} is known for {ticker}.")
        return
    for line in _chart(one, ticker, values, output.data.width):
        output.show(line)


def _chart(one: DeclaredFeature, ticker: str, values: pl.DataFrame, width: int) -> list[str]:
    from nextgen_tui.console.charts.chart import Chart, Curve
    from nextgen_tui.console.charts.charts import draw
    from nextgen_tui.text.formats import number

    sessions, levels = values["session"].to_list(), values["value"].to_list()
    places = tuple(float(place) for place in range(len(sessions)))
    chart = Chart(
        title=f"{one.feature.name} of {ticker}, {one.feature.unit}",
        lines=(Curve(places, tuple(levels), "median"),),
        label=number,
        ticks=tuple((places[at], str(sessions[at])) for at in {0, len(places) // 2, len(places) - 1}),
    )
    return ["".join(sign.sign for sign in row).rstrip() for row in draw(chart, width, HEIGHT)]
