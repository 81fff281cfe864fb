"""Every stage, loaded and checked: what a runner runs, in the order of `pipeline.engine.session_order`."""

from __future__ import annotations

from lake.tables import TABLES
from lake.tables.control import MODEL_CHOICES
from lake.tables.feedback import RETRAIN_CANDIDATES
from pipeline.engine import session_order
from pipeline.engine.session_order import BROUGHT_OVER, LANDINGS, find_table, load_backfill, load_stages
from pipeline.engine.stage import Condition
from pipeline.feedback import retrain_candidates

INGEST = load_stages(session_order.INGEST)
SETTLE = load_stages(session_order.SETTLE)
TRAINING = load_stages(session_order.TRAINING)
TARGETED = load_stages(session_order.TARGETED)
CYCLE = load_stages(session_order.CYCLE)
BACKFILL = load_backfill()
IMPORT_ONLY = load_stages(session_order.IMPORT_ONLY)
IMPORT = (*IMPORT_ONLY, *(one for one in BACKFILL if one.name != "ask"))
"""An import: an older system's records are landed and derived as history is, and no language model is asked."""
SNAPSHOT = load_stages(session_order.SNAPSHOT)
NEWS_BETWEEN = load_stages(session_order.NEWS_BETWEEN)
MERGE = load_stages(session_order.MERGE)
(REPORT,) = load_stages(session_order.REPORT)
STAGES = load_stages(session_order.ORDER)

TRAINING_DUE = Condition(RETRAIN_CANDIDATES, retrain_candidates.training_due)
"""Training is due when any reason for it is beyond its threshold."""
CHAMPION_CHOSEN = Condition(MODEL_CHOICES, lambda rows: not rows.is_empty())
"""Who is champion has to be decided also where nothing was trained, if the operator chose."""


def _check_names() -> None:
    """What readers are told of a stage without loading it is so."""
    for name, one in zip(session_order.ORDER, STAGES, strict=True):
        if one.name != name:
            raise TypeError(f"stage {one.name!r} is named {name!r} in pipeline/engine/session_order.py")
        if (one.kind == "landing") != (name in LANDINGS) or find_table(name) is not one.writes:
            raise TypeError(f"stage {name!r} writes {one.writes.name}; say so in LANDINGS if it is a landing")


def _check_order() -> None:
    """Each table has one writer, as its contract says, and nobody reads this session's rows before they are there.

    Rows that are brought over from a branch are those that the writer wrote there.
    """
    computing = [(number, one) for number, one in enumerate(STAGES) if one.name not in BROUGHT_OVER]
    position = {one.writes.name: number for number, one in computing}
    if len(position) != len(computing):
        raise TypeError("two stages write one table; a table has one writer")
    for number, one in computing:
        if TABLES.get(one.writes.name) is not one.writes:
            raise TypeError(
                f"stage {one.name!r} writes {one.writes.name}, which is in no module of lake/tables/__init__.py; "
                "add its module to MODULES there"
            )
        if one.writes.owner not in (one.name, "source"):
            raise TypeError(f"stage {one.name!r} writes {one.writes.name}, which belongs to {one.writes.owner!r}")
        for read in one.reads:
            later = position.get(read.table.name, -1) >= number
            if later and read.upto == "session":
                raise TypeError(
                    f"stage {one.name!r} reads {read.table.name} of this session, which is written later; "
                    'read it with upto="previous"'
                )
    unwritten = {name for name, table in TABLES.items() if table.owner not in ("source", "operator", "kernel")} - set(
        position
    )
    if unwritten:
        raise TypeError(f"no stage writes {sorted(unwritten)}")


_check_names()
_check_order()
