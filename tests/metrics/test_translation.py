import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from evalapp.measure import Measure
from evalapp.metrics.automatic.translation import (
    NAMES,
    CorpusMetricDescription,
    edit_rate,
    sentence_score,
)

SENTENCE = {"bleu": BLEU(effective_order=True), "chrf": CHRF(word_order=2), "ter": TER()}
CORPUS = {"bleu": BLEU(), "chrf": CHRF(word_order=2), "ter": TER()}
OUTPUTS = [
    "The dog bit the man.",
    "It was not unexpected.",
    "The man bit him first.",
    "Your fund grew by 4.5% last year, ahead of plan.",
    "กองทุนเติบโต",
    "",
]
REFERENCES = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It wasn't surprising.", "No one was surprised."],
    ["The man had just bitten him.", "The man had bitten the dog."],
    ["Last year your fund grew 4.5%, ahead of the plan.", "The fund is up."],
    ["กองทุนเติบโต", "x"],
    ["Something.", "Nothing"],
]


def corpus_score(name: str, pairs) -> Measure:
    metric = CorpusMetricDescription(name)
    for output, references in pairs:
        metric.score(output, references)
    return metric.corpus()


@pytest.mark.parametrize("name", NAMES)
def test_sentence_scores_and_signatures_equal_sacrebleu(name: str) -> None:
    for output, references in zip(OUTPUTS, REFERENCES, strict=True):
        found = sentence_score(name, output, references)
        assert found.value == SENTENCE[name].sentence_score(output, references).score
        assert found.signature == f"{name}|unit:sentence|{SENTENCE[name].get_signature().format()}"
        assert found.n == 2


@pytest.mark.parametrize("name", NAMES)
def test_corpus_scores_and_signatures_equal_sacrebleu(name: str) -> None:
    found = corpus_score(name, zip(OUTPUTS, REFERENCES, strict=True))
    streams = [list(stream) for stream in zip(*REFERENCES, strict=True)]
    assert found.value == CORPUS[name].corpus_score(OUTPUTS, streams).score
    assert found.signature == f"{name}|unit:corpus|{CORPUS[name].get_signature().format()}"
    assert found.n == 6


def test_the_published_example_of_sacrebleu() -> None:
    """The example of sacrebleu's README: BLEU = 48.53."""
    outputs = OUTPUTS[:3]
    references = [
        ["The dog bit the man.", "The dog had bit the man."],
        ["It was not unexpected.", "No one was surprised."],
        ["The man bit him first.", "The man had bitten the dog."],
    ]
    found = corpus_score(
        "bleu",
        zip(
            ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."],
            references,
            strict=True,
        ),
    )
    assert found.value == pytest.approx(48.530827009929865)
    assert corpus_score("bleu", zip(outputs, references, strict=True)).value == pytest.approx(100)


def test_a_corpus_score_is_not_the_mean_of_its_sentences() -> None:
    pairs = list(zip(OUTPUTS[:4], REFERENCES[:4], strict=True))
    mean = sum(sentence_score("bleu", *pair).value for pair in pairs) / 4
    assert abs(corpus_score("bleu", pairs).value - mean) > 1


def test_sentence_bleu_of_two_words_uses_the_orders_there_are() -> None:
    assert sentence_score("bleu", "Hello world", ["Hello world"]).value == pytest.approx(100)


def test_different_numbers_of_references_are_said_in_the_signature() -> None:
    found = corpus_score("bleu", [("a b c d", ["a b c d"]), ("e f", ["e f", "g"]), ("h", [])])
    assert (found.n, "nrefs:var" in found.signature) == (2, True)


@pytest.mark.parametrize("name", NAMES)
def test_no_reference_is_undefined(name: str) -> None:
    assert sentence_score(name, "text", []).reason == "the example has no reference"
    assert corpus_score(name, [("text", [])]).reason == "no output has a reference"
    assert corpus_score(name, []).n == 0


@pytest.mark.parametrize(
    ("name", "empty_output", "empty_reference", "both"),
    [("bleu", 0, 0, 0), ("chrf", 0, 0, 0), ("ter", 100, 100, 0)],
)
def test_empty_texts_are_defined(name: str, empty_output: float, empty_reference: float, both: float) -> None:
    found = [sentence_score(name, *pair).value for pair in (("", ["a"]), ("a", [""]), ("", [""]))]
    assert found == [empty_output, empty_reference, both]


def test_a_lone_surrogate_does_not_stop_a_score() -> None:
    assert all(sentence_score(name, "a\udc00b", ["a b"]).defined for name in NAMES)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="bleu, chrf, ter"):
        sentence_score("meteor", "a", ["a"])


def test_edit_rate_is_zero_when_untouched_and_counts_words_changed() -> None:
    assert edit_rate("Call us today.", "Call us today.").value == 0
    assert edit_rate("Call us now please", "Call us today please").value == 25
    assert edit_rate("text", " ").reason == "the correction is empty"
    assert edit_rate("", "Call us today please").value == 100
    assert edit_rate("a", "a").signature.startswith("edit-rate|")
