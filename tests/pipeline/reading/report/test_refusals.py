"""What stood in the way is counted by the rule that refused first, and told in its last words."""

from lake.store import Lake
from pipeline.reading.report.refusals import read_plans
from tests.pipeline.reading.report.conftest import DAYS


def test_refusals_are_counted_by_the_first_rule_that_refused(book_lake: Lake) -> None:
    facts = read_plans(book_lake, DAYS[0], DAYS[-1], filled=1)
    assert (facts.considered, facts.taken, facts.filled, facts.refused) == (4, 1, 1, 3)
    most, other = facts.refusals
    assert (most.rule, most.plans, most.buys, round(most.share, 4)) == ("cost_awareness", 2, 2, 0.6667)
    assert most.last_reason == "the last reason"
    assert most.meaning.startswith("A buy has to earn")
    assert (other.rule, other.buys, other.meaning, other.last_reason) == ("house_rule", 0, "", "said by a plugin")


def test_plans_outside_the_span_do_not_count(book_lake: Lake) -> None:
    facts = read_plans(book_lake, DAYS[1], DAYS[1], filled=0)
    assert (facts.considered, facts.refused) == (2, 1)
    assert facts.refusals[0].last_reason == "the first reason"
    assert read_plans(book_lake, DAYS[4], DAYS[4], filled=0).refusals == ()
