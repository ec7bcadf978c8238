"""Why a version's weights are needed, derived from all foreign keys to versions."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, Field, ForeignObjectRel

from evalapp.registry.models import ModelVersion

Reasons = dict[int, list[str]]

# References that do not need the weights: the version's origin, what can be made again from it, and its
# price.
_NO_NEED = frozenset(
    {
        ("Run", "produced"),
        ("HubDownload", "produced"),
        ("MergedExport", "model_version"),
        ("TokenPrice", "model_version"),
    }
)
# Singular and plural.
_WORDS = {
    ("ModelVersion", "base"): ("version is based on it", "versions are based on it"),
    ("ModelVersion", "parent"): ("adapter was continued from it", "adapters were continued from it"),
    ("Run", "base"): ("run used it as its base", "runs used it as their base"),
    ("Run", "continued_from"): ("training continued from it", "trainings continued from it"),
    ("RunCandidate", "model_version"): ("run uses it as a candidate", "runs use it as a candidate"),
    ("Output", "candidate"): ("output is from it", "outputs are from it"),
    ("CampaignCandidate", "model_version"): (
        "campaign uses it as a candidate",
        "campaigns use it as a candidate",
    ),
    ("CampaignGate", "champion"): ("gate compares others with it", "gates compare others with it"),
    ("GateEvaluation", "candidate"): ("gate evaluation is on it", "gate evaluations are on it"),
    ("Decision", "candidate"): ("decision is on it", "decisions are on it"),
}


def needs_of(versions: Iterable[ModelVersion]) -> Reasons:
    """Why each version's weights are needed, as phrases by version id; empty if nothing needs them."""
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
        meta = field.model._meta
        other = (f"{meta.verbose_name} refers to it", f"{meta.verbose_name_plural} refer to it")
        one, several = _WORDS.get((model_name, field.name), other)
        for pk, number in rows:
            found[pk].append(f"{number:,} {one if number == 1 else several}")
    return {pk: found[pk] for pk in ids}


def _leading_here() -> list[tuple[str, Field]]:  # type: ignore[type-arg]  # not generic at run time
    relations = [
        field
        for field in ModelVersion._meta.get_fields(include_hidden=True)
        if isinstance(field, ForeignObjectRel) and (field.one_to_many or field.one_to_one)
    ]
    named = [(relation.related_model.__name__, relation.field) for relation in relations]
    return [(name, field) for name, field in named if (name, field.name) not in _NO_NEED]
