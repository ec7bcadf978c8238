"""Imports of ratings that people gave in other systems, and reviews as files of such a system."""

from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Fields, Flag, Id, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, operation, route
from evalapp.campaigns.models import Campaign
from evalapp.core.http import attached, download, get_or_missing
from evalapp.imports import flow
from evalapp.imports.pages import ImportFile, require_usable
from evalapp.imports.source_rows import DELIMITERS
from evalapp.jobs.api import JobSerializer
from evalapp.ratings import formats, queries, services
from evalapp.ratings.formats.base import ColumnRole
from evalapp.ratings.label_studio_tasks import json_of_tasks, labeling_config
from evalapp.ratings.models import RatingsImport, RatingsProblem
from evalapp.ratings.options import BY_FIELD, BY_PROMPT, BY_ROW, MAKE, RECORD, REFUSE, RatingsOptions


class RatingsProblemSerializer(ReadOnlySerializer):
    """``is_refusal``: the record was not imported because of this problem. Otherwise it was imported, and the
    problem says what was changed.
    """

    class Meta:
        model = RatingsProblem
        fields = ("row", "field", "problem", "fix", "is_refusal")


class FileFormat(serializers.ChoiceField):
    """One of the readable file formats."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=formats.choices(), **options)


class RatingsImportSerializer(ReadOnlySerializer):
    """An uploaded file of ratings that waits to be checked or imported. ``options`` are suggestions from its
    content; ``census`` describes its content after the first reading.
    """

    file_format = FileFormat()
    options = serializers.DictField()
    census = serializers.DictField()
    job = JobSerializer(allow_null=True)
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True)
    created_by = CreatedByField()

    class Meta:
        model = RatingsImport
        fields = (
            "id", "file_name", "file_format", "size_bytes", "content_hash", "options", "census", "job",
            "campaign", "records_read", "records_imported", "records_refused", "problems_found",
            "spans_missing", "created_by", "created_at",
        )  # fmt: skip


class RatingsUploadBody(Body):
    file = ImportFile(
        help_text=(
            "A UTF-8 file in one of the formats of `file_format`; the format is detected from the content."
        )
    )


class RatingsImportBody(Body):
    """Fields that are left out keep the upload's ``options``."""

    name = Text(max_length=120, required=False, help_text="Name of the campaign.")
    file_format = FileFormat(required=False, help_text="Replaces the detected format.")
    delimiter = serializers.ChoiceField(choices=list(DELIMITERS), required=False)
    mapping = serializers.DictField(
        child=serializers.ChoiceField(choices=[use.value for use in ColumnRole]),
        required=False,
        help_text="Column, or field in a task's data → use.",
    )
    rubric_version = Id(
        required=False,
        allow_null=True,
        help_text="Id of a rubric version; null creates a rubric from the file's values.",
    )
    criteria = serializers.DictField(
        child=Fields(),
        required=False,
        help_text=(
            "Criterion of the file → {`use`: key of the rubric's criterion, or `-` to leave it out} or, for a"
            " rubric made from the file, {`kind`, `minimum`, `maximum`, `steps_per_point`,"
            " `lower_is_better`}."
        ),
    )
    candidates = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        help_text="Name in the file → id of a model version; 0 creates one.",
    )
    reviewers = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        help_text="Name in the file → id of a member; 0 stands for a recorded reviewer.",
    )
    unknown_candidates = serializers.ChoiceField(choices=[MAKE, REFUSE], required=False)
    unknown_reviewers = serializers.ChoiceField(choices=[RECORD, REFUSE], required=False)
    dataset_version = Id(
        required=False,
        allow_null=True,
        help_text="Id of the dataset version whose rows are the items; null: the items are in the file.",
    )
    items_by = serializers.ChoiceField(choices=[BY_ROW, BY_PROMPT, BY_FIELD], required=False)
    item_field = Text(max_length=200, required=False)
    is_blind = Flag(required=False)
    names_are_positions = Flag(
        required=False,
        help_text="Each reviewer name is a position, such as rater 1, that different people filled.",
    )
    skips_invalid = Flag(required=False, help_text="Import without the records that have a problem.")
    reference_candidate = Text(
        max_length=200,
        allow_blank=True,
        required=False,
        help_text="Name in the file whose answers become the references of items that have none.",
    )


class RatingsView(ProjectView):
    required_permission = Permission.VIEW_CAMPAIGNS
    post_permission = Permission.EDIT_CAMPAIGNS

    def ratings_import(self, import_id: int) -> RatingsImport:
        return get_or_missing(queries.ratings_imports_of(self.project), pk=import_id)

    def start(self, import_id: int, *, checks_only: bool) -> RatingsImport:
        found = self.ratings_import(import_id)
        options = replace(RatingsOptions(**found.options), **self.body())
        services.start_ratings_import(
            ratings_import=found, options=options, by=self.person, checks_only=checks_only
        )
        return found


@route("ratings-imports/", "api_ratings_imports")
class RatingsImportList(RatingsView):
    @operation("List imports of ratings", result=RatingsImportSerializer, paged=True)
    def get(self) -> object:
        """Latest first: finished, waiting, running and failed imports."""
        return self.page(queries.ratings_imports_of(self.project))

    @operation(
        "Upload ratings", body=RatingsUploadBody, result=RatingsImportSerializer, status=201, upload=True
    )
    def post(self) -> object:
        """The file is kept until its import is started or discarded. 409 if a file with the same content was
        already imported.
        """
        require_usable(self.request)
        return services.receive_ratings(project=self.project, upload=self.body()["file"], by=self.person)


@route("ratings-imports/<int:import_id>/", "api_ratings_import")
class RatingsImportDetail(RatingsView):
    @operation("Read an import of ratings", result=RatingsImportSerializer)
    def get(self, import_id: int) -> object:
        """The import's job, the content found in the file, and the campaign created from it."""
        return self.ratings_import(import_id)

    @operation("Discard an import of ratings", status=204)
    def delete(self, import_id: int) -> object:
        """Deletes the uploaded file. 409 while the import runs, and after it has succeeded."""
        flow.discard(self.ratings_import(import_id), by=self.person)
        return Response(status=204)


@route("ratings-imports/<int:import_id>/problems/", "api_ratings_problems")
class RatingsProblemList(RatingsView):
    order = ("id",)

    @operation("List problems of ratings", result=RatingsProblemSerializer, paged=True)
    def get(self, import_id: int) -> object:
        """Refused records with reasons, and values changed while reading, in the file's order."""
        return self.page(queries.problems_of(self.ratings_import(import_id)))


@route("ratings-imports/<int:import_id>/check/", "api_ratings_import_check")
class RatingsImportCheck(RatingsView):
    @operation("Check ratings", body=RatingsImportBody, result=RatingsImportSerializer, status=202)
    def post(self, import_id: int) -> object:
        """Queues a job that reads the whole file as an import would and reports every problem, but stores
        nothing.
        """
        return self.start(import_id, checks_only=True)


@route("ratings-imports/<int:import_id>/start/", "api_ratings_import_start")
class RatingsImportStart(RatingsView):
    @operation("Import ratings", body=RatingsImportBody, result=RatingsImportSerializer, status=202)
    def post(self, import_id: int) -> object:
        """Queues the job that creates the closed campaign: all or nothing. A failed import can be started
        again.
        """
        return self.start(import_id, checks_only=False)


class LabelStudioView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def campaign(self, campaign_id: int) -> Campaign:
        return get_or_missing(self.project.campaigns.select_related("rubric_version"), pk=campaign_id)


@route("campaigns/<int:campaign_id>/label-studio/tasks/", "api_label_studio_tasks")
class LabelStudioTasks(LabelStudioView):
    @operation("Download reviews for Label Studio", binary=True)
    def get(self, campaign_id: int) -> object:
        """One task for each answer, with its reviews as annotations, in one JSON list. Reviewers are
        pseudonyms.
        """
        tasks = json_of_tasks(self.campaign(campaign_id))
        return download("label-studio.json", "application/octet-stream", tasks)


@route("campaigns/<int:campaign_id>/label-studio/config/", "api_label_studio_config")
class LabelStudioConfig(LabelStudioView):
    @operation("Download the labeling interface", binary=True)
    def get(self, campaign_id: int) -> object:
        """Label Studio's XML for the campaign's rubric. Create a project with it before you import
        the tasks.
        """
        config = labeling_config(self.campaign(campaign_id).rubric_version)
        return attached(HttpResponse(config, content_type="application/octet-stream"), "label-studio.xml")
