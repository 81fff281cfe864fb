"""What was asked of the past: experiments registered before they ran, what came of them, and looks at the holdout."""

from dataclasses import replace

import polars as pl

from lake.contract import Column, Table
from lake.tables.models import MODEL_REGISTRY, TRIALS
from lake.tables.vocabulary import count, day, flag, instant, number, text

EXPERIMENT_ID = text("the experiment's name", unit="id", max_length=60)
VARIANT = text("the variant's name within it", unit="id", max_length=80)

EXPERIMENTS = Table(
    name="experiments",
    domain="research",
    doc="Each experiment as it was registered before any of it ran: its question, its variants, and what would end it.",
    key=("experiment_id",),
    mode="append",
    owner="operator",
    clock="registered_at",
    root="the operator's question",
    published_by_run=False,
    columns={
        "experiment_id": EXPERIMENT_ID,
        "registered_at": instant("when, by the computer's clock"),
        "registered_by": text("the user of the system who made it", max_length=80),
        "question": text("what is to be found out", max_length=2_000),
        "kill": text("what would have to come out for the idea to be given up", max_length=2_000),
        "keep_above": number(
            "unit of the metric", "a variant is kept if all of its difference's interval is above this"
        ),
        "base": text("the branch that variants fork from", unit="branch", max_length=60),
        "first": day("first session of the variants"),
        "last": day("last session of the variants"),
        "metric": text("the figure that decides", unit="name", max_length=40),
        "variants": count("variants", "how many it tries; all of them count as trials"),
        "looks": count("times", "how often the holdout had been opened by then"),
        "spec": text("the file it was registered from", unit="TOML", max_length=100_000),
    },
)

EXPERIMENT_RESULTS = Table(
    name="experiment_results",
    domain="research",
    doc="What came of each variant beside its base over the same sessions.",
    key=("experiment_id", "variant"),
    mode="append",
    owner="operator",
    clock="finished_at",
    published_by_run=False,
    columns={
        "experiment_id": EXPERIMENT_ID.refer_to("experiments.experiment_id"),
        "variant": VARIANT,
        "finished_at": instant("when, by the computer's clock"),
        "branch": text("the branch it ran on", unit="branch", max_length=60),
        "settings": text("what it sets otherwise than its base", unit="JSON", max_length=20_000),
        "sessions": count("sessions", "over which the two are compared"),
        "base_value": number("unit of the metric", "the metric of the base", nullable=True),
        "value": number("unit of the metric", "the metric of the variant", nullable=True),
        "difference": number("unit of the metric", "the variant's less the base's", nullable=True),
        "low": number("unit of the metric", "lower end of its interval of 95 %; null where too few", nullable=True),
        "high": number("unit of the metric", "upper end", nullable=True),
        "verdict": Column(pl.String(), "name", "what the interval says", pattern="helped|hurt|equal|cannot be told"),
        "kept": flag("whether the interval lies above what was asked for at the registration"),
        "trials": count("variants", "tried in this lake up to and with this experiment"),
        "deflated": number(
            "probability",
            "that the difference in session returns is better than the best of as many worthless trials would look;"
            " null where it does not vary",
            nullable=True,
        ),
        "computed": count("runs", "stages that were computed"),
        "taken": count("runs", "stages whose rows were the base's"),
        "seconds": number("seconds", "wall time it took"),
    },
)

WHAT_IFS = Table(
    name="what_ifs",
    domain="research",
    doc="Each question what the book would have been under other settings, once: all of them count as trials.",
    key=("what_if_id",),
    mode="append",
    owner="operator",
    clock="asked_at",
    root="the operator's question",
    published_by_run=False,
    columns={
        "what_if_id": text("of the settings and the sessions", unit="id", max_length=80),
        "asked_at": instant("when it was asked first, by the computer's clock"),
        "asked_by": text("the user of the system who asked", max_length=80),
        "settings": text("what was set otherwise", unit="JSON", max_length=20_000),
        "first": day("first session"),
        "last": day("last session"),
        "book_return": number("fraction per year", "what the book made"),
        "return": number("fraction per year", "what it would have made"),
    },
)

HOLDOUT_OPENINGS = Table(
    name="holdout_openings",
    domain="research",
    doc="Each time somebody looked at what had been put aside; comparisons and cards after it say how often.",
    key=("opening_id",),
    mode="append",
    owner="operator",
    clock="opened_at",
    root="the operator's decision",
    published_by_run=False,
    columns={
        "opening_id": text("chosen by the program", unit="id", max_length=80),
        "opened_at": instant("when, by the computer's clock"),
        "opened_by": text("the user of the system who made it", max_length=80),
        "holdout": day("the first session of what was put aside"),
        "reason": text("why, in the operator's words", max_length=1_000),
        "trials": count("variants", "tried in this lake up to then"),
    },
)

BRANCH_MERGES = Table(
    name="branch_merges",
    domain="research",
    doc="Each time that what was decided on a branch became the lake's own.",
    key=("merge_id",),
    mode="append",
    owner="operator",
    clock="merged_at",
    root="the operator's decision",
    published_by_run=False,
    columns={
        "merge_id": text("chosen by the program", unit="id", max_length=80),
        "merged_at": instant("when, by the computer's clock"),
        "merged_by": text("the user of the system who made it", max_length=80),
        "branch": text("the branch", unit="branch", max_length=60),
        "reason": text("why, in the operator's words", max_length=1_000),
        "settings": text("dotted key -> value before and after", unit="JSON", max_length=20_000),
        "mandate_id": text("the mandate that came along; null if none", unit="id", nullable=True, max_length=80),
        "session": Column(pl.Date(), "exchange date", "the last one then; null before any", nullable=True),
        "decided_at": instant("when; in a simulated market, its own time"),
        "champion": text(
            "the model that becomes champion by it; null if none", unit="model_id", nullable=True, max_length=80
        ),
        "models": Column(pl.List(pl.String()), "model_ids", "what was trained on the branch and came along"),
        "trials": count("candidates", "what was tried there on held-out sessions and counts in the lake from then on"),
        "left_after": Column(
            pl.Date(), "exchange date", "the last session that the branch took over when it left", nullable=True
        ),
        "fork_versions": text("table -> version at which the branch left", unit="JSON", max_length=20_000),
        "branch_versions": text("table -> version of the branch when it was merged", unit="JSON", max_length=20_000),
        "plugins": text(
            "file -> SHA-256 of the plugins that the branch ran with, which the lake has as well",
            unit="JSON",
            max_length=20_000,
        ),
    },
)

_OF_MERGE = {
    "merge_id": text("the merge", unit="id", max_length=80).refer_to("branch_merges.merge_id"),
    "merged_at_session": Column(pl.Date(), "exchange date", "the last session of the lake then"),
    "decided_at": instant("when; in a simulated market, its own time"),
    "branch": text("the branch", unit="branch", max_length=60),
}


def _as_on_the_branch(table: Table) -> dict[str, Column]:
    """A table's columns, whose values speak of the branch: what they refer to may lie there alone."""
    columns = {name: one for name, one in table.columns.items() if name not in _OF_MERGE}
    return {name: replace(one, refers=(), refers_until=None) for name, one in columns.items()}


MERGED_MODELS = Table(
    name="merged_models",
    domain="research",
    doc="What was trained on a branch and brought over, weights and all: it stays when the branch is discarded.",
    key=("merge_id", "model_id", "member"),
    mode="append",
    owner="operator",
    clock="merged_at_session",
    available="decided_at",
    published_by_run=False,
    columns={
        **_OF_MERGE,
        "trained_by": text("the run that trained it there", unit="id", max_length=80),
        "recipe": text("that run, its whole recipe included", unit="JSON", max_length=200_000),
        "decided_there": text(
            "what the branch decided of it last, as a sentence; null where nothing", nullable=True, max_length=500
        ),
        **_as_on_the_branch(MODEL_REGISTRY),
    },
)

MERGED_TRIALS = Table(
    name="merged_trials",
    domain="research",
    doc="What a branch tried on held-out sessions, brought over with what it trained: a look counts wherever it was.",
    key=("merge_id", "model_id", "candidate"),
    mode="append",
    owner="operator",
    clock="merged_at_session",
    available="decided_at",
    published_by_run=False,
    columns={**_OF_MERGE, **_as_on_the_branch(TRIALS)},
)

PROPOSAL = text("the sentence of the grammar", unit="sentence", max_length=300)

FACTOR_PROPOSALS = Table(
    name="factor_proposals",
    domain="research",
    doc="Each factor that was proposed, recorded before it was tried; all of them count as tests.",
    key=("search_id", "proposal"),
    mode="append",
    owner="operator",
    clock="proposed_at",
    root="the search's own idea",
    published_by_run=False,
    columns={
        "search_id": text("the search: a hash of its history, budget, seed and horizon", unit="id", max_length=80),
        "proposal": PROPOSAL,
        "proposed_at": instant("when, by the computer's clock"),
        "number": count("proposals", "which of the search it is, from 1"),
        "parents": Column(pl.List(pl.String()), "sentences", "what it was made from; none for a word"),
        "formula": text("what it computes", max_length=4_000),
        "horizon": count("sessions", "over which outcomes are counted"),
        "last": day("the last session whose prices were used"),
        "kill": text("what makes it be dropped", max_length=500),
        "authored": count("requests", "the request that it is an answer to; null for the search's own", nullable=True),
        "hypothesis": text("why its author thinks that it ranks returns; null where none says", nullable=True),
    },
)

AUTHOR_REPLIES = Table(
    name="author_replies",
    domain="research",
    doc="Each request for factors to a language model with its reply, verbatim, or why there was none.",
    key=("search_id", "number"),
    mode="append",
    owner="operator",
    clock="asked_at",
    root="a language model's own words",
    published_by_run=False,
    columns={
        "search_id": text("the search that asked", unit="id", max_length=80),
        "number": count("requests", "which of the search it is, from 1"),
        "asked_at": instant("when, by the computer's clock"),
        "model": text("the model asked", unit="name", max_length=200),
        "prompt_version": text("version of the prompt and the grammar", unit="version", max_length=40),
        "training_cutoff": Column(pl.Date(), "date", "last day that the model's training data can cover"),
        "api": Column(pl.String(), "name", "the API, which determines the reply's structure", pattern="responses|chat"),
        "status": Column(
            pl.String(), "name", "answered, failed, or not sent because of a budget", pattern="answered|failed|budget"
        ),
        "reason": text("why there is no reply, as a sentence; empty if there is one", max_length=1_000),
        "request": text("the request's body, without the key", unit="JSON", max_length=5_000_000),
        "reply": text("the reply's body verbatim, the key redacted; empty if there is none", max_length=5_000_000),
        "input_tokens": count("tokens", "according to the reply", nullable=True),
        "output_tokens": count("tokens", "according to the reply", nullable=True),
        "sent": count("requests", "how often it was sent, tries that failed included; 0 if it was not"),
        "dollars": number("USD", "its cost at the configured prices, tries that failed included; 0 if it was not sent"),
        "factors": count("factors", "new sentences of the grammar that it brought"),
        "refused": Column(
            pl.List(pl.String()), "sentences", "why, for each part of the answer that is no new sentence of the grammar"
        ),
    },
)

FACTOR_RESULTS = Table(
    name="factor_results",
    domain="research",
    doc="What came of each proposed factor in sample and out of sample, and whether it is kept.",
    key=("search_id", "proposal"),
    mode="append",
    owner="operator",
    clock="judged_at",
    published_by_run=False,
    columns={
        "search_id": text("the search", unit="id", max_length=80),
        "proposal": PROPOSAL.refer_to("factor_proposals.proposal"),
        "judged_at": instant("when, by the computer's clock"),
        "ic_in_sample": number("correlation", "mean rank correlation in sample, by purged folds", nullable=True),
        "t_in_sample": number("standard errors", "the same over its error", nullable=True),
        "ic": number("correlation", "mean rank correlation out of sample, in the direction in sample", nullable=True),
        "t": number("standard errors", "the same over its error, which knows of overlap", nullable=True),
        "p": number("probability", "that a worthless factor scores as high", nullable=True),
        "sessions": count("sessions", "out of sample"),
        "max_p": number("probability", "what `p` may be at most: the rate over all proposals ever made"),
        "verdict": Column(
            pl.String(),
            "name",
            "kept; repeats, where it says no more than kept ones; no better than chance; or unknown",
            pattern="kept|repeats|no better than chance|unknown",
        ),
    },
)

NOTES = Table(
    name="notes",
    domain="research",
    doc="What the operator wrote down about a ticker, a trade or a run; where it says what will happen, it is scored.",
    key=("note_id",),
    mode="append",
    owner="operator",
    clock="session",
    available="decided_at",
    root="the operator's own words",
    published_by_run=False,
    columns={
        "note_id": text("chosen by the client, so that a repeated word counts once", unit="id", max_length=80),
        "session": Column(pl.Date(), "exchange date", "the last one that was known; what it foretells begins there"),
        "about": Column(pl.String(), "name", "what kind of thing it is about", pattern="ticker|trade|run"),
        "target": text("the ticker, the trade's or plan's id, or the run's", unit="id", max_length=120),
        "ticker": Column(pl.String(), "symbol", "the ticker it is about; null for a run", nullable=True),
        "text": text("the note", max_length=4_000),
        "direction": Column(
            pl.String(),
            "name",
            "where its total return will lie; null for none",
            nullable=True,
            pattern="up|down",
        ),
        "horizon": Column(pl.Int32(), "sessions", "over how many sessions; null for no prediction", nullable=True),
        "decided_at": instant("when; in a simulated market, its own time"),
        "recorded_at": instant("when, by the computer's clock"),
        "origin": Column(pl.String(), "name", "where it was made", pattern="console|cli"),
        "decided_by": text("the user of the system who made it", max_length=80),
    },
)
