"""Format 3: a run says which kind of work it is part of, and which code of the operator's own it used."""

import polars as pl

from lake.migrations.steps import AddColumn, Step

_PREFIX = pl.col("cycle_id").str.extract(r"^([a-z]+)-")
_KINDS = {"cycle": "cycle", "history": "backfill", "import": "import", "training": "training"}
_UPKEEP = pl.col("stage").is_in(["compact", "migrate"])
"""What earlier programs named like single stages. Nothing else reads the kind of work out of a name."""

STEPS: tuple[Step, ...] = (
    AddColumn(
        "runs",
        "work",
        pl.when(_UPKEEP)
        .then(pl.lit("upkeep"))
        .otherwise(_PREFIX.replace_strict(_KINDS, default="single-stage", return_dtype=pl.String)),
    ),
    AddColumn("runs", "plugins", pl.lit("{}")),
)
