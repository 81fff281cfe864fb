"""What was planned: which rule decided how often, and what the operator decided."""

from __future__ import annotations

import polars as pl

DECIDED = {"approve": "approved", "veto": "vetoed"}


def last_decisions(decisions: pl.DataFrame) -> pl.DataFrame:
    """One row per plan: the last decision on it."""
    ordered = decisions.sort("decided_at", "decision_id")
    return ordered.unique(subset=["plan_id"], keep="last", maintain_order=True)


def add_decision(plans: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """An order that was approved or vetoed has that as its `verdict`."""
    words = decisions.select(
        "plan_id", pl.col("decision").replace_strict(DECIDED, return_dtype=pl.String).alias("word")
    )
    joined = plans.join(words, on="plan_id", how="left", maintain_order="left")
    order = pl.when(pl.col("taken")).then(pl.coalesce("word", "verdict")).otherwise("verdict")
    return joined.with_columns(verdict=order).drop("word")


def rule_rows(plans: pl.DataFrame) -> pl.DataFrame:
    """One row per rule, the most often decisive first: how often it allowed, scaled, refused, and refused first."""
    asked = plans.select("blocked_by", "verdicts").explode("verdicts").filter(pl.col("verdicts").is_not_null())
    if asked.is_empty():
        counts = ("allowed", "scaled", "refused", "first")
        return pl.DataFrame(schema={"rule": pl.String, **dict.fromkeys(counts, pl.Int64), "reason": pl.String})
    asked = asked.unnest("verdicts")

    def count(test: pl.Expr, name: str) -> pl.Expr:
        return test.fill_null(False).sum().cast(pl.Int64).alias(name)

    return (
        asked.group_by("rule", maintain_order=True)
        .agg(
            count(pl.col("verdict") == "allow", "allowed"),
            count(pl.col("verdict") == "scale", "scaled"),
            count(pl.col("verdict") == "refuse", "refused"),
            count(pl.col("rule") == pl.col("blocked_by"), "first"),
            pl.col("reason").filter(pl.col("verdict") != "allow").last().fill_null("").alias("reason"),
        )
        .sort(["first", "refused", "scaled", "rule"], descending=[True, True, True, False])
    )
