"""Why artifacts are needed, from every foreign key to a version."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, Field, ForeignObjectRel

from evalapp.registry.models import ModelVersion

Reasons = dict[int, list[str]]

# What speaks of a version without needing its weights: where it came from, what can be made of it, what it
# costs.
_NO_NEED = frozenset(
    {
        ("Run", "produced"),
        ("HubDownload", "produced"),
        ("MergedExport", "model_version"),
        ("TokenPrice", "model_version"),
    }
)
_WORDS = {
    ("ModelVersion", "base"): "versions are based on it",
    ("ModelVersion", "parent"): "adapters were continued from it",
    ("Run", "base"): "runs used it as their base",
    ("Run", "continued_from"): "trainings continued from it",
    ("RunCandidate", "model_version"): "runs use it as a candidate",
    ("Output", "candidate"): "outputs are from it",
    ("CampaignCandidate", "model_version"): "campaigns use it as a candidate",
    ("CampaignGate", "champion"): "gates compare others with it",
    ("GateEvaluation", "candidate"): "gate evaluations are on it",
    ("Decision", "candidate"): "decisions are on it",
}


def needs_of(versions: Iterable[ModelVersion]) -> Reasons:
    """For each version's id: why its weights are needed, as phrases; an empty list where
    nothing needs them.
    """
    ids = {version.pk: version for version in versions}
    found: Reasons = defaultdict(list)
    for version in ids.values():
        found[version.pk] += [f"it is the {version.get_alias_display().lower()}"] if version.alias else []
    for model_name, field in _leading_here():
        rows = (
            field.model._base_manager.filter(**{f"{field.name}__in": ids})
            .values_list(field.name)
            .order_by(field.name)
            .annotate(number=Count("pk"))
        )
        plural = str(field.model._meta.verbose_name_plural)
        words = _WORDS.get((model_name, field.name), f"{plural} refer to it")
        for pk, number in rows:
            found[pk].append(f"{number:,} {_of_one(words) if number == 1 else words}")
    return {pk: found[pk] for pk in ids}


def _of_one(words: str) -> str:
    subject, _, rest = words.partition(" ")
    verbs = {"stand": "stands", "have": "has", "hold": "holds", "are": "is", "were": "was", "speak": "speaks"}
    first, _, more = rest.partition(" ")
    return f"{subject.removesuffix('s')} {verbs.get(first, first)} {more}"


def _leading_here() -> list[tuple[str, Field]]:  # type: ignore[type-arg]  # not generic at run time
    relations = [
        field
        for field in ModelVersion._meta.get_fields(include_hidden=True)
        if isinstance(field, ForeignObjectRel) and (field.one_to_many or field.one_to_one)
    ]
    named = [(relation.related_model.__name__, relation.field) for relation in relations]
    return [(name, field) for name, field in named if (name, field.name) not in _NO_NEED]
