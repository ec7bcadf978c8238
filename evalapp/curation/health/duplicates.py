"""Rows that repeat earlier ones, nearly repeat them, or answer them differently. Pure.

* exact duplicate: prompt, context and answers are the same, capitals, punctuation and white space aside.
* near-duplicate: the same context, prompts that are nearly the same (Jaccard similarity of their sets of
  5-character sequences ≥ 0.8 with the same numbers, or the same words but for one in five), and the same
  answer, or one that is nearly the same.
* conflict: the same prompt and context, or prompts that are the same but for one word in five, and answers
  that cannot both be right: other labels, a yes and a no, or of a short answer other numbers or hardly a word
  in common. Long answers choose what they tell.

Only rows of one split with the same context and the same numbers in the prompt are compared: what is in two
splits is leakage. Each row is compared with the earliest that it may repeat, which is kept, so dropping every
finding leaves one row of each. Candidates come from MinHash (126 permutations in 21 bands of 6; Broder 1997,
Leskovec et al., Mining of Massive Datasets, ch. 3) and, for prompts of at most `SHORT_WORDS` words, from the
words with one left out; each is then compared exactly.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein
from rensa import RMinHash

from evalapp.curation.health.rows import (
    Fetch,
    Found,
    HealthRow,
    batches_of,
    normalised,
    numbers_of,
    words_of,
)
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.datasets.near_prompts import LEAST_SIMILARITY, similarity

NEAR_SIMILARITY = 0.8
SHINGLE = 5
SHORT_WORDS = 12
BANDS, BAND_ROWS = 21, 6
# Answers that share less than this share of their words contradict each other.
LEAST_AGREEMENT = 0.25
_LONG_WORD = 4
_SHORT_ANSWER = 60
_FEW_WORDS = 0.75
_FEWEST_SHARED = 2
_SEED = 1
_BATCH_ROWS = 2_000
_PAIRS_AT_ONCE = 2_000
# Most earlier rows that a row is compared with: rows from one template share buckets with all others.
_MOST_COMPARED = 6
# Four standard errors below `NEAR_SIMILARITY`.
_LEAST_ESTIMATE = 0.65
_PAIRS_ESTIMATED = 50_000
_YES, _NO = {"yes", "yeah", "correct", "true"}, {"no", "not", "incorrect", "false"}

Keys = npt.NDArray[np.uint64]


class DuplicateDetector:
    """Finds exact and near-duplicates and conflicts. Holds about 700 bytes a row."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._row_keys: list[int] = []
        self._waiting: list[tuple[int, int, str]] = []
        self._buckets: list[Keys] = []
        self._places: list[npt.NDArray[np.int64]] = []
        self._signatures: list[npt.NDArray[np.uint16]] = []
        self._is_short: list[npt.NDArray[np.bool_]] = []

    def read(self, row: HealthRow) -> None:
        place = len(self._numbers)
        self._numbers.append(row.number)
        parts = (row.split, row.plain_context, row.plain_prompt, row.label, *row.plain_answers)
        self._row_keys.append(_key("\x00".join(parts)))
        # Rows that differ in this are never compared, however similar their prompts are.
        shared = _key("\x00".join((row.split, row.plain_context, *row.numbers)))
        self._waiting.append((place, shared, row.plain_prompt))
        if len(self._waiting) == _BATCH_ROWS:
            self._index()

    def found(self, fetch: Fetch) -> Iterator[Found]:
        self._index()
        repeated = self._exact()
        for place in sorted(repeated):
            first = self._numbers[repeated[place]]
            yield Found(
                FindingKind.EXACT_DUPLICATE,
                self._numbers[place],
                f"The same prompt and answer as row {first:,}.",
                Proposal.DROP,
                score=1.0,
                others=[first],
            )
        yield from self._compared(fetch, set(repeated))

    def _exact(self) -> dict[int, int]:
        """Each position that repeats an earlier one, with the earliest."""
        first: dict[int, int] = {}
        repeated: dict[int, int] = {}
        for place, key in enumerate(self._row_keys):
            earliest = first.setdefault(key, place)
            if earliest != place:
                repeated[place] = earliest
        return repeated

    def _compared(self, fetch: Fetch, done: set[int]) -> Iterator[Found]:
        repeats: set[int] = set(done)
        for pairs in batches_of(self._candidates(done), _PAIRS_AT_ONCE):
            places = {place for later, earlier in pairs for place in (later, *earlier)}
            rows = fetch([self._numbers[place] for place in sorted(places)])
            for later, earlier in pairs:
                row = rows[self._numbers[later]]
                # Repeats are dropped themselves, so a row is compared only with rows that stay.
                staying = [rows[self._numbers[place]] for place in earlier if place not in repeats]
                best = max(
                    (found for other in staying if (found := _comparison(row, other)) is not None),
                    key=lambda found: found.score or 0.0,
                    default=None,
                )
                if best is not None:
                    if best.kind == FindingKind.NEAR_DUPLICATE:
                        repeats.add(later)
                    yield best

    def _candidates(self, done: set[int]) -> Iterator[tuple[int, list[int]]]:
        """Each position with the earlier ones that it may repeat: those that share most buckets with it."""
        keys, places = np.concatenate(self._buckets), np.concatenate(self._places)
        if done:
            stays = np.ones(len(self._numbers), dtype=bool)
            stays[list(done)] = False
            keys, places = keys[stays[places]], places[stays[places]]
        order = np.lexsort((places, keys))
        keys, places = keys[order], places[order]
        again = np.flatnonzero(keys[1:] == keys[:-1]) + 1
        starts = np.maximum.accumulate(
            np.where(np.append(True, keys[1:] != keys[:-1]), np.arange(len(keys)), 0)
        )
        count = np.uint64(len(self._numbers))
        # The previous and the first row of each bucket: chains of these reach all near rows.
        pairs = np.concatenate(
            [
                places[again].astype(np.uint64) * count + places[before].astype(np.uint64)
                for before in (again - 1, starts[again])
            ]
        )
        pairs = np.unique(pairs[pairs // count != pairs % count])
        later, earlier, alike = self._likely(pairs // count, pairs % count)
        order = np.lexsort((earlier, -alike, later))
        first = 0
        ends = np.flatnonzero(np.append(later[1:] != later[:-1], True)) + 1
        for end in ends if len(later) else ():
            chosen = earlier[order[first : min(int(end), first + _MOST_COMPARED)]]
            yield int(later[first]), sorted(map(int, chosen))
            first = int(end)

    def _likely(self, later: Keys, earlier: Keys) -> tuple[Keys, Keys, npt.NDArray[np.float64]]:
        """The pairs whose estimated similarity is not far below `NEAR_SIMILARITY`, and those of short
        prompts; with the estimate, whose standard error is at most 0.045.
        """
        signatures = np.concatenate(self._signatures)
        is_short = np.concatenate(self._is_short)
        alike = np.empty(len(later))
        for start in range(0, len(later), _PAIRS_ESTIMATED):
            part = slice(start, start + _PAIRS_ESTIMATED)
            alike[part] = (signatures[later[part]] == signatures[earlier[part]]).mean(axis=1)
        kept = (alike >= _LEAST_ESTIMATE) | (is_short[later] & is_short[earlier])
        return later[kept], earlier[kept], alike[kept]

    def _index(self) -> None:
        if not self._waiting:
            return
        flat, offsets = _shingles([prompt for _, _, prompt in self._waiting])
        rows = RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, BANDS * BAND_ROWS, _SEED)
        hashes = np.array(rows.to_rows(), dtype=np.uint64).reshape(len(self._waiting), BANDS, BAND_ROWS)
        # The lower half of each hash distinguishes as well, at half the memory.
        self._signatures.append(hashes.reshape(len(self._waiting), -1).astype(np.uint16))
        shared = np.array([each for _, each, _ in self._waiting], dtype=np.uint64)
        bands = np.broadcast_to(shared[:, None], (len(shared), BANDS)) + np.arange(BANDS, dtype=np.uint64)
        for column in range(BAND_ROWS):
            bands = _mix_hashes(bands, hashes[:, :, column])
        places = np.array([place for place, _, _ in self._waiting], dtype=np.int64)
        self._buckets.append(bands.reshape(-1))
        self._places.append(np.repeat(places, BANDS))
        self._index_short()
        self._waiting.clear()

    def _index_short(self) -> None:
        keys: list[int] = []
        places: list[int] = []
        are_short: list[bool] = []
        for place, shared, prompt in self._waiting:
            words = prompt.split(" ")
            are_short.append(len(words) <= SHORT_WORDS)
            if not are_short[-1]:
                continue
            for left_out in range(-1, len(words)):
                kept = words if left_out < 0 else words[:left_out] + words[left_out + 1 :]
                if kept:
                    keys.append(_key(f"short\x00{shared}\x00{' '.join(kept)}"))
                    places.append(place)
        self._is_short.append(np.array(are_short))
        self._buckets.append(np.array(keys, dtype=np.uint64))
        self._places.append(np.array(places, dtype=np.int64))


def jaccard(first: str, second: str) -> float:
    """Of the sets of `SHINGLE`-character sequences of two normalised texts, 0–1; 1 for two equal ones."""
    if first == second:
        return 1.0
    one, two = _sequences(first), _sequences(second)
    return len(one & two) / len(one | two)


def _comparison(row: HealthRow, other: HealthRow) -> Found | None:
    """The finding for ``row`` compared with an earlier row, or None."""
    if row.plain_context != other.plain_context or row.numbers != other.numbers:
        return None
    is_same = row.plain_prompt == other.plain_prompt
    in_words = 1.0 if is_same else similarity(row.words, other.words)
    is_strict = in_words >= LEAST_SIMILARITY
    score = max(in_words, 0.0 if is_same else jaccard(row.plain_prompt, other.plain_prompt))
    if not is_strict and score < NEAR_SIMILARITY:
        return None
    how = "The same" if is_same else "Nearly the same"
    if is_strict and (why := disagreement(row, other)):
        return Found(
            FindingKind.CONFLICT,
            row.number,
            f"{how} prompt as row {other.number:,}, {why}.",
            Proposal.DECIDE,
            score=score,
            others=[other.number],
        )
    if not _has_same_answers(row, other):
        return None
    return Found(
        FindingKind.NEAR_DUPLICATE,
        row.number,
        f"{how} prompt as row {other.number:,}, and the same answer.",
        Proposal.MERGE,
        score=score,
        others=[other.number],
    )


def disagreement(row: HealthRow, other: HealthRow) -> str:
    """Why the answers of two rows with one prompt cannot both be right, in words; "" where they can."""
    if row.label != other.label:
        return f"labelled “{row.label or 'none'}” here and “{other.label or 'none'}” there"
    first, second = row.answer, other.answer
    plain = normalised(first), normalised(second)
    if not first or not second or plain[0] == plain[1]:
        return ""
    is_short = min(len(first.split()), len(second.split())) <= _SHORT_ANSWER
    reasons = (
        (_yes_or_no(first) * _yes_or_no(second) < 0, "answered with yes in one and with no in the other"),
        (is_short and _differ_in_numbers(first, second), "answered with other numbers"),
        # One word can reverse an answer: "included", "excluded".
        (
            Levenshtein.normalized_similarity(*plain) >= _FEW_WORDS,
            "with an answer that differs in a few words",
        ),
        (is_short and not _share_words(first, second), "with almost no word of its answer in common"),
    )
    return next((why for is_so, why in reasons if is_so), "")


def _differ_in_numbers(first: str, second: str) -> bool:
    """Whether each text has a number that the other lacks."""
    one, two = set(numbers_of(first)), set(numbers_of(second))
    return bool(one - two) and bool(two - one)


def _share_words(first: str, second: str) -> bool:
    """Whether a quarter of the shorter one's words of four letters or more are in the other, and two at
    least; true where it has fewer.
    """
    one, two = ({word for word in words_of(text) if len(word) >= _LONG_WORD} for text in (first, second))
    fewer = min(len(one), len(two))
    return fewer < _FEWEST_SHARED or len(one & two) >= max(_FEWEST_SHARED, LEAST_AGREEMENT * fewer)


def _yes_or_no(answer: str) -> int:
    start = words_of(answer[:40])[:2]
    if start and start[0] in _YES:
        return 1
    return -1 if start and start[0] in _NO else 0


def _has_same_answers(row: HealthRow, other: HealthRow) -> bool:
    return row.label == other.label and row.plain_answers == other.plain_answers


def _sequences(text: str) -> set[str]:
    return {text[start : start + SHINGLE] for start in range(max(1, len(text) - SHINGLE + 1))}


def _shingles(texts: Sequence[str]) -> tuple[list[int], list[int]]:
    """Hashes of every text's sequences, one text after the other, and where each begins; the same on every
    machine and in every process.
    """
    padded = [text.ljust(SHINGLE) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    hashes = np.zeros(len(codes) - SHINGLE + 1, dtype=np.uint64)
    for step in range(SHINGLE):
        hashes = _mix_hashes(hashes, codes[step : step + len(hashes)])
    ends = np.cumsum(lengths)
    # A sequence that begins within the last characters of a text runs into the next one.
    is_whole = np.ones(len(codes), dtype=bool)
    for back in range(1, SHINGLE):
        is_whole[ends - back] = False
    offsets = np.concatenate(([0], np.cumsum(lengths - SHINGLE + 1)))
    return hashes[is_whole[: len(hashes)]].tolist(), offsets.tolist()


def _mix_hashes(hashes: Keys, values: Keys) -> Keys:
    """One step of a 64-bit hash with the finaliser of SplitMix64."""
    mixed = (hashes ^ values) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(31))


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
