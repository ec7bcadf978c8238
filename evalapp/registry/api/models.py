"""Candidates: base weights, adapters and imported outputs, as they are registered."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Id, Paging, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.core.http import get_or_missing
from evalapp.registry import folders, queries, services
from evalapp.registry.models import ModelKind, ModelVersion
from hub.spec import MOST_TEMPLATE_CHARACTERS


class ModelVersionSerializer(ReadOnlySerializer):
    """A candidate: a base model, a prompt on a base, an adapter, a full fine-tune, an API model, or imported
    outputs.
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
            "id", "model", "number", "label", "kind", "alias", "base", "parent", "endpoint", "system_prompt",
            "prompt_template",
            "content_hash", "size_bytes", "config", "is_simulated", "is_recorded", "set_aside_at",
            "weights_removed_at", "created_by", "created_at",
        )  # fmt: skip


class ModelQuery(Paging):
    kind = serializers.ChoiceField(choices=ModelKind.choices, required=False, default="")


class FolderSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    label = serializers.CharField()


class FoldersSerializer(serializers.Serializer[Any]):
    """Folders on the server from which models can be registered."""

    bases = FolderSerializer(many=True)
    adapters = FolderSerializer(many=True)


class BaseBody(Body):
    name = Text(max_length=120)
    folder = Text(max_length=1_000)
    label = Text(max_length=80, default="Base")
    chat_template = Text(
        max_length=MOST_TEMPLATE_CHARACTERS, allow_blank=True, default="",
        help_text="The text of a chat_template.jinja, for a folder without a chat template.",
    )  # fmt: skip


class AdapterBody(Body):
    base = Id()
    label = Text(max_length=80)
    folder = Text(max_length=1_000)


class AdapterUploadBody(Body):
    base = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    label = serializers.CharField(max_length=80)
    archive = serializers.FileField(help_text="A zip of the adapter's folder, as peft saves it.")


class ImportedBody(Body):
    label = Text(max_length=80)


class ModelView(ProjectView):
    required_permission = Permission.VIEW_MODELS
    post_permission = Permission.EDIT_MODELS

    def version(self, version_id: int) -> ModelVersion:
        return get_or_missing(
            queries.versions_of(self.project).select_related("created_by", "model"), pk=version_id
        )

    def base(self, pk: int) -> ModelVersion:
        return chosen(queries.bases_of(self.project), pk, "base", "base model")


@route("models/", "api_models")
class ModelList(ModelView):
    @operation("List candidates", query=ModelQuery, result=ModelVersionSerializer, paged=True)
    def get(self) -> object:
        """Every version of every model of the project, newest first."""
        versions = queries.versions_of(self.project).select_related("created_by", "model")
        kind = self.query["kind"]
        return self.page(versions.filter(kind=kind) if kind else versions)


@route("models/folders/", "api_model_folders")
class ModelFolders(ModelView):
    @operation("List model folders", result=FoldersSerializer)
    def get(self) -> object:
        """Folders on the server from which models can be registered."""
        return {"bases": folders.bases_on_disk(), "adapters": folders.adapters_on_disk()}


@route("models/base/", "api_model_base")
class BaseRegistration(ModelView):
    @operation("Register a base", body=BaseBody, result=ModelVersionSerializer, status=201)
    def post(self) -> object:
        """Registers a model in an allowed folder on the server; its files stay there."""
        return services.register_base(project=self.project, by=self.person, **self.body())


@route("models/adapter/", "api_model_adapter")
class AdapterRegistration(ModelView):
    @operation("Register an adapter", body=AdapterBody, result=ModelVersionSerializer, status=201)
    def post(self) -> object:
        """Checks a LoRA folder on the server against its base, copies and registers it."""
        values = self.body()
        base = self.base(values.pop("base"))
        return services.register_adapter_folder(project=self.project, base=base, by=self.person, **values)


@route("models/adapter/upload/", "api_model_adapter_upload")
class AdapterUpload(ModelView):
    @operation(
        "Upload an adapter", body=AdapterUploadBody, result=ModelVersionSerializer, status=201, upload=True
    )
    def post(self) -> object:
        """A zip with adapter_model.safetensors and adapter_config.json; no other file in it is opened."""
        values = self.body()
        return services.register_adapter_upload(
            project=self.project,
            base=self.base(values["base"]),
            label=values["label"],
            upload=values["archive"].file,
            by=self.person,
        )


@route("models/imported/", "api_model_imported")
class ImportedRegistration(ModelView):
    @operation("Register imported outputs", body=ImportedBody, result=ModelVersionSerializer, status=201)
    def post(self) -> object:
        """Registers a candidate whose outputs you import."""
        return services.register_imported(project=self.project, by=self.person, **self.body())
