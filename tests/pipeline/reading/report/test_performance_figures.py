"""The track record is measured by the lake's calendar, and by how much was tried."""

import pytest

from lake.store import Lake
from lake.tables.models import MODEL_PROMOTIONS
from pipeline.reading.report.performance_figures import count_configurations, measure_tracks
from pipeline.reading.report.span import read_span
from pipeline.reading.report.tracks import read_tracks
from pipeline.trading.review.performance import sharpe
from tests.nextgen_tui.lakes import rows
from tests.pipeline.reading.report.conftest import RETURNS


def test_each_track_is_measured_and_the_book_is_set_beside_the_others(book_lake: Lake) -> None:
    figures = measure_tracks(read_tracks(read_span(book_lake)), 365, trials=3)
    assert list(figures.tracks) == ["book", "equal weight"]
    assert figures.tracks["book"].sharpe == pytest.approx(sharpe(RETURNS, 365))
    assert list(figures.against) == ["equal weight"]
    assert figures.evidence.trials == 3
    assert figures.evidence.deflated is not None
    assert figures.evidence.above_zero is not None
    assert figures.evidence.deflated < figures.evidence.above_zero


def test_models_and_settings_that_were_tried_are_trials() -> None:
    assert count_configurations(rows(MODEL_PROMOTIONS).clear(), []) == 1
    judged = rows(MODEL_PROMOTIONS, {"model_id": "m-1"}, {"model_id": "m-2"})
    assert count_configurations(judged, ["{}", "{}"]) == 2
    assert count_configurations(judged, ["{}", '{"horizon": 20}']) == 3
