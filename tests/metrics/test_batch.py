import pytest

from evalapp.metrics.automatic import surface
from evalapp.metrics.automatic.rouge import RougeOptions, rouge
from evalapp.metrics.automatic.surface import length_words
from evalapp.metrics.automatic.translation import sentence_score
from evalapp.metrics.batch import ROWS_PER_CHUNK, Scorer
from evalapp.metrics.metric import NOT_COMPUTED
from evalapp.metrics.registry import METRICS
from evalapp.metrics.rows import Row
from tests.metrics.growth import LINEAR_AT_MOST, growth
from tests.metrics.test_translation import corpus_score

ROWS = [
    Row(
        output=f"Your plan number {number} grew by {number}% this year, so keep saving.",
        references=(f"Plan {number} grew {number}% this year.", "Keep saving.")[: number % 3],
        context=f"plan {number}: growth {number % 7}%",
    )
    for number in range(40)
]


def test_every_metric_of_the_catalogue_scores_every_row() -> None:
    found = list(Scorer(list(METRICS)).score(ROWS))
    assert [list(measures) for measures in found] == [list(METRICS)] * len(ROWS)
    for row, measures in zip(ROWS, found, strict=True):
        for name, measure in measures.items():
            needs_missing = METRICS[name].needs == "references" and not row.references
            # Of so few words nobody can tell the language.
            needs_missing |= name == "other_language"
            assert measure.defined != needs_missing


def test_scores_are_those_of_the_single_functions() -> None:
    scorer = Scorer(["bleu", "rougeL"])
    for row, found in zip(ROWS, scorer.score(ROWS), strict=True):
        assert found["bleu"] == sentence_score("bleu", row.output, row.references)
        expected = rouge(row.output, row.references, RougeOptions(variants=("rougeL",)))
        assert found["rougeL"] == expected["rougeL"]


def test_corpus_scores_come_with_the_pass() -> None:
    scorer = Scorer(["chrf", "words", "token_f1"])
    tally = scorer.tally()
    rows = list(scorer.score(ROWS, tally=tally))
    corpus = tally.measures()
    assert corpus == scorer.corpus(ROWS)
    assert corpus["chrf"] == corpus_score("chrf", [(row.output, row.references) for row in ROWS])
    assert corpus["words"].value == pytest.approx(sum(each["words"].value for each in rows) / 40)
    assert (corpus["token_f1"].n, corpus["token_f1"].note) == (26, "undefined for 14 of 40 outputs")
    assert corpus["token_f1"].signature.startswith("mean|token-f1|")


def test_rows_stream_with_progress() -> None:
    total = 2 * ROWS_PER_CHUNK + 3
    taken, done = [], []

    def source() -> object:
        for number in range(total):
            taken.append(number)
            yield Row(output=f"text {number}")

    scored = Scorer(["words"]).score(source(), on_progress=done.append)
    assert next(scored)["words"].value == 2
    assert len(taken) == ROWS_PER_CHUNK
    assert sum(1 for _ in scored) == total - 1
    assert done == [ROWS_PER_CHUNK, 2 * ROWS_PER_CHUNK, total]


def test_a_cancel_raised_by_the_progress_ends_the_pass() -> None:
    def cancel(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Scorer(["words"]).score([Row(output="a")], on_progress=cancel))


def test_no_rows_and_no_values_are_said() -> None:
    scorer = Scorer(["bleu", "token_f1", "words"])
    assert list(scorer.score([])) == []
    assert {measure.reason for measure in scorer.corpus([]).values()} == {
        "no output has a reference",
        "undefined for every output",
    }


def test_unknown_metrics_and_none_are_refused() -> None:
    with pytest.raises(ValueError, match='"no-such-metric" is not a metric; known are rouge1'):
        Scorer(["no-such-metric"])
    with pytest.raises(ValueError, match="at least one metric"):
        Scorer([])


def test_another_tokenizer_turns_the_stemmer_off() -> None:
    found = next(Scorer(["rouge1"], tokenizer="unicode").score([Row(output="ไทย", references=("ไทย",))]))
    assert found["rouge1"].value == 1.0
    assert "stemmer:no|tokenizer:unicode" in found["rouge1"].signature


def test_long_texts_come_in_small_chunks_so_that_a_cancel_is_soon_heard() -> None:
    done: list[int] = []
    rows = [Row(output="word " * 30_000, references=("word " * 30_000,)) for _ in range(10)]
    list(Scorer(["words"]).score(rows, on_progress=done.append))
    assert done == [4, 8, 10]


def test_a_text_a_metric_fails_on_costs_that_one_value_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_on_two(output: str) -> object:
        if output == "two":
            raise OverflowError
        return length_words(output)

    monkeypatch.setattr(surface, "length_words", fails_on_two)
    found = list(Scorer(["words", "characters"]).score([Row(output="one"), Row(output="two")]))
    assert [measures["words"].value for measures in found] == [1, None]
    assert found[1]["words"].reason == NOT_COMPUTED
    assert found[1]["characters"].value == 3


@pytest.mark.parametrize("part", ["a ", "a", "a.", "a-", "1,", "&lt;", "\n", "a\n", "ไทย ", "<skipped>", "é"])
@pytest.mark.parametrize(
    "metric", ["rouge1", "rouge2", "bleu", "chrf", "token_f1", "exact_match", "words", "repetition"]
)
def test_the_cost_of_a_metric_grows_with_its_texts(metric: str, part: str) -> None:
    scorer = Scorer([metric])
    ratio = growth(
        lambda text: list(scorer.score([Row(output=text, references=(text + part,))])),
        lambda characters: part * (characters // len(part)),
        characters=4_000,
    )
    assert ratio < LINEAR_AT_MOST


def test_unsupported_numbers_are_undefined_without_a_context() -> None:
    rows = [
        Row(output="It was 42 in 1969.", prompt="How many, and when?", fields={"id": "7"}),
        Row(output="It was 42 in 1969.", prompt="How many, and when?", context="In 1969 there were 42."),
    ]
    without, beside = (each["unsupported_numbers"] for each in Scorer(["unsupported_numbers"]).score(rows))
    assert (without.value, without.reason) == (None, "the example has no context")
    assert beside.value == 0
