"""Detects answers that are unfit for training: missing, cut off, refused, repetitive, badly encoded. Pure."""

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import ftfy
import numpy as np
from ftfy.badness import is_bad

from evalapp.curation.health.languages import UnusualLanguages
from evalapp.curation.health.rows import Fetch, Found, HealthRow, batches_of
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.datasets.models import Split
from evalapp.metrics.automatic.languages import READ, language_of
from evalapp.metrics.automatic.refusals import is_refusal

# What this share of a split's rows has counts as missing from the others.
USUAL_SHARE = 0.8
_FEWEST_ROWS = 20
_PLACEHOLDERS = {
    "",
    "n a",
    "na",
    "none",
    "null",
    "nil",
    "nan",
    "todo",
    "tbd",
    "tba",
    "test",
    "xxx",
    "answer",
    "placeholder",
    "text folgt",
    "asdf",
}
_BOILERPLATE = (
    "as an ai",
    "as a large language model",
    "lorem ipsum",
    "my knowledge cutoff",
    "my training data",
)
_UNFILLED = re.compile(
    r"[\[<{](?:your|insert|enter|company|customer|name|date|amount)[ _][^\]>}\n]{0,40}[\]>}]"
    r"|[\[<{](?:name|date|amount)[\]>}]|\[[^\]\n]{0,30}\b(?:einfügen|eintragen|ausfüllen|insérer|insertar)\]",
    re.IGNORECASE,
)
_REPEATED_CHARACTER = re.compile(r"([^\s\-=_*.#~])\1{29,}")
_CLOSING_CHARACTERS = frozenset(".!?…。！？؟।:;\"'”’»)]}>|`*~%")
_CUT_WORDS = 8
_SIGNATURE_WORDS = 5
_REPEATED_WORDS = 40
_MOST_WORDS = 4_000
_SEQUENCE = 4
# Least share of distinct four-word sequences in a text; in prose more than nine in ten differ.
_LEAST_DISTINCT_SHARE = 0.5
# Robust distance (median and MAD) of log length, and how many times as long or short as the median.
_FAR, _TIMES_LONGER, _TIMES_SHORTER = 4.0, 6.0, 12.0
_ASKS_FOR_LANGUAGE = re.compile(
    r"\btranslat|\bübersetz|\btradu"
    r"|\bin (?:english|german|french|spanish|italian|dutch|portuguese|polish|turkish|chinese|arabic)\b"
    r"|\bauf (?:englisch|deutsch|französisch)\b|\ben (?:français|anglais|español|inglés)\b",
    re.IGNORECASE,
)


class BrokenAnswerDetector:
    """Finds broken answers. Holds about 60 bytes a row."""

    def __init__(self) -> None:
        self._found: list[Found] = []
        self._missing: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._answered: Counter[str] = Counter()
        self._numbers: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._lengths: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._whole: Counter[str] = Counter()
        self._long: Counter[str] = Counter()
        self._cut: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._languages = UnusualLanguages()

    def read(self, row: HealthRow) -> None:
        if not row.answers:
            if not row.label:
                self._missing[row.split].append(row.number)
            return
        self._answered[row.split] += 1
        answer = row.answer
        if found := broken_answer(row):
            self._found.append(found)
            return
        self._numbers[row.split].append(row.number)
        self._lengths[row.split].append(len(answer))
        self._note_end(row, answer)
        self._languages.read(row.number, answer)

    @property
    def unchecked(self) -> str:
        """What could not be checked in the rows read, in one sentence; "" where everything was."""
        why = self._languages.unchecked
        return f"the language of answers was not checked, because {why}." if why else ""

    def found(self, fetch: Fetch) -> Iterator[Found]:
        yield from self._found
        yield from self._without_answer()
        yield from self._of_other_length()
        yield from self._cut_off()
        yield from self._in_other_language(fetch)

    def _note_end(self, row: HealthRow, answer: str) -> None:
        if len(answer.split()) < _CUT_WORDS:
            return
        self._long[row.split] += 1
        if ends_whole(answer):
            self._whole[row.split] += 1
        else:
            self._cut[row.split].append(row.number)

    def _without_answer(self) -> Iterator[Found]:
        for split, numbers in self._missing.items():
            is_trained_on = split in (Split.TRAIN, Split.VALIDATION)
            if is_trained_on or self._answered[split] >= USUAL_SHARE * (self._answered[split] + len(numbers)):
                for number in numbers:
                    yield _found(number, "There is no answer.")

    def _of_other_length(self) -> Iterator[Found]:
        for split, numbers in self._numbers.items():
            if len(numbers) < _FEWEST_ROWS:
                continue
            lengths = np.log(np.frombuffer(self._lengths[split], dtype=np.int64).clip(1))
            median = float(np.median(lengths))
            spread = max(1.4826 * float(np.median(np.abs(lengths - median))), 0.05)
            away = lengths - median
            far = np.abs(away) > _FAR * spread
            usual = round(np.exp(median))
            for place in np.flatnonzero(far & (away > np.log(_TIMES_LONGER))):
                length = self._lengths[split][place]
                yield _found(
                    numbers[place],
                    f"{length:,} characters; half of the answers have {usual:,} or fewer.",
                    decide=True,
                )
            for place in np.flatnonzero(far & (away < -np.log(_TIMES_SHORTER))):
                length = self._lengths[split][place]
                yield _found(
                    numbers[place],
                    f"{length:,} characters; half of the answers have {usual:,} or more.",
                    decide=True,
                )

    def _cut_off(self) -> Iterator[Found]:
        for split, numbers in self._cut.items():
            if self._long[split] >= _FEWEST_ROWS and self._whole[split] >= USUAL_SHARE * self._long[split]:
                for number in numbers:
                    yield _found(number, "The answer ends in the middle of a sentence.", decide=True)

    def _in_other_language(self, fetch: Fetch) -> Iterator[Found]:
        """Answers in a language other than that of most answers and of their own prompt."""
        for language, numbers in self._languages.unusual():
            for chunk in batches_of(numbers, 500):
                rows = fetch(chunk)
                for number in chunk:
                    prompt = rows[number].prompt
                    if _ASKS_FOR_LANGUAGE.search(prompt) or language_of(prompt[-READ:]) == language:
                        continue
                    yield _found(
                        number,
                        f"The answer seems to be in another language ({language}) than the prompt.",
                        decide=True,
                    )


def broken_answer(row: HealthRow) -> Found | None:
    """What is wrong with the row's answer, judged by itself."""
    answer = row.answer
    for name, text in row.texts.items():
        if name.split(".")[0] in ("references", "messages", "context") and _is_badly_encoded(text):
            fixed = ftfy.fix_encoding(text)
            changes = {name: fixed} if fixed != text and "\ufffd" not in fixed else {}
            proposal = Proposal.CHANGE if changes else Proposal.DECIDE
            where = "answer" if name.startswith("references") else "prompt"
            evidence = f"Characters of the {where} were damaged by a wrong encoding."
            return Found(FindingKind.BROKEN_ANSWER, row.number, evidence, proposal, changes=changes)
    plain = row.plain_answers[0]
    checks = (
        (plain in _PLACEHOLDERS, "A placeholder stands for the answer."),
        (is_refusal(answer), "The answer refuses."),
        (is_boilerplate(answer, plain), "The answer contains boilerplate or an unfilled placeholder."),
        (is_repetitive(answer, plain.split(" ")), "The answer repeats itself over and over."),
    )
    return next((_found(row.number, words) for is_so, words in checks if is_so), None)


def is_boilerplate(answer: str, plain: str) -> bool:
    """``plain``: the answer's words in lower case with one space between them."""
    if any(f" {phrase} " in f" {plain} " for phrase in _BOILERPLATE):
        return True
    return any(mark in answer for mark in "[<{") and bool(_UNFILLED.search(answer))


def is_repetitive(answer: str, words: Sequence[str]) -> bool:
    """Whether less than half of its four-word sequences differ, or a character is repeated 30 times."""
    # Three equal characters in every tenth mean a run of about thirty.
    sampled = answer[::10]
    is_likely = any(
        one == two == three for one, two, three in zip(sampled, sampled[1:], sampled[2:], strict=False)
    )
    if is_likely and _REPEATED_CHARACTER.search(answer):
        return True
    if len(words) < _REPEATED_WORDS:
        return False
    read = words[:_MOST_WORDS]
    sequences = list(zip(*(read[start:] for start in range(_SEQUENCE)), strict=False))
    return len(set(sequences)) < _LEAST_DISTINCT_SHARE * len(sequences)


def ends_whole(answer: str) -> bool:
    """Whether the answer ends as a sentence, signature, list item or code block may end."""
    before, _, last_line = answer.rstrip().rpartition("\n")
    last_line = last_line.strip()
    if not last_line or last_line[-1] in _CLOSING_CHARACTERS:
        return True
    # A signature.
    if (
        before.rstrip().endswith(",")
        and last_line[0].isupper()
        and len(last_line.split()) <= _SIGNATURE_WORDS
    ):
        return True
    # The last item of a list often has no full stop.
    if re.match(r"(?:[-*•]|\d+[.)])\s|\|", last_line):
        return True
    return not last_line[-1].isalpha() and last_line[-1] not in ",-–("


def _is_badly_encoded(text: str) -> bool:
    return "\ufffd" in text or (not text.isascii() and is_bad(text))


def _found(number: int, evidence: str, *, decide: bool = False) -> Found:
    proposal = Proposal.DECIDE if decide else Proposal.DROP
    return Found(FindingKind.BROKEN_ANSWER, number, evidence, proposal)
