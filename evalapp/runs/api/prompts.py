"""Prompts and API models as candidates, with few-shot examples."""

from typing import Any

from evalapp.accounts.models import Project
from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Fields, Id, List, Text, Whole
from evalapp.api.operations import chosen, operation, route
from evalapp.core.errors import InvalidError
from evalapp.registry import endpoints, services
from evalapp.registry.api.endpoints import EndpointView
from evalapp.registry.api.models import ModelVersionSerializer, ModelView
from evalapp.registry.endpoints import LONGEST_MODEL
from evalapp.registry.services import FewShot
from evalapp.runs.generation.few_shot import MOST_EXAMPLES, few_shot
from evalapp.runs.queries import trainable_versions


class ShowingBody(Body):
    """``examples_version`` and ``example_rows`` (row numbers) choose training rows to show before each
    question.
    """

    examples_version = Id(required=False, allow_null=True, default=None)
    example_rows = List(child=Whole(min_value=1), required=False, default=list, max_length=MOST_EXAMPLES)


class PromptBody(ShowingBody):
    base = Id()
    label = Text(max_length=80)
    system_prompt = Text(max_length=20_000, allow_blank=True, default="")
    prompt_template = Text(max_length=20_000, allow_blank=True, default="")


class EndpointModelBody(ShowingBody):
    label = Text(max_length=80)
    model = Text(max_length=LONGEST_MODEL, help_text="Name of the model at the endpoint.")
    system_prompt = Text(max_length=20_000, allow_blank=True, required=False, default="")
    prompt_template = Text(max_length=20_000, allow_blank=True, required=False, default="")
    request = Fields(
        required=False,
        default=dict,
        help_text="Further fields for requests to the endpoint; null removes a field.",
    )


def examples_in(values: dict[str, Any], project: Project) -> FewShot | None:
    """Remove the example rows from a request body's values and return them as FewShot; None if there are
    none.
    """
    wanted, rows = values.pop("examples_version"), values.pop("example_rows")
    if (wanted is None) != (not rows):
        raise InvalidError("Give a version and the numbers of its rows, or neither.", field="example_rows")
    if wanted is None:
        return None
    versions = trainable_versions(project)
    return few_shot(chosen(versions, wanted, "examples_version", "version with training rows"), rows)


@route("models/prompt/", "api_model_prompt")
class PromptRegistration(ModelView):
    @operation("Register a prompt", body=PromptBody, result=ModelVersionSerializer, status=201)
    def post(self) -> object:
        """A system prompt, a template with {prompt}, examples, or several of these, on a base."""
        values = self.body()
        base = self.base(values.pop("base"))
        examples = examples_in(values, self.project)
        return services.register_prompt(
            project=self.project, base=base, by=self.person, examples=examples, **values
        )


@route("models/endpoints/<int:endpoint_id>/candidates/", "api_endpoint_model")
class EndpointModelRegistration(EndpointView):
    post_permission = Permission.EDIT_MODELS

    @operation("Register an API model", body=EndpointModelBody, result=ModelVersionSerializer, status=201)
    def post(self, endpoint_id: int) -> object:
        """Registers an API model as a candidate, alone or with a system prompt, a template or examples."""
        endpoint, values = self.endpoint(endpoint_id), self.body()
        examples = examples_in(values, self.project)
        return endpoints.register_endpoint_model(
            endpoint=endpoint, by=self.person, examples=examples, **values
        )
