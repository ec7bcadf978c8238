from django.db.models import prefetch_related_objects

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.decisions import (
    DecisionBody,
    DecisionSerializer,
    ModelLineageSerializer,
    ReviewLineageSerializer,
)
from evalapp.decisions.services import decide
from evalapp.exports.lineage import model_lineage, review_lineage
from evalapp.registry.queries import versions_of


class DecisionList(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.DECIDE

    @operation("List decisions", result=DecisionSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.decisions.select_related("decided_by"))

    @operation("Decide on a candidate", body=DecisionBody, result=DecisionSerializer, status=201)
    def post(self) -> object:
        """With the numbers as they stand, which are kept. “ship” makes the candidate the champion."""
        values = self.body()
        campaigns = self.project.campaigns.select_related("project", "rubric_version")
        values["campaign"] = chosen(campaigns, values["campaign"], "campaign", "campaign with id")
        values["candidate"] = chosen(
            versions_of(self.project), values["candidate"], "candidate", "candidate with id"
        )
        return decide(by=self.person, **values)


class ReviewLineage(ProjectView):
    required_permission = Permission.VIEW_EXPORTS

    @operation("Follow a review forwards", result=ReviewLineageSerializer)
    def get(self, review_id: int) -> object:
        """From a rating to the adapter it trained."""
        return review_lineage(self.project, review_id)


class ModelLineage(ProjectView):
    required_permission = Permission.VIEW_EXPORTS

    @operation("Follow a model back", result=ModelLineageSerializer)
    def get(self, version_id: int) -> object:
        """From an adapter to the ratings it was trained on."""
        found = model_lineage(self.project, version_id)
        prefetch_related_objects([step.version for step in found.steps], "model", "created_by")
        return found
