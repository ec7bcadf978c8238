"""Counterfactual datasets: what can be made of a version's rows, a preview, and the job that writes one."""

from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, List, Text, Whole
from evalapp.api.operations import operation, route
from evalapp.core.names import LONGEST_NAME
from evalapp.datasets.api.datasets import DatasetVersionSerializer, DatasetView
from evalapp.datasets.counterfactuals.lists import LONGEST_LISTS, own_lists, perturbations_in
from evalapp.datasets.counterfactuals.perturbation import REASONS, Perturbation
from evalapp.datasets.counterfactuals.queries import last_job_of, written_of
from evalapp.datasets.counterfactuals.services import (
    DEFAULT_SEED,
    CounterfactualPlan,
    Preview,
    preview_of,
    start_counterfactuals,
)
from evalapp.datasets.counterfactuals.variants import Chosen
from evalapp.datasets.models import Split
from evalapp.jobs.api import JobSerializer

_COUNTERFACTUALS = "datasets/<int:dataset_id>/versions/<int:number>/counterfactuals/"
_LONGEST_KEY = 100
_MOST_VARIANTS = 200


class VariantChoiceSerializer(serializers.Serializer[Any]):
    """``variant`` is how a request names it; ``perturbation`` and ``value`` are what rows' metadata say."""

    variant = serializers.CharField()
    perturbation = serializers.CharField()
    value = serializers.CharField()
    label = serializers.CharField()
    rule = serializers.CharField()


class CounterfactualsSerializer(serializers.Serializer[Any]):
    """``variants`` can be made by the product's own ``lists`` (TOML). ``versions`` were written of this one;
    ``job`` is the last that wrote one, or tried to.
    """

    variants = VariantChoiceSerializer(many=True)
    lists = serializers.CharField()
    versions = DatasetVersionSerializer(many=True)
    job = JobSerializer(allow_null=True)


class CounterfactualBody(Body):
    name = Text(
        max_length=LONGEST_NAME,
        help_text="Of the new dataset; a counterfactual dataset of this name gets its next version.",
    )
    variants = List(
        child=Text(max_length=_LONGEST_KEY), min_length=1, max_length=_MOST_VARIANTS,
        help_text="Such as `name.black`: `variant` of what can be made.",
    )  # fmt: skip
    splits = List(
        child=serializers.ChoiceField(choices=Split.choices), default=[Split.TEST.value], min_length=1,
        max_length=len(Split), help_text="Whose rows; they keep their split.",
    )  # fmt: skip
    at_most = Whole(
        required=False, allow_null=True, default=None, min_value=1,
        help_text="Original rows; each brings one row for every variant of it. null: all.",
    )  # fmt: skip
    seed = Whole(default=DEFAULT_SEED, help_text="Which rows are taken of more.")
    lists = Text(
        max_length=LONGEST_LISTS, allow_blank=True, default="",
        help_text="Rules and word lists in TOML, as those that are read here. Empty: the product's own.",
    )  # fmt: skip


class ChangedTextSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Such as `messages.0`, as in a draft's changes.")
    before = serializers.CharField()
    after = serializers.CharField()


class ChangedRowSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="Number of the original row.")
    changes = ChangedTextSerializer(many=True)


class VariantAccountSerializer(serializers.Serializer[Any]):
    """``pairs`` rows have the variant; the others are ``left_out`` by reason."""

    variant = serializers.CharField()
    pairs = serializers.IntegerField()
    left_out = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=f"Rows by reason: {'; '.join(f'`{key}`, {words}' for key, words in REASONS.items())}.",
    )
    examples = ChangedRowSerializer(many=True)


class CounterfactualPreviewSerializer(serializers.Serializer[Any]):
    """``rows`` of ``of_rows`` were looked at, and ``originals`` of them have a variant."""

    rows = serializers.IntegerField()
    of_rows = serializers.IntegerField()
    originals = serializers.IntegerField()
    variants = VariantAccountSerializer(many=True)


def _choices(perturbations: tuple[Perturbation, ...]) -> list[dict[str, str]]:
    return [
        {
            "variant": Chosen(each, value).key,
            "perturbation": each.key,
            "value": value.key,
            "label": value.label,
            "rule": each.rule,
        }
        for each in perturbations
        for value in each.values
    ]


@route(_COUNTERFACTUALS, "api_dataset_counterfactuals")
class CounterfactualList(DatasetView):
    @operation("Read a version's counterfactual variants", result=CounterfactualsSerializer)
    def get(self, dataset_id: int, number: int) -> object:
        """What can be made of its rows, by which word lists, and what was made."""
        version = self.version(dataset_id, number)
        return {
            "variants": _choices(perturbations_in("")),
            "lists": own_lists(),
            "versions": written_of(version),
            "job": last_job_of(version),
        }

    @operation("Create a counterfactual dataset", body=CounterfactualBody, result=JobSerializer, status=202)
    def post(self, dataset_id: int, number: int) -> object:
        """Queues the job that writes pairs of rows: each row that a rule touches, and its variants."""
        version = self.version(dataset_id, number)
        return start_counterfactuals(version=version, plan=CounterfactualPlan(**self.body()), by=self.person)


@route(f"{_COUNTERFACTUALS}preview/", "api_dataset_counterfactuals_preview")
class CounterfactualPreview(DatasetView):
    @operation(
        "Preview a counterfactual dataset", body=CounterfactualBody, result=CounterfactualPreviewSerializer
    )
    def post(self, dataset_id: int, number: int) -> object:
        """What the rules do to the first rows (2,000, or half a million characters); nothing is written."""
        return _shown(preview_of(self.version(dataset_id, number), CounterfactualPlan(**self.body())))


def _shown(found: Preview) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "of_rows": found.of_rows,
        "originals": found.originals,
        "variants": [
            {
                "variant": account.chosen.key,
                "pairs": account.pairs,
                "left_out": account.left_out,
                "examples": [
                    {
                        "row": previewed.number,
                        "changes": [
                            {"field": name, "before": before, "after": after}
                            for name, (before, after) in previewed.variant.changed.items()
                        ],
                    }
                    for previewed in found.shown[account.chosen.key]
                ],
            }
            for account in found.accounts
        ],
    }
