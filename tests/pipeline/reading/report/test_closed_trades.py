"""Which sales are worth remembering."""

from decimal import Decimal

from lake.store import Lake
from lake.tables.trading import TRADE_REFLECTIONS
from pipeline.reading.report.closed_trades import best_and_worst, count_verdicts


def test_a_loss_is_never_among_the_best_nor_a_gain_among_the_worst(book_lake: Lake) -> None:
    best, worst = best_and_worst(book_lake.read(TRADE_REFLECTIONS))
    assert [trade.ticker for trade in best] == ["AAA"]
    assert [trade.ticker for trade in worst] == ["CCC", "BBB"]
    assert best[0].lesson == "what AAA taught"


def test_verdicts_are_counted_with_what_they_earned(book_lake: Lake) -> None:
    counted = count_verdicts(book_lake.read(TRADE_REFLECTIONS))
    assert counted == (("bad luck", 3, Decimal("-12.00")), ("good luck", 1, Decimal("5.00")))
