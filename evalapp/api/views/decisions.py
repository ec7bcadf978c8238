from django.db.models import prefetch_related_objects
from django.http import StreamingHttpResponse

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.decisions import (
    DecisionBody,
    DecisionSerializer,
    ModelLineageSerializer,
    ReviewLineageSerializer,
)
from evalapp.core.http import get_or_missing
from evalapp.decisions.dossiers import dossier_lines
from evalapp.decisions.services import decide
from evalapp.exports.lineage import model_lineage, review_lineage
from evalapp.gates.models import GateEvaluation
from evalapp.registry.queries import versions_of


class DecisionList(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.DECIDE

    @operation("List decisions", result=DecisionSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.decisions.select_related("decided_by"))

    @operation("Decide on a candidate", body=DecisionBody, result=DecisionSerializer, status=201)
    def post(self) -> object:
        """With the numbers as they stand, which are kept. “release” makes the candidate the champion. With
        ``evaluation`` it signs a gate's evaluation; who started the training of the candidate cannot (403). What is decided
        already, the evaluation or else the campaign, takes the id of its newest decision as ``replaces`` (409). Of a campaign with more than 20,000 scores the
        stored comparison is kept, which has to be there unless an evaluation is signed (409).
        """
        values = self.body()
        campaigns = self.project.campaigns.select_related("project", "rubric_version")
        values["campaign"] = chosen(campaigns, values["campaign"], "campaign", "campaign with id")
        values["candidate"] = chosen(
            versions_of(self.project), values["candidate"], "candidate", "candidate with id"
        )
        if values["evaluation"] is not None:
            evaluations = GateEvaluation.objects.filter(campaign_gate__campaign__project=self.project)
            evaluations = evaluations.select_related("candidate", "campaign_gate__gate").defer("reviews")
            values["evaluation"] = chosen(
                evaluations, values["evaluation"], "evaluation", "evaluation of a gate with id"
            )
        return decide(by=self.person, **values)


class DecisionDossier(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Download a decision's dossier", binary=True)
    def get(self, decision_id: int) -> object:
        """JSON Lines, hash-chained; `python -m evalapp.dossier FILE` checks it without a server."""
        decisions = self.project.decisions.select_related("evaluation__campaign_gate__gate")
        decision = get_or_missing(decisions, pk=decision_id)
        response = StreamingHttpResponse(dossier_lines(decision), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="dossier-{decision_id}.jsonl"'
        return response


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
