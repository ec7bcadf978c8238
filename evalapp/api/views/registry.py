from typing import Any

from evalapp.accounts.models import Project
from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.registry import (
    AdapterBody,
    AdapterUploadBody,
    AliasBody,
    BaseBody,
    FoldersSerializer,
    ImportedBody,
    ModelQuery,
    ModelVersionDetailSerializer,
    ModelVersionSerializer,
    PromptBody,
)
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.decisions.champions import set_alias_by_hand
from evalapp.registry import folders, queries, services
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import FewShot
from evalapp.runs.few_shot import few_shot
from evalapp.runs.queries import trainable_versions


class ModelView(ProjectView):
    required_permission = Permission.VIEW_MODELS
    post_permission = Permission.EDIT_MODELS

    def version(self, version_id: int) -> ModelVersion:
        return get_or_missing(
            queries.versions_of(self.project).select_related("created_by", "model"), pk=version_id
        )

    def base(self, pk: int) -> ModelVersion:
        return chosen(queries.bases_of(self.project), pk, "base", "base model")


def examples_in(values: dict[str, Any], project: Project) -> FewShot | None:
    """The rows that a body wants shown, taken out of its values; None where it names none."""
    wanted, rows = values.pop("examples_version"), values.pop("example_rows")
    if (wanted is None) != (not rows):
        message = "Give a version and the numbers of its rows, or leave both out."
        raise InvalidError(message, fields={"example_rows": [message]})
    if wanted is None:
        return None
    versions = trainable_versions(project)
    return few_shot(chosen(versions, wanted, "examples_version", "version with training rows"), rows)


class ModelList(ModelView):
    @operation("List candidates", query=ModelQuery, result=ModelVersionSerializer, paged=True)
    def get(self) -> object:
        """Every version of every model of the project, newest first."""
        versions = queries.versions_of(self.project).select_related("created_by", "model")
        kind = self.query["kind"]
        return self.page(versions.filter(kind=kind) if kind else versions)


class ModelFolders(ModelView):
    @operation("List model folders", result=FoldersSerializer)
    def get(self) -> object:
        """What may be registered from the server's own disks."""
        return {"bases": folders.bases_on_disk(), "adapters": folders.adapters_on_disk()}


class ModelDetail(ModelView):
    @operation("Read a candidate", result=ModelVersionDetailSerializer)
    def get(self, version_id: int) -> object:
        return self.version(version_id)


class BaseRegistration(ModelView):
    @operation("Register a base", body=BaseBody, result=ModelVersionSerializer, status=201)
    def post(self) -> object:
        """A folder of the server, which must be an allowed one; its files stay where they are."""
        return services.register_base(project=self.project, by=self.person, **self.body())


class PromptRegistration(ModelView):
    @operation("Register a prompt", body=PromptBody, result=ModelVersionSerializer, status=201)
    def post(self) -> object:
        """Other words around the prompt of a base: a system prompt, a template with {prompt}, examples, or several."""
        values = self.body()
        base = self.base(values.pop("base"))
        examples = examples_in(values, self.project)
        return services.register_prompt(
            project=self.project, base=base, by=self.person, examples=examples, **values
        )


class AdapterRegistration(ModelView):
    @operation("Register an adapter", body=AdapterBody, result=ModelVersionSerializer, status=201)
    def post(self) -> object:
        """A LoRA folder of the server, checked against its base and copied."""
        values = self.body()
        base = self.base(values.pop("base"))
        return services.register_adapter_folder(project=self.project, base=base, by=self.person, **values)


class AdapterUpload(ModelView):
    @operation(
        "Upload an adapter", body=AdapterUploadBody, result=ModelVersionSerializer, status=201, upload=True
    )
    def post(self) -> object:
        """A zip with adapter_model.safetensors and adapter_config.json; nothing else is opened."""
        values = self.body()
        return services.register_adapter_upload(
            project=self.project,
            base=self.base(values["base"]),
            label=values["label"],
            upload=values["archive"].file,
            by=self.person,
        )


class ImportedRegistration(ModelView):
    @operation("Register imported outputs", body=ImportedBody, result=ModelVersionSerializer, status=201)
    def post(self) -> object:
        """A candidate whose outputs are imported."""
        return services.register_imported(project=self.project, by=self.person, **self.body())


class ModelAlias(ModelView):
    @operation("Set an alias", body=AliasBody, result=ModelVersionSerializer)
    def post(self, version_id: int) -> object:
        """champion, challenger, or "" for none. A project has one of each; it is taken from the other. The
        champion is changed by who may decide. Where a campaign took a gate, one is made by signing it; only one
        that was champion before is set again here, or a first one that is not tuned.
        """
        version = self.version(version_id)
        set_alias_by_hand(version=version, alias=self.body()["alias"], by=self.person)
        return version
