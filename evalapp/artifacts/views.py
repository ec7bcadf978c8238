"""A version's page, its card, and its exports."""

from typing import cast

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission, allows
from evalapp.artifacts import merging, packing
from evalapp.artifacts.card import body_of, card_of
from evalapp.artifacts.evidence import evidence_of
from evalapp.artifacts.forms import MergeForm
from evalapp.artifacts.models import MergedExport
from evalapp.artifacts.origins import origin_of
from evalapp.artifacts.queries import merged_exports_of
from evalapp.artifacts.streaming import archive_response, file_response
from evalapp.core.errors import InvalidError
from evalapp.core.http import attached, get_or_missing
from evalapp.jobs.queries import latest_events
from evalapp.registry.forms import AliasForm
from evalapp.registry.models import ModelAlias, ModelVersion
from evalapp.registry.queries import versions_of
from evalapp.runs import queries as runs
from evalapp.runs.contamination.contamination_decisions import decisions_behind


@require_safe
@project_view(Permission.VIEW_MODELS)
def model_version(request: MemberRequest, version_id: int) -> HttpResponse:
    """A version's lineage, evidence, decisions and exports."""
    version = version_or_missing(request, version_id)
    may_crown = allows(request.membership.role, Permission.DECIDE)
    origin = origin_of(version)
    context = {
        "version": version,
        "origin": origin,
        "training": origin.training,
        "evidence": evidence_of(version, reader=request.user),
        "contamination_decisions": decisions_behind(version),
        "uses": runs.generation_uses_of(version),
        "try": runs.position_among_tried(version) if version.has_words else None,
        "alias_form": AliasForm(initial={"alias": version.alias}, may_crown=may_crown),
        "may_set_alias": may_crown or version.alias != ModelAlias.CHAMPION,
        "no_export": packing.why_not_exportable(version),
        "no_merge": merging.why_not_mergeable(version),
        "merge_form": MergeForm(),
        "merges": merged_exports_of(request.project).filter(model_version=version).order_by("-pk"),
    }
    return render(request, "artifacts/model_version.html", context)


@require_safe
@project_view(Permission.VIEW_MODELS)
def model_card(request: MemberRequest, version_id: int) -> HttpResponse:
    version = version_or_missing(request, version_id)
    card = card_of(version, reader=request.user)
    front = card.partition("\n---\n")[0].removeprefix("---\n")
    context = {"version": version, "body": body_of(card), "front": front}
    return render(request, "artifacts/model_card.html", context)


@require_safe
@project_view(Permission.VIEW_MODELS)
def model_card_file(request: MemberRequest, version_id: int) -> HttpResponse:
    version = version_or_missing(request, version_id)
    card = card_of(version, reader=request.user)
    return attached(HttpResponse(card, content_type="text/markdown; charset=utf-8"), packing.CARD_FILE)


@require_safe
@project_view(Permission.VIEW_MODELS)
def model_archive(request: MemberRequest, version_id: int) -> HttpResponse:
    version = version_or_missing(request, version_id)
    return archive_of(request, version)


@require_safe
@project_view(Permission.VIEW_MODELS)
def model_file(request: MemberRequest, version_id: int, name: str) -> HttpResponse:
    return one_file_of(request, version_or_missing(request, version_id), name)


@require_POST
@project_view(Permission.START_RUNS)
def merge_start(request: MemberRequest, version_id: int) -> HttpResponse:
    version = version_or_missing(request, version_id)
    form = MergeForm(request.POST)
    if not form.is_valid():
        raise InvalidError("Choose a number format.", fields={"dtype": ["Choose one."]})
    merged = merging.start_merge(version=version, by=request.user, dtype=form.cleaned_data["dtype"])
    return redirect("merged_export", request.project.slug, merged.pk)


@require_safe
@project_view(Permission.VIEW_MODELS)
def merged_export(request: MemberRequest, merged_id: int) -> HttpResponse:
    merged = merged_or_missing(request, merged_id)
    context = {
        "merged": merged,
        "version": merged.model_version,
        "job": merged.job,
        "events": latest_events(merged.job),
        "files": packing.files_of(merged.model_version, merged) if merged.is_there else [],
    }
    return render(request, "artifacts/merged_export.html", context)


@require_safe
@project_view(Permission.VIEW_MODELS)
def merged_archive(request: MemberRequest, merged_id: int) -> HttpResponse:
    merged = merged_or_missing(request, merged_id)
    return archive_of(request, merged.model_version, merged)


@require_safe
@project_view(Permission.VIEW_MODELS)
def merged_file(request: MemberRequest, merged_id: int, name: str) -> HttpResponse:
    merged = merged_or_missing(request, merged_id)
    return one_file_of(request, merged.model_version, name, merged)


def archive_of(
    request: MemberRequest, version: ModelVersion, merged: MergedExport | None = None
) -> HttpResponse:
    """Stream the archive while it is packed; recorded in the audit log."""
    entries = packing.entries_of(version, reader=request.user, merged=merged)
    packing.note_export(version, by=request.user, merged=merged, what="archive")
    # Cast because callers need not distinguish streamed responses.
    return cast(HttpResponse, archive_response(entries, stem=packing.stem_of(version, merged)))


def one_file_of(
    request: MemberRequest, version: ModelVersion, name: str, merged: MergedExport | None = None
) -> HttpResponse:
    """One file or a range of it; recorded in the audit log unless a range is requested."""
    file = packing.file_named(version, name, merged)
    if "Range" not in request.headers:
        packing.note_export(version, by=request.user, merged=merged, what=name)
    stem = packing.stem_of(version, merged)
    return cast(
        HttpResponse, file_response(request, file.path, filename=f"{stem}-{file.name}", etag=file.etag)
    )


def version_or_missing(request: MemberRequest, version_id: int) -> ModelVersion:
    return get_or_missing(
        versions_of(request.project).select_related("job", "created_by", "endpoint", "base__model"),
        pk=version_id,
    )


def merged_or_missing(request: MemberRequest, merged_id: int) -> MergedExport:
    return get_or_missing(merged_exports_of(request.project), pk=merged_id)
