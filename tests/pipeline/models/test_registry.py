"""Opening a stored model: only what was registered, only what fits, and never code."""

from __future__ import annotations

import pickle
import re
from datetime import date

import numpy as np
import polars as pl
import pytest

from lake.tables.models import MODEL_PROMOTIONS
from lake.tables.predictions import QUANTILES
from pipeline.features.feature_set import current_set
from pipeline.models.members.naive import default_z
from pipeline.models.registry import RegistryError, find_champion, find_naive_shape, load_members
from pipeline.models.serialization import WeightsError, decode, digest, encode
from tests.frames.models import FEATURES, market, promotions, trained


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return trained(market(tickers=8, sessions=150, signal=0.3))


def name(rows: pl.DataFrame) -> str:
    found: str = rows["model_id"][0]
    return found


def with_weights(rows: pl.DataFrame, member: str, content: bytes) -> pl.DataFrame:
    """The member's weights replaced, its hash with them, as somebody who can write the table could."""
    hit = pl.col("member") == member
    return rows.with_columns(
        weights=pl.when(hit).then(pl.lit(content)).otherwise("weights"),
        weights_sha256=pl.when(hit).then(pl.lit(digest(content))).otherwise("weights_sha256"),
    )


def test_an_ensemble_comes_back_as_it_was_trained(rows: pl.DataFrame) -> None:
    ensemble = load_members(rows, name(rows))
    assert (ensemble.features, ensemble.window, ensemble.horizons) == (FEATURES, 5, (1, 5))
    assert ensemble.quantiles == QUANTILES and sorted(ensemble.members) == ["lstm", "naive", "ridge"]
    assert np.sum(list(ensemble.weights.values()), axis=0).tolist() == [1, 1]
    for row in rows.to_dicts():
        assert encode(ensemble.members[row["member"]]) == row["weights"]


def test_an_unknown_model_is_refused_with_those_there_are(rows: pl.DataFrame) -> None:
    with pytest.raises(RegistryError, match=f"'m-x' is not registered; the newest are .*{name(rows)}"):
        load_members(rows, "m-x")


def test_every_flipped_bit_is_refused(rows: pl.DataFrame) -> None:
    content = rows["weights"][0]
    for at in (0, 9, len(content) // 2, len(content) - 1):
        flipped = bytearray(content)
        flipped[at] ^= 1
        spoilt = rows.with_columns(
            weights=pl.when(pl.col("member") == "lstm").then(pl.lit(bytes(flipped))).otherwise("weights")
        )
        with pytest.raises(WeightsError, match=r"member 'lstm': weights hash to .* restore the lake or retrain"):
            load_members(spoilt, name(rows))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('code ran')",)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pickle.dumps(Evil()), id="pickle"),
        pytest.param(b"", id="empty"),
        pytest.param((2**62).to_bytes(8, "little") + b"{}", id="huge header"),
        pytest.param(bytes(range(256)), id="garbage"),
        pytest.param(encode({"z": np.zeros((2, 7))})[:-8], id="truncated"),
    ],
)
def test_what_is_no_safetensors_is_refused_even_under_its_own_hash(rows: pl.DataFrame, content: bytes) -> None:
    with pytest.raises(WeightsError, match=r"weights are not safetensors .* retrain"):
        load_members(with_weights(rows, "naive", content), name(rows))


def test_weights_of_another_shape_are_refused(rows: pl.DataFrame) -> None:
    content = encode({"z": np.zeros((2, 5))})
    with pytest.raises(WeightsError, match=r"'z' should have the shape \(2, 7\) and is \(2, 5\)"):
        load_members(with_weights(rows, "naive", content), name(rows))


def test_weights_that_lack_an_array_are_refused(rows: pl.DataFrame) -> None:
    content = encode({"z": np.zeros((2, 7))})
    with pytest.raises(WeightsError, match=r"'line.mean' should have the shape .* and is nothing"):
        load_members(with_weights(rows, "lstm", content), name(rows))


def test_numbers_that_are_none_are_neither_stored_nor_loaded() -> None:
    from safetensors.numpy import save

    with pytest.raises(WeightsError, match="1 values of 'z' are not finite"):
        encode({"z": np.array([1.0, np.nan])})
    content = save({"z": np.array([np.inf])})
    with pytest.raises(WeightsError, match="not all finite"):
        decode(content, digest(content), "a model")


def test_equal_arrays_give_equal_bytes_in_any_order() -> None:
    a, b = np.arange(3.0), np.ones((2, 2), dtype=np.float32)
    assert encode({"a": a, "b": b}) == encode({"b": b, "a": a})


def test_another_feature_set_is_refused(rows: pl.DataFrame) -> None:
    complaint = re.escape(f"feature set 'f0', current is {current_set().name!r}; train again")
    with pytest.raises(RegistryError, match=complaint):
        load_members(rows.with_columns(feature_set=pl.lit("f0")), name(rows))


def test_features_that_cannot_be_had_are_refused(rows: pl.DataFrame) -> None:
    with pytest.raises(RegistryError, match="needs 1 features that are not available, the first is 'rsi_14'"):
        load_members(rows, name(rows), [feature for feature in FEATURES if feature != "rsi_14"])


def test_members_that_disagree_are_refused(rows: pl.DataFrame) -> None:
    mixed = rows.with_columns(window=pl.when(pl.col("member") == "ridge").then(pl.lit(9)).otherwise("window"))
    with pytest.raises(RegistryError, match="its members disagree on window"):
        load_members(mixed, name(rows))


def test_a_missing_member_leaves_weights_that_do_not_sum_to_one(rows: pl.DataFrame) -> None:
    weighty = rows.sort(pl.col("ensemble_weights").list.first(), descending=True)["member"][0]
    with pytest.raises(RegistryError, match="do not sum to 1"):
        load_members(rows.filter(pl.col("member") != weighty), name(rows))


def test_the_champion_is_the_one_after_the_last_decision() -> None:
    assert find_champion(MODEL_PROMOTIONS.empty()) is None
    first, kept = promotions("m-20150302-aaaaaaaa"), promotions(None, date(2015, 6, 1))
    assert find_champion(first) == "m-20150302-aaaaaaaa"
    later = kept.with_columns(champion=pl.lit("m-20150302-aaaaaaaa"))
    assert find_champion(pl.concat([later, first])) == "m-20150302-aaaaaaaa"
    assert find_champion(promotions(None)) is None


def test_the_naive_shape_needs_no_champion(rows: pl.DataFrame) -> None:
    assert np.array_equal(find_naive_shape(rows.clear(), (1, 5), QUANTILES), default_z((1, 5), QUANTILES))
    assert np.array_equal(
        find_naive_shape(rows, (1, 5), QUANTILES), load_members(rows, name(rows)).members["naive"]["z"]
    )
    assert np.array_equal(find_naive_shape(rows, (1, 5, 20), QUANTILES), default_z((1, 5, 20), QUANTILES))
