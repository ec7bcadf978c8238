"""Prompts that are nearly those of the evaluation, planted among many that are not."""

import random

import pytest
from rapidfuzz.distance import Levenshtein

from evalapp.datasets.near_prompts import LEAST_SIMILARITY, WORDS_PER_EDIT, similarity
from tests.datasets.test_contamination import Row, check

PRODUCTS = ("household", "travel", "liability", "motor", "dental", "legal protection", "accident", "pet")
THINGS = ("a broken window", "a lost suitcase", "water damage", "a stolen bicycle", "a cracked phone", "hail",
          "a burnt carpet", "an injured dog", "a flooded cellar", "a delayed flight")  # fmt: skip
QUESTIONS = (
    "Does my {product} insurance pay for {thing}?",
    "How do I report {thing} to the {product} insurance when I am abroad?",
    "Which documents do you need for {thing}, and how long does the {product} claim take to be settled?",
    "My neighbour caused {thing}. Who pays, their {product} policy or mine?",
    "I cancelled the {product} policy last month, and now I have {thing}; am I still covered for it or not?",
)
INSERTED = ("please", "also", "really", "usually", "still", "normally")


def questions() -> list[str]:
    return [
        question.format(product=product, thing=thing)
        for question in QUESTIONS
        for product in PRODUCTS
        for thing in THINGS
    ]


def nearly(text: str, turn: int, dice: random.Random) -> str:
    """The same question in other capitals, with other punctuation, a word more, or a slip of the pen."""
    words = text.split()
    match turn % 4:
        case 0:
            return text.upper()
        case 1:
            return text.replace("?", " ...").replace(",", "")
        case 2:
            words.insert(dice.randrange(1, len(words)), dice.choice(INSERTED))
        case _:
            place = max(range(len(words)), key=lambda number: len(words[number].strip("?,.;")))
            words[place] = words[place][:2] + words[place][3:]
    return " ".join(words)


def test_planted_copies_are_found_and_other_questions_are_not() -> None:
    dice = random.Random(20)
    pool = questions()
    dice.shuffle(pool)
    held_out, others = pool[:100], pool[100:]
    training = [Row(number, text) for number, text in enumerate(others, start=1)]
    planted = {}
    for turn, text in enumerate(held_out[:85]):
        planted[1000 + turn] = turn + 1
        training.append(Row(1000 + turn, nearly(text, turn, dice)))
    evaluation = [Row(number, text) for number, text in enumerate(held_out, start=1)]
    found = {(match.training_row, match.evaluation_row) for match in check(training, evaluation).refused}
    right = found & set(planted.items())
    assert len(right) >= 0.95 * len(planted) and len(right) >= 0.9 * len(found)


@pytest.mark.parametrize(
    ("first", "second", "is_near"),
    [
        ("cancel my card", "cancel my account", False),
        ("cancel my card", "please cancel my card", False),
        ("how do i cancel my card", "how do i now cancel my card", True),
        ("how much is 3 times 4", "how much is 5 times 4", False),
        ("how much is 3 times 4", "how much really is 3 times 4", True),
        ("was my parcel canceled today", "was my parcel cancelled today", True),
        ("", "", False),
        ("one", "", False),
        (" ".join(["word"] * 400), " ".join(["word"] * 401), True),
    ],
)
def test_near_is_a_word_more_or_a_slip_and_no_other_word_or_number(
    first: str, second: str, is_near: bool
) -> None:
    assert (similarity(first.split(), second.split()) >= LEAST_SIMILARITY) == is_near
    assert similarity(first.split(), second.split()) == similarity(second.split(), first.split())


def test_a_short_prompt_of_many_rows_is_a_match_with_its_answer_alone() -> None:
    training = [Row(number, "Summarise this.", [f"Summary {number}."]) for number in range(1, 31)]
    evaluation = [Row(1, "Summarise this.", ["Another one."]), Row(2, "summarise this", ["Summary 7."])]
    report = check(training, evaluation)
    assert [(each.training_row, each.evaluation_row) for each in report.refused] == [(7, 2)]
    few = check(training[:3], evaluation[:1])
    assert [each.training_row for each in few.exact] == [1, 2, 3]


def test_it_is_said_what_was_found() -> None:
    report = check([Row(3, "How do I now cancel my card?")], [Row(8, "How do I cancel my card?")])
    assert report.refusal_sentences() == [
        "1 training row has nearly the same prompt as an evaluation row: row 3 (evaluation row 8)."
    ]
    (match,) = report.near
    assert match.share == pytest.approx(6 / 7)


def test_a_long_question_with_a_word_more_is_found_by_its_sequences() -> None:
    text = " ".join(f"word{number}x" for number in range(90))
    report = check([Row(1, f"{text[:300]} indeed {text[300:]}")], [Row(1, text)])
    assert report.contained or report.near


def similarity_by_edits(first: list[str], second: list[str]) -> float:
    """As it is defined, without what makes it quick."""
    longest = max(len(first), len(second))
    edits = Levenshtein.editops(first, second)
    if len(edits) > longest // WORDS_PER_EDIT:
        return 0.0
    for edit in edits:
        spellings = first[edit.src_pos : edit.src_pos + 1], second[edit.dest_pos : edit.dest_pos + 1]
        if edit.tag == "replace" and Levenshtein.normalized_similarity(*map("".join, spellings)) < 0.75:
            return 0.0
    return 1 - len(edits) / longest


def test_the_quick_way_says_what_the_edits_say() -> None:
    dice = random.Random(3)
    known = (
        "cancelled",
        "canceled",
        "cancel",
        "the",
        "a",
        "policy",
        "policies",
        "flood",
        "food",
        "roof",
        "roofs",
    )
    near = 0
    for _ in range(5_000):
        first = [dice.choice(known) for _ in range(dice.randint(1, 26))]
        second = list(first)
        for _ in range(dice.randint(0, 4)):
            place = dice.randrange(len(second) + 1)
            second[place : place + dice.randint(0, 1)] = dice.choices(known, k=dice.randint(0, 1))
        if second:
            expected = similarity_by_edits(first, second)
            assert similarity(first, second) == expected, (first, second)
            near += expected > 0
    assert near > 1_000
