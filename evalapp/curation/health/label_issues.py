"""Labels that the other rows do not support, by confident learning. Pure.

A linear classifier on TF-IDF of words and pairs of words gives each row the probabilities of the labels while
it is trained on the other four fifths of the rows. A label is an issue where another one is as probable as
it is, on average, for the rows that have it (Northcutt, Jiang and Chuang, Confident Learning, JAIR 2021), or
at least 0.5, and by 0.4 more probable than the given one.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from evalapp.curation.health.rows import Fetch, Found, HealthRow, normalised
from evalapp.curation.kinds import FindingKind, Proposal

FEWEST_ROWS = 50
FEWEST_OF_A_LABEL = 5
MOST_LABELS = 100
MOST_ROWS = 50_000
_FOLDS = 5
_CHARACTERS_READ = 2_000
# At least this probable, a label is an issue even if rows of the better label are more certain on average.
_SURE_PROBABILITY = 0.5
_LEAST_MARGIN = 0.4


class LabelIssueDetector:
    """Finds label issues among the first `MOST_ROWS` rows with a label. Holds the first 2,000 characters of
    each of their prompts.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._texts: list[str] = []
        self._labels: list[str] = []
        self._answers: list[list[str]] = []

    def read(self, row: HealthRow) -> None:
        if row.label and len(self._numbers) < MOST_ROWS:
            self._numbers.append(row.number)
            self._texts.append(row.prompt[:_CHARACTERS_READ])
            self._labels.append(row.label)
            self._answers.append(_answers_with(row, row.label))

    def found(self, fetch: Fetch) -> Iterator[Found]:
        counts = Counter(self._labels)
        common = sorted(label for label, count in counts.items() if count >= FEWEST_OF_A_LABEL)
        kept = [place for place, label in enumerate(self._labels) if counts[label] >= FEWEST_OF_A_LABEL]
        if not 2 <= len(common) <= MOST_LABELS or len(kept) < FEWEST_ROWS:
            return
        codes = {label: code for code, label in enumerate(common)}
        given = np.array([codes[self._labels[place]] for place in kept])
        chances = _out_of_fold([self._texts[place] for place in kept], given)
        for position, code in _issues(given, chances):
            place = kept[position]
            better, chance = common[code], float(chances[position, code])
            yield Found(
                FindingKind.LABEL_ISSUE,
                self._numbers[place],
                f"Labelled “{self._labels[place]}”; rows like it are labelled “{better}”"
                f" ({chance:.0%} probable).",
                Proposal.CHANGE,
                score=chance,
                # References equal to the label are trained on, so they change with it.
                changes=dict.fromkeys(["label", *self._answers[place]], better),
            )


def _answers_with(row: HealthRow, label: str) -> list[str]:
    """Names of the references that consist of the label alone."""
    return [
        name
        for name, text in row.texts.items()
        if name.startswith("references.") and normalised(text) == normalised(label)
    ]


def _out_of_fold(texts: list[str], given: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Out-of-fold probabilities of shape (rows, labels): each row by a classifier not trained on it."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    classifier = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=50_000),
        LogisticRegression(C=10.0, max_iter=200),
    )
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    found: npt.NDArray[np.float64] = cross_val_predict(
        classifier, texts, given, cv=folds, method="predict_proba"
    )
    return found


def _issues(given: npt.NDArray[np.int64], chances: npt.NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Positions of the rows with an issue, and the code of the label that they should have."""
    labels = range(chances.shape[1])
    usual = np.array([chances[given == code, code].mean() for code in labels])
    best = chances.argmax(axis=1)
    rows = np.arange(len(given))
    is_issue = (
        (best != given)
        & (chances[rows, best] >= np.minimum(usual[best], _SURE_PROBABILITY))
        & (chances[rows, best] - chances[rows, given] >= _LEAST_MARGIN)
    )
    for position in np.flatnonzero(is_issue):
        yield int(position), int(best[position])
