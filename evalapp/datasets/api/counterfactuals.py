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
    """``variant`` is the name for requests; ``perturbation`` and ``value`` are the values in the rows'
    metadata.
    """

    variant = serializers.CharField()
    perturbation = serializers.CharField()
    value = serializers.CharField()
    label = serializers.CharField()
    rule = serializers.CharField()


class CounterfactualsSerializer(serializers.Serializer[Any]):
    """``variants`` are available with the product's own ``lists`` (TOML). ``versions`` were created from this
    version; ``job`` is the latest job that wrote one, or tried to.
    """

    variants = VariantChoiceSerializer(many=True)
    lists = serializers.CharField()
    versions = DatasetVersionSerializer(many=True)
    job = JobSerializer(allow_null=True)


class CounterfactualBody(Body):
    name = Text(
        max_length=LONGEST_NAME,
        help_text=(
            "Name of the new dataset; an existing counterfactual dataset of this name gets a new version."
        ),
    )
    variants = List(
        child=Text(max_length=_LONGEST_KEY), min_length=1, max_length=_MOST_VARIANTS,
        help_text="Names such as `name.black`; see `variant` in the list of variants.",
    )  # fmt: skip
    splits = List(
        child=serializers.ChoiceField(choices=Split.choices), default=[Split.TEST.value], min_length=1,
        max_length=len(Split), help_text="Splits to take rows from; rows keep their split.",
    )  # fmt: skip
    at_most = Whole(
        required=False, allow_null=True, default=None, min_value=1,
        help_text="Largest number of original rows; each gets one further row per variant. null: no limit.",
    )  # fmt: skip
    seed = Whole(
        default=DEFAULT_SEED, help_text="Seed for the choice of rows if there are more than `at_most`."
    )
    lists = Text(
        max_length=LONGEST_LISTS, allow_blank=True, default="",
        help_text="Rules and word lists in TOML, in the format of `lists` above. Empty: the product's own.",
    )  # fmt: skip


class ChangedTextSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="A field such as `messages.0`, as in a draft's changes.")
    before = serializers.CharField()
    after = serializers.CharField()


class ChangedRowSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="Number of the original row.")
    changes = ChangedTextSerializer(many=True)


class VariantAccountSerializer(serializers.Serializer[Any]):
    """``pairs`` counts rows with the variant; ``left_out`` counts the others by reason."""

    variant = serializers.CharField()
    pairs = serializers.IntegerField()
    left_out = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=f"Rows by reason: {'; '.join(f'`{key}`, {words}' for key, words in REASONS.items())}.",
    )
    examples = ChangedRowSerializer(many=True)


class CounterfactualPreviewSerializer(serializers.Serializer[Any]):
    """``rows`` of ``of_rows`` were read; ``originals`` of them have a variant."""

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
        """Available variants with their word lists, and the versions created so far."""
        version = self.version(dataset_id, number)
        return {
            "variants": _choices(perturbations_in("")),
            "lists": own_lists(),
            "versions": written_of(version),
            "job": last_job_of(version),
        }

    @operation("Create a counterfactual dataset", body=CounterfactualBody, result=JobSerializer, status=202)
    def post(self, dataset_id: int, number: int) -> object:
        """Queues the job that writes each row to which a rule applies, together with its variants."""
        version = self.version(dataset_id, number)
        return start_counterfactuals(version=version, plan=CounterfactualPlan(**self.body()), by=self.person)


@route(f"{_COUNTERFACTUALS}preview/", "api_dataset_counterfactuals_preview")
class CounterfactualPreview(DatasetView):
    @operation(
        "Preview a counterfactual dataset", body=CounterfactualBody, result=CounterfactualPreviewSerializer
    )
    def post(self, dataset_id: int, number: int) -> object:
        """Applies the rules to the first rows (2,000, or half a million characters); nothing is stored."""
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
