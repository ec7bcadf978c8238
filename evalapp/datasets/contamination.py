"""The contamination check: evaluation prompts in training data, exact or by word n-grams. Pure.

* exact: a training row has the same prompt (``prompt_hash``) as an evaluation row; refused.
* near: the same except for capitals, punctuation, and at most one word in five inserted, omitted or spelt
differently, with all numbers the same (`near_prompts`); refused.
* contained: at least half of the 8-word-grams of an evaluation prompt occur in one training prompt; refused.
* shared: a training row and an evaluation row have a 13-word-gram in common, in prompt or reference;
reported.

A short prompt that many rows have, such as "Summarise this", matches only together with the same answer. Only
a row's own text counts: system messages are left out, and so are n-grams that more than 1% of the rows share
(otherwise a template would flag itself), and those of ``templates``. The sizes follow common decontamination
practice (8-gram containment, 13-gram overlap).
"""

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from evalapp.datasets.near_prompts import NearPrompts

CONTAINED_WORDS = 8
SHARED_WORDS = 13
CONTAINED_FROM = 0.5
COMMON_SHARE = 0.01
# In a small set 1% is less than one row; an n-gram shared by fewer rows than this is no template.
FEWEST_COMMON_ROWS = 5
# With fewer n-grams than this left after the exclusions, the contained share is meaningless.
FEWEST_OWN_GRAMS = 5
MOST_NAMED = 5

_WORD = re.compile(r"\w+")
# An n-gram by its 64-bit hash, which takes a fraction of the memory and makes collisions negligible.
Gram = int


class HasPrompt(Protocol):
    """The fields that are compared: an ``Example``, or any object with them."""

    row_number: Any
    prompt_hash: Any
    messages: Any
    references: Any
    pairs: Any
    rated: Any


class Match(NamedTuple):
    """A training row that matches an evaluation row, both by row number; ``share`` is the contained share.
    ``evaluation_hash`` is the evaluation row's ``prompt_hash`` and ``evaluation_version`` the key of its
    dataset version (row numbers repeat between versions), None for a row without one.
    """

    training_row: int
    evaluation_row: int
    share: float
    evaluation_hash: str = ""
    evaluation_version: int | None = None

    @property
    def prompts(self) -> tuple[int, str]:
        """The pair that matched, by prompt: the same prompt may evaluate in several versions."""
        return self.training_row, self.evaluation_hash


@dataclass(frozen=True, slots=True)
class ContaminationReport:
    """Matches by kind; each pair is listed once, under its worst kind. ``names`` are those of the evaluation
    rows' versions.
    """

    exact: list[Match]
    near: list[Match]
    contained: list[Match]
    shared: list[Match]
    training_rows: int
    evaluation_rows: int
    names: Mapping[int | None, str] = field(default_factory=dict)

    @property
    def refused(self) -> list[Match]:
        """The matches for which a training is refused."""
        return [*self.exact, *self.near, *self.contained]

    @property
    def is_refused(self) -> bool:
        return bool(self.refused)

    @property
    def refused_rows(self) -> list[int]:
        """Numbers of the training rows that must be removed, in order."""
        return sorted({match.training_row for match in self.refused})

    def with_held_out(self, other: "ContaminationReport", *, repeated: int) -> "ContaminationReport":
        """Merge this report with one on the same training data and other evaluation rows. ``repeated`` rows
        of the other also evaluate in this one: they are counted, and their matches listed, once.
        """
        merged: list[list[Match]] = []
        prompts_listed: set[tuple[int, str]] = set()
        for own, others in (
            (self.exact, other.exact),
            (self.near, other.near),
            (self.contained, other.contained),
            (self.shared, other.shared),
        ):
            kept = [match for match in own if match.prompts not in prompts_listed]
            prompts_listed |= {match.prompts for match in kept}
            new = [match for match in others if match.prompts not in prompts_listed]
            prompts_listed |= {match.prompts for match in new}
            merged.append(kept + new)
        evaluation_rows = self.evaluation_rows + other.evaluation_rows - repeated
        exact, near, contained, shared = merged
        return ContaminationReport(
            exact, near, contained, shared, self.training_rows, evaluation_rows, self.names
        )

    def sentences(self) -> list[str]:
        """One sentence per kind found, naming the first rows."""
        return self.refusal_sentences() + self.weaker_sentences()

    def refusal_sentences(self) -> list[str]:
        """Sentences on the matches for which a training is refused; an owner may override the refusal."""
        kinds = (
            (self.exact, "the same prompt as"),
            (self.near, "nearly the same prompt as"),
            (self.contained, f"half or more of the {CONTAINED_WORDS}-word sequences of"),
        )
        return [self._sentence(matches, words) for matches, words in kinds if matches]

    def weaker_sentences(self) -> list[str]:
        """Sentences on the matches that are only reported."""
        words = f"a sequence of {SHARED_WORDS} words in common with"
        return [self._sentence(self.shared, words)] if self.shared else []

    def _sentence(self, matches: list[Match], words: str) -> str:
        pairs = ", ".join(
            f"row {match.training_row:,} (evaluation row {match.evaluation_row:,}{self._of_version(match)})"
            for match in matches[:MOST_NAMED]
        )
        rows = len({match.training_row for match in matches})
        others = len(matches) - MOST_NAMED
        more = f" and {others:,} more pair{'' if others == 1 else 's'}" if others > 0 else ""
        subject = "1 training row has" if rows == 1 else f"{rows:,} training rows have"
        return f"{subject} {words} an evaluation row: {pairs}{more}."

    def _of_version(self, match: Match) -> str:
        name = self.names.get(match.evaluation_version)
        return f" of {name}" if name else ""


def contamination(
    training: Iterable[HasPrompt],
    evaluation: Iterable[HasPrompt],
    *,
    templates: Sequence[str] = (),
    unread: int = 0,
) -> ContaminationReport:
    """Compare every training row with every evaluation row.

    ``training`` is read once and may be a stream; memory grows with the evaluation rows, and with the
    training rows that have something in common with one. ``templates``: texts that rows are made with and
    that therefore prove nothing. ``unread``: number of further training rows without any evaluation prompt;
    they count in the total from which the common share is computed.
    """
    index = _EvaluationIndex(list(evaluation), templates)
    found: list[_Traces] = []
    training_rows = 0
    for row in training:
        training_rows += 1
        traces = index.traces(row)
        if traces.has_any:
            found.append(traces)
    index.drop_common(training_rows + unread)
    exact: list[Match] = []
    near: list[Match] = []
    contained: list[Match] = []
    shared: list[Match] = []
    for traces in found:
        worst: set[int] = set()
        for kind, places in (
            (exact, index.exact_matches(traces)),
            (near, index.nearly(traces)),
            (contained, index.contained_in(traces.prompt_grams)),
            (shared, ((place, 0.0) for place in index.positions_sharing(traces.long_grams))),
        ):
            for place, share in places:
                if place not in worst:
                    worst.add(place)
                    kind.append(index.match(traces.row, place, share))
    return ContaminationReport(exact, near, contained, shared, training_rows, len(index.rows))


def common_above(rows: int) -> float:
    """The number of rows above which shared text counts as common, and proves nothing."""
    return max(FEWEST_COMMON_ROWS, COMMON_SHARE * rows)


class _Traces(NamedTuple):
    """What a training row shares with the evaluation: positions of evaluation rows, and grams in the index.
    ``answered``: of the rows with the same or nearly the same prompt, the positions that also share an
    answer.
    """

    row: int
    exact: tuple[int, ...]
    near: tuple[tuple[int, float], ...]
    answered: frozenset[int]
    prompt_grams: "array[Gram]"
    long_grams: "array[Gram]"

    @property
    def has_any(self) -> bool:
        return bool(self.exact or self.near or self.prompt_grams or self.long_grams)


class _EvaluationIndex:
    def __init__(self, rows: list[HasPrompt], templates: Sequence[str]) -> None:
        self.rows = rows
        self._by_hash: defaultdict[str, list[int]] = defaultdict(list)
        self._prompt: defaultdict[Gram, list[int]] = defaultdict(list)
        self._long: defaultdict[Gram, list[int]] = defaultdict(list)
        self._beginnings: set[Gram] = set()
        self._prompts: list[list[str]] = []
        self._answers: list[set[Gram]] = []
        # How many training rows have each evaluation prompt, and from how many on it counts as common.
        self._met: Counter[int] = Counter()
        self._limit = 0.0
        self._own: list[int] = []
        self._all: list[int] = []
        self._frequency: Counter[Gram] = Counter()
        for position, row in enumerate(rows):
            self._by_hash[row.prompt_hash].append(position)
            prompt, texts = own_words(row)
            grams = _grams(prompt, CONTAINED_WORDS)
            long_grams = {gram for words in (prompt, *texts) for gram in _long_grams(words)}
            for gram in grams:
                self._prompt[gram].append(position)
            for gram in long_grams:
                self._long[gram].append(position)
            short_grams = (_grams(words, CONTAINED_WORDS) for words in (prompt, *texts))
            self._beginnings.update(gram for found in short_grams for gram in found)
            self._prompts.append(prompt)
            self._answers.append({hash(tuple(words)) for words in texts if words})
            self._all.append(len(grams))
            self._frequency.update(grams)
            self._frequency.update(long_grams)
        self._near = NearPrompts(self._prompts)
        for template in templates:
            words = _words(template)
            for gram in (*_grams(words, CONTAINED_WORDS), *_long_grams(words)):
                self._prompt.pop(gram, None)
                self._long.pop(gram, None)

    def traces(self, row: HasPrompt) -> _Traces:
        """The evaluation rows with this prompt, or nearly so, and the row's grams that occur in the index."""
        prompt, texts = own_words(row)
        grams = _grams(prompt, CONTAINED_WORDS)
        known = array("q", filter(self._prompt.__contains__, grams))
        # Rows that share a long gram also share short ones, so most rows are finished here.
        long_grams: set[Gram] = set()
        if not grams.isdisjoint(self._beginnings):
            long_grams.update(_long_grams(prompt))
        for words in texts:
            if not _grams(words, CONTAINED_WORDS).isdisjoint(self._beginnings):
                long_grams.update(_long_grams(words))
        known_long = array("q", filter(self._long.__contains__, long_grams))
        self._frequency.update(known)
        self._frequency.update(known_long)
        exact, near = tuple(self._by_hash.get(row.prompt_hash, ())), tuple(self._near.near(prompt))
        places = {*exact, *(place for place, _ in near)}
        self._met.update(places)
        answers = {hash(tuple(words)) for words in texts if words}
        answered = frozenset(place for place in places if not answers.isdisjoint(self._answers[place]))
        return _Traces(row.row_number, exact, near, answered, known, known_long)

    def exact_matches(self, traces: _Traces) -> list[tuple[int, float]]:
        """Evaluation rows with the same prompt; a short, common prompt needs the same answer too."""
        return [
            (place, 1.0)
            for place in traces.exact
            if place in traces.answered
            or len(self._prompts[place]) >= CONTAINED_WORDS
            or self._met[place] <= self._limit
        ]

    def nearly(self, traces: _Traces) -> list[tuple[int, float]]:
        """Evaluation rows with nearly the same prompt; as `exact_matches`, but for any length."""
        return [
            (place, share)
            for place, share in traces.near
            if place in traces.answered or self._met[place] <= self._limit
        ]

    def drop_common(self, training_rows: int) -> None:
        """Drop the grams that too many rows share; call once all rows have been read."""
        self._limit = common_above(training_rows + len(self.rows))
        for grams in (self._prompt, self._long):
            for gram in [gram for gram in grams if self._frequency[gram] > self._limit]:
                del grams[gram]
        own: Counter[int] = Counter()
        for positions in self._prompt.values():
            own.update(positions)
        self._own = [own[position] for position in range(len(self.rows))]

    def contained_in(self, grams: Iterable[Gram]) -> Iterator[tuple[int, float]]:
        """Evaluation rows of which at least half of their own prompt grams are among these."""
        counts = Counter(position for gram in grams for position in self._prompt.get(gram, ()))
        for position, count in sorted(counts.items()):
            own = self._own[position]
            if own < FEWEST_OWN_GRAMS and own < self._all[position]:
                continue
            if count / own >= CONTAINED_FROM:
                yield position, count / own

    def match(self, training_row: int, position: int, share: float) -> Match:
        row = self.rows[position]
        # Rows compared before they are stored have no version.
        version = getattr(row, "version_id", None)
        return Match(training_row, row.row_number, share, row.prompt_hash, version)

    def positions_sharing(self, grams: Iterable[Gram]) -> list[int]:
        return sorted({position for gram in grams for position in self._long.get(gram, ())})


def own_words(row: HasPrompt) -> tuple[list[str], list[list[str]]]:
    """The words of the prompt without system messages, and of each answer that is learned
    from or expected.
    """
    messages: Iterable[Mapping[str, str]] = row.messages
    prompt = [
        word for message in messages if message["role"] != "system" for word in _words(message["content"])
    ]
    preferred = [text for pair in row.pairs for text in (pair["chosen"], pair["rejected"])]
    rated = [each["answer"] for each in row.rated]
    return prompt, [_words(text) for text in (*row.references, *preferred, *rated)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _grams(words: list[str], size: int) -> set[Gram]:
    """Every n-gram of ``size`` words; the whole text where it is shorter."""
    if len(words) < size:
        return {hash(tuple(words))} if words else set()
    return set(map(hash, zip(*(words[start:] for start in range(size)), strict=False)))


def _long_grams(words: list[str]) -> set[Gram]:
    return _grams(words, SHARED_WORDS) if len(words) >= SHARED_WORDS else set()
