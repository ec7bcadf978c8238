"""The reviewed rows of a stream that can be used for training, and the weeks they come from."""

from typing import NamedTuple

from django.db.models import Count, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform

from evalapp.datasets.models import DatasetVersion, Example, RecipeVersion, Split, VersionState
from evalapp.exports.models import Export
from evalapp.monitoring.incidents.models import Incident
from evalapp.monitoring.models import Stream

_MOST_VERSIONS_LOOKED_AT = 20


class Feedback(NamedTuple):
    """A dataset version to train on, with rows from reviews of one stream. ``weeks``: week number → rows;
    ``others``: rows of the recipe's base, if a recipe wrote the version.
    """

    version: DatasetVersion
    weeks: dict[int, int]
    others: int

    @property
    def rows(self) -> int:
        return sum(self.weeks.values())


def feedback_for(incident: Incident) -> list[Feedback]:
    """Dataset versions that an incident can be trained on, newest first.

    Their training rows come from exports of the stream's weeks, from the week that alerted first or a later
    one, and otherwise only from the base of the recipe that wrote the version.
    """
    stream, alerted = incident.stream, incident.opened_in.number
    weeks = dict(
        Export.objects.filter(campaign__weekly_sample__stream=stream).values_list(
            "pk", "campaign__weekly_sample__number"
        )
    )
    by_recipe = Q(recipe_version__sources__contains=[{"dataset": stream.dataset_id}])
    made = DatasetVersion.objects.filter(
        Q(exports__in=list(weeks)) | by_recipe,
        dataset__project=stream.project_id,
        state=VersionState.READY,
        counts__train__gt=0,
    ).distinct()
    latest = made.select_related("dataset", "recipe_version").order_by("-id")[:_MOST_VERSIONS_LOOKED_AT]
    found = (_feedback(version, stream, weeks) for version in latest)
    return [each for each in found if each is not None and max(each.weeks, default=0) >= alerted]


def _feedback(version: DatasetVersion, stream: Stream, weeks: dict[int, int]) -> Feedback | None:
    """Training rows by the week they were reviewed in; None if some come from elsewhere."""
    training = version.examples.filter(split=Split.TRAIN)
    counted = training.order_by().values_list(KeyTextTransform("export", "provenance")).annotate(Count("pk"))
    found: dict[int, int] = {}
    others = 0
    for export, rows in counted:
        week = weeks.get(int(export)) if export and export.isdecimal() else None
        if week is None:
            others += rows
        else:
            found[week] = found.get(week, 0) + rows
    if others and not _is_base(version, stream, training, list(weeks)):
        return None
    return Feedback(version, dict(sorted(found.items())), others)


def _is_base(
    version: DatasetVersion, stream: Stream, training: QuerySet[Example], exports: list[int]
) -> bool:
    """Whether a recipe wrote the version, and its base has all rows that no export of the stream made."""
    recipe = RecipeVersion.objects.filter(version=version).first()
    if recipe is None:
        return False
    first = recipe.sources[0]
    if Stream.objects.filter(dataset=first["dataset"]).exclude(pk=stream.pk).exists():
        return False
    base = Example.objects.filter(
        version__dataset=first["dataset"], version__number=first["version"], split=Split.TRAIN
    )
    own = Q(provenance__export__in=exports)
    elsewhere = training.exclude(own & Q(provenance__has_key="export"))
    return not elsewhere.exclude(content_hash__in=base.values("content_hash")).exists()
