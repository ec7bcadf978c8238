from typing import Any

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import Answer, ProjectView, chosen, operation
from evalapp.api.serializers.gates import (
    CampaignGateSerializer,
    EvaluationSerializer,
    GateBody,
    GateConditionBody,
    GateSerializer,
    LookBody,
    TakeGateBody,
    TakenGateSerializer,
)
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError
from evalapp.core.http import get_or_missing
from evalapp.gates.looks import look_at
from evalapp.gates.models import CampaignGate, GateEvaluation, GateVerdict
from evalapp.gates.queries import candidate_named, evaluations_of, gates_of, last_evaluation, taken_by
from evalapp.gates.services import GatePlan, save_gate, take_gate
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
        """A new name makes a gate. A name that is there changes it: in place while no campaign has taken it,
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
        """With its last recorded look; not yet before the first review and where nobody can sign it. Reading spends nothing, and says nothing
        new.
        """
        taken = next(iter(taken_by(self.campaign(campaign_id))), None)
        return _shown(taken, last_evaluation(taken) if taken is not None else None)

    @operation(
        "Look at a candidate through the gate",
        body=LookBody,
        result=CampaignGateSerializer,
        status=201,
        also={
            200: "No review has come in since the last look, which stands; or none at all, which is not yet and is not "
            "recorded."
        },
    )
    def post(self, campaign_id: int) -> object:
        """A recorded look, which spends a part of the level: ship, do not ship, or not yet."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        taken = next(iter(taken_by(campaign)), None)
        if taken is None:
            raise ConflictError(f"{campaign} has not taken a gate, so there is nothing to ask.")
        candidate = candidate_named(taken, values["candidate"])
        if waiting_of(taken):
            return Answer(_shown(taken, None), 200)
        look = look_at(taken=taken, candidate=candidate, by=self.person)
        return Answer(_shown(taken, look.evaluation), 201 if look.is_new else 200)


def _shown(taken: CampaignGate | None, evaluation: GateEvaluation | None) -> dict[str, Any]:
    waiting = waiting_of(taken) if taken is not None and evaluation is None else None
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
    return {**told, "taken": taken, "evaluation": evaluation}


class CampaignGateTake(CampaignGateView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Let a campaign take a gate", body=TakeGateBody, result=TakenGateSerializer, status=201)
    def post(self, campaign_id: int) -> object:
        """Before the first review it is the campaign's own; afterwards it is exploratory."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        gate = chosen(gates_of(self.project), values["gate"], "gate", "gate with id")
        champion = None
        if values["champion"] is not None:
            versions = versions_of(self.project)
            champion = chosen(versions, values["champion"], "champion", "candidate with id")
        taken = take_gate(campaign=campaign, gate=gate, champion=champion, by=self.person)
        taken.gate.refresh_from_db()
        return taken


class CampaignGateLooks(CampaignGateView):
    @operation("List the looks of a campaign's gate", result=EvaluationSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Newest first; of the gate that the campaign took before its first review, else of an exploratory one."""
        taken = next(iter(taken_by(self.campaign(campaign_id))), None)
        return self.page(evaluations_of(taken) if taken is not None else GateEvaluation.objects.none())
