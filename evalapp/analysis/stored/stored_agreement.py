"""Agreement in a large campaign: the parts that a job stores, and how they are read.

Nothing is sampled: the scores of two reviewers on any number of outputs are a table of levels by levels, and
the panel's are as many sums (`evalapp.stats.coincidences`). Reviewers are stored by number; displayed names
depend on the reader.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from evalapp.analysis.agreement.reviewer_agreement import (
    ComputedPanel,
    CriterionAgreement,
    LevelsToClarify,
    PairAgreement,
    Panel,
    ReviewerAgreement,
    pair_agreement,
)
from evalapp.analysis.scores.filtered_scores import FilteredScores
from evalapp.analysis.stored.serialisation import Subjects, as_json, from_json
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.rubrics.models import Criterion
from evalapp.stats.confusion import Confusion
from evalapp.stats.ratings import Ratings

Step = Callable[[int, int, str], None]


def part_of(criterion: Criterion, number: int) -> str:
    """The part with the pairs in which this reviewer has the lower number."""
    return f"{criterion.key}/{number}"


def agreement_parts(filtered: FilteredScores, *, step: Step) -> Iterator[tuple[str, Any]]:
    """Every part to be stored, as JSON; the part "" is for all. ``step`` is called with done, total and
    stage.
    """
    panel = ComputedPanel(filtered.scores, ReviewerNames(filtered.scores.numbers))
    people = {each.key: panel.people(each) for each in panel.criteria}
    total = sum(1 + len(present) + len(present) * (len(present) - 1) // 2 for present in people.values())
    done = 0

    def begin(stage: str) -> None:
        nonlocal done
        step(done, total, stage)
        done += 1

    result: dict[str, Any] = {"coverage": as_json(filtered.coverage), "of": {}}
    for criterion in panel.criteria:
        begin(f"{criterion.name}: the panel")
        overall, clarify = panel.overall(criterion), panel.clarify(criterion)
        reviewers = panel.reviewers(
            criterion, partial(begin, f"{criterion.name}: each reviewer against the others")
        )
        result["of"][criterion.key] = {
            "overall": as_json(overall),
            "clarify": as_json(clarify),
            "reviewers": as_json(reviewers),
            "people": [panel.names.numbers[person] for person in people[criterion.key]],
        }
    yield "", result
    for criterion in panel.criteria:
        present = people[criterion.key]
        for place, first in enumerate(present[:-1]):
            found = []
            for second in present[place + 1 :]:
                begin(f"{criterion.name}: pairs of reviewers")
                pair = panel.pair(criterion, (first, second))
                # Pairs without shared outputs are not stored.
                if pair.measures.exact.n:
                    found.append(pair)
            yield part_of(criterion, panel.names.numbers[first]), {"pairs": as_json(found)}


class StoredPanel(Panel):
    """A stored panel. ``read``: the numbers of existing parts by name, in one query.

    Every method raises OutdatedError if the stored numbers can no longer be read.
    """

    def __init__(
        self,
        result: Mapping[str, Any],
        subjects: Subjects,
        names: ReviewerNames,
        read: Callable[[Iterable[str]], Mapping[str, Any]],
    ) -> None:
        self.names, self.criteria = names, list(subjects.criteria.values())
        self._of, self._subjects, self._read = result["of"], subjects, read
        self._people = {number: person for person, number in names.numbers.items()}
        self._pairs: dict[str, dict[tuple[int, int], PairAgreement]] = {}

    def overall(self, criterion: Criterion) -> CriterionAgreement:
        found: CriterionAgreement = self._stored(criterion, "overall")
        return found

    def clarify(self, criterion: Criterion) -> list[LevelsToClarify]:
        found: list[LevelsToClarify] = self._stored(criterion, "clarify")
        return found

    def people(self, criterion: Criterion) -> list[int]:
        numbers = self._stored(criterion, "people")
        return [self._people[number] for number in numbers if number in self._people]

    def reviewers(self, criterion: Criterion) -> list[ReviewerAgreement]:
        rows: list[ReviewerAgreement] = self._stored(criterion, "reviewers")
        return [
            row._replace(name=self.names.of(person), is_reader=person == self.names.reader_id)
            for row in rows
            if (person := self._people.get(row.number)) is not None
        ]

    def prepare(self, criterion: Criterion, pairs: Iterable[tuple[int, int]]) -> None:
        lower = {min(self.names.numbers[person] for person in pair) for pair in pairs}
        wanted = {part_of(criterion, number) for number in lower} - self._pairs.keys()
        for name, result in self._read(wanted).items() if wanted else ():
            pairs_of_part: list[PairAgreement] = from_json(result["pairs"], self._subjects)
            self._pairs[name] = {(each.first, each.second): each for each in pairs_of_part}

    def pair(self, criterion: Criterion, pair: tuple[int, int]) -> PairAgreement:
        self.prepare(criterion, [pair])
        one, other = (self.names.numbers[person] for person in pair)
        lower, higher = sorted((one, other))
        found = self._pairs.get(part_of(criterion, lower), {}).get((lower, higher))
        if found is None:
            return pair_agreement(Ratings.from_columns([], [], []), criterion, pair, self.names)
        if one != lower and found.confusion is not None:
            counts = tuple(zip(*found.confusion.counts, strict=True))
            found = found._replace(confusion=Confusion(found.confusion.levels, counts))
        first, second = (self.names.of(person) for person in pair)
        return found._replace(first=one, second=other, first_name=first, second_name=second)

    def _stored(self, criterion: Criterion, name: str) -> Any:
        return from_json(self._of[criterion.key][name], self._subjects)
