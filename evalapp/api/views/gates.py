from typing import Any

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import Answer, ProjectView, chosen, operation
from evalapp.api.serializers.gates import (
    AppliedGateSerializer,
    ApplyGateBody,
    CampaignGateSerializer,
    EvaluateGateBody,
    EvaluationSerializer,
    GateBody,
    GateConditionBody,
    GateSerializer,
)
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError
from evalapp.core.http import get_or_missing
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import CampaignGate, GateEvaluation, GateVerdict
from evalapp.gates.queries import applied_gates, candidate_named, evaluations_of, gates_of, last_evaluation
from evalapp.gates.services import GatePlan, apply_gate, save_gate
from evalapp.gates.waiting import waiting_of
from evalapp.registry.queries import versions_of


class GateList(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.EDIT_CAMPAIGNS

    @operation("List gates", result=GateSerializer, paged=True)
    def get(self) -> object:
        """Each version a row, newest first."""
        return self.page(gates_of(self.project))

    @operation("Save a gate", body=GateBody, result=GateSerializer, status=201)
    def post(self) -> object:
        """A new name makes a gate. A name that is there changes it: in place while it is applied to no campaign,
        else as the next version.
        """
        values = self.body()
        rubric = chosen(self.project.rubrics.all(), values["rubric"], "rubric", "rubric with id")
        latest = rubric.versions.order_by("-number").first()
        criteria = {each.key: each for each in latest.criteria.all()} if latest is not None else {}
        plan = GatePlan(
            **{
                **values,
                "rubric": rubric,
                "conditions": [
                    GateConditionBody.condition_of(each, criteria) for each in values["conditions"]
                ],
            }
        )
        gate = self.project.gates.filter(name=" ".join(plan.name.split())).order_by("-version").first()
        return save_gate(project=self.project, plan=plan, by=self.person, gate=gate)


class GateDetail(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Read a gate", result=GateSerializer)
    def get(self, gate_id: int) -> object:
        return get_or_missing(gates_of(self.project), pk=gate_id)


class CampaignGateView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def campaign(self, campaign_id: int) -> Campaign:
        campaigns = self.project.campaigns.select_related(
            "project", "rubric_version", "dataset_version__dataset"
        )
        return get_or_missing(campaigns, pk=campaign_id)


class CampaignGateDetail(CampaignGateView):
    post_permission = Permission.DECIDE

    @operation("Read a campaign's gate", result=CampaignGateSerializer)
    def get(self, campaign_id: int) -> object:
        """With its last recorded evaluation; not yet before the first review and where nobody can sign it. Reading spends nothing, and says nothing
        new.
        """
        campaign_gate = next(iter(applied_gates(self.campaign(campaign_id))), None)
        return _shown(campaign_gate, last_evaluation(campaign_gate) if campaign_gate is not None else None)

    @operation(
        "Evaluate a gate",
        body=EvaluateGateBody,
        result=CampaignGateSerializer,
        status=201,
        also={
            200: "No review has come in since the last evaluation, which stands; or none at all, which is not yet and is not "
            "recorded."
        },
    )
    def post(self, campaign_id: int) -> object:
        """A recorded evaluation, which spends false-release budget: release, do not release, or not yet."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        campaign_gate = next(iter(applied_gates(campaign)), None)
        if campaign_gate is None:
            raise ConflictError(f"{campaign} has no gate to evaluate. Apply one first.")
        candidate = candidate_named(campaign_gate, values["candidate"])
        if waiting_of(campaign_gate):
            return Answer(_shown(campaign_gate, None), 200)
        found = evaluate_gate(campaign_gate=campaign_gate, candidate=candidate, by=self.person)
        return Answer(_shown(campaign_gate, found.evaluation), 201 if found.is_new else 200)


def _shown(campaign_gate: CampaignGate | None, evaluation: GateEvaluation | None) -> dict[str, Any]:
    waiting = waiting_of(campaign_gate) if campaign_gate is not None and evaluation is None else None
    if waiting is not None:
        told = {"verdict": GateVerdict.NOT_YET, "more_reviews": waiting.more_reviews, "reason": waiting.words}
    elif evaluation is not None:
        told = {
            "verdict": evaluation.verdict_for_delivery,
            "more_reviews": evaluation.more_reviews,
            "reason": evaluation.why_not_signed,
        }
    else:
        told = {"verdict": None, "more_reviews": None, "reason": ""}
    return {**told, "campaign_gate": campaign_gate, "evaluation": evaluation}


class CampaignGateApply(CampaignGateView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Apply a gate to a campaign", body=ApplyGateBody, result=AppliedGateSerializer, status=201)
    def post(self, campaign_id: int) -> object:
        """Before the first review it is the campaign's own; afterwards it is exploratory."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        gate = chosen(gates_of(self.project), values["gate"], "gate", "gate with id")
        champion = None
        if values["champion"] is not None:
            versions = versions_of(self.project)
            champion = chosen(versions, values["champion"], "champion", "candidate with id")
        campaign_gate = apply_gate(campaign=campaign, gate=gate, champion=champion, by=self.person)
        campaign_gate.gate.refresh_from_db()
        return campaign_gate


class CampaignGateEvaluations(CampaignGateView):
    @operation("List the evaluations of a campaign's gate", result=EvaluationSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Newest first; of the gate applied before the first review, else of an exploratory one."""
        campaign_gate = next(iter(applied_gates(self.campaign(campaign_id))), None)
        return self.page(
            evaluations_of(campaign_gate) if campaign_gate is not None else GateEvaluation.objects.none()
        )
