"""A page's filter: chips that remove parts, its coverage, and the form to choose another."""

from collections.abc import Iterable
from typing import NamedTuple

from django.http import HttpRequest, QueryDict

from evalapp.analysis.scores.example_fields import ExampleField, FieldValue, example_fields
from evalapp.analysis.scores.filtered_scores import FilterCoverage
from evalapp.analysis.scores.filters import FIELD, ComparisonFilter, FilterChoice, FilterProblem, is_filter
from evalapp.analysis.scores.finder import FINDER_PARTS
from evalapp.campaigns.models import CampaignCandidate
from evalapp.reviews.pseudonyms import ReviewerNames

# Kept when the filter changes; a page number or a case belongs to the old view.
CARRIED = (
    "reviewer_type",
    "score_source",
    "criterion",
    "metric",
    "against",
    "measure",
    *FINDER_PARTS,
    "candidate",
    "reviewer",
)


# More boxes are folded: they would push everything else off the page.
MOST_IN_SIGHT = 8


class Chip(NamedTuple):
    """One filter in words, and the URL of the view without it."""

    label: str
    href: str


class OfferedField(NamedTuple):
    """A metadata field in the form: ``values``, each with whether it is chosen, or ``typed`` if there are
    many.
    """

    part: str
    name: str
    values: list[tuple[FieldValue, bool]]
    typed: str
    distinct: int

    @property
    def is_folded(self) -> bool:
        return len(self.values) > MOST_IN_SIGHT and not any(is_chosen for _, is_chosen in self.values)


class FilterForm(NamedTuple):
    """``query``: the filter as URL parameters. ``coverage``: None without a filter."""

    chips: list[Chip]
    everything: str
    query: str
    choices: tuple[FilterChoice, ...]
    coverage: FilterCoverage | None
    problems: tuple[FilterProblem, ...]
    unknown: tuple[str, ...]
    candidates: list[tuple[CampaignCandidate, bool]]
    fields: list[OfferedField]
    reviewers: list[tuple[int, str, bool]]
    since: str
    until: str
    carried: list[tuple[str, str]]


def filter_form_of(
    request: HttpRequest,
    wanted: ComparisonFilter,
    *,
    names: ReviewerNames,
    coverage: FilterCoverage | None = None,
    candidates: Iterable[CampaignCandidate] | None = None,
) -> FilterForm:
    """The filter form of a page; passing the campaign's ``candidates`` saves a query."""
    carried = [(name, request.GET[name]) for name in CARRIED if request.GET.get(name)]
    chosen = {candidate.pk for candidate in wanted.candidates}
    if candidates is None:
        candidates = wanted.campaign.candidates.select_related("model_version")
    people = {} if wanted.campaign.names_are_positions else names.numbers
    reviewers = sorted((number, person) for person, number in people.items())
    return FilterForm(
        chips=[
            Chip(
                choice.words,
                _url(carried, [(each.part, each.value) for each in wanted.choices if each is not choice]),
            )
            for choice in wanted.choices
        ],
        everything=_url(carried, []),
        query=wanted.query,
        choices=wanted.choices,
        coverage=coverage,
        problems=wanted.problems,
        unknown=wanted.unknown,
        candidates=[(candidate, candidate.pk in chosen) for candidate in candidates],
        fields=[_offered(field, wanted) for field in example_fields(wanted.campaign)],
        reviewers=[(number, names.of(person), person in wanted.reviewers) for number, person in reviewers],
        since=wanted.since.isoformat() if wanted.since else "",
        until=wanted.until.isoformat() if wanted.until else "",
        carried=carried,
    )


def filter_part(query: QueryDict) -> str:
    """The filtering parameters of a URL, for links to cases of a view."""
    kept = QueryDict(mutable=True)
    for name in query:
        if is_filter(name):
            kept.setlist(name, [value for value in query.getlist(name) if value])
    return kept.urlencode()


def _offered(field: ExampleField, wanted: ComparisonFilter) -> OfferedField:
    chosen = wanted.fields.get(field.name, ())
    return OfferedField(
        part=FIELD + field.name,
        name=field.name,
        values=[(each, each.value in chosen) for each in field.values] if field.is_listed else [],
        typed=chosen[0] if chosen and not field.is_listed else "",
        distinct=field.distinct,
    )


def _url(carried: list[tuple[str, str]], choices: list[tuple[str, str]]) -> str:
    query = QueryDict(mutable=True)
    for name, value in (*carried, *choices):
        query.appendlist(name, value)
    return f"?{query.urlencode()}"
