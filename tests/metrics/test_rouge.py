import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from evalapp.metrics.automatic.rouge import (
    RougeOptions,
    check_against_oracle,
    rouge,
    rouge_batch,
    rouge_scores,
)

VARIANTS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
TRICKY = (
    "", " ", "\n\n", "a", "A", "the", "The the THE", "running runner runs ran", "dies lies skies skying",
    "generalizations oscillators relational", "1,200 vs 1200", "3.14", "£1.2k", "naïve café", "İstanbul",
    "K kelvin",
    "ﬁnance", "Straße", "ไทย", "你好世界", "Привет мир", "a\u0301e", "x\u00a0y", "tab\tand\nline", "a.b.c",
    "don't", "--", "\x00nul\x00",
    "emoji 😀 here", "under_score", "a\nb\nc", "a\n\nb", "c\nb\na", "one two three four five six",
    "six five four three two one",
    "sses ies ss s eed ed ing at bl iz", "happy sky by cry enjoy", "\r\nwindows\r\nlines", "\u2028sep\u2029",
    "ǅ ǆ", "ſlong s",
)  # fmt: skip
SYLLABLES = "ing ed ness ation ly er est ies sses ful ment able ible al ance ence ous ive ize".split()  # noqa: SIM905


def random_word(generator: random.Random) -> str:
    word = "".join(generator.choices(string.ascii_letters, k=generator.randint(1, 8)))
    return word + generator.choice(["", "", *SYLLABLES])


def random_text(generator: random.Random, vocabulary: list[str]) -> str:
    words = generator.choices(vocabulary, k=generator.randint(0, 60))
    marks = generator.choices([" ", " ", " ", ", ", ". ", "\n", " - ", "\u00a0"], k=len(words))
    return "".join(word + mark for word, mark in zip(words, marks, strict=True))


def random_pairs() -> list[tuple[str, list[str]]]:
    generator = random.Random(20)
    vocabulary = [random_word(generator) for _ in range(120)] + list(TRICKY)
    pairs = [
        (
            random_text(generator, vocabulary),
            [random_text(generator, vocabulary) for _ in range(generator.randint(1, 3))],
        )
        for _ in range(300)
    ]
    return pairs + [(one, [other]) for one in TRICKY for other in TRICKY]


@pytest.mark.parametrize("stemmer", [True, False])
def test_random_and_all_tricky_pairs_equal_rouge_score_to_the_last_bit(stemmer: bool) -> None:
    pairs = random_pairs()
    oracle = RougeScorer(list(VARIANTS), use_stemmer=stemmer)
    found = rouge_scores(
        [output for output, _ in pairs],
        [references for _, references in pairs],
        RougeOptions(variants=VARIANTS, stemmer=stemmer),
    )
    for (output, references), scores in zip(pairs, found, strict=True):
        expected = oracle.score_multi(references, output)
        assert {name: tuple(score) for name, score in scores.items()} == {
            name: tuple(score) for name, score in expected.items()
        }, (output, references)


@settings(max_examples=200)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_equals_rouge_score(output: str, reference: str) -> None:
    oracle = RougeScorer(list(VARIANTS), use_stemmer=True).score(reference, output)
    found = rouge(output, [reference], RougeOptions(variants=VARIANTS))
    assert {name: measure.value for name, measure in found.items()} == {
        name: score.fmeasure for name, score in oracle.items()
    }


def test_the_best_reference_counts_per_variant() -> None:
    found = rouge("a b c d", ["a b x y", "d c b a"], RougeOptions(stemmer=False))
    assert (found["rouge1"].value, found["rouge1"].n) == (1.0, 2)
    assert found["rougeL"].value == 0.5


def test_no_reference_is_undefined_and_an_empty_one_scores_zero_with_the_cause() -> None:
    options = RougeOptions(variants=("rouge1",))
    assert rouge("text", [], options)["rouge1"].reason == "the example has no reference"
    for output, references, note in (
        ("", ["text"], "the output is empty"),
        ("text", [""], "the reference is empty"),
        ("ไทย", ["ไทย"], "the output has no a-z or 0-9; choose the unicode tokenizer"),
        ("thai", ["ไทย"], "the reference has no a-z or 0-9; choose the unicode tokenizer"),
        ("left", ["right"], ""),
    ):
        found = rouge(output, references, options)["rouge1"]
        assert (found.value, found.note) == (0.0, note)


@pytest.mark.parametrize("text", ["Привет мир", "你好世界", "naïve café"])
def test_the_unicode_tokenizer_sees_every_script(text: str) -> None:
    options = RougeOptions(variants=("rouge1",), stemmer=False, tokenizer="unicode")
    found = rouge(text, [text], options)["rouge1"]
    assert found.value == 1.0
    assert "tokenizer:unicode" in found.signature
    assert "equals" not in found.signature


def test_a_lone_surrogate_is_text_like_any_other() -> None:
    assert rouge("good\ud800 plan", ["good plan"], RougeOptions())["rouge1"].value == 1.0


def test_the_signature_names_engine_equality_and_options() -> None:
    found = rouge("a", ["a"], RougeOptions())["rouge2"]
    assert found.signature.startswith("rouge2|version:")
    assert "equals:rouge-score-0.1.2|stemmer:yes|tokenizer:english" in found.signature


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variants": ()}, "at least one"),
        ({"variants": ("rouge0",)}, "not a ROUGE variant"),
        ({"tokenizer": "thai"}, "english, unicode, characters"),
        ({"tokenizer": "unicode"}, "turn the stemmer off"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RougeOptions(**options)


def test_the_oracle_check_draws_a_seeded_sample_of_outputs_with_references() -> None:
    outputs = [f"plan {number} grows" for number in range(200)]
    references = [[] if number % 2 else ["plan grows", "it grew"] for number in range(200)]
    check = check_against_oracle(outputs, references, RougeOptions(), seed=4)
    assert (check.checked, check.differences, check.passed) == (50, (), True)
    assert check.oracle == "rouge-score-0.1.2"
    assert check == check_against_oracle(outputs, references, RougeOptions(), seed=4)
    assert check_against_oracle(["x"], [[]], RougeOptions(), seed=4).checked == 0


def test_the_oracle_check_reports_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RougeScorer, "score_multi", lambda *_: {"rouge1": (0.5, 0.5, 0.5)})
    check = check_against_oracle(["a"], [["a"]], RougeOptions(variants=("rouge1",)), seed=0)
    assert check.differences == ("row 0, rouge1: (1.0, 1.0, 1.0) instead of (0.5, 0.5, 0.5)",)
    assert not check.passed


def test_another_tokenizer_has_no_oracle_and_says_so() -> None:
    options = RougeOptions(stemmer=False, tokenizer="characters")
    assert check_against_oracle(["a"], [["a"]], options, seed=0).oracle.startswith("none")


def test_a_batch_equals_one_by_one() -> None:
    pairs = random_pairs()[:50]
    options = RougeOptions()
    batch = rouge_batch([output for output, _ in pairs], [references for _, references in pairs], options)
    assert batch == [rouge(output, references, options) for output, references in pairs]


def test_the_oracle_check_leaves_long_texts_out_and_counts_them() -> None:
    outputs = ["a short one", "long " * 1001, "short", "short"]
    references = [["a short"], ["a reference"], ["long " * 1001], ["x" * 2501, "y" * 2500]]
    check = check_against_oracle(outputs, references, RougeOptions(), seed=1)
    assert (check.checked, check.too_long, check.differences) == (1, 3, ())


def test_the_oracle_check_can_be_stopped_between_outputs() -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        check_against_oracle(["a"], [["a"]], RougeOptions(), seed=1, before_each=stop)
