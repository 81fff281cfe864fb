"""A source is opened by name, and its payloads are told apart by their hash."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.payloads import payload_id
from pipeline.ingestion.sources.registry import SourceParams, open_source
from tests.pipeline.ingestion.sources.markets import calendar


def test_the_simulated_source_is_the_default() -> None:
    source = open_source(SourceParams(), calendar())
    assert source.name == "simulated"
    assert source.coverage()[0] == date(2018, 1, 2)


def test_an_unknown_source_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SourceError, match="did you mean 'simulated'"):
        open_source(SourceParams(name="simulate"), calendar())
    with pytest.raises(SourceError, match="choose from simulated, files"):
        open_source(SourceParams(name="quux"), calendar())


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_no_two_lists_of_parts_share_a_payload_id(one: list[str], other: list[str]) -> None:
    assert (payload_id(*one) == payload_id(*other)) == (one == other)


@pytest.mark.cold
def test_importing_the_sources_pulls_in_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "import pipeline.ingestion.sources.files, pipeline.ingestion.sources.simulated\n"
        "print([m for m in ('torch', 'pandas', 'yfinance', 'openai', 'exchange_calendars') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
