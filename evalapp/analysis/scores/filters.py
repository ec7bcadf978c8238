"""The filter of the results: read from a URL, and in words.

    ?candidates=3&candidates=5  these candidates, on the items that all of them were rated on
    &field.segment=retail       items whose example has this value (several of one field: any of them)
    &split=test                 items of this split
    &reviewers=2&reviewers=4    reviews by these reviewers, named by their pseudonyms' numbers
    &since=2026-05-01           reviews submitted on this day or later, in UTC (``until``: or earlier)
    &rubric=2                   the rubric version; a campaign has one, so another says where to look

A value that matches nothing in the campaign is reported as a problem, never ignored.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode

from django.http import QueryDict

from evalapp.analysis.scores.example_fields import ExampleField, example_fields, items_of, value_of
from evalapp.analysis.scores.finder import FINDER_PARTS
from evalapp.campaigns.models import Campaign, CampaignCandidate
from evalapp.datasets.models import Split
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names

FIELD = "field."
PARTS = ("candidates", "split", "reviewers", "since", "until", "rubric")
# Other parameters of pages that can be filtered.
PAGE_PARTS = frozenset(
    {"reviewer_type", "score_source", "criterion", "metric", "against", "page", "after", "limit", "view"}
    | {"measure", "first", "second"}
    | set(FINDER_PARTS)
    | {
        "candidate",
        "level",
        "low",
        "na",
        "differ",
        "tag",
        "rule",
        "failed",
        "disagreement",
        "reviewer",
        "gave",
        "true",
        "predicted",
        "unparsed",
    }
)
MOST_NAMED = 8
MOST_CHOICES = 200
# Below the web server's limit (`evalapp.embedded.web_server`) by the length that links add: a path, a
# criterion.
LONGEST_QUERY = 7_400


def is_filter(part: str) -> bool:
    """Whether a URL parameter filters."""
    return part in PARTS or part.startswith(FIELD)


class FilterProblem(NamedTuple):
    """``part``: the URL parameter; ``message``: its problem, and the valid values."""

    part: str
    message: str


class FilterChoice(NamedTuple):
    """One filter of the URL: the parameter, its value, and both in words."""

    part: str
    value: str
    words: str


@dataclass(frozen=True)
class ComparisonFilter:
    """What counts in the results; an empty part does not filter. Made by `read_filter`.

    ``reviewers``: user ids. ``fields``: metadata field → values, any of which matches.
    """

    campaign: Campaign
    candidates: tuple[CampaignCandidate, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    splits: tuple[str, ...] = ()
    reviewers: tuple[int, ...] = ()
    since: dt.date | None = None
    until: dt.date | None = None
    choices: tuple[FilterChoice, ...] = ()
    problems: tuple[FilterProblem, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_filtered(self) -> bool:
        """Whether anything is filtered besides the rubric version, of which a campaign has only one."""
        return any(choice.part != "rubric" for choice in self.choices)

    @property
    def filters_items(self) -> bool:
        return bool(self.fields or self.splits)

    @property
    def filters_reviews(self) -> bool:
        return bool(self.reviewers or self.since or self.until)

    @property
    def query(self) -> str:
        """The filter as URL parameters, without "?"; empty without a filter."""
        return urlencode([(choice.part, choice.value) for choice in self.choices])

    @property
    def view(self) -> str:
        """The filter as canonical text, whatever the order of the URL; empty without a filter."""
        chosen = {(choice.part, choice.value) for choice in self.choices if choice.part != "rubric"}
        return urlencode(sorted(chosen))

    def describe(self) -> str:
        return "; ".join(choice.words for choice in self.choices)

    @property
    def words_in_brackets(self) -> str:
        """The filter as the end of a sentence: " (segment: retail)"; empty without one."""
        return f" ({self.describe()})" if self.choices else ""

    def item_ids(self) -> set[int] | None:
        """Ids of the items that count; None for all."""
        if not self.filters_items:
            return None
        items = items_of(self.campaign)
        if self.splits:
            items = items.filter(example__split__in=self.splits)
        for position, (name, values) in enumerate(self.fields.items()):
            column = f"field_{position}"
            items = items.annotate(**{column: value_of(name)}).filter(**{f"{column}__in": values})
        return set(items.values_list("pk", flat=True))


@dataclass
class _FilterReader:
    """Reads one URL."""

    campaign: Campaign
    query: QueryDict
    choices: list[FilterChoice] = field(default_factory=list)
    problems: list[FilterProblem] = field(default_factory=list)

    def given(self, part: str) -> list[str]:
        """The distinct values of a parameter, without empty ones, which forms send for unset fields."""
        return list(dict.fromkeys(value for value in self.query.getlist(part) if value != ""))

    def choose(self, part: str, value: str, words: str) -> None:
        self.choices.append(FilterChoice(part, value, words))

    def refuse(self, part: str, message: str) -> None:
        self.problems.append(FilterProblem(part, message))


def read_filter(
    campaign: Campaign, query: QueryDict, *, names: ReviewerNames | None = None
) -> ComparisonFilter:
    """Read the filter of a URL. Passing ``names`` saves reading the reviewers."""
    unknown = tuple(name[:80] for name in query if name not in PAGE_PARTS and not is_filter(name))
    if not any(is_filter(name) for name in query):
        return ComparisonFilter(campaign, unknown=unknown)
    reading = _FilterReader(campaign, query)
    if sum(len(query.getlist(name)) for name in query) > MOST_CHOICES:
        reading.refuse("", f"The URL has more than {MOST_CHOICES} filters. Choose fewer.")
        return ComparisonFilter(campaign, problems=tuple(reading.problems), unknown=unknown)
    if len(query.urlencode()) > LONGEST_QUERY:
        reading.refuse("", "The filters make the URL too long. Choose fewer of them.")
        return ComparisonFilter(campaign, problems=tuple(reading.problems), unknown=unknown)
    candidates = _candidates(reading)
    fields = _fields(reading)
    splits = _splits(reading)
    reviewers = _reviewers(reading, names)
    since, until = _days(reading)
    _rubric(reading)
    return ComparisonFilter(
        campaign,
        candidates=candidates,
        fields=fields,
        splits=splits,
        reviewers=reviewers,
        since=since,
        until=until,
        choices=tuple(reading.choices),
        problems=tuple(reading.problems),
        unknown=unknown,
    )


def _candidates(reading: _FilterReader) -> tuple[CampaignCandidate, ...]:
    wanted = reading.given("candidates")
    if not wanted:
        return ()
    present = {str(each.pk): each for each in reading.campaign.candidates.select_related("model_version")}
    for value in wanted:
        if value in present:
            version = present[value].model_version
            reading.choose("candidates", value, version.label)
        else:
            labels = [each.model_version.label for each in present.values()]
            reading.refuse(
                "candidates", f"This campaign has no candidate “{_cut(value)}”; it has {_listed(labels)}."
            )
    return tuple(each for key, each in present.items() if key in wanted)


def _fields(reading: _FilterReader) -> dict[str, tuple[str, ...]]:
    wanted = [name for name in reading.query if name.startswith(FIELD) and reading.given(name)]
    if not wanted:
        return {}
    present = {each.name: each for each in example_fields(reading.campaign)}
    chosen = {}
    for part in wanted:
        name = part.removeprefix(FIELD)
        found = present.get(name)
        if found is None:
            there = f"they have {_listed(present)}" if present else "they have none"
            reading.refuse(part, f"The examples have no field “{_cut(name)}”; {there}.")
            continue
        values = [value for value in reading.given(part) if _has(reading, found, value)]
        for value in values:
            reading.choose(part, value, f"{name}: {value}")
        if values:
            chosen[name] = tuple(values)
    return chosen


def _has(reading: _FilterReader, found: ExampleField, value: str) -> bool:
    known = [each.value for each in found.values]
    if value in known:
        return True
    items = items_of(reading.campaign).annotate(value=value_of(found.name))
    if not found.is_listed and "\x00" not in value and items.filter(value=value).exists():
        return True
    reading.refuse(
        FIELD + found.name, f"No example has “{_cut(value)}” in “{found.name}”; there is {_listed(known)}."
    )
    return False


def _splits(reading: _FilterReader) -> tuple[str, ...]:
    wanted = reading.given("split")
    if not wanted:
        return ()
    present = set(
        items_of(reading.campaign).order_by().values_list("example__split", flat=True).distinct()
    ) or {reading.campaign.split}
    for value in wanted:
        if value in present:
            reading.choose("split", value, f"split: {Split(value).label.lower()}")
        else:
            reading.refuse(
                "split", f"No item is in the split “{_cut(value)}”; there is {_listed(sorted(present))}."
            )
    return tuple(value for value in wanted if value in present)


def _reviewers(reading: _FilterReader, names: ReviewerNames | None) -> tuple[int, ...]:
    wanted = reading.given("reviewers")
    if not wanted:
        return ()
    names = names or shown_names(reading.campaign)
    present = {str(number): person for person, number in names.numbers.items()}
    for value in wanted:
        if value in present:
            reading.choose("reviewers", value, f"by {names.of(present[value])}")
        else:
            there = f"numbers 1 to {len(present)}" if present else "nobody has reviewed here yet"
            reading.refuse("reviewers", f"There is no reviewer {_cut(value)} in this campaign: {there}.")
    return tuple(present[value] for value in wanted if value in present)


def _days(reading: _FilterReader) -> tuple[dt.date | None, dt.date | None]:
    days: dict[str, dt.date] = {}
    for part, words in (("since", "from"), ("until", "to")):
        given = reading.given(part)
        if not given:
            continue
        try:
            days[part] = dt.date.fromisoformat(given[-1])
        except ValueError:
            reading.refuse(part, f"“{_cut(given[-1])}” is not a date; write it as 2026-05-31.")
            continue
        reading.choose(part, days[part].isoformat(), f"{words} {days[part]:%-d %B %Y}")
    if "since" in days and "until" in days and days["since"] > days["until"]:
        reading.refuse("until", "The last day is before the first one.")
    return days.get("since"), days.get("until")


def _rubric(reading: _FilterReader) -> None:
    for value in reading.given("rubric"):
        version = reading.campaign.rubric_version
        if value == str(version.number):
            reading.choose("rubric", value, f"rubric {version}")
        else:
            reading.refuse(
                "rubric",
                f"This campaign was reviewed by {version}, not by version {_cut(value)}. The list of"
                " comparisons can be filtered by version.",
            )


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def _listed(words: Iterable[str]) -> str:
    known: Sequence[str] = list(words)
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return ", ".join(_cut(word) for word in known[:MOST_NAMED]) + more
