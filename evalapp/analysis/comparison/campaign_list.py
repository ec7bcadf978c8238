"""The list of comparisons filtered by rubric version or a split."""

from typing import NamedTuple

from django.db.models import QuerySet
from django.http import QueryDict

from evalapp.accounts.models import Project
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import Split
from evalapp.rubrics.models import RubricVersion

MOST_VERSIONS = 50


class ListFilter(NamedTuple):
    label: str
    href: str
    on: bool


class Listing(NamedTuple):
    """``filters``: a chip for each rubric version and split of the campaigns, if there are several."""

    campaigns: QuerySet[Campaign]
    filters: list[ListFilter]
    is_filtered: bool


def filter_list(project: Project, campaigns: QuerySet[Campaign], query: QueryDict) -> Listing:
    """Read ``rubric`` (a rubric version's id) and ``split``. Raises InvalidError for a value that no campaign
    has.
    """
    opened = project.campaigns.exclude(state=CampaignState.DRAFT).order_by()
    versions = list(
        RubricVersion.objects.filter(pk__in=opened.values("rubric_version"))
        .select_related("rubric")
        .order_by("rubric__name", "-number")[:MOST_VERSIONS]
    )
    splits = sorted(set(opened.values_list("split", flat=True)))
    rubric, split = query.get("rubric", ""), query.get("split", "")
    if rubric and rubric not in {str(version.pk) for version in versions}:
        raise InvalidError("No campaign here was reviewed by that rubric version. Open the list without it.")
    if split and split not in splits:
        raise InvalidError(f"No campaign here reviews the split “{split[:60]}”. Open the list without it.")
    if rubric:
        campaigns = campaigns.filter(rubric_version=int(rubric))
    if split:
        campaigns = campaigns.filter(split=split)
    filters = []
    if len(versions) > 1:
        for version in versions:
            on = str(version.pk) == rubric
            filters.append(ListFilter(str(version), _url(query, "rubric", "" if on else str(version.pk)), on))
    if len(splits) > 1:
        for each in splits:
            on = each == split
            filters.append(ListFilter(Split(each).label, _url(query, "split", "" if on else each), on))
    return Listing(campaigns, filters, bool(rubric or split))


def _url(query: QueryDict, name: str, value: str) -> str:
    changed = QueryDict(mutable=True)
    for part in ("rubric", "split"):
        chosen = value if part == name else query.get(part, "")
        if chosen:
            changed[part] = chosen
    return f"?{changed.urlencode()}"
