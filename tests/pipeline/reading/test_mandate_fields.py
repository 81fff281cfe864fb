"""Each field of the mandate is told with its value, and by whom and why it was last changed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from lake.tables.trading import MANDATES
from pipeline.reading.mandate_fields import read_mandate_fields
from pipeline.trading.mandates.mandate import FIELDS, Mandate
from tests.pipeline.trading.mandates.test_mandate import MOMENT, rows


def test_a_field_tells_the_mandate_that_changed_it_last(tmp_path: Path) -> None:
    first = Mandate(active_risk=0.04, exclusions=("MO",))
    told = read_mandate_fields(rows(first, Mandate(active_risk=0.04, exclusions=("MO", "Energy"))), tmp_path)
    by_name = {row["field"]: row for row in told.iter_rows(named=True)}
    assert list(by_name) == list(FIELDS)
    assert (by_name["active_risk"]["value"], by_name["active_risk"]["since"]) == ("0.04", MOMENT)
    assert by_name["exclusions"]["value"] == "MO, Energy"
    assert by_name["exclusions"]["since"] == MOMENT + timedelta(hours=1)
    assert by_name["horizon"]["since"] is None
    assert all(row["meaning"] for row in by_name.values())


def test_until_one_is_set_the_settings_count_and_broken_ones_leave_the_built_in(tmp_path: Path) -> None:
    (tmp_path / "nextgen.toml").write_text("[trading.mandate]\nactive_risk = 0.02\n")
    told = dict(read_mandate_fields(MANDATES.empty(), tmp_path).select("field", "value").iter_rows())
    assert told["active_risk"] == "0.02"
    (tmp_path / "nextgen.toml").write_text("[trading.mandate]\nactive_risk = 9\n")
    told = dict(read_mandate_fields(MANDATES.empty(), tmp_path).select("field", "value").iter_rows())
    assert told["active_risk"] == str(Mandate().active_risk)
