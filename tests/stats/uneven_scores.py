"""Scores as a small campaign leaves them, with the documents that the questions are about."""

import numpy as np

from evalapp.stats.ratings import Ratings

# 18 questions about five documents, each by two or three of four reviewers, one of whom rated two.
UNEVEN = """
1a2 1b3 2b1 2c3 3a2 3c3 4a1 4b2 5b2 5c2 5d4 6a1 6c2 7a3 7b2 8b3 8c3 9a2 9c2 10a3 10b4 11b2 11c4 12a3
12c3 12d5 13a3 13b2 14b2 14c3 15a2 15c3 16a3 16b4 17b4 17c3 18a3 18c3
"""
FIRST_OF_DOCUMENT = (1, 5, 10, 13, 17)


def uneven(reviewers: str = "abcd") -> tuple[Ratings, np.ndarray]:
    """The scores of these reviewers, and the document of each item."""
    cells = [(int(each[:-2]), each[-2], float(each[-1])) for each in UNEVEN.split() if each[-2] in reviewers]
    ratings = Ratings.from_columns(*zip(*cells, strict=True))
    return ratings, np.searchsorted(FIRST_OF_DOCUMENT, np.array(ratings.items), side="right")
