"""Whether the inputs of a week still resemble those of the baseline: strata, length, language and words.

Four distances, each with a limit that a week without a change exceeds in at most 1 of 100 cases. Inputs are
clustered (one customer's letters, the last days of a month), so a limit is the larger of two: what
independent outputs would stay under, and how much the baseline's own weeks differ from one another.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from evalapp.stats.resampling import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: How often a distance exceeds its limit without a change.
LEVEL = 0.01
DRAWS = 2000
#: A stratum with fewer expected outputs in the week is merged with other rare ones.
FEWEST_IN_CELL = 5.0
#: With fewer weeks, the variation between weeks cannot be estimated.
FEWEST_WEEKS = 3
FEWEST_INPUTS = 10
_NO_SPREAD = 1e-12
#: Largest number of texts of the baseline, and of the week, that are compared.
MOST_TEXTS = 2000
MOST_OF_WEEK = 500
MOST_WORDS = 5000
#: Number of new words that are shown.
WORDS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Inputs of one week: numbers of outputs by stratum and by language, lengths of inputs (0 or more, in any
    unit), and texts. Unknown parts are empty.
    """

    strata: Mapping[Hashable, int] = field(default_factory=dict)
    languages: Mapping[Hashable, int] = field(default_factory=dict)
    lengths: Sequence[float] = ()
    texts: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Distance of a week from the baseline, and the ``limit`` that it stays under without a change.

    Both are None, with the ``reason``, if they cannot be computed. ``n`` counts the week's inputs. For shares
    it is total variation: the share of outputs that would have to change their kind. For lengths, the
    relative change of their geometric mean, such as -0.2, with the limit of that direction. For texts, the
    squared distance of the means of TF-IDF vectors of length 1, less its expectation by chance; ``words`` are
    those that became more frequent.
    """

    value: float | None
    limit: float | None
    n: int
    reason: str = ""
    words: tuple[str, ...] = ()

    @property
    def is_far(self) -> bool:
        return self.value is not None and self.limit is not None and abs(self.value) > self.limit


class InputMix(NamedTuple):
    strata: Distance
    languages: Distance
    length: Distance
    texts: Distance

    @property
    def far(self) -> tuple[str, ...]:
        """Names of the distances beyond their limits."""
        return tuple(name for name, each in self._asdict().items() if each.is_far)


def input_mix(baseline: Sequence[Inputs], week: Inputs, *, seed: int = 0) -> InputMix:
    """Compare a week with the weeks of a baseline."""
    return InputMix(
        strata=shares_distance([each.strata for each in baseline], week.strata, seed=seed),
        languages=shares_distance([each.languages for each in baseline], week.languages, seed=seed),
        length=length_distance([each.lengths for each in baseline], week.lengths),
        texts=texts_distance([each.texts for each in baseline], week.texts, seed=seed),
    )


def shares_distance(
    baseline: Sequence[Mapping[Hashable, int]], week: Mapping[Hashable, int], *, seed: int = 0
) -> Distance:
    """Total variation between the shares of a week and those of all baseline weeks together.

    The limit is simulated with both drawn from the shares of all weeks (multinomial). If the baseline's weeks
    differ by more than chance (Pearson's chi-square over its degrees of freedom), the limit is widened
    accordingly, with F in place of the chi-square because few weeks estimate that badly. Rare kinds are
    merged.
    """
    n = sum(week.values())
    kinds = sorted({*week, *(kind for each in baseline for kind in each)}, key=str)
    usual = np.array([[each.get(kind, 0) for kind in kinds] for each in baseline if sum(each.values())])
    now = np.array([week.get(kind, 0) for kind in kinds])
    if n < FEWEST_INPUTS or not len(usual):
        return _unknown(n, "too few inputs")
    usual, now = _with_rare_kinds_merged(usual.astype(np.float64), now.astype(np.float64))
    if now.size < 2:
        return Distance(value=0.0, limit=0.0, n=n)
    before = usual.sum(axis=0)
    shares = (before + now) / (before.sum() + n)
    generator = np.random.default_rng(seed)
    drawn = [generator.multinomial(int(size), shares, size=DRAWS) / size for size in (before.sum(), float(n))]
    chance = np.abs(drawn[0] - drawn[1]).sum(axis=1) / 2
    limit = float(np.quantile(chance, 1 - LEVEL, method="higher")) * math.sqrt(_excess_variance_factor(usual))
    value = float(np.abs(before / before.sum() - now / n).sum()) / 2
    return Distance(value=value, limit=min(limit, 1.0), n=n)


def _with_rare_kinds_merged(usual: Array, now: Array) -> tuple[Array, Array]:
    """Merge kinds of which fewer than `FEWEST_IN_CELL` are expected in the week into one, the last column."""
    whole = usual.sum(axis=0) + now
    is_rare = whole / whole.sum() * now.sum() < FEWEST_IN_CELL
    if not is_rare.any():
        return usual, now
    together = np.column_stack([usual[:, ~is_rare], usual[:, is_rare].sum(axis=1)])
    return together, np.append(now[~is_rare], now[is_rare].sum())


def _excess_variance_factor(usual: Array) -> float:
    """By which factor the variance of a further week may exceed that of chance, at the level; 1 or more."""
    from scipy.special import chdtri, fdtri

    weeks, kinds = usual.shape
    usual = usual[:, usual.sum(axis=0) > 0]
    if weeks < FEWEST_WEEKS or usual.shape[1] < 2:
        return 1.0
    expected = np.outer(usual.sum(axis=1), usual.sum(axis=0)) / usual.sum()
    degrees = (weeks - 1) * (usual.shape[1] - 1)
    ratio = float(((usual - expected) ** 2 / expected).sum()) / degrees
    free = kinds - 1
    careful = float(fdtri(free, degrees, 1 - LEVEL)) * free / float(chdtri(free, LEVEL))
    return float(max(ratio * careful, 1.0))


def length_distance(baseline: Sequence[Sequence[float]], week: Sequence[float]) -> Distance:
    """Relative change of the geometric mean of lengths (plus one), by Student's t over weeks.

    The error is the larger of two: that of one more week like the baseline's, and that of as many independent
    inputs. Raises ValueError for a length below 0.
    """
    from scipy.special import stdtrit

    logs = [np.log1p(_checked_lengths(each)) for each in baseline if len(each)]
    now = np.log1p(_checked_lengths(week))
    if now.size < FEWEST_INPUTS or len(logs) < FEWEST_WEEKS or min(map(len, logs)) < 2:
        return _unknown(int(now.size), f"too few inputs, or fewer than {FEWEST_WEEKS} weeks")
    means = np.array([each.mean() for each in logs])
    every = np.concatenate(logs)
    single = float(np.concatenate([each - each.mean() for each in logs]).var()) + 1e-12
    variance = max(float(means.var(ddof=1)) * (1 + 1 / means.size), single * (1 / now.size + 1 / every.size))
    reach = float(stdtrit(means.size - 1, 1 - LEVEL / 2)) * math.sqrt(variance)
    moved = float(now.mean() - means.mean())
    # The limit on logarithms is ±reach; as a share it is e^reach − 1 upwards and 1 − e^−reach downwards.
    limit = math.expm1(reach) if moved > 0 else -math.expm1(-reach)
    return Distance(value=math.expm1(moved), limit=limit, n=int(now.size))


def _checked_lengths(given: Sequence[float]) -> Array:
    found = np.asarray(given, dtype=np.float64)
    if found.size and not (np.isfinite(found).all() and found.min() >= 0):
        raise ValueError("a length is 0 or more")
    return found


def texts_distance(baseline: Sequence[Sequence[str]], week: Sequence[str], *, seed: int = 0) -> Distance:
    """Squared distance of the means of TF-IDF vectors, less its expectation by chance.

    The limit is the larger of two: that of random divisions of all texts (permutations), and a prediction
    limit for a further week from the distances of each baseline week to the others (lognormal). At most 2,000
    texts of the baseline and 500 of the week are compared.
    """
    from scipy.special import stdtrit

    generator = np.random.default_rng(seed)
    weeks = [
        _sampled_texts(each, MOST_TEXTS // max(len(baseline), 1), generator) for each in baseline if len(each)
    ]
    now = _sampled_texts(week, MOST_OF_WEEK, generator)
    if len(now) < FEWEST_INPUTS or sum(map(len, weeks)) < FEWEST_INPUTS:
        return _unknown(len(week), "too few texts")
    texts = [text for each in [*weeks, now] for text in each]
    week_of = np.repeat(np.arange(len(weeks) + 1), [len(each) for each in [*weeks, now]])
    found = _tf_idf(texts)
    if found is None:
        return _unknown(len(week), "no words")
    vectors, words = found
    is_now = week_of == len(weeks)
    (value,), (noise,) = _mean_distances(vectors, is_now[None, :])
    divided = np.array([generator.permutation(is_now) for _ in range(DRAWS // 4)])
    limit = float(np.quantile(_mean_distances(vectors, divided)[0], 1 - LEVEL, method="higher"))
    # Texts with the same words have no spread to compare.
    if noise > _NO_SPREAD and len(weeks) >= FEWEST_WEEKS and min(map(len, weeks)) > 1:
        before = vectors[~is_now]
        own, _ = _mean_distances(before, week_of[~is_now][None, :] == np.arange(len(weeks))[:, None])
        # Squared distances are skewed to the right; logarithms of distances with chance included are not. In
        # simulations, the limit at half the level keeps the level.
        logs = np.log(np.maximum(own + noise, noise / 10))
        reach = float(stdtrit(len(weeks) - 1, 1 - LEVEL / 2)) * math.sqrt(1 + 1 / len(weeks))
        limit = max(limit, math.exp(float(logs.mean()) + reach * float(logs.std(ddof=1))) - float(noise))
    value = float(value)
    return Distance(value=value, limit=limit, n=len(week), words=_words_that_rose(vectors, is_now, words))


def _sampled_texts(texts: Sequence[str], most: int, generator: np.random.Generator) -> list[str]:
    if len(texts) <= most:
        return list(texts)
    return [texts[place] for place in generator.choice(len(texts), most, replace=False).tolist()]


def _tf_idf(texts: list[str]) -> "tuple[csr_array, list[str]] | None":
    """TF-IDF vectors of words; of runs of two or three letters if most texts share no word, as in scripts
    without spaces.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    for kind in ({"analyzer": "word"}, {"analyzer": "char", "ngram_range": (2, 3)}):
        # A word of a single text says nothing about two weeks.
        vectorizer = TfidfVectorizer(max_features=MOST_WORDS, min_df=2, sublinear_tf=True, **kind)
        try:
            vectors = vectorizer.fit_transform(texts).tocsr()
        except ValueError:
            continue
        if 2 * np.count_nonzero(np.diff(vectors.indptr)) > len(texts):
            return vectors, list(vectorizer.get_feature_names_out())
    return None


def _mean_distances(vectors: "csr_array", chosen: npt.ArrayLike) -> tuple[Array, Array]:
    """For each row of ``chosen``, the squared distance between the means of those texts and of the others,
    less its expectation from the spread within both; and that expectation.
    """
    member = np.asarray(chosen, dtype=np.float64)
    length = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    total = np.asarray(vectors.sum(axis=0)).ravel()
    count = member.sum(axis=1)
    inside = np.asarray((vectors.T @ member.T).T)
    means, parts = [], []
    for sums, number, lengths in (
        (inside, count, member @ length),
        (total - inside, len(length) - count, length.sum() - member @ length),
    ):
        mean = sums / number[:, None]
        square = (mean**2).sum(axis=1)
        means.append(mean)
        parts.append((lengths / number - square) / np.maximum(number - 1, 1))
    noise = parts[0] + parts[1]
    return ((means[0] - means[1]) ** 2).sum(axis=1) - noise, noise


def _words_that_rose(
    vectors: "csr_array", is_now: npt.NDArray[np.bool_], words: list[str]
) -> tuple[str, ...]:
    now, before = (np.asarray(vectors[rows].mean(axis=0)).ravel() for rows in (is_now, ~is_now))
    first = np.argsort(before - now, kind="stable")[:WORDS_SHOWN]
    return tuple(words[place] for place in first.tolist() if now[place] > before[place])


def _unknown(n: int, reason: str) -> Distance:
    return Distance(value=None, limit=None, n=n, reason=reason)
