from dataclasses import replace

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.ratings import (
    RatingsImportBody,
    RatingsImportSerializer,
    RatingsProblemSerializer,
    RatingsUploadBody,
)
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.datasets.uploads import RefusingUploadHandler
from evalapp.ratings import queries, services
from evalapp.ratings.label_studio import json_of_tasks, labeling_config
from evalapp.ratings.models import RatingsImport
from evalapp.ratings.options import RatingsOptions


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


class RatingsImportList(RatingsView):
    @operation("List imports of ratings", result=RatingsImportSerializer, paged=True)
    def get(self) -> object:
        """Latest first: those that became a campaign, and those that wait, run or failed."""
        return self.page(queries.ratings_imports_of(self.project))

    @operation(
        "Upload ratings", body=RatingsUploadBody, result=RatingsImportSerializer, status=201, upload=True
    )
    def post(self) -> object:
        """The file is kept until its import is started or discarded. 409 for exactly the content of a file
        that is imported already.
        """
        refusing = RefusingUploadHandler(self.request)
        self.request._request.upload_handlers.insert(0, refusing)
        given = self.request.data
        if refusing.problem:
            raise InvalidError(refusing.problem, fields={"file": [refusing.problem]})
        del given
        return services.receive_ratings(project=self.project, upload=self.body()["file"], by=self.person)


class RatingsImportDetail(RatingsView):
    @operation("Read an import of ratings", result=RatingsImportSerializer)
    def get(self, import_id: int) -> object:
        """Its job, what it speaks of, and the campaign that it became."""
        return self.ratings_import(import_id)

    @operation("Discard an import of ratings", status=204)
    def delete(self, import_id: int) -> object:
        """The uploaded file is deleted. 409 while it runs, and when it has become a campaign."""
        services.discard_ratings_import(ratings_import=self.ratings_import(import_id), by=self.person)
        return Response(status=204)


class RatingsProblemList(RatingsView):
    order = ("id",)

    @operation("List problems of ratings", result=RatingsProblemSerializer, paged=True)
    def get(self, import_id: int) -> object:
        """What was refused and why, and what was read otherwise than it stands there, in the file's order."""
        return self.page(queries.problems_of(self.ratings_import(import_id)))


class RatingsImportCheck(RatingsView):
    @operation("Check ratings", body=RatingsImportBody, result=RatingsImportSerializer, status=202)
    def post(self, import_id: int) -> object:
        """Queues a job that reads the whole file as an import would, tells every problem and stores nothing."""
        return self.start(import_id, checks_only=True)


class RatingsImportStart(RatingsView):
    @operation("Import ratings", body=RatingsImportBody, result=RatingsImportSerializer, status=202)
    def post(self, import_id: int) -> object:
        """Queues the job that makes the closed campaign: all of it or nothing. It can be started again after a
        failure.
        """
        return self.start(import_id, checks_only=False)


class LabelStudioView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def campaign(self, campaign_id: int) -> Campaign:
        return get_or_missing(self.project.campaigns.select_related("rubric_version"), pk=campaign_id)


class LabelStudioTasks(LabelStudioView):
    @operation("Download reviews for Label Studio", binary=True)
    def get(self, campaign_id: int) -> object:
        """A task for each answer with its reviews as annotations, as one JSON list. Reviewers are told apart by
        their pseudonyms.
        """
        tasks = json_of_tasks(self.campaign(campaign_id))
        return _attachment(StreamingHttpResponse(tasks), "label-studio.json")


class LabelStudioConfig(LabelStudioView):
    @operation("Download the labeling interface", binary=True)
    def get(self, campaign_id: int) -> object:
        """Label Studio's XML for the campaign's rubric; make a project with it before importing the tasks."""
        config = labeling_config(self.campaign(campaign_id).rubric_version)
        return _attachment(HttpResponse(config), "label-studio.xml")


def _attachment(
    response: HttpResponse | StreamingHttpResponse, name: str
) -> HttpResponse | StreamingHttpResponse:
    response["Content-Type"] = "application/octet-stream"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
