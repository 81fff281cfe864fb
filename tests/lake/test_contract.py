"""A contract refuses what is wrong in words, and can set aside bad rows without losing any."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.contract import Column, Rule, Table, require_columns
from lake.errors import ContractError, NotALakeError
from lake.tables import TABLES, table
from lake.tables.vocabulary import TICKER, number

QUOTES = Table(
    name="quotes",
    domain="market",
    doc="A table as small as can be.",
    key=("ticker",),
    columns={"ticker": TICKER, "bid": number("usd", "bid"), "ask": number("usd", "ask", nullable=True)},
    mode="append",
    owner="test",
    clock="ticker",
    rules={"bid is below ask": Rule(pl.col("bid") < pl.col("ask"), "swap them")},
)


def quotes(*rows: tuple[str | None, float | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=QUOTES.schema, orient="row")


def test_a_legal_frame_comes_back_in_the_contracts_column_order() -> None:
    frame = quotes(("A", 1.0, 2.0)).select("ask", "ticker", "bid")
    assert QUOTES.check(frame).columns == ["ticker", "bid", "ask"]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (quotes(("A", 3.0, 2.0), ("B", 1.0, 2.0)), ["1 of 2 rows", "bid is below ask", "'ticker': 'A'", "swap them"]),
        (quotes((None, 1.0, 2.0)), ["ticker is present"]),
        (quotes(("A", None, 2.0)), ["bid is present"]),
        (quotes(("A", float("nan"), 2.0)), ["bid is a finite number"]),
        (quotes(("A", float("inf"), None)), ["bid is a finite number"]),
        (quotes(("../x", 1.0, 2.0)), ["ticker is well-formed"]),
        (quotes(("A'; DROP", 1.0, 2.0)), ["ticker is well-formed"]),
        (quotes(("A", 1.0, 2.0), ("A", 1.5, 2.0)), ["2 of 2 rows", "is unique"]),
        (quotes(("A", 1.0, 2.0)).drop("bid"), ["1 columns are missing", "'bid'"]),
        (quotes(("A", 1.0, 2.0)).with_columns(mid=1.5), ["not in the contract", "'mid'"]),
        (quotes(("A", 1.0, 2.0)).cast({"bid": pl.Int64}), ["bid is Int64 and should be Float64"]),
    ],
)
def test_a_wrong_frame_is_refused_with_thing_count_first_case_and_fix(frame: pl.DataFrame, words: list[str]) -> None:
    with pytest.raises(ContractError) as caught:
        QUOTES.check(frame)
    for word in ["quotes", *words]:
        assert word in str(caught.value)


def test_a_null_where_null_is_allowed_breaks_no_rule() -> None:
    assert QUOTES.check(quotes(("A", 1.0, None))).height == 1


def test_splitting_names_the_first_rule_each_bad_row_breaks() -> None:
    good, bad = QUOTES.split(quotes(("A", 1.0, 2.0), ("B", float("nan"), 2.0), ("C", 3.0, 2.0)))
    assert good["ticker"].to_list() == ["A"]
    assert dict(zip(bad["ticker"], bad["rule"], strict=True)) == {
        "B": "bid is a finite number",
        "C": "bid is below ask",
    }


def test_identical_repeats_keep_one_row_and_conflicting_ones_keep_none() -> None:
    good, bad = QUOTES.split(quotes(("A", 1.0, 2.0), ("A", 1.0, 2.0), ("B", 1.0, 2.0), ("B", 1.1, 2.0)))
    assert good["ticker"].to_list() == ["A"]
    assert sorted(bad["rule"]) == ["a repeat of another row", "one key has two values", "one key has two values"]


values = st.one_of(st.none(), st.just(float("nan")), st.just(float("inf")), st.floats(-2, 2))
rows = st.lists(st.tuples(st.sampled_from(["A", "B", "C", "/etc", "", None]), values, values), max_size=12)


@given(rows, st.randoms(use_true_random=False))
def test_valid_and_rejected_rows_make_up_the_input_whatever_its_order(
    drawn: list[tuple[str | None, float | None, float | None]], random: object
) -> None:
    good, bad = QUOTES.split(quotes(*drawn))
    assert good.height + bad.height == len(drawn)
    QUOTES.check(good)
    shuffled = list(drawn)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again, aside = QUOTES.split(quotes(*shuffled))
    order = list(QUOTES.columns)
    assert again.sort(order).equals(good.sort(order), null_equal=True)
    assert aside.sort([*order, "rule"]).equals(bad.sort([*order, "rule"]), null_equal=True)


@pytest.mark.parametrize("contract", TABLES.values(), ids=lambda t: t.name)
def test_every_column_of_every_table_states_its_unit_and_meaning(contract: Table) -> None:
    assert contract.doc.endswith(".")
    for name, column in contract.columns.items():
        assert column.unit, f"{contract.name}.{name} has no unit"
        assert column.doc, f"{contract.name}.{name} has no meaning"


def test_a_table_that_names_a_column_it_lacks_is_refused_when_it_is_declared() -> None:
    with pytest.raises(TypeError, match="'mid'"):
        Table(
            name="broken",
            domain="market",
            doc="Broken.",
            key=("mid",),
            columns={"bid": Column(pl.Float64(), "usd", "bid")},
            mode="append",
            owner="test",
            clock="bid",
        )


def test_an_unknown_table_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(KeyError, match="did you mean 'market_prices'"):
        table("market_price")


@pytest.mark.parametrize(
    ("columns", "advice"),
    [
        ([*QUOTES.columns], "lacks the column 'run_id', new in this program; run `nextgen migrate`"),
        (["run_id"], r"lacks the column .* and \d+ more, new in this program"),
        ([*QUOTES.stored_schema, "return_40"], "has the column 'return_40', which this program .* a newer program"),
    ],
)
def test_a_table_with_other_columns_is_refused_with_what_to_do(columns: list[str], advice: str) -> None:
    with pytest.raises(NotALakeError, match=advice):
        require_columns("lake/tables/quotes", QUOTES, columns)
