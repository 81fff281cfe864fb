"""Holds a study's features and labels against what its raw prices rebuild to, and says in words what does not agree."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.models.tasks.labels import ThresholdClasses
from pipeline.models.tasks.studies.files import FEATURES, ORIGINAL_OPEN, StudyError
from pipeline.models.tasks.studies.rebuilding import choose_opens, rebuild
from pipeline.text_format import counted, percent

TOLERANCE = 1e-3
"""Largest difference of a feature that is none, in percent, as the studies round."""
ON_THRESHOLD = 1e-9
"""A return this near a threshold falls on either side by rounding."""
MAX_REFUSED = 0.01
"""Share of the rows beyond which it is another study, not a few wrong rows."""


@dataclass(frozen=True)
class ColumnAgreement:
    """One column of the reference beside its rebuilt self."""

    column: str
    compared: int
    """Rows where both have a value."""
    differing: int
    largest: float
    """Largest absolute difference; percent of features, of the close its currency."""
    first: str
    """The first that differs, in words; empty where none does."""


@dataclass(frozen=True)
class Agreement:
    """What of a study its prices confirm."""

    rows: pl.DataFrame
    """ticker, date, the study's features, label; null in rows that lack a value or are refused; sorted."""
    columns: tuple[ColumnAgreement, ...]
    not_rebuilt: int
    """Rows that the reference has and the prices do not give; refused too."""
    left_out: int
    """Rows that the prices give and the study has without values."""
    on_threshold: int
    """Labels on another side whose return lies on a threshold but for rounding; the study's are taken."""
    refused: int
    """Rows left out because they do not agree."""
    original_opens: tuple[str, ...]
    """Tickers whose open is the original one."""
    close_is: str
    """Which close of the prices the study's is."""

    def sentences(self) -> list[str]:
        """What was compared, and what does not agree."""
        known, features = self.rows.height, [one for one in self.columns if one.column in FEATURES]
        label = next(one for one in self.columns if one.column == "label")
        compared, differing = sum(one.compared for one in features), sum(one.differing for one in features)
        lines = [
            f"{differing:,} of {counted(compared, 'value')} of features differ by more than {TOLERANCE:g}, "
            f"{label.differing:,} of {counted(label.compared, 'label')}"
        ]
        lines += [
            f"{one.column}: {counted(one.compared, 'row')} compared, {counted(one.differing, 'difference')}, "
            f"the largest {one.largest:.2g}" + (f"; the first is {one.first}" if one.first else "")
            for one in self.columns
        ]
        lines.append(f"the study's close is {self.close_is}")
        if self.left_out:
            lines.append(f"{counted(self.left_out, 'row')} that the prices give and the study has without values")
        if self.original_opens:
            lines.append(
                f"the open of {counted(len(self.original_opens), 'ticker')} is {ORIGINAL_OPEN!r}, which fits high, low "
                f"and close: {', '.join(self.original_opens)}"
            )
        if self.on_threshold:
            lines.append(
                f"{counted(self.on_threshold, 'label')} on a threshold but for rounding: the study's are taken"
            )
        if self.refused:
            lines.append(
                f"refused: {counted(self.refused, 'row')} of {known:,} ({percent(self.refused / known, 3)}) do not "
                f"agree with the prices, {self.not_rebuilt:,} of them because the prices do not give them; what would "
                "take a value or a label from them is no example"
            )
        return lines


def agree(bars: pl.DataFrame, reference: pl.DataFrame, label: ThresholdClasses) -> Agreement:
    """Rebuild a study from raw prices and compare.

    Args:
        bars: as `read_prices` returns them.
        reference: as `read_reference` returns it.
        label: the thresholds of the labels.

    Raises:
        StudyError: if the two are of other tickers or days, or more than `MAX_REFUSED` of the rows do not agree.
    """
    _check_same_study(bars, reference)
    opens = choose_opens(bars, reference, TOLERANCE)
    joined = reference.join(
        rebuild(bars, label, opens), on=["ticker", "date"], how="left", suffix="_own", maintain_order="left"
    )
    joined = joined.with_columns(pl.all_horizontal(pl.col(*FEATURES, "label").is_not_null()).alias("stated"))
    joined, close_is = _compare_close(joined)
    on_threshold = _on_threshold(label) & (pl.col("label") != pl.col("label_own"))
    differs = {name: (pl.col(name) - pl.col(f"{name}_own")).abs() > TOLERANCE for name in (*FEATURES, "close")}
    differs["label"] = (pl.col("label") != pl.col("label_own")) & ~on_threshold
    columns = tuple(_difference(joined, name, differs[name]) for name in (*FEATURES, "label", "close"))
    missing = pl.col("stated") & pl.col("label_own").is_null()
    refused = joined.select(
        (pl.any_horizontal(one.fill_null(False) for one in differs.values()) | missing).alias("refused")
    )["refused"]
    found = Agreement(
        rows=_keep(joined, refused),
        columns=columns,
        not_rebuilt=int(joined.select(missing.sum()).item()),
        left_out=int(joined.select((~pl.col("stated") & pl.col("label_own").is_not_null()).sum()).item()),
        on_threshold=int(joined.select(on_threshold.fill_null(False).sum()).item()),
        refused=int(refused.sum()),
        original_opens=tuple(opens.filter(pl.col("column") == ORIGINAL_OPEN)["ticker"].to_list()),
        close_is=close_is,
    )
    if found.refused > MAX_REFUSED * int(joined["stated"].sum()):
        raise StudyError(
            "the reference is not made of these prices:\n  " + "\n  ".join(found.sentences()) + f"\n"
            f"more than {percent(MAX_REFUSED, 0)} of the rows do not agree; give the prices of this study"
        )
    return found


def _check_same_study(bars: pl.DataFrame, reference: pl.DataFrame) -> None:
    absent = sorted(set(reference["ticker"]) - set(bars["ticker"]))
    if absent:
        raise StudyError(
            f"the prices lack {counted(len(absent), 'ticker')} of the reference, the first is {absent[0]}; give the "
            "prices of all its tickers"
        )
    own, told = bars["date"].unique().sort(), reference["date"].unique().sort()
    if not len(set(own) & set(told)):
        raise StudyError(
            f"the prices are of {own[0]} to {own[-1]} and the reference of {told[0]} to {told[-1]}, with no day in "
            "common; give the prices of its days"
        )


def _compare_close(joined: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Beside the study's close the one of the prices that it is nearer to."""
    apart = joined.select(
        ((pl.col("close") - pl.col(name)).abs() > TOLERANCE).sum().alias(name) for name in ("adj_close", "close_own")
    ).row(0, named=True)
    if apart["adj_close"] <= apart["close_own"]:
        return joined.with_columns(close_own="adj_close"), "the adjusted close"
    return joined, "the close"


def _on_threshold(label: ThresholdClasses) -> pl.Expr:
    change = pl.col("change")
    return pl.any_horizontal((change - bound).abs() < ON_THRESHOLD for bound in (label.up, label.down))


def _difference(joined: pl.DataFrame, name: str, differs: pl.Expr) -> ColumnAgreement:
    own = f"{name}_own"
    both = joined.drop_nulls([name, own])
    wrong = both.filter(differs)
    first = ""
    if wrong.height:
        row = wrong.row(0, named=True)
        first = f"{row['ticker']} at {row['date']}: {row[name]:g}, rebuilt {row[own]:g}"
    largest = both.select((pl.col(name) - pl.col(own)).abs().max()).item()
    return ColumnAgreement(name, both.height, wrong.height, float(largest or 0.0), first)


def _keep(joined: pl.DataFrame, refused: pl.Series) -> pl.DataFrame:
    kept = joined["stated"] & ~refused
    values = [pl.when(kept).then(pl.col(name)).alias(name) for name in (*FEATURES, "label")]
    return joined.select("ticker", "date", *values).sort("date", "ticker")
