"""What the search writes is read again as it was; whatever else somebody writes is refused in words."""

from __future__ import annotations

from random import Random

import pytest

from pipeline.research.proposing.grammar import MAX_SIZE, change, combine, list_words
from pipeline.research.proposing.parse_sentence import GrammarError, parse_sentence
from tests.nextgen_tui.hostile import HOSTILE


def test_every_sentence_that_the_search_can_write_is_read_as_it_is() -> None:
    chance, words = Random(1), list(list_words())
    written = [change(chance.choice(words), chance) for _ in range(200)]
    written += [combine(chance.choice(written), chance.choice(words), chance) for _ in range(200)]
    read = [parse_sentence(one.text) for one in (*words, *written) if one.size <= MAX_SIZE]
    assert read == [one for one in (*words, *written) if one.size <= MAX_SIZE]


def test_spaces_and_the_order_of_two_that_are_joined_do_not_matter() -> None:
    assert parse_sentence(" product( volatility( 20 ),news(5))") == parse_sentence("product(news(5), volatility(20))")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "ends too early"),
        ("momentum", "ends too early"),
        ("momentum 20", "momentum needs parentheses"),
        ("momentum(20", "ends too early"),
        ("momentum()", "a word is expected where"),
        ("momentum(21)", "momentum is not tried at 21 sessions"),
        ("momentum(momentum(20))", "momentum has no parts"),
        ("alpha(20)", "there is no word 'alpha'"),
        ("rank(momentum(20))", "there is no word 'rank'"),
        ("smoothed(momentum(20))", "smoothed is not tried at no sessions"),
        ("smoothed(momentum(20), 60)", "smoothed is not tried at 60 sessions"),
        ("smoothed(5, momentum(20))", "comes last"),
        ("sum(momentum(20))", "sum takes 2 and has 1"),
        ("rank_in_sector(momentum(20), 5)", "rank_in_sector is not tried at 5 sessions"),
        ("momentum(20) + 1", "sign '.' is not of the grammar"),
        ("momentum(20) momentum(20)", "something follows its end"),
        ("sum(sum(momentum(3), momentum(5)), sum(momentum(10), news(5)))", "it has 7 words"),
        ("change(" * 200, "at most 300 are read"),
        ("change(" * 40, "ends too early"),
        ("__import__('os').system('true')", "is not of the grammar"),
        ("momentum(２０)", "is not of the grammar"),
        ("momentum(20)\n", "is not of the grammar"),
    ],
)
def test_what_is_no_sentence_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(GrammarError, match=told):
        parse_sentence(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_no_sentence(text: str) -> None:
    with pytest.raises(GrammarError):
        parse_sentence(text)
