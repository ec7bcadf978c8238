from dataclasses import dataclass, field

from evalapp.datasets.contamination import ContaminationReport, Match, contamination
from evalapp.datasets.rows import ExampleRow, prompt_hash
from evalapp.demo.generator import generate_examples


@dataclass
class Row:
    row_number: int
    text: str
    references: list[str] = field(default_factory=list)
    system: str = ""
    pairs: list[dict[str, str]] = field(default_factory=list)
    rated: list[dict[str, str]] = field(default_factory=list)

    @property
    def messages(self) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.text}]

    @property
    def prompt_hash(self) -> str:
        return prompt_hash(self.messages)


def some_words(start: int, count: int) -> str:
    return " ".join(f"word{number}" for number in range(start, start + count))


def check(training: list[Row], evaluation: list[Row]) -> ContaminationReport:
    return contamination(training, evaluation)


def match(training: int, evaluation: Row, share: float) -> Match:
    return Match(training, evaluation.row_number, share, evaluation.prompt_hash)


def test_the_same_prompt_is_refused_and_named() -> None:
    held_out = Row(9, "Beta?")
    report = check([Row(1, "Alpha?"), Row(2, "Beta?"), Row(3, "Gamma?")], [held_out])

    assert report.is_refused
    assert report.exact == [match(2, held_out, 1.0)]
    assert report.sentences() == [
        "1 training row has the same prompt as an evaluation row: row 2 (evaluation row 9)."
    ]


def test_half_of_the_word_sequences_are_refused_and_less_is_not() -> None:
    held_out = Row(9, some_words(0, 27))  # twenty sequences of eight words
    half = Row(1, some_words(0, 17) + " " + some_words(100, 10))  # ten of them
    less = Row(2, some_words(0, 16) + " " + some_words(200, 11))  # nine of them

    report = check([half, less], [held_out])

    assert report.contained == [match(1, held_out, 0.5)]
    assert report.refused_rows == [1]
    assert report.shared == [match(2, held_out, 0.0)]


def test_case_punctuation_and_system_prompt_hide_nothing() -> None:
    report = check(
        [Row(1, some_words(0, 20).upper().replace(" ", ", "), system="Be brief.")],
        [Row(9, some_words(0, 20))],
    )

    assert [match.training_row for match in report.near] == [1]


def test_a_shared_system_prompt_or_template_is_no_leak() -> None:
    template = some_words(500, 40)
    training = [Row(n, f"{template} {some_words(1000 * n, 20)}", system=template) for n in range(1, 61)]
    evaluation = [Row(n, f"{template} {some_words(1000 * n, 20)}", system=template) for n in range(61, 71)]

    report = check(training, evaluation)

    assert (report.exact, report.contained, report.shared) == ([], [], [])


def test_a_leak_inside_a_template_is_found() -> None:
    template = some_words(500, 40)
    training = [Row(n, f"{template} {some_words(1000 * n, 20)}") for n in range(1, 61)]
    evaluation = [Row(70, f"{template} {some_words(7000, 19)} end")]

    assert [match.training_row for match in check(training, evaluation).contained] == [7]


def test_a_sequence_of_thirteen_words_in_an_answer_is_reported_only() -> None:
    answer = some_words(0, 13)

    held_out = Row(9, "Beta?", [f"So: {answer}"])
    report = check([Row(1, "Alpha?", [answer])], [held_out])

    assert not report.is_refused
    assert report.shared == [match(1, held_out, 0.0)]


def test_short_prompts_are_compared_whole() -> None:
    held_out = Row(9, "refund  policy")
    report = check([Row(1, "Refund policy?"), Row(2, "Refund the policy")], [held_out])

    assert report.near == [match(1, held_out, 1.0)]


def test_the_demonstration_does_not_flag_itself() -> None:
    rows = [ExampleRow(each.split, each.messages, [each.formal]) for each in generate_examples()]
    numbered = [Row(n, row.messages[0]["content"], list(row.references)) for n, row in enumerate(rows, 1)]

    report = check(numbered[:600], numbered[600:])

    assert not report.is_refused
