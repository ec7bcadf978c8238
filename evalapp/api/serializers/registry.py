from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Id, List, Paging, Shown, Text, Whole
from evalapp.api.serializers.common import CreatedByField
from evalapp.api.serializers.contamination import ContaminationDecisionSerializer
from evalapp.registry.models import ModelAlias, ModelKind, ModelVersion
from evalapp.runs.contamination_decisions import decisions_behind
from evalapp.runs.few_shot import MOST_EXAMPLES
from evalapp.runs.queries import training_of
from hub.spec import MOST_TEMPLATE_CHARACTERS


class ModelVersionSerializer(Shown):
    """A candidate: base weights, a prompt over a base, an adapter, a full model, an API model, or
    imported outputs.
    """

    model = serializers.CharField(source="model.name")
    base = serializers.IntegerField(source="base_id", allow_null=True)
    parent = serializers.IntegerField(source="parent_id", allow_null=True)
    endpoint = serializers.IntegerField(source="endpoint_id", allow_null=True)
    config = serializers.DictField()
    created_by = CreatedByField()

    class Meta:
        model = ModelVersion
        fields = (
            "id", "model", "number", "label", "kind", "alias", "base", "parent", "endpoint", "system_prompt", "prompt_template",
            "content_hash", "size_bytes", "config", "is_simulated", "is_recorded", "set_aside_at",
            "weights_removed_at", "created_by", "created_at",
        )  # fmt: skip


class ModelVersionDetailSerializer(ModelVersionSerializer):
    """With where it comes from. ``training``: the run that made it, ``sweep``: what that run was one of;
    ``contamination_decisions``: by which it, or what it rests on, was trained on rows that evaluate.
    """

    training = serializers.SerializerMethodField()
    sweep = serializers.SerializerMethodField()
    contamination_decisions = serializers.SerializerMethodField()

    class Meta(ModelVersionSerializer.Meta):
        fields = (*ModelVersionSerializer.Meta.fields, "training", "sweep", "contamination_decisions")

    def get_training(self, version: ModelVersion) -> int | None:
        run = training_of(version)
        return run.pk if run is not None else None

    def get_sweep(self, version: ModelVersion) -> int | None:
        run = training_of(version)
        return run.sweep_id if run is not None else None

    @extend_schema_field(ContaminationDecisionSerializer(many=True))
    def get_contamination_decisions(self, version: ModelVersion) -> object:
        return ContaminationDecisionSerializer(decisions_behind(version), many=True).data


class ModelQuery(Paging):
    kind = serializers.ChoiceField(choices=ModelKind.choices, required=False, default="")


class FolderSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    label = serializers.CharField()


class FoldersSerializer(serializers.Serializer[Any]):
    """Folders on the server that models may be registered from."""

    bases = FolderSerializer(many=True)
    adapters = FolderSerializer(many=True)


class BaseBody(Body):
    name = Text(max_length=120)
    folder = Text(max_length=1_000)
    label = Text(max_length=80, default="Base")
    chat_template = Text(
        max_length=MOST_TEMPLATE_CHARACTERS, allow_blank=True, default="",
        help_text="One that the folder lacks, as the text of a chat_template.jinja.",
    )  # fmt: skip


class ShowingBody(Body):
    """``examples_version`` and ``example_rows`` (numbers) show rows of a training split before each question."""

    examples_version = Id(required=False, allow_null=True, default=None)
    example_rows = List(child=Whole(min_value=1), required=False, default=list, max_length=MOST_EXAMPLES)


class PromptBody(ShowingBody):
    base = Id()
    label = Text(max_length=80)
    system_prompt = Text(max_length=20_000, allow_blank=True, default="")
    prompt_template = Text(max_length=20_000, allow_blank=True, default="")


class AdapterBody(Body):
    base = Id()
    label = Text(max_length=80)
    folder = Text(max_length=1_000)


class AdapterUploadBody(Body):
    base = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    label = serializers.CharField(max_length=80)
    archive = serializers.FileField(help_text="Zip of the adapter's folder, as peft saves it.")


class ImportedBody(Body):
    label = Text(max_length=80)


class AliasBody(Body):
    alias = serializers.ChoiceField(choices=[*ModelAlias.choices, ("", "None")], allow_blank=True)
