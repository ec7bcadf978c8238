from dataclasses import replace

from evalapp.demo.generator import generate_examples
from evalapp.demo.text_features import read_text

FACTS = replace(
    generate_examples()[0].facts,
    given_name="Ada",
    goal="a cottage by the lake",
    currency="EUR",
    value=84_200,
    shares=45,
    bonds=40,
    cash=15,
)


def test_a_figure_outside_the_prompt_is_invented():
    features = read_text("Your EUR 84,200 grew to EUR 91,350.", FACTS)

    assert features.unsupported_numbers == ("EUR 91,350",)
    assert features.factual_error


def test_writing_a_figure_differently_does_not_make_it_new():
    assert read_text("EUR 84200 or EUR 84,200.00, 45.0% of it in shares", FACTS).unsupported_numbers == ()


def test_percentages_paired_with_the_wrong_parts_are_an_error_without_any_invented_figure():
    features = read_text("You hold 40% in shares, 45% in bonds and 15% in cash.", FACTS)

    assert features.unsupported_numbers == ()
    assert features.mix_confused


def test_both_orders_of_naming_the_mix_are_read():
    assert not read_text("You hold 45% in shares, 40% in bonds and 15% in cash.", FACTS).mix_confused
    assert not read_text(
        "It comprises liquidity (15%), equities (45%) and fixed income (40%).", FACTS
    ).mix_confused


def test_an_empty_text_has_nothing_and_is_no_error():
    features = read_text("", FACTS)

    assert (features.words, features.factual_error, features.house_style) == (0, False, False)
    assert features.numbers_missing == 1


def test_a_broken_off_and_a_repeating_text_are_seen():
    assert not read_text("Your money is now", FACTS).finished
    assert read_text("You have saved a lot. Well done. You have saved a lot.", FACTS).repeats_itself
    assert not read_text("You have saved a lot. Well done.", FACTS).repeats_itself
