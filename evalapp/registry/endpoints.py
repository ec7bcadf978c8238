"""Write operations on endpoints whose models serve as candidates, and on those candidates."""

import hashlib
import json
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.core.outgoing import checked_url
from evalapp.core.sealing import checked_key, opened, sealed
from evalapp.core.uniqueness import unless_taken
from evalapp.registry.models import Endpoint, Model, ModelKind, ModelVersion
from evalapp.registry.services import FewShot, add_version, checked_words

MOST_ENDPOINTS = 50
MOST_PARALLEL = 64
LONGEST_MODEL = 200
LONGEST_REQUEST = 4_000
OWN_FIELDS = frozenset({"messages", "model", "stream", "n"})
"""Request fields that a candidate may not set, because the run sets them or they change the form of the
response.
"""
_PURPOSE = "evalapp.registry.endpoint_key"


@transaction.atomic
def create_endpoint(
    *, project: Project, name: str, url: str, by: User | None, secret: str = "", parallel: int = 4
) -> Endpoint:
    """Add an endpoint. No request is sent yet.

    Raises InvalidError naming the invalid field, OutgoingRefusedError for an endpoint that may not be
    reached, and ConflictError for a taken name or too many endpoints.
    """
    name = checked_name(name, of="the endpoint", longest=60)
    url, secret = checked_url(url), checked_key(secret)
    _require_parallel(parallel)
    Project.objects.select_for_update().get(pk=project.pk)
    if project.endpoints.count() >= MOST_ENDPOINTS:
        raise ConflictError(f"This project has {MOST_ENDPOINTS} endpoints. Delete one first.")
    endpoint = Endpoint(project=project, name=name, url=url, parallel=parallel, created_by=by)
    endpoint.sealed_key = sealed(_PURPOSE, endpoint.key, secret)
    with unless_taken(
        f"This project has an endpoint named “{name}” already. Choose another name.", field="name"
    ):
        endpoint.save()
    data = {"url": endpoint.origin, "has_key": bool(secret)}
    record("endpoint.created", by=by, obj=endpoint, project=project, data=data)
    return endpoint


@transaction.atomic
def change_endpoint(*, endpoint: Endpoint, url: str, secret: str, parallel: int, by: User) -> None:
    """Change URL, key and number of parallel requests.

    An empty ``secret`` keeps the key. A key is never sent to a URL for which it was not entered, so a new URL
    needs the key again. Raises the errors of ``create_endpoint``.
    """
    locked = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    url, secret = checked_url(url), checked_key(secret)
    _require_parallel(parallel)
    if url != locked.url and locked.sealed_key and not secret:
        raise InvalidError(
            "Enter the API key again: a key is sent only to the endpoint for which it was entered.",
            field="secret",
        )
    locked.url, locked.parallel = url, parallel
    if secret:
        locked.sealed_key = sealed(_PURPOSE, locked.key, secret)
    locked.save(update_fields=["url", "parallel", "sealed_key"])
    data = {"url": locked.origin, "has_key": bool(locked.sealed_key), "is_new_key": bool(secret)}
    record("endpoint.changed", by=by, obj=locked, project=locked.project, data=data)


@transaction.atomic
def delete_endpoint(*, endpoint: Endpoint, by: User) -> None:
    """Delete an endpoint. Raises ConflictError while it has candidates."""
    record("endpoint.deleted", by=by, obj=endpoint, project=endpoint.project)
    try:
        with transaction.atomic():
            endpoint.delete()
    except ProtectedError as error:
        raise ConflictError(
            f"Candidates of “{endpoint.name}” are in the registry, so it cannot be deleted. Enter another"
            " API key to replace its key."
        ) from error


def opened_key(endpoint: Endpoint) -> str:
    """The decrypted API key. Raises InvalidError when the installation's secret key has changed."""
    return opened(_PURPOSE, endpoint.key, endpoint.sealed_key, name=endpoint.name)


@transaction.atomic
def register_endpoint_model(
    *,
    endpoint: Endpoint,
    label: str,
    model: str,
    by: User | None,
    system_prompt: str = "",
    prompt_template: str = "",
    request: dict[str, Any] | None = None,
    examples: FewShot | None = None,
) -> ModelVersion:
    """Register an API model as a candidate, unchanged or with other text and examples around the prompt.

    ``request`` has further fields for its requests; null removes a field that the endpoint does not accept.
    Raises InvalidError naming the invalid field.
    """
    model = model.strip()
    if not model or len(model) > LONGEST_MODEL or not model.isprintable():
        raise InvalidError(
            f"Give the endpoint's name for the model, in at most {LONGEST_MODEL} characters.", field="model"
        )
    checked_words(label, system_prompt, prompt_template, may_be_empty=True)
    request = _checked_request(request or {})
    group, _ = Model.objects.get_or_create(
        project=endpoint.project, name=endpoint.name, defaults={"created_by": by}
    )
    shown = examples if examples is not None and examples.turns else None
    words = [
        endpoint.origin,
        model,
        system_prompt,
        prompt_template,
        request,
        *([shown.turns] if shown else []),
    ]
    said = json.dumps(words, sort_keys=True)
    return add_version(
        group,
        by=by,
        label=label,
        kind=ModelKind.ENDPOINT,
        endpoint=endpoint,
        system_prompt=system_prompt,
        prompt_template=prompt_template,
        config={
            "model": model,
            **({"request": request} if request else {}),
            **({"examples": shown._asdict()} if shown else {}),
        },
        content_hash=hashlib.sha256(said.encode()).hexdigest(),
    )


def _checked_request(request: dict[str, Any]) -> dict[str, Any]:
    problem = ""
    if own := sorted(OWN_FIELDS & request.keys()):
        problem = f"“{own[0]}” is set by the run; leave it out."
    elif len(json.dumps(request)) > LONGEST_REQUEST:
        problem = f"At most {LONGEST_REQUEST:,} characters."
    if problem:
        raise InvalidError(problem, field="request")
    return request


def _require_parallel(parallel: int) -> None:
    if not 1 <= parallel <= MOST_PARALLEL:
        raise InvalidError(f"Between 1 and {MOST_PARALLEL} parallel requests.", field="parallel")
