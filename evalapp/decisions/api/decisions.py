"""Decisions, their dossiers, and the champion."""

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Id, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.core.http import download, get_or_missing
from evalapp.decisions.champions import set_alias_by_hand
from evalapp.decisions.dossiers import dossier_lines
from evalapp.decisions.models import Decision, DecisionVerdict
from evalapp.decisions.services import MAX_NOTE, decide
from evalapp.gates.models import GateEvaluation
from evalapp.registry.api.models import ModelVersionSerializer, ModelView
from evalapp.registry.models import ModelAlias
from evalapp.registry.queries import versions_of


class DecisionSerializer(ReadOnlySerializer):
    """``evidence`` has the measures at the time of the decision. For a campaign with more than 20,000 scores
    these are the measures that a job had stored, with their ``freshness``: when they were computed, and how
    many reviews and changes came later.
    """

    campaign = serializers.IntegerField(source="campaign_id")
    candidate = serializers.IntegerField(source="candidate_id", help_text="Id of a model version.")
    evidence = serializers.DictField()
    evaluation = serializers.IntegerField(
        source="evaluation_id",
        allow_null=True,
        help_text="Id of the gate evaluation that the decision signs.",
    )
    seal = serializers.CharField(
        help_text="Last hash of the dossier; empty if the decision signs no evaluation."
    )
    decided_by = serializers.CharField(allow_null=True)

    class Meta:
        model = Decision
        fields = (
            "id", "campaign", "candidate", "verdict", "note", "evidence", "is_simulated", "evaluation",
            "seal",
            "decided_by", "created_at",
        )  # fmt: skip


class DecisionBody(Body):
    campaign = Id()
    candidate = Id(help_text="Id of a model version that is a candidate of the campaign.")
    verdict = serializers.ChoiceField(choices=DecisionVerdict.choices)
    note = Text(max_length=MAX_NOTE, allow_blank=True, default="")
    evaluation = Id(
        required=False,
        default=None,
        allow_null=True,
        help_text="Id of the candidate's gate evaluation that the decision signs.",
    )
    replaces = Id(
        required=False,
        default=None,
        allow_null=True,
        help_text=(
            "Id of the newest decision on the evaluation, or else on the campaign. Without it, a second "
            "decision is refused (409)."
        ),
    )


class AliasBody(Body):
    alias = serializers.ChoiceField(choices=[*ModelAlias.choices, ("", "None")], allow_blank=True)


@route("decisions/", "api_decisions")
class DecisionList(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.DECIDE

    @operation("List decisions", result=DecisionSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.project.decisions.select_related("decided_by"))

    @operation("Decide on a candidate", body=DecisionBody, result=DecisionSerializer, status=201)
    def post(self) -> object:
        """Stores the current results with the decision. “release” makes the candidate the champion. With
        ``evaluation`` the decision signs a gate evaluation; whoever started the candidate's training cannot
        sign it (403). If there already is a decision on the evaluation, or else on the campaign, send the id
        of the newest one as ``replaces`` (409). For a campaign with more than 20,000 scores the stored
        comparison is used; it must exist unless an evaluation is signed (409).
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


@route("decisions/<int:decision_id>/dossier/", "api_decision_dossier")
class DecisionDossier(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Download a decision's dossier", binary=True)
    def get(self, decision_id: int) -> object:
        """JSON Lines, hash-chained; `python -m evalapp.dossier FILE` checks it without a server."""
        decisions = self.project.decisions.select_related("evaluation__campaign_gate__gate")
        decision = get_or_missing(decisions, pk=decision_id)
        return download(f"dossier-{decision_id}.jsonl", "application/octet-stream", dossier_lines(decision))


@route("models/<int:version_id>/alias/", "api_model_alias")
class ModelAliasDetail(ModelView):
    @operation("Set an alias", body=AliasBody, result=ModelVersionSerializer)
    def post(self, version_id: int) -> object:
        """The alias is champion, challenger, or "" for none. A project has one of each; the version that had
        the alias loses it. Setting the champion needs the permission to decide. If a gate is applied, a
        version becomes champion by a signed evaluation; here you can only set an earlier champion, or a first
        champion that is not tuned.
        """
        version = self.version(version_id)
        set_alias_by_hand(version=version, alias=self.body()["alias"], by=self.person)
        return version
